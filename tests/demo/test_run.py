"""`gateway demo` as a person or a script runs it: in a process of its own, on ports of its own, and nothing left when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from gateway.demo import federation, stories
from gateway.demo.files import GUIDE, OPERATOR, ORIGIN, PLAIN, PROVIDER, USER

COMMAND = (sys.executable, "-m", "gateway", "demo")
READY_SECONDS = 150
STOP_SECONDS = 60

ADDRESSES = {"user", "eid", "plain", "operator"}
KEYS = {"addresses", "config", "ledger", "ca", "origin", "people", "transactions"}
PEOPLE = [person for person in stories.PEOPLE if federation.installed() or not person.by_provider]
PERSON = {"user_id", "password", "insz", "institution", "language", "story"}


@pytest.fixture
def state(template: Path, tmp_path: Path) -> Path:
    """The state directory of a demo that ran before: `test_a_second_start_goes_on_and_sigterm_ends_it_too` has the first start."""
    return copytree(template, tmp_path / "state")


def free_offset() -> int:
    """An offset with which every port of the demo is free now."""
    for offset in range(10_100 + os.getpid() % 400 * 30, 50_000, 30):
        with contextlib.suppress(OSError):
            for port in (USER, PLAIN, OPERATOR, ORIGIN, GUIDE, PROVIDER):
                with socket.create_server(("127.0.0.1", port + offset)):
                    pass
            return offset
    raise RuntimeError("no free ports")


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    facts: dict[str, Any]
    offset: int
    log: Path

    def children(self) -> list[int]:
        """The processes that the demo started."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]


@contextlib.contextmanager
def demo(state: Path, *options: str) -> Iterator[Running]:
    offset, log = free_offset(), state.with_suffix(".log")
    command = [*COMMAND, "--state", str(state), "--port-offset", str(offset), "--json", *options]
    with log.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            yield Running(process, json.loads(line), offset, log)
        finally:
            process.kill()


def gone(pid: int) -> bool:
    """Whether the process ends within the time that the demo gives it."""
    end = time.monotonic() + STOP_SECONDS
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def get(url: str, ca: str | None = None) -> tuple[int, str]:
    context = None if ca is None else ssl.create_default_context(cafile=ca)
    request = urllib.request.Request(url, headers={"User-Agent": "Mozilla/5.0 Chrome/130.0.0.0"})
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_object_it_prints_has_exactly_its_schema_and_is_true(state: Path) -> None:
    with demo(state) as running:
        facts, offset = running.facts, running.offset
        assert set(facts) == KEYS
        assert set(facts["addresses"]) == ADDRESSES
        assert facts["addresses"]["user"] == f"https://portal.localhost:{USER + offset}/"
        assert facts["addresses"]["plain"] == f"http://portal.localhost:{PLAIN + offset}/"
        assert (facts["config"], facts["ledger"]) == (str(state / "config"), str(state / "ledger"))
        assert "BEGIN CERTIFICATE" in Path(facts["ca"]).read_text()
        more = {"totp_secret": 1, "code_card": 1, "activation_code": 1, "pkcs12": 6, "pkcs12_password": 6}
        assert [set(person) - set(more) for person in facts["people"]] == [PERSON] * len(PEOPLE)
        assert {key: sum(key in person for person in facts["people"]) for key in more} == more
        assert [set(transaction) for transaction in facts["transactions"]] == [{"id", "url", "story"}] * 5
        assert facts["transactions"][0]["url"] == f"https://dossier.localhost:{USER + offset}/dossier/"

        assert get(f"{facts['addresses']['operator']}health/ready")[0] == 200
        assert get(facts["origin"])[0] == 401
        status, page = get(f"http://127.0.0.1:{GUIDE + offset}/")
        assert status == 200
        for person in facts["people"]:
            assert person["user_id"] in page
            assert person["password"] in page
        assert get(f"http://127.0.0.1:{PLAIN + offset}/")[0] == 403

        children = running.children()
        assert len(children) == 1 + federation.installed()  # the origin, and the provider
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(STOP_SECONDS) == 0
        assert all(map(gone, children))
        assert running.process.stdout is not None
        assert running.process.stdout.read() == b""  # quiet after its one line
        assert "Traceback" not in running.log.read_text()


