"""A session that another client took over: who loses it, and when it ends for all."""

from __future__ import annotations

import pytest

from gateway.errors import LedgerError
from gateway.model import Means, Session
from gateway.records import Change, Records
from tests.records.conftest import NOW, PORTAL, Opener, add_user

DOSSIER, PENSION = "dossier.example", "pension.example"
HERS, THEIRS = "1.3-aaaaaaaaaaaa-bbbbbbbbbbbb", "1.2-cccccccccccc-dddddddddddd"


@pytest.fixture
async def session(records: Records) -> Session:
    """Begun on the portal and on two hosts, by one client."""
    await add_user(records)
    login = await records.find_login("jansen01")
    assert login is not None
    made = await records.create_session(login, Means.PASSWORD, NOW, PORTAL, b"portal", NOW, 36_000.0, family=HERS)
    await records.attach_cookie(made.id, DOSSIER, b"dossier", HERS)
    await records.attach_cookie(made.id, PENSION, b"pension", HERS)
    return made


async def taken_over(records: Records, session: Session, *, entered: bool = True) -> Session:
    """Another client proves who is there, on its way to the dossier."""
    heir = await records.renew_session(
        session.id, Means.TOKEN, NOW + 60, PORTAL, b"portal2", DOSSIER, NOW + 60, family=THEIRS, moved=True
    )
    if entered:
        await records.attach_cookie(heir.id, DOSSIER, b"dossier2", THEIRS)
    return heir


def state(records: Records, token_hash: bytes, host: str) -> str | None:
    entry = records.index.session(token_hash, host)
    assert entry is not None
    return entry.session.ended_reason


# --- who does not prove it ---------------------------------------------------------------------------------------------------


async def test_the_third_wrong_proof_ends_the_session_with_a_line_first(records: Records, session: Session) -> None:
    lines: list[Change] = []
    for number in (1, 2, 3):
        assert lines == []
        assert state(records, b"portal", PORTAL) is None
        assert await records.not_confirmed(session.id, NOW + number, lines.append) is (number == 3)
    assert [(line.act, line.user_id, line.by.actor, line.details) for line in lines] == [
        ("session end", "jansen01", "gateway", {"session": session.id})
    ]
    for cookie, host in ((b"portal", PORTAL), (b"dossier", DOSSIER), (b"pension", PENSION)):
        assert state(records, cookie, host) == "not confirmed by another client"
    assert await records.not_confirmed(session.id, NOW + 4, lines.append) is False
    assert len(lines) == 1
    assert [one.id for one in await records.untold_ends("jansen01")] == [session.id]


async def test_without_its_line_it_does_not_end_and_the_next_one_ends_it(records: Records, session: Session) -> None:
    def refuse(change: Change) -> None:
        raise LedgerError("no room")

    for _ in range(2):
        await records.not_confirmed(session.id, NOW)
    with pytest.raises(LedgerError):
        await records.not_confirmed(session.id, NOW, refuse)
    assert state(records, b"portal", PORTAL) is None
    assert await records.not_confirmed(session.id, NOW)


async def test_a_proof_begins_the_count_anew(records: Records, session: Session) -> None:
    for _ in range(2):
        await records.not_confirmed(session.id, NOW)
    heir = await taken_over(records, session)
    assert not await records.not_confirmed(heir.id, NOW + 61)
    assert not await records.not_confirmed(heir.id, NOW + 62)
    assert await records.not_confirmed(heir.id, NOW + 63)


async def test_all_processes_count_together(records: Records, session: Session, open_records: Opener) -> None:
    other = await open_records()
    assert not await records.not_confirmed(session.id, NOW)
    assert not await other.not_confirmed(session.id, NOW)
    assert await records.not_confirmed(session.id, NOW)


# --- two clients -------------------------------------------------------------------------------------------------------------


async def test_who_takes_a_session_over_leaves_the_old_client_nothing(records: Records, session: Session) -> None:
    """Not what it has open either; and another host asks the portal's cookie, which the new client has."""
    opened = records.index.session(b"dossier", DOSSIER)
    heir = await taken_over(records, session)
    assert opened is not None
    assert opened.session.ended_reason == "moved"
    assert state(records, b"portal", PORTAL) == "moved"
    fresh = records.index.session(b"dossier2", DOSSIER)
    assert fresh is not None
    assert (fresh.session, fresh is opened) == (heir, False)
    assert (records.index.family(b"dossier2"), records.index.family(b"pension")) == (THEIRS, "")
    assert records.index.session(b"pension", PENSION) is fresh


@pytest.mark.parametrize("host", [DOSSIER, PORTAL])
async def test_the_old_client_that_comes_again_ends_it_for_both(records: Records, session: Session, host: str) -> None:
    heir = await taken_over(records, session)
    lines: list[Change] = []
    assert await records.in_two_places(session.id, host, NOW + 90, lines.append) == heir.id
    assert [(line.act, line.user_id, line.by.actor, line.details) for line in lines] == [
        ("session end", "jansen01", "gateway", {"session": heir.id})
    ]
    for cookie, where in ((b"portal2", PORTAL), (b"dossier2", DOSSIER), (b"pension", PENSION)):
        assert state(records, cookie, where) == "used by two clients"
    assert await records.in_two_places(session.id, host, NOW + 91, lines.append) is None
    assert len(lines) == 1
    assert [one.id for one in await records.untold_ends("jansen01")] == [heir.id]
    await records.mark_told("jansen01", NOW + 90)
    assert await records.untold_ends("jansen01") == []


async def test_what_was_under_way_when_the_cookie_changed_hands_is_no_second_client(
    records: Records, session: Session
) -> None:
    await taken_over(records, session, entered=False)
    assert await records.in_two_places(session.id, DOSSIER, NOW + 60) is None
    assert state(records, b"portal2", PORTAL) is None


async def test_a_step_up_later_on_does_not_hide_it(records: Records, session: Session) -> None:
    heir = await taken_over(records, session)
    last = await records.renew_session(heir.id, Means.EID, NOW + 70, PORTAL, b"portal3", None, NOW + 70, family=THEIRS)
    assert await records.in_two_places(session.id, DOSSIER, NOW + 90) == last.id
    assert state(records, b"portal3", PORTAL) == "used by two clients"


async def test_there_is_nothing_to_end(records: Records, session: Session) -> None:
    """No session took its place, it ended before, it has no such cookie, or nobody knows whose the old cookie was."""
    assert await records.in_two_places(session.id, PORTAL, NOW) is None
    assert await records.in_two_places("nothing", PORTAL, NOW) is None
    heir = await taken_over(records, session)
    assert await records.in_two_places(session.id, "elsewhere.example", NOW + 90) is None
    await records.end_session(heir.id, "signed out", "user:jansen01")
    assert await records.in_two_places(session.id, PORTAL, NOW + 90) is None


async def test_an_old_cookie_of_nobody_known_tells_nothing(records: Records) -> None:
    await add_user(records)
    login = await records.find_login("jansen01")
    assert login is not None
    unknown = await records.create_session(login, Means.PASSWORD, NOW, PORTAL, b"portal", NOW, 36_000.0)
    await taken_over(records, unknown)
    assert await records.in_two_places(unknown.id, PORTAL, NOW + 90) is None


async def test_another_process_parts_them_too(records: Records, session: Session, open_records: Opener) -> None:
    other = await open_records()
    opened = other.index.session(b"dossier", DOSSIER)
    await taken_over(records, session)
    assert await other.catch_up()
    assert opened is not None
    assert opened.session.ended_reason == "moved"
    assert state(other, b"dossier2", DOSSIER) is None
