"""Several workers are one gateway: what one does all know, whoever dies is replaced, and orders reach all (ADR 0012)."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import signal
import socket
import ssl
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.cli.check import ask_to_reload
from gateway.credentials.totp import code_at, parse_secret, step_at
from gateway.policy.settings import load_settings
from tests.end_to_end import client
from tests.end_to_end.client import BROWSER, FETCH, NAVIGATION, Answer, connected, origin_of, person
from tests.end_to_end.house import House, Running
from tests.end_to_end.origin import Origin

AN = "an.peeters"
WORKERS = 2
BUSY_SECONDS = 1.5
"""What a busy machine may add to a second."""
ENDS_SECONDS = 15.0
BOTH = {"user-0", "user-1"}


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A demo with two workers; its tests leave it as it was."""
    state = tmp_path_factory.mktemp("workers") / "state"
    here = House.copied(template, state, settings={"ledger": {"flood_rate": 10_000}})
    with here.demo(WORKERS):
        yield here
    assert here.verified()


async def fresh(here: House, url: str, cookies: str, *, navigation: bool = False) -> Answer:
    """One request on a connection of its own: whichever worker takes it."""
    asked = request(url, cookies, NAVIGATION if navigation else FETCH)
    async with connected(here.port, ca=here.ca, sni=urlsplit(url).hostname) as (reader, writer):
        return await exchanged(asked, reader, writer)


def request(url: str, cookies: str, kind: Mapping[str, str] = FETCH) -> bytes:
    host = url.removeprefix("https://").partition("/")[0]
    path = url.partition(host)[2]
    fields = {**kind, "Host": host, "User-Agent": BROWSER, "Accept-Language": "en"}
    if cookies:
        fields["Cookie"] = cookies
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


