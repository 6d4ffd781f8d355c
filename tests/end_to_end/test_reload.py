"""A changed table and new certificates, loaded while people work: the good one at once, a faulty one not at all."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.app import prepare
from gateway.cli.check import ask_to_reload
from gateway.demo.files import CERTIFICATE_NAMES
from gateway.errors import ConfigurationError
from gateway.policy.certificates import make_dev_authority
from gateway.policy.settings import load_settings
from tests.end_to_end import client
from tests.end_to_end.client import BROWSER, Person, origin_of, person
from tests.end_to_end.house import House

AN, HANS = "an.peeters", "hans.schmitz"
ENDS_WITHIN_SECONDS = 10.0
"""As in test_journey."""


@asynccontextmanager
async def at_work(here: House, user_id: str, url: str) -> AsyncIterator[tuple[Person, aiohttp.ClientWebSocketResponse]]:
    """Signed in, with an open websocket."""
    async with person(here.ca) as somebody:
        answer = await somebody.sign_in(url, user_id, here.person(user_id)["password"])
        assert answer.status == 200
        socket = await somebody.session.ws_connect(url.replace("https:", "wss:") + "live", origin=origin_of(url))
        await socket.receive(timeout=5)
        yield somebody, socket


async def reload(here: House) -> tuple[int, dict[str, Any]]:
    """The command, in a process of its own."""
    result = await asyncio.to_thread(here.run, "reload", "--json")
    return result.returncode, json.loads(result.stdout)


async def reloaded(here: House) -> dict[str, Any]:
    """What the command does, without the second that a command takes to start."""
    return await asyncio.to_thread(ask_to_reload, load_settings(here.config), 20.0, os.kill)


async def alive(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_bytes(b"still here")
    while (message := await socket.receive(timeout=5)).data != b"still here":
        assert message.type is aiohttp.WSMsgType.TEXT, message


async def test_a_table_is_replaced_whole_or_not_at_all(house: Callable[..., House]) -> None:
    here = house()
    dossier, pension = here.url("dossier"), here.url("pension")
    file = here.config / "authorisations" / "24-101.toml"
    good = file.read_text()
    async with AsyncExitStack() as stack:
        stack.enter_context(here.demo())
        an, hers = await stack.enter_async_context(at_work(here, AN, dossier))
        hans, his = await stack.enter_async_context(at_work(here, HANS, pension))
        before = here.ready()[1]["table"]

        # A faulty table changes nothing, and says every fault.
        file.write_text(good.replace('means = ["password", "token", "eid"]', "means = []") + "\nsurprise = 1\n")
        status, outcome = await reload(here)
        assert (status, outcome["ok"], outcome["hash"]) == (1, False, before)
        assert {fault["file"] for fault in outcome["faults"]} == {"authorisations/24-101.toml"}
        assert len(outcome["faults"]) >= 2
        assert here.ready() == (200, here.ready()[1] | {"table": before})
        assert (await an.fetch(dossier)).status == 200
        await alive(hers)
        await alive(his)

        # A good one is in force at once; what hangs on a grant that is gone ends, and nothing else does.
        file.write_text(good.replace('status = "active"', 'status = "suspended"'))
        status, outcome = await reload(here)
        loaded = time.monotonic()
        assert (status, outcome["ok"]) == (0, True)
        assert outcome["hash"] != before
        refused = await an.fetch(dossier)
        assert refused.status == 403
        assert here.lines.one(refused.headers["X-Request-Id"])["reason"] == "suspended"
        while (message := await hers.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        assert time.monotonic() - loaded < ENDS_WITHIN_SECONDS
        await alive(his)
        assert (await hans.fetch(pension)).status == 200
        ended = [line for line in here.lines.all() if line.get("outcome") == "access_ended"]
        assert [line["detail"] for line in ended] == ["suspended"]

        # And back again: permits rest on the table of their moment.
        file.write_text(good)
        outcome = await reloaded(here)
        assert (outcome["ok"], outcome["hash"]) == (True, before)
        assert (await an.fetch(dossier)).status == 200
        reloads = [line for line in here.lines.all() if line["kind"] == "reload" and line["stream"] == "user-0"]
        assert [line["outcome"] for line in reloads] == ["refused", "loaded", "loaded"]
        await hers.close()
        await his.close()


async def test_certificates_and_tables_that_are_not_good(house: Callable[..., House], tmp_path: Path) -> None:
    """Certificates are replaced without dropping a connection. Without a good table the gateway serves refusals only (THREATS row 10),
    until a reload mends it.
    """
    here = house()
    result = await asyncio.to_thread(here.run, "reload")  # there is nobody to reload
    assert result.returncode == 2
    assert "gateway serve" in result.stderr
    assert "Traceback" not in result.stderr
    table = here.config / "authorisations" / "24-101.toml"
    good_table = table.read_text()
    table.write_text("this is no table\n")
    certs = here.ca.parent
    old_authority = tmp_path / "old-ca.pem"
    shutil.copy(here.ca, old_authority)
    other = make_dev_authority(tmp_path / "other", CERTIFICATE_NAMES, datetime.now(UTC))
    request = (
        f"GET /robots.txt HTTP/1.1\r\nHost: portal.localhost:{here.port}\r\nUser-Agent: {BROWSER}\r\n\r\n".encode()
    )
    async with AsyncExitStack() as stack:
        running = stack.enter_context(here.serve())
        status, body = here.ready()
        assert (status, body["reasons"]) == (503, ["table_unavailable"])
        assert "24-101.toml" in running.said()
        async with person(here.ca) as an:
            for url in (here.url("dossier"), here.facts["addresses"]["user"]):
                answer = await an.get(url)
                assert answer.status == 503
                assert "<h1" in await answer.text()
        table.write_text(good_table)
        assert (await reloaded(here))["ok"]
        assert here.ready()[0] == 200

        reader, writer = await stack.enter_async_context(
            client.connected(here.port, ca=old_authority, sni="portal.localhost")
        )
        writer.write(request)
        assert (await client.read_answer(reader)).status == 200
        first = writer.get_extra_info("peercert")["serialNumber"]

        # A key that does not fit is refused, and the old certificate stays.
        key = (certs / "server.key").read_bytes()
        (certs / "server.key").write_bytes(other.server_key.read_bytes())
        status, outcome = await reload(here)
        assert (status, outcome["ok"]) == (1, False), outcome
        async with client.connected(here.port, ca=old_authority, sni="portal.localhost") as (_, another):
            assert another.get_extra_info("peercert")["serialNumber"] == first
        (certs / "server.key").write_bytes(key)

        for name in ("ca.pem", "server.pem", "server.key"):
            shutil.copy(tmp_path / "other" / name, certs / name)
        outcome = await reloaded(here)
        assert outcome["ok"], (outcome, running.said())
        writer.write(request)  # on the connection from before
        assert (await client.read_answer(reader)).status == 200
        async with client.connected(here.port, ca=here.ca, sni="portal.localhost") as (_, another):
            assert another.get_extra_info("peercert")["serialNumber"] != first


def test_unreadable_keys_and_settings_stop_the_start(house: Callable[..., House]) -> None:
    """THREATS row 10: before a socket is open, each with the file to mend."""
    here = house()
    for name, damage, words in (
        ("certs/server.key", "no key", "server"),
        ("keys/gateway.key", "xyz", "gateway.key"),
        ("keys/assertion.pem", "no key", "assertion"),
        ("gateway.toml", "surprise = 1\n", "surprise"),
    ):
        file = here.config / name
        good = file.read_bytes()
        file.write_text(damage)
        result = here.run("serve") if name.startswith("keys") else None
        if result is not None:
            assert result.returncode == 2, name
            assert "Traceback" not in result.stderr, result.stderr
            assert words in result.stderr, name
        else:
            with pytest.raises(ConfigurationError, match=words):
                prepare(here.config)
        file.write_bytes(good)