def test_a_second_start_goes_on_and_sigterm_ends_it_too(tmp_path: Path) -> None:
    state = tmp_path / "state"
    seen = []
    for _ in range(2):
        with demo(state) as running:
            seen.append((running.facts["people"], Path(running.facts["ca"]).read_bytes()))
            children = running.children()
            running.process.terminate()
            assert running.process.wait(STOP_SECONDS) == 0
            assert all(map(gone, children))
    assert seen[0] == seen[1]
    verified = subprocess.run(
        [sys.executable, "-m", "gateway", "log", "verify", "--ledger", str(state / "ledger")], check=False, timeout=60
    )
    assert verified.returncode == 0


def test_the_origin_and_the_provider_end_also_when_the_demo_is_killed(state: Path) -> None:
    with demo(state) as running:
        children = running.children()
        running.process.kill()
        assert all(map(gone, children))


@pytest.mark.skipif(not federation.installed(), reason="needs node and npm's oidc-provider: scripts/provider")
@pytest.mark.parametrize(
    "said", [b"", b'{"port": 0, "people": [], "client": "x", "secret": "y", "redirect": "https://a/b"}\n']
)
def test_the_provider_ends_also_when_who_started_it_is_gone_before_it_is_ready(said: bytes) -> None:
    with subprocess.Popen(["node", federation.PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write(said)
        process.stdin.close()
        assert process.wait(STOP_SECONDS) == 0


def test_people_get_it_in_words_on_one_screen(state: Path) -> None:
    offset = free_offset()
    command = [*COMMAND, "--state", str(state), "--port-offset", str(offset)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            said = "".join(iter(process.stdout.readline, "Ctrl-C stops the demo.\n"))
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_SECONDS) == 0
        finally:
            process.kill()
        done = process.stderr.read()
    assert said.startswith(f"The demo is ready. Begin with its guide: http://127.0.0.1:{GUIDE + offset}/\n")
    assert f"https://portal.localhost:{USER + offset}/" in said
    assert str(state / "ledger") in said
    for person in PEOPLE:
        assert f"{person.user_id} / {person.password}: {person.story}" in said
    assert "\x1b" not in said  # no colours in a pipe
    assert done.startswith("demo: certificates, keys and table")


def test_an_origin_of_ones_own_is_the_first_transaction(state: Path) -> None:
    with demo(state, "--origin", "http://127.0.0.1:9") as running:
        first = running.facts["transactions"][0]
        assert (first["id"], first["url"]) == ("app", f"https://app.localhost:{USER + running.offset}/")
        assert running.facts["origin"] == "http://127.0.0.1:9"
        assert "password" in running.facts["people"][0]["story"]
        assert len(running.facts["transactions"]) == 5


@pytest.mark.parametrize("port", [USER, ORIGIN])
def test_a_port_in_use_is_one_readable_line(state: Path, port: int) -> None:
    offset = free_offset()
    with socket.create_server(("127.0.0.1", port + offset)):
        ended = subprocess.run(
            [*COMMAND, "--state", str(state), "--port-offset", str(offset)],
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stdout == ""
    line = ended.stderr.splitlines()[-1]
    # Beside what the demo says, and the operational log's warnings.
    assert sum(not said.startswith(("demo: ", "{")) for said in ended.stderr.splitlines()) == 1
    for word in (str(port + offset), f"process {os.getpid()}", "--port-offset"):
        assert word in line


def test_an_origin_that_cannot_be_is_refused_with_what_to_do(state: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "--state", str(state), "--port-offset", str(free_offset()), "--origin", "ftp://x/"],
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
        check=False,
    )
    assert ended.returncode == 2
    assert "origin.url" in ended.stderr
    assert "Traceback" not in ended.stderr