async def exchanged(asked: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
    writer.write(asked)
    return await client.read_answer(reader, wait=ENDS_SECONDS)


async def many(here: House, url: str, cookies: str, count: int = 16, **options: bool) -> list[Answer]:
    return list(await asyncio.gather(*(fresh(here, url, cookies, **options) for _ in range(count))))


async def from_all(here: House, url: str, cookies: str, seconds: float = 10.0) -> dict[str, Answer]:
    """An answer of each worker, by its stream."""
    until = time.monotonic() + seconds
    found: dict[str, Answer] = {}
    while set(found) != BOTH:
        assert time.monotonic() < until, f"only {set(found)} answered"
        for answer in await many(here, url, cookies, 8):
            found[stream_of(here, answer)] = answer
    return found


def stream_of(here: House, answer: Answer) -> str:
    return str(here.lines.of(answer.fields["x-request-id"])[0]["stream"])


def streams_of(here: House, answers: list[Answer]) -> set[str]:
    decided = {line["id"]: line["stream"] for line in here.lines.all() if line["kind"] == "decision"}
    return {decided[answer.fields["x-request-id"]] for answer in answers}


@asynccontextmanager
async def signed_in(here: House, url: str, user_id: str = AN) -> Any:
    async with person(here.ca) as somebody:
        answer = await somebody.sign_in(url, user_id, here.person(user_id)["password"])
        assert answer.status == 200, await answer.text()
        yield somebody


def workers_of(running: Running) -> list[int]:
    """Their process ids; the demo's origin is a child too."""
    return [pid for pid in running.children() if b"gateway.demo.origin" not in command(pid)]


def command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def until(condition: Callable[[], object], seconds: float = ENDS_SECONDS) -> None:
    limit = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < limit, "it did not happen in time"
        await asyncio.sleep(0.02)


def metrics(here: House) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{here.plan.ports.operator}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {name: float(value) for name, value in re.findall(r"^(gateway_[^ ]+) (\S+)$", text, re.MULTILINE)}


# --- one gateway ----------------------------------------------------------------------------------------------------------------


async def test_a_sign_in_is_known_to_all_at_once(shared: House) -> None:
    """The cookie is used on other connections the moment it is there; each time anew, since it is a race."""
    url = shared.url("dossier")
    seen: set[str] = set()
    for _ in range(4):
        async with signed_in(shared, url) as an:
            answers = await many(shared, url, an.cookies(url))
        assert [answer.status for answer in answers] == [200] * len(answers)
        seen |= streams_of(shared, answers)
    assert seen == BOTH


async def test_a_step_up_is_known_to_all_at_once(shared: House) -> None:
    user_id, url = "iris.wouters", shared.url("benefits")
    secret = parse_secret(shared.person(user_id)["totp_secret"])
    seen: set[str] = set()
    for step in (0, 1):  # a code is good once
        async with person(shared.ca) as iris:
            asked = await iris.sign_in(url, user_id, shared.person(user_id)["password"])
            assert asked.url.path == "/step-up"
            fields = {
                "password": shared.person(user_id)["password"],
                "code": code_at(secret, step_at(time.time()) + step),
            }
            done = await iris.fill_in(asked, fields)
            assert (done.status, str(done.url)) == (200, url)
            answers = await many(shared, url, iris.cookies(url))
        assert [answer.status for answer in answers] == [200] * len(answers)
        seen |= streams_of(shared, answers)
    assert seen == BOTH


async def test_an_acceptance_of_the_regulation_is_known_to_all_at_once(shared: House) -> None:
    user_id = "nora.specimen"
    async with person(shared.ca) as nora:
        url = shared.url("dossier")
        page = await nora.sign_in(url, user_id, shared.person(user_id)["password"])
        assert page.url.path == "/regulation"
        answer = await nora.fill_in(page, {"accept": "yes"}, allow_redirects=True)
        cookies = nora.cookies(url)
        answers = await many(shared, url, cookies)
        assert {one.status for one in answers} == {answer.status}


async def test_a_session_that_ends_is_over_on_all_within_a_second(shared: House) -> None:
    url = shared.url("dossier")
    async with signed_in(shared, url) as an:
        cookies = an.cookies(url)
        await from_all(shared, url, cookies)
        sockets = [
            await an.session.ws_connect(url.replace("https:", "wss:") + "live", origin=origin_of(url)) for _ in range(6)
        ]
        result = await asyncio.to_thread(shared.run, "session", "end", "--person", AN, "--reason", "laptop stolen")
        assert result.returncode == 0, result.stderr
        line = max((one for one in shared.lines.all() if one["kind"] == "administration"), key=at)
        for stream, answer in (await from_all(shared, url, cookies)).items():
            if answer.status == 200:
                await asyncio.sleep(max(0.0, at(line) + 1.0 + BUSY_SECONDS - time.time()))
                answer = (await from_all(shared, url, cookies))[stream]
            assert answer.status == 401, stream
        for open_one in sockets:
            while (message := await open_one.receive(timeout=3)).type is aiohttp.WSMsgType.TEXT:
                pass
            assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        ended = [one for one in shared.lines.all() if one["kind"] == "completion" and one["outcome"] == "access_ended"]
        assert len(ended) == len(sockets)
        assert max(at(one) for one in ended) - at(line) < 1.0 + BUSY_SECONDS


def at(line: dict[str, Any]) -> float:
    return dt.datetime.fromisoformat(line["time"]).timestamp()


async def test_random_cookies_are_refused_and_hold_nobody_up(shared: House) -> None:
    url = shared.url("dossier")
    async with signed_in(shared, url) as an:
        strangers = asyncio.gather(*(fresh(shared, url, f"__Host-gw-session={number:064d}") for number in range(200)))
        for _ in range(5):
            began = time.monotonic()
            assert (await an.fetch(url)).status == 200
            assert time.monotonic() - began < 5
        assert {answer.status for answer in await strangers} == {401}


async def test_tickets_are_good_with_every_worker(shared: House) -> None:
    context = client.trusting(shared.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # one ticket, known when the handshake is over
    session: ssl.SSLSession | None = None
    resumed: Counter[bool] = Counter()
    references: list[str] = []

    def visit() -> None:
        nonlocal session
        with (
            socket.create_connection(("127.0.0.1", shared.port)) as plain,
            context.wrap_socket(plain, server_hostname="portal.localhost", session=session) as tls,
        ):
            session = session or tls.session
            resumed[bool(tls.session_reused)] += 1
            tls.sendall(
                f"GET /robots.txt HTTP/1.1\r\nHost: portal.localhost:{shared.port}\r\nUser-Agent: {BROWSER}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            answer = b""
            while data := tls.recv(65536):
                answer += data
            references.append(re.search(rb"X-Request-Id: (\S+)", answer)[1].decode())  # type: ignore[index]

    def streams() -> set[str]:
        decided = {line["id"]: line["stream"] for line in shared.lines.all() if line["kind"] == "decision"}
        return {decided[one] for one in references if one in decided}

    await asyncio.to_thread(visit)
    for _ in range(20):
        await asyncio.gather(*(asyncio.to_thread(visit) for _ in range(4)))
        if streams() == BOTH:
            break
    assert streams() == BOTH
    assert resumed[False] == 1


async def test_figures_are_summed_whoever_is_asked(shared: House) -> None:
    url = shared.url("dossier")
    before = metrics(shared)
    answers = await many(shared, url, "", 40)
    assert {answer.status for answer in answers} == {401}
    name = 'gateway_decisions_total{reason="sign_in_required"}'
    for _ in range(10):
        now = metrics(shared)
        assert now[name] - before.get(name, 0.0) == 40
        assert now["gateway_ready"] == 1
        lines = {key for key in now if key.startswith("gateway_ledger_lines_total")}
        assert {re.search(r'stream="([^"]+)"', key)[1] for key in lines} >= BOTH  # type: ignore[index]
    assert shared.ready()[0] == 200


async def test_a_reload_is_all_workers(shared: House) -> None:
    url = shared.url("dossier")
    file = shared.config / "authorisations" / "24-101.toml"
    good = file.read_text()
    settings = load_settings(shared.config)
    table = shared.ready()[1]["table"]
    async with signed_in(shared, url) as an:
        cookies = an.cookies(url)
        try:
            file.write_text(good + "\nsurprise = 1\n")
            outcome = await asyncio.to_thread(ask_to_reload, settings, 20.0, os.kill)
            assert (outcome["ok"], outcome["hash"], len(outcome["faults"])) == (False, table, 1)
            assert set(outcome) == {"at", "ok", "hash", "faults"}
            file.write_text(good.replace('status = "active"', 'status = "suspended"'))
            outcome = await asyncio.to_thread(ask_to_reload, settings, 20.0, os.kill)
            assert outcome["ok"]
            answers = await from_all(shared, url, cookies)
            assert {answer.status for answer in answers.values()} == {403}
        finally:
            file.write_text(good)
        outcome = await asyncio.to_thread(ask_to_reload, settings, 20.0, os.kill)
        assert (outcome["ok"], outcome["hash"]) == (True, table)
        assert {answer.status for answer in await many(shared, url, cookies)} == {200}
    for stream in BOTH:
        told = [one["outcome"] for one in shared.lines.all() if one["kind"] == "reload" and one["stream"] == stream]
        assert told == ["refused", "loaded", "loaded"]


# --- deaths and ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_worker_killed_under_load_is_replaced_and_nothing_is_missing(
    house: Callable[..., House], origin: Origin
) -> None:
    here = house(origin=origin.url)
    url = here.url("app")
    with here.serve(WORKERS) as running:
        async with signed_in(here, url) as an:
            cookies = an.cookies(url)
            answered: Counter[object] = Counter()
            over = asyncio.Event()

            async def load() -> None:
                while not over.is_set():
                    try:
                        answered[(await fresh(here, f"{url}x", cookies)).status] += 1
                    except (OSError, EOFError, TimeoutError):
                        answered["lost"] += 1

            users = [asyncio.create_task(load()) for _ in range(8)]
            for round_number in range(3):
                before = len(origin.ids())
                await until(lambda before=before: len(origin.ids()) > before + 60)
                counted = metrics(here)
                victim = workers_of(running)[round_number % WORKERS]
                os.kill(victim, signal.SIGKILL)
                await until(lambda: here.ready()[0] == 503)
                reasons = here.ready()[1]["reasons"]
                assert not reasons or re.fullmatch(r"worker [01]: no answer", reasons[0])
                before = len(origin.ids())
                await until(lambda before=before: len(origin.ids()) > before + 10)  # the other serves on
                await until(lambda: here.ready()[0] == 200)
                now = metrics(here)
                name = 'gateway_decisions_total{reason="permitted"}'
                assert now[name] >= counted[name]
            over.set()
            await asyncio.gather(*users)
            # Only what the dead worker had accepted is lost, never what waited in the queue of the socket.
            assert answered["lost"] <= 3 * 8
            assert set(answered) <= {200, "lost"}, answered
            assert running.said().count("worker_ended") == 3
            permits = {
                line["id"] for line in here.lines.all() if line["kind"] == "decision" and line["verdict"] == "permit"
            }
            assert set(origin.ids()) <= permits
            assert here.verified()
    assert here.verified()
    starts = Counter(line["stream"] for line in here.lines.all() if line["kind"] == "start")
    assert starts["user-0"] + starts["user-1"] == WORKERS + 3


@pytest.mark.slow
async def test_a_worker_that_hangs_is_told_of_and_replaced(house: Callable[..., House], origin: Origin) -> None:
    here = house(origin=origin.url)
    url = here.url("app")
    with here.serve(WORKERS) as running:
        async with signed_in(here, url) as an, AsyncExitStack() as stack:
            cookies = an.cookies(url)
            asked = request(url, cookies)
            kept = [
                await stack.enter_async_context(connected(here.port, ca=here.ca, sni="app.localhost")) for _ in range(8)
            ]
            streams = [stream_of(here, await exchanged(asked, *one)) for one in kept]
            assert set(streams) == BOTH
            hung = workers_of(running)[0]
            os.kill(hung, signal.SIGSTOP)
            try:
                told, body = await asyncio.to_thread(here.ready)
                assert (told, body["reasons"]) == (503, ["worker 0: no answer"])
                figures = metrics(here)
                assert figures["gateway_ready"] == 0
                assert not [name for name in figures if name.startswith("gateway_decisions")]
                # Who comes now is served by the other; whose connection it had waits, but not for ever.
                assert {answer.status for answer in await many(here, url, cookies)} == {200}
                answers = await asyncio.gather(*(exchanged(asked, *one) for one in kept), return_exceptions=True)
                for stream, answer in zip(streams, answers, strict=True):
                    if stream == "user-1":
                        assert isinstance(answer, Answer), answer
                        assert answer.status == 200
                    else:
                        assert isinstance(answer, OSError | EOFError), answer
                await until(lambda: here.ready()[0] == 200)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(hung, signal.SIGKILL)
            assert set(await from_all(here, url, cookies)) == BOTH
        said = running.said()
        assert (said.count("worker_hung"), said.count("worker_ended")) == (1, 1)
    assert here.verified()


@pytest.mark.slow
async def test_a_gateway_that_stood_still_kills_nobody(house: Callable[..., House]) -> None:
    """A machine that was suspended, a terminal's Ctrl-Z: all of it stops, and goes on."""
    here = house()
    with here.serve(WORKERS) as running:
        everybody = [running.process.pid, *workers_of(running)]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(12)
        for pid in everybody:  # the supervisor first, so that it finds them silent
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.3)
        await until(lambda: here.ready()[0] == 200)
        assert workers_of(running) == everybody[1:]
        assert "worker_hung" not in running.said()


async def test_a_kill_9_of_the_supervisor_leaves_nobody(house: Callable[..., House], origin: Origin) -> None:
    """The workers drain: what runs finishes, nothing new is taken, and the ledger ends with its stop lines."""
    here = house(origin=origin.url)
    url = here.url("app")
    with here.serve(WORKERS) as running:
        async with signed_in(here, url) as an:
            workers = workers_of(running)
            assert len(workers) == WORKERS
            slow = asyncio.create_task(an.fetch(f"{url}slow/1"))
            await asyncio.sleep(0.3)
            running.kill()
            await until(lambda: refused(here.port))
            assert (await slow).status == 200
            await until(lambda: not any(alive(pid) for pid in workers))
        assert "supervisor_gone" in running.said()
    assert here.verified()
    last = {line["stream"]: line["kind"] for line in here.lines.all() if line["stream"].partition("-")[0] != "cli"}
    assert set(last.values()) == {"stop"}
    with here.serve(WORKERS):  # the stale pid file and sockets are in nobody's way
        assert here.ready()[0] == 200


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


async def test_all_workers_drain_and_a_second_signal_cuts(house: Callable[..., House], origin: Origin) -> None:
    here = house(origin=origin.url)
    url = here.url("app")
    with here.serve(WORKERS) as running:
        async with signed_in(here, url) as an:
            streams = [await an.session.get(f"{url}events", headers=FETCH) for _ in range(6)]
            slow = [asyncio.create_task(an.fetch(f"{url}slow/1")) for _ in range(4)]
            await asyncio.sleep(0.5)
            workers = workers_of(running)
            began = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            await until(lambda: refused(here.port))
            assert {(await one).status for one in slow} == {200}
            assert running.process.poll() is None  # the streams still have their time
            running.process.send_signal(signal.SIGTERM)
            for stream in streams:
                with pytest.raises(aiohttp.ClientError):
                    await stream.read()
            assert await asyncio.to_thread(running.process.wait, ENDS_SECONDS) == 0
            assert time.monotonic() - began < ENDS_SECONDS
            assert not any(alive(pid) for pid in workers)
    outcomes = Counter(line["outcome"] for line in here.lines.all() if line["kind"] == "completion")
    assert outcomes["draining"] == len(streams)
    assert here.verified()
    assert not list((here.state / "run").glob("*.sock"))
    assert not (here.state / "run" / "gateway.pid").exists()


async def test_a_start_that_fails_says_so_once_and_leaves_nobody(house: Callable[..., House]) -> None:
    here = house()
    with here.serve() as running:  # it has the streams of worker 0
        second = here.run("serve", "--workers", "2")
        assert second.returncode == 2
        assert second.stderr.count("gateway: ") == 1, second.stderr
        assert "in use" in second.stderr
        assert running.process.poll() is None
    database = here.state / "run" / "records.sqlite"
    away = database.with_name("away")
    database.rename(away)
    result = here.run("serve", "--workers", "2")
    assert result.returncode == 2
    assert result.stderr.count("there is no database yet") == 1, result.stderr
    assert "Traceback" not in result.stderr
    away.rename(database)


async def test_a_worker_that_cannot_start_again_is_told_of_and_the_others_serve_on(
    house: Callable[..., House], origin: Origin
) -> None:
    here = house(origin=origin.url)
    url = here.url("app")
    key = here.config / "keys" / "records.key"
    good = key.read_bytes()
    with here.serve(WORKERS) as running:
        async with signed_in(here, url) as an:
            key.write_bytes(b"no key")
            os.kill(workers_of(running)[1], signal.SIGKILL)
            await asyncio.to_thread(running.wait_for_log, r"records\.key: the records key must")
            assert here.ready()[0] == 503
            assert (await fresh(here, url, an.cookies(url))).status == 200
            key.write_bytes(good)
            await until(lambda: here.ready()[0] == 200)
            assert len(workers_of(running)) == WORKERS


async def test_a_worker_that_is_told_to_end_drains_and_is_replaced(house: Callable[..., House]) -> None:
    here = house()
    with here.serve(WORKERS) as running:
        first = workers_of(running)
        os.kill(first[0], signal.SIGTERM)
        await until(lambda: first[0] not in workers_of(running) and len(workers_of(running)) == WORKERS)
        await until(lambda: here.ready()[0] == 200)
        assert running.process.poll() is None
    assert here.verified()


async def test_a_successor_has_the_table_that_the_others_run(house: Callable[..., House]) -> None:
    """Not the files as they happen to stand: a change that nobody asked to load is not loaded by an accident."""
    here = house()
    file = here.config / "authorisations" / "24-101.toml"
    with here.serve(WORKERS) as running:
        table = here.ready()[1]["table"]
        file.write_text("this is no table\n")
        os.kill(workers_of(running)[0], signal.SIGKILL)
        await asyncio.to_thread(running.wait_for_log, "worker_ready")
        status, body = here.ready()
        assert (status, body["table"]) == (200, table)
