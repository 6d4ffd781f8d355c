"""Stopping: what runs finishes, what is new is refused, what will not end is cut, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.client import FETCH, Person, connected, person, read_answer
from tests.end_to_end.house import House
from tests.end_to_end.origin import Origin


async def enter(here: House, somebody: Person) -> None:
    answer = await somebody.sign_in(here.url("app"), "an.peeters", here.person("an.peeters")["password"])
    assert answer.status == 200


async def begun(origin: Origin, count: int) -> None:
    async with asyncio.timeout(10):
        while len(origin.ids()) < count:  # noqa: ASYNC110 - another process writes them
            await asyncio.sleep(0.02)


async def test_sigterm_lets_running_requests_finish(house: Callable[..., House], origin: Origin) -> None:
    here = house(origin=origin.url)
    with here.serve() as running:
        async with person(here.ca) as an, connected(here.port, ca=here.ca, sni="app.localhost") as (idle, _):
            await enter(here, an)
            before = len(origin.ids())
            slow = asyncio.create_task(an.fetch(here.url("app") + "slow/1.5"))
            await begun(origin, before + 1)
            began = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(idle.read(-1), 5) == b""  # nobody waits for an idle connection
            with pytest.raises(OSError, match="onnect"):
                async with connected(here.port, ca=here.ca, sni="app.localhost"):
                    pass
            answer = await slow
            assert (answer.status, await answer.text()) == (200, "slow")
            assert answer.headers["Connection"] == "close"
            assert await asyncio.to_thread(running.process.wait, 10) == 0
            assert time.monotonic() - began < 8
    lines = here.lines.all()
    for stream in ("user-0", "admin-0", "conn-0"):
        assert [line for line in lines if line["stream"] == stream][-1]["kind"] == "stop"
    assert (await here.lines.completion(answer.headers["X-Request-Id"]))["outcome"] == "completed"
    assert here.run("log", "verify").returncode == 0
    assert not (here.state / "run" / "gateway.pid").exists()
    assert not (here.state / "run" / "portal.sock").exists()


async def test_what_will_not_end_is_cut_with_its_line(house: Callable[..., House], origin: Origin) -> None:
    here = house(origin=origin.url, settings={"limits": {"drain": "1s"}})
    with here.serve() as running:
        async with person(here.ca) as an:
            await enter(here, an)
            stream = await an.fetch(here.url("app") + "events")
            assert stream.status == 200
            socket = await an.session.ws_connect(
                here.url("app").replace("https:", "wss:") + "socket", origin=here.url("app").rstrip("/")
            )
            began = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            with pytest.raises(aiohttp.ClientError):
                await stream.read()
            assert (await socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            assert await asyncio.to_thread(running.process.wait, 10) == 0
            assert time.monotonic() - began < 6
    ended = [line["outcome"] for line in here.lines.all() if line["kind"] == "completion"]
    assert ended.count("draining") == 2
    assert here.run("log", "verify").returncode == 0


async def test_a_second_signal_does_not_leave_a_torn_log(house: Callable[..., House], origin: Origin) -> None:
    here = house(origin=origin.url, settings={"limits": {"drain": "2s"}})
    with here.serve() as running:
        async with person(here.ca) as an:
            await enter(here, an)
            stream = await an.fetch(here.url("app") + "events")
            for _ in range(3):
                running.process.send_signal(signal.SIGINT)
                await asyncio.sleep(0.1)
            with pytest.raises(aiohttp.ClientError):
                await stream.read()
            assert await asyncio.to_thread(running.process.wait, 10) == 0
        assert "Traceback" not in running.said()
    assert here.run("log", "verify").returncode == 0


async def test_ctrl_c_leaves_no_process(house: Callable[..., House]) -> None:
    here = house()
    with here.demo() as running:
        children = [int(pid) for pid in Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()]
        assert children
        assert await asyncio.to_thread(running.stop) == 0
        assert "Traceback" not in running.said()
    for pid in (running.pid, *children):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_stop_during_a_request_that_pipelines_more(house: Callable[..., House], origin: Origin) -> None:
    """The one under way is answered; those behind it are not begun."""
    here = house(origin=origin.url)
    with here.serve() as running:
        async with person(here.ca) as an, connected(here.port, ca=here.ca, sni="app.localhost") as (reader, writer):
            await enter(here, an)
            fields = "".join(f"{name}: {value}\r\n" for name, value in FETCH.items())
            head = f"Host: app.localhost:{here.port}\r\nCookie: {an.cookies(here.url('app'))}\r\nUser-Agent: {an.session.headers['User-Agent']}\r\n{fields}\r\n"
            before = len(origin.ids())
            writer.write(f"GET /slow/1 HTTP/1.1\r\n{head}GET /x HTTP/1.1\r\n{head}".encode())
            await begun(origin, before + 1)
            running.process.send_signal(signal.SIGTERM)
            answer = await read_answer(reader)
            assert (answer.status, answer.fields["connection"]) == (200, "close")
            assert await reader.read(-1) == b""
            assert len(origin.ids()) == before + 1
            assert await asyncio.to_thread(running.process.wait, 10) == 0
