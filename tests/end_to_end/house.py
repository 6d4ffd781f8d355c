"""A gateway of a test's own, in a process of its own: a state directory with the demo's world, adjusted, started and stopped.

The world, with all its people, is made once and copied for each gateway.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.demo.facts import demo_facts
from gateway.demo.files import EID, GUIDE, OPERATOR, ORIGIN, PLAIN, REVOCATION, USER, Plan
from gateway.demo.toml import dump
from gateway.demo.world import Home, build
from gateway.ledger.replaying import Report
from gateway.ledger.verify import verify
from tests.browser.harness import free_offset
from tests.end_to_end.client import Lines
from tests.end_to_end.loaded import Started
from tests.replayed import replayed
from tests.template import todays_plan

PORTS = (USER, PLAIN, OPERATOR, ORIGIN, GUIDE, EID, REVOCATION)
READY_SECONDS = 150
"""A busy machine has taken more than a minute."""
STOP_SECONDS = 60


@dataclass
class House:
    """A state directory, not started yet. `copied` takes `settings` for gateway.toml: {"ledger": {"flood_rate": 10_000}}."""

    state: Path
    offset: int
    origin: str | None

    @classmethod
    def copied(
        cls, template: Path, state: Path, origin: str | None = None, settings: dict[str, dict[str, Any]] | None = None
    ) -> House:
        shutil.copytree(template, state)
        house = cls(state, free_offset(PORTS), origin)
        build(house.home, house.plan, time.time())
        file = house.config / "gateway.toml"
        content = tomllib.loads(file.read_text())
        for section, values in (settings or {}).items():
            content.setdefault(section, {}).update(values)
        tables = {key: value for key, value in content.items() if isinstance(value, dict | list)}
        file.write_text(
            dump("The demo's, adjusted.", {key: content[key] for key in content.keys() - tables.keys()}, tables)
        )
        return house

    @property
    def home(self) -> Home:
        return Home(self.state)

    @property
    def plan(self) -> Plan:
        return replace(todays_plan(self.offset, self.origin), provider=False)  # as in `loaded`

    @property
    def config(self) -> Path:
        return self.home.config

    @property
    def ca(self) -> Path:
        return self.home.ca

    @property
    def log(self) -> Path:
        """What its processes say on stderr."""
        return self.state.with_name(f"{self.state.name}.log")

    @property
    def lines(self) -> Lines:
        return Lines(self.home.ledger)

    @property
    def facts(self) -> dict[str, Any]:
        """What `gateway demo --json` prints."""
        return demo_facts(self.home, self.plan)

    @property
    def port(self) -> int:
        return self.plan.ports.user

    def url(self, transaction: str) -> str:
        return str(next(one["url"] for one in self.facts["transactions"] if one["id"] == transaction))

    def person(self, user_id: str) -> dict[str, Any]:
        return dict(next(one for one in self.facts["people"] if one["user_id"] == user_id))

    # --- commands -----------------------------------------------------------------------------------------------------

    def run(self, *words: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A command of the gateway on this configuration, in another process, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *words, "--config", str(self.config)],
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def verified(self) -> bool:
        """What `gateway log verify` says with its exit status, without the second that a command takes to start; and every decision again
        by the release that it was made by, which has to be the same: a difference is a bug, and so is a line that lacks something.
        """
        self.replayed()
        return verify(self.home.ledger).exit_status == 0

    def replayed(self) -> Report:
        """What `gateway replay` finds. Raises AssertionError on what it should not."""
        return replayed(self.home)

    def ready(self) -> tuple[int, dict[str, Any]]:
        """The answer of /health/ready: status and body."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.plan.ports.operator}/health/ready", timeout=5
            ) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    # --- the process --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def demo(self, workers: int = 1) -> Iterator[Running]:
        """The demo, until the block ends; then Ctrl-C, unless the test has ended it already."""
        options = ["--state", str(self.state), "--port-offset", str(self.offset), "--workers", str(workers), "--json"]
        if self.origin is not None:
            options += ["--origin", self.origin]
        with self._started("demo", *options) as running:
            running.wait_for_line()
            children = running.children()
            yield running
        left = [pid for pid in children if Path(f"/proc/{pid}").exists()]
        assert not left, f"the demo left processes behind: {left}"

    @contextlib.contextmanager
    def serve(self, workers: int = 1) -> Iterator[Running]:
        """`gateway serve` on the same configuration: the gateway alone, as a machine runs it."""
        with self._started("serve", "--config", str(self.config), "--workers", str(workers)) as running:
            running.wait_for_log(r'"event": ?"ready"|\bready\b')
            yield running

    @contextlib.contextmanager
    def _started(self, *words: str) -> Iterator[Running]:
        with (
            self.log.open("ab") as errors,
            Started(words, errors) as process,
        ):
            running = Running(process, self.log, self.log.stat().st_size)
            try:
                yield running
                if process.poll() is None:
                    assert running.stop() == 0, running.said()
                assert "Traceback" not in running.said(), running.said()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


@dataclass
class Running:
    """A started gateway. `log` is what it says on stderr, from byte `since` on (an earlier one spoke before)."""

    process: Started
    log: Path
    since: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.log.read_bytes()[self.since :].decode()

    def children(self) -> list[int]:
        """The processes that it started."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal the gateway as a terminal would (its whole group), and give its exit status."""
        os.killpg(self.pid, number)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """kill -9, without any chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def memory(self, name: str = "VmRSS") -> int:
        """Resident memory in bytes; `VmHWM` is the most since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
        if found is None:
            raise LookupError(name)
        return int(found[1]) * 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def wait_for_line(self) -> None:
        output = self.process.stdout
        ready, _, _ = select.select([output], [], [], READY_SECONDS)
        if not ready or not output.readline():
            raise AssertionError(f"the demo was not ready:\n{self.said()}")

    def wait_for_log(self, pattern: str, seconds: float = READY_SECONDS) -> None:
        """Wait until it has said something on stderr."""
        deadline = time.monotonic() + seconds
        while re.search(pattern, self.said()) is None:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"it never said {pattern!r}:\n{self.said()}")
            time.sleep(0.05)
