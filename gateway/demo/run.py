"""Runs the demo: the origin in a process of its own, the world, and the gateway in this process, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from gateway import app
from gateway.demo import federation
from gateway.demo.beside import NotStarted, wait_for
from gateway.demo.facts import demo_facts, guide_facts
from gateway.demo.files import LOOPBACK, Plan, Ports
from gateway.demo.people import populate
from gateway.demo.world import Home, build, held
from gateway.demo.write import write_whole
from gateway.edge.sockets import listen
from gateway.policy.release import load_release

STOP_SECONDS: Final = 5.0
"""The origin is asked to end, and ended by force after this."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told: `doing` what is being done, `ready` the demo's facts and the address of its guide, once."""

    doing: Callable[[str], None]
    ready: Callable[[dict[str, Any], str], None]


def run_demo(state: Path, offset: int, origin: str | None, audience: Audience, workers: int = 1) -> None:
    """Runs the demo in `state` with all ports shifted by `offset`, until a signal ends it.

    `origin` is the address of somebody's own application, which takes the first transaction's place. Raises GatewayError, with what
    to do, when something is in the way.
    """
    home = Home(state.resolve())
    plan = Plan(Ports(offset), origin, dt.datetime.now(dt.UTC).year, federation.installed())
    with held(home):
        now = time.time()
        audience.doing(f"certificates, keys and table: {home.config}")
        settings = build(home, plan, now)
        snapshot = load_release(settings, now).snapshot
        prepared = app.prepare(home.config, workers)
        write_whole(home.guide, json.dumps(guide_facts(home, plan)).encode())
        audience.doing(f"the application behind the gateway: {plan.ports.origin_url}/")
        with (
            _origin(home, plan.ports) as started,
            federation.provider(plan, prepared.client_secrets, home.ca) as provider,
        ):
            audience.doing("people, passwords and designations (a few seconds the first time)")
            asyncio.run(populate(settings, snapshot, now))
            wait_for(started, "origin")
            wait_for(provider, "provider")
            guide = f"http://{LOOPBACK}:{plan.ports.guide}/"
            app.serve(prepared, lambda: audience.ready(demo_facts(home, plan), guide))


@contextlib.contextmanager
def _origin(home: Home, ports: Ports) -> Iterator[IO[bytes]]:
    """The origin's process; what it says when it is ready can be read. It ends with this block, and whenever this process does.

    Its standard input is a pipe whose other end only we hold. It has a session of its own, so that a terminal's Ctrl-C reaches us
    alone and it can answer until the gateway has drained.
    """
    for port, what in ((ports.origin, "origin"), (ports.guide, "guide"), (ports.revocation, "answers about cards")):
        for socket in listen([(LOOPBACK, port)], what):  # says whose a port in use is, better than the child could
            socket.close()
    command = [
        sys.executable, "-m", "gateway.demo.origin", "--until-eof",
        "--port", str(ports.origin), "--audience", ports.origin_url,
        "--jwks", ports.jwks_url, "--issuer", ports.portal_url,
        "--guide", str(home.guide), "--guide-port", str(ports.guide),
        "--cards", str(home.cards), "--cards-port", str(ports.revocation),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    if process.stdin is None or process.stdout is None:
        raise NotStarted("the origin has no pipes")
    try:
        yield process.stdout
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(origin: IO[bytes]) -> None:
    if not origin.readline():
        raise NotStarted("the demo's origin did not start; it said why above")
