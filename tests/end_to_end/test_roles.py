"""Roles from a directory, with the whole gateway: known from the sign-in on, gone here once gone there, and a directory that is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.client import Person, origin_of, person
from tests.end_to_end.house import House
from tests.outbound import slapd as ldap
from tests.outbound.slapd import Slapd

AN = "an.peeters"


@pytest.fixture
def slapd(tmp_path: Path) -> Iterator[Slapd]:
    (tmp_path / "slapd").mkdir()
    server = Slapd(tmp_path / "slapd")
    yield server
    server.stop()


async def code(somebody: Person, url: str) -> str:
    async with await somebody.fetch(url) as answer:
        if answer.status == 200:
            return "permitted"
        return str((await answer.json())["reason"])


async def becomes(somebody: Person, url: str, wanted: str) -> None:
    async with asyncio.timeout(45):
        while await code(somebody, url) != wanted:  # noqa: ASYNC110 - the gateway tells nobody
            await asyncio.sleep(0.2)


async def test_a_day_with_a_directory(house: Callable[..., House], slapd: Slapd) -> None:
    slapd.serve(ldap.person(AN, "DossierReader"))
    directory = {
        "source": "ldap",
        "server": f"ldaps://127.0.0.1:{slapd.tls}",
        "ca": str(slapd.ca),
        "bind_dn": ldap.BIND_DN,
        "password_file": str(slapd.password),
        "base": ldap.BASE,
        "filter": ldap.FILTER,
        "attribute": "employeeType",
        "refresh": "10s",
        "stale_limit": "15s",
        "timeout": "2s",
    }
    slapd.password.chmod(0o600)
    here = house(settings={"roles": directory})
    checked = here.run("check", "--config", str(here.config))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    url = here.url("dossier")
    with here.demo(workers=2):
        async with person(here.ca) as an:
            assert (await an.sign_in(url, AN, here.person(AN)["password"])).status == 200
            live = await an.session.ws_connect(f"{url}live", headers={"Origin": origin_of(url)})
            slapd.serve(ldap.person(AN))
            async with asyncio.timeout(45):
                while (await live.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
            assert live.closed
            await becomes(an, url, "role_missing")  # the other worker learns it when it asks itself
            slapd.serve(ldap.person(AN, "DossierReader"))
            await becomes(an, url, "permitted")
            slapd.hang()
            await becomes(an, url, "role_source_unavailable")
            slapd.go_on()
            await becomes(an, url, "permitted")
    written = here.log.read_bytes()
    assert b"the source of roles gave no answer" in written
    assert ldap.PASSWORD.encode() not in written
    assert here.verified()
    assert here.replayed().differences == 0
