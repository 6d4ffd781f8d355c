"""The outside source of roles in a worker: at a sign-in, while people work, and when it is silent; a real directory, real records, a real ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app.roles import RETRY_SECONDS, Roles
from gateway.ledger import Ledger, LedgerSettings
from gateway.ledger.keys import make_keys
from gateway.model import Means, UserRecords
from gateway.outbound.role_question import Asked, parse_question
from gateway.records import Records, RecordsSettings, upgrade_schema
from tests.decision.world import NOW, WORLD
from tests.outbound.conftest import Clock
from tests.outbound.slapd import Slapd, person
from tests.records.conftest import BY_ACT, INSZ, NORTH, PORTAL

USER, OTHER = "jansen01", "peeters01"
ASKED = Asked(USER, INSZ[0], NORTH)
REFRESH, STALE = 900.0, 3600.0


class Office:
    """The worker that asks, and beside it the records as another process has them."""

    def __init__(self, directory: Path, clock: Clock, slapd: Slapd, records: list[Records], ledger: Ledger) -> None:
        self.directory, self.clock, self.slapd = directory, clock, slapd
        self.records, self.elsewhere = records
        self.roles = Roles(slapd.settings(timeout=1.0), self.records, ledger, clock)

    async def begin(self, user_id: str = USER, number: int = 1) -> str:
        login = await self.records.find_login(user_id)
        assert login is not None
        cookie = bytes([number]) * 32
        now = self.clock.now
        return (await self.records.create_session(login, Means.EID, now, PORTAL, cookie, now, 36_000)).id

    async def user(self, user_id: str = USER) -> UserRecords:
        """As another process has them."""
        assert await self.elsewhere.catch_up()
        user = self.elsewhere.index.user(user_id)
        assert user is not None
        return user

    async def verdict(self) -> str:
        """Of a request that needs the role DossierReader, in another process."""
        user = await self.user()
        world = WORLD.at(self.clock.now).user(outside_roles=user.outside_roles, roles_known_at=user.roles_known_at)
        return world.table(roles_stale_seconds=STALE).code

    def lines(self) -> list[dict[str, Any]]:
        files = sorted((self.directory / "ledger").rglob("*.jsonl"))
        lines = [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]
        return [line for line in lines if line["kind"] == "administration"]


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server = Slapd(tmp_path_factory.mktemp("slapd"))
    yield server
    server.stop()


@pytest.fixture
async def office(tmp_path: Path, slapd: Slapd) -> AsyncIterator[Office]:
    clock = Clock(NOW)
    slapd.serve(person(USER, "DossierReader"), person(OTHER))
    make_keys(tmp_path / "auditor.pub", tmp_path / "pseudonym.key", tmp_path / "private")
    settings = RecordsSettings(tmp_path / "records.sqlite", tmp_path / "records.key")
    (tmp_path / "records.key").write_bytes(bytes(range(32)))
    upgrade_schema(settings)
    async with AsyncExitStack() as stack:
        ledger = Ledger.open(
            LedgerSettings(tmp_path / "ledger", tmp_path / "auditor.pub", tmp_path / "pseudonym.key"),
            0,
            asyncio.get_running_loop(),
        )
        stack.push_async_callback(ledger.close)
        both = []
        for _ in range(2):
            both.append(await Records.open(settings, clock))
            stack.push_async_callback(both[-1].close)
        for user_id, insz in ((USER, INSZ[0]), (OTHER, INSZ[1])):
            one = await both[0].add_person(insz, "An Jansen", BY_ACT, clock.now - 86_400)
            await both[0].add_user_id(user_id, one, NORTH, "nl", BY_ACT, clock.now - 86_400)
        made = Office(tmp_path, clock, slapd, both, ledger)
        stack.push_async_callback(made.roles.close)
        yield made


async def test_a_role_is_known_from_the_sign_in_on_and_ends_when_it_is_gone_there(office: Office) -> None:
    await office.roles.look_up(ASKED)
    await office.begin()
    assert await office.verdict() == "permitted"
    office.slapd.serve(person(USER))
    office.clock.now += REFRESH - 1
    await office.roles.refresh_due()
    assert await office.verdict() == "permitted"
    office.clock.now += 1
    await office.roles.refresh_due()
    assert await office.verdict() == "role_missing"
    office.slapd.serve(person(USER, "DossierReader"))
    office.clock.now += REFRESH
    await office.roles.refresh_due()
    assert await office.verdict() == "permitted"
    acts = [(line["act"], len(line["objects"].get("before", ())), len(line["objects"].get("after", ()))) for line in office.lines()]  # fmt: skip
    assert acts == [("role look-up", 0, 1), ("role look-up", 1, 0), ("role look-up", 0, 1)]
    assert INSZ[0] not in str(office.lines())
    assert USER not in str(office.lines())


async def test_a_role_that_expires_between_two_look_ups(office: Office) -> None:
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(office.clock.now + 60))
    office.slapd.serve(person(USER, "DossierReader", roleUntil=end))
    await office.roles.look_up(ASKED)
    await office.begin()
    assert await office.verdict() == "permitted"
    office.clock.now += 59
    assert await office.verdict() == "permitted"
    office.clock.now += 1
    assert await office.verdict() == "role_missing"


async def test_a_silent_source_is_believed_for_a_while_and_then_no_more(office: Office) -> None:
    await office.roles.look_up(ASKED)
    await office.begin()
    office.slapd.stop()
    office.clock.now += STALE
    await office.roles.refresh_due()
    assert await office.verdict() == "permitted"
    office.clock.now += 1
    assert await office.verdict() == "role_source_unavailable"
    office.slapd.start()
    await office.roles.refresh_due()
    assert await office.verdict() == "role_source_unavailable"
    office.clock.now += RETRY_SECONDS
    await office.roles.refresh_due()
    assert await office.verdict() == "permitted"


async def test_a_sign_in_while_the_source_is_away_goes_on_and_what_was_never_known_opens_nothing(
    office: Office,
) -> None:
    office.slapd.hang()
    began = time.monotonic()
    await office.roles.look_up(ASKED)
    assert time.monotonic() - began < 9
    office.slapd.go_on()
    await office.begin()
    assert await office.verdict() == "role_source_unavailable"
    await office.roles.refresh_due()
    assert await office.verdict() == "permitted"


async def test_only_who_is_at_work_is_asked_about_and_one_alone_that_fails_keeps_nobody_waiting(office: Office) -> None:
    await office.begin(USER, 1)
    await office.begin(OTHER, 2)
    office.slapd.serve(person(USER, *(f"R{n}" for n in range(1001))), person(OTHER, "DossierReader"))
    await office.roles.refresh_due()
    assert (await office.user()).roles_known_at is None
    assert set((await office.user(OTHER)).outside_roles) == {"DossierReader"}
    count = office.roles.counts.total()
    await office.roles.refresh_due()
    assert office.roles.counts.total() == count


async def test_other_settings_are_taken_by_a_reload(office: Office) -> None:
    await office.begin()
    await office.roles.renew(office.slapd.settings(question=parse_question("(&(cn=nobody)(uid={user_id}))")))
    await office.roles.refresh_due()
    assert await office.verdict() == "role_missing"
    await office.roles.renew(None)
    office.clock.now += 2 * REFRESH
    before = await office.user()
    await office.roles.refresh_due()
    await office.roles.look_up(ASKED)
    assert await office.user() == before


async def test_in_the_background(office: Office) -> None:
    await office.begin()
    office.roles.keep_watch()
    async with asyncio.timeout(20):
        while await office.verdict() != "permitted":  # noqa: ASYNC110 - what another process knows tells nobody
            await asyncio.sleep(0.05)
