"""Stopping: what runs finishes, what is new is refused, what will not end is cut.

That nothing is left behind is seen by every test of this folder: `House.demo`.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import aiohttp
import pytest

from tests.end_to_end.client import BROWSER, FETCH, Person, connected, origin_of, person, read_answer
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
    """The ones under way are answered; those behind them on a connection are not begun, and no connection is taken."""
    here = house(origin=origin.url)
    with here.serve() as running:
        async with (
            person(here.ca) as an,
            connected(here.port, ca=here.ca, sni="app.localhost") as (idle, _),
            connected(here.port, ca=here.ca, sni="app.localhost") as (reader, writer),
        ):
            await enter(here, an)
            before = len(origin.ids())
            slow = asyncio.create_task(an.fetch(here.url("app") + "slow/1.5"))
            fields = FETCH | {"Cookie": an.cookies(here.url("app")), "User-Agent": BROWSER}
            head = f"Host: app.localhost:{here.port}\r\n" + "".join(f"{key}: {fields[key]}\r\n" for key in fields)
            writer.write(f"GET /slow/1 HTTP/1.1\r\n{head}\r\nGET /x HTTP/1.1\r\n{head}\r\n".encode())
            await begun(origin, before + 2)
            began = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(idle.read(-1), 5) == b""  # nobody waits for an idle connection
            with pytest.raises(OSError, match="onnect"):
                async with connected(here.port, ca=here.ca, sni="app.localhost"):
                    pass
            first = await read_answer(reader)
            assert (first.status, first.fields["connection"]) == (200, "close")
            assert await reader.read(-1) == b""
            answer = await slow
            assert (answer.status, await answer.text()) == (200, "slow")
            assert answer.headers["Connection"] == "close"
            assert len(origin.ids()) == before + 2
            assert await asyncio.to_thread(running.process.wait, 10) == 0
            assert time.monotonic() - began < 8
    lines = here.lines.all()
    for stream in ("user-0", "admin-0", "conn-0"):
        assert [line for line in lines if line["stream"] == stream][-1]["kind"] == "stop"
    assert (await here.lines.completion(answer.headers["X-Request-Id"]))["outcome"] == "completed"
    assert here.verified()
    assert not (here.state / "run" / "gateway.pid").exists()
    assert not list((here.state / "run").glob("*.sock"))


async def test_what_will_not_end_is_cut_with_its_line(house: Callable[..., House], origin: Origin) -> None:
    """However often and impatiently it is told to stop."""
    here = house(origin=origin.url, settings={"limits": {"drain": "1s"}})
    with here.serve() as running:
        async with person(here.ca) as an:
            await enter(here, an)
            stream = await an.fetch(here.url("app") + "events")
            assert stream.status == 200
            url = here.url("app")
            socket = await an.session.ws_connect(url.replace("https:", "wss:") + "socket", origin=origin_of(url))
            began = time.monotonic()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
                running.process.send_signal(number)
                await asyncio.sleep(0.1)
            with pytest.raises(aiohttp.ClientError):
                await stream.read()
            told = await socket.receive(timeout=5)
            assert (told.type, told.data) == (aiohttp.WSMsgType.CLOSE, 1001)
            assert await asyncio.to_thread(running.process.wait, 10) == 0
            assert time.monotonic() - began < 6
    ended = [line["outcome"] for line in here.lines.all() if line["kind"] == "completion"]
    assert ended.count("draining") == 2
    assert here.verified()
