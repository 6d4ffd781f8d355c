"""Sessions and the hand-over: one sign-in, a cookie for each host, an end that is everywhere."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Conflict, LedgerError
from gateway.model import Means, Session
from gateway.records import Change, Index, Records
from gateway.records.index import CookieRow, SessionRow
from tests.records.conftest import BY_ACT, NOW, PORTAL, Clock, Opener, add_user, sign_in

HOUR = 3600.0
DOSSIER, PENSION = "dossier.example", "pension.example"


@pytest.fixture
async def session(records: Records) -> Session:
    await add_user(records)
    return await sign_in(records)


async def test_a_new_session_is_in_the_index_when_the_call_returns(records: Records, session: Session) -> None:
    entry = records.index.session(b"portal", PORTAL)
    assert entry is not None
    assert entry.session == session
    assert (session.user_id, session.means, session.auth_time) == ("jansen01", Means.PASSWORD, NOW)
    assert (session.created_at, session.expires_at, session.ended_at) == (NOW, NOW + 10 * HOUR, None)
    assert (entry.last_seen, entry.identity) == (NOW, None)


async def test_a_cookie_is_good_on_its_host_alone(records: Records, session: Session) -> None:
    await records.attach_cookie(session.id, DOSSIER, b"dossier")
    assert records.index.session(b"dossier", DOSSIER) is records.index.session(b"portal", PORTAL)
    for token_hash, host in (
        (b"dossier", PORTAL),
        (b"portal", DOSSIER),
        (b"portal", ""),
        (b"", PORTAL),
        (b"else", PORTAL),
    ):
        assert records.index.session(token_hash, host) is None


async def test_a_second_hand_over_to_a_host_ends_the_cookie_before(records: Records, session: Session) -> None:
    await records.attach_cookie(session.id, DOSSIER, b"first")
    await records.attach_cookie(session.id, DOSSIER, b"second")
    assert records.index.session(b"first", DOSSIER) is None
    assert records.index.session(b"second", DOSSIER) is records.index.session(b"portal", PORTAL)


async def test_ids_are_random_and_never_come_again(records: Records, session: Session) -> None:
    other = await sign_in(records, cookie=b"other")
    assert other.id != session.id
    assert len(bytes.fromhex(session.id)) == 16


async def test_a_step_up_keeps_other_hosts_and_what_is_open_there(records: Records, session: Session) -> None:
    """DESIGN section 6: the portal's id and the asking host's are replaced, other hosts keep theirs and see the new means."""
    await records.attach_cookie(session.id, DOSSIER, b"dossier")
    await records.attach_cookie(session.id, PENSION, b"pension")
    open_there = records.index.session(b"pension", PENSION)
    assert open_there is not None
    open_there.identity = "sealed"
    records.index.touch(open_there, NOW + 30)

    renewed = await records.renew_session(session.id, Means.TOKEN, NOW + 60, PORTAL, b"portal2", DOSSIER, NOW + 60)

    assert renewed.id != session.id
    assert (renewed.means, renewed.auth_time) == (Means.TOKEN, NOW + 60)
    assert (renewed.created_at, renewed.expires_at) == (session.created_at, session.expires_at)
    assert open_there.session == renewed
    assert open_there.identity == "sealed"
    assert records.index.session(b"pension", PENSION) is open_there
    assert records.index.session(b"portal2", PORTAL) is open_there
    for token_hash, host in ((b"portal", PORTAL), (b"dossier", DOSSIER)):
        old = records.index.session(token_hash, host)
        assert old is not None
        assert old is not open_there
        assert (old.session.id, old.session.ended_at, old.session.ended_reason) == (session.id, NOW + 60, "renewed")
    await records.attach_cookie(renewed.id, DOSSIER, b"dossier2")
    assert records.index.session(b"dossier2", DOSSIER) is open_there
    assert records.index.session(b"dossier", DOSSIER) is not open_there


async def test_a_step_up_without_an_asking_host_keeps_every_host(records: Records, session: Session) -> None:
    await records.attach_cookie(session.id, DOSSIER, b"dossier")
    renewed = await records.renew_session(session.id, Means.TOKEN, NOW, PORTAL, b"portal2", None, NOW)
    entry = records.index.session(b"dossier", DOSSIER)
    assert entry is not None
    assert entry.session == renewed


async def test_a_step_up_twice(records: Records, session: Session) -> None:
    await records.attach_cookie(session.id, PENSION, b"pension")
    second = await records.renew_session(session.id, Means.TOKEN, NOW, PORTAL, b"portal2", None, NOW)
    third = await records.renew_session(second.id, Means.EID, NOW, PORTAL, b"portal3", None, NOW)
    states = {cookie: records.index.session(cookie, PORTAL) for cookie in (b"portal", b"portal2", b"portal3")}
    assert [entry.session.id for entry in states.values() if entry] == [session.id, second.id, third.id]
    pension = records.index.session(b"pension", PENSION)
    assert pension is not None
    assert pension.session == third
    with pytest.raises(Conflict, match="session is over"):
        await records.renew_session(second.id, Means.EID, NOW, PORTAL, b"portal4", None, NOW)


async def test_the_end_is_everywhere_and_is_remembered(records: Records, session: Session, clock: Clock) -> None:
    await records.attach_cookie(session.id, DOSSIER, b"dossier")
    clock.now = NOW + 5
    assert await records.end_session(session.id, "signed out", "user:jansen01")
    for token_hash, host in ((b"portal", PORTAL), (b"dossier", DOSSIER)):
        entry = records.index.session(token_hash, host)
        assert entry is not None
        assert (entry.session.ended_at, entry.session.ended_reason) == (NOW + 5, "signed out")
    assert not await records.end_session(session.id, "again", "user:jansen01")
    assert not await records.end_session("unknown", "again", "user:jansen01")
    assert [one.ended_reason for one in await records.sessions_of("jansen01")] == ["signed out"]
    assert await records.live_sessions(NOW) == []


async def test_all_sessions_of_a_user_id(records: Records, session: Session) -> None:
    await sign_in(records, cookie=b"second")
    await add_user(records, "peeters1", insz="17073003384")
    other = await sign_in(records, "peeters1", b"third")
    told: list[Change] = []
    assert await records.end_sessions_of("jansen01", "laptop stolen", "shell", told.append) == 2
    assert await records.end_sessions_of("jansen01", "laptop stolen", "shell", told.append) == 0
    assert [(change.act, change.user_id) for change in told] == [("session end", "jansen01")]
    assert await records.live_sessions(NOW) == [other]


@pytest.mark.parametrize("over", ["ended", "expired", "unknown"])
async def test_nothing_is_attached_to_a_session_that_is_over(
    records: Records, session: Session, clock: Clock, over: str
) -> None:
    name, now = session.id, NOW
    if over == "ended":
        await records.end_session(session.id, "signed out", "user:jansen01")
    elif over == "expired":
        clock.now = now = session.expires_at
    else:
        name = "0" * 32
    for attempt in (
        records.attach_cookie(name, DOSSIER, b"late"),
        records.renew_session(name, Means.TOKEN, now, PORTAL, b"late", None, now),
        records.new_entry_code(b"code", name, DOSSIER, "start", "/", now + 60),
    ):
        with pytest.raises(Conflict, match="session is over"):
            await attempt
    assert records.index.session(b"late", DOSSIER) is None


async def test_blocked_meanwhile(records: Records, session: Session) -> None:
    login = await records.find_login("jansen01")
    assert login is not None
    await records.block_user_id("jansen01", BY_ACT, NOW + 1)
    assert [one.ended_reason for one in await records.sessions_of("jansen01")] == ["blocked"]
    with pytest.raises(Conflict, match="blocked"):
        await records.create_session(login, Means.PASSWORD, NOW + 1, PORTAL, b"x", NOW + 1, HOUR)
    assert records.index.session(b"x", PORTAL) is None


# --- the line before the session


async def test_no_session_without_its_line(records: Records) -> None:
    await add_user(records)
    login = await records.find_login("jansen01")
    assert login is not None
    told: list[Change] = []

    async def refuse(change: Change) -> None:
        told.append(change)
        raise LedgerError("the disk is full")

    with pytest.raises(LedgerError):
        await records.create_session(login, Means.PASSWORD, NOW, PORTAL, b"x", NOW, HOUR, before_commit=refuse)
    assert records.index.session(b"x", PORTAL) is None
    assert await records.live_sessions(NOW) == []
    session = await records.create_session(
        login, Means.PASSWORD, NOW, PORTAL, b"x", NOW, HOUR, before_commit=told.append
    )
    assert [change.act for change in told] == ["session add", "session add"]
    assert told[1].details["session"] == session.id

    with pytest.raises(LedgerError):
        await records.renew_session(session.id, Means.TOKEN, NOW, PORTAL, b"y", None, NOW, before_commit=refuse)
    entry = records.index.session(b"x", PORTAL)
    assert entry is not None
    assert entry.session == session


# --- one-time codes


async def offered(records: Records, session: Session, code: bytes = b"code") -> None:
    await records.new_entry_code(code, session.id, DOSSIER, "start", "/a?b=c", NOW + 60)


async def test_a_code_is_good_once(records: Records, session: Session) -> None:
    await offered(records, session)
    taken = await records.take_entry_code(b"code", DOSSIER, "start", NOW + 59.9)
    assert taken is not None
    assert (taken.session_id, taken.user_id, taken.host, taken.target) == (session.id, "jansen01", DOSSIER, "/a?b=c")
    assert await records.take_entry_code(b"code", DOSSIER, "start", NOW) is None


@pytest.mark.parametrize(
    ("code", "host", "start", "at"),
    [
        (b"other", DOSSIER, "start", NOW),
        (b"code", PENSION, "start", NOW),
        (b"code", DOSSIER, "another browser", NOW),
        (b"code", DOSSIER, "", NOW),
        (b"code", DOSSIER, "start", NOW + 60),
    ],
)
async def test_only_here_now_and_in_this_browser(
    records: Records, session: Session, code: bytes, host: str, start: str, at: float
) -> None:
    await offered(records, session)
    assert await records.take_entry_code(code, host, start, at) is None
    # Who showed the real code has used it up, whatever else was wrong.
    again = await records.take_entry_code(b"code", DOSSIER, "start", NOW)
    assert (again is not None) is (code == b"other")


async def test_where_its_session_is_already_a_code_needs_no_start_cookie(records: Records, session: Session) -> None:
    await offered(records, session)
    assert await records.take_entry_code(b"code", DOSSIER, "", NOW, here=session.id) is not None
    assert await records.take_entry_code(b"code", DOSSIER, "", NOW, here=session.id) is None
    for here, host, at in (("another", DOSSIER, NOW), (session.id, PENSION, NOW), (session.id, DOSSIER, NOW + 60)):
        await offered(records, session)
        assert await records.take_entry_code(b"code", host, "", at, here=here) is None
    await offered(records, session)
    await records.end_session(session.id, "signed out", "user:jansen01")
    assert await records.take_entry_code(b"code", DOSSIER, "", NOW, here=session.id) is None


async def test_not_for_a_session_that_ended_meanwhile(records: Records, session: Session) -> None:
    await offered(records, session)
    await records.end_session(session.id, "signed out", "user:jansen01")
    assert await records.take_entry_code(b"code", DOSSIER, "start", NOW) is None
    assert await records.take_entry_code(b"code", DOSSIER, "start", NOW) is None


async def test_a_step_up_takes_outstanding_codes_back(records: Records, session: Session) -> None:
    await offered(records, session)
    await records.renew_session(session.id, Means.TOKEN, NOW, PORTAL, b"portal2", None, NOW)
    assert await records.take_entry_code(b"code", DOSSIER, "start", NOW) is None


async def test_two_processes_and_one_code(open_records: Opener) -> None:
    one, other = await open_records(), await open_records()
    await add_user(one)
    await offered(one, await sign_in(one))
    taken = await asyncio.gather(
        *(records.take_entry_code(b"code", DOSSIER, "start", NOW) for records in (one, other) * 5)
    )
    assert sum(code is not None for code in taken) == 1


# --- the regulation


async def test_an_acceptance_is_recorded_once(records: Records) -> None:
    await add_user(records)
    await records.accept_regulation("jansen01", "2026-01", "ab" * 32, NOW + 1)
    await records.accept_regulation("jansen01", "2026-01", "ab" * 32, NOW + 2)
    user = await records.user("jansen01")
    assert user is not None
    assert {version: (one.sha256, one.at) for version, one in user.acceptances.items()} == {
        "2026-01": ("ab" * 32, NOW + 1)
    }
    assert len(await records.entries("acceptance", user_id="jansen01", ended=True)) == 1


async def test_another_text_of_the_same_version_is_accepted_anew(records: Records) -> None:
    await add_user(records)
    await records.accept_regulation("jansen01", "2026-01", "ab" * 32, NOW + 1)
    await records.accept_regulation("jansen01", "2026-01", "cd" * 32, NOW + 2)
    user = await records.user("jansen01")
    assert user is not None
    assert user.acceptances["2026-01"].sha256 == "cd" * 32


async def test_who_is_unknown_accepts_nothing(records: Records) -> None:
    with pytest.raises(Conflict, match="blocked or has ended"):
        await records.accept_regulation("nobody99", "2026-01", "ab" * 32, NOW)


# --- however the news comes in


def _row(number: int, cookies: list[tuple[bytes, str]], *, ended: bool = True) -> SessionRow:
    """The `number`th session of a line of step-ups."""
    session = Session(
        f"s{number}",
        "jansen01",
        Means.TOKEN,
        NOW,
        NOW,
        NOW + HOUR,
        NOW if ended else None,
        "renewed" if ended else None,
    )
    rows = tuple(CookieRow(*cookie) for cookie in cookies)
    return SessionRow(session, NOW, f"s{number - 1}" if number else None, rows)


@given(st.integers(1, 6), st.integers(0, 5), st.randoms(use_true_random=False), st.booleans())
def test_a_line_of_step_ups_in_any_order(length: int, known: int, random: Random, again: bool) -> None:
    """Old cookies find the session they were given for; the entry that was held is always the newest session's."""
    index = Index(30.0)
    held = None
    if known < length:
        index.put_sessions([_row(0, [(b"c0", PORTAL), (b"pension", PENSION)], ended=False)])
        held = index.session(b"pension", PENSION)
    rows = [_row(number, [(b"c%d" % number, PORTAL)]) for number in range(length - 1)]
    rows.append(_row(length - 1, [(b"c%d" % (length - 1), PORTAL), (b"pension", PENSION)], ended=False))
    for _ in range(1 + again):
        random.shuffle(rows)
        index.put_sessions(rows)
    for number in range(length):
        entry = index.session(b"c%d" % number, PORTAL)
        assert entry is not None
        assert entry.session.id == f"s{number}"
    newest = index.session(b"pension", PENSION)
    assert newest is not None
    assert newest.session.id == f"s{length - 1}"
    assert held in (None, newest)
    index.forget_ended(NOW + 3 * 86_400)
    assert index.session(b"pension", PENSION) is None
    assert index.session(b"c0", PORTAL) is None


def test_a_very_long_line_of_step_ups() -> None:
    index = Index(30.0)
    index.put_sessions([_row(number, [(b"c%d" % number, PORTAL)]) for number in range(5_000)])
    first = index.session(b"c0", PORTAL)
    assert first is not None
    assert first.session.id == "s0"


def test_what_a_clock_that_was_set_back_does() -> None:
    index = Index(30.0)
    assert not index.current(NOW)
    index.read_at(NOW)
    for offset, current in ((0, True), (30, True), (30.1, False), (-5, True), (-5.1, False)):
        assert index.current(NOW + offset) is current
    index.out_of_date()
    assert not index.current(NOW)


def test_users_come_and_go() -> None:
    index = Index(30.0)
    index.put_users({"jansen01": None})
    index.put_last_seen("unknown", NOW)
    assert index.user("jansen01") is None
    assert index.held() == ["jansen01"]
    index.forget_ended(NOW)
    assert index.held() == []


async def test_what_can_be_used_of_a_user_id_is_listed_with_when_its_person_was_seen(
    records: Records, session: Session, clock: Clock
) -> None:
    idle = 1800.0
    (entry,) = await records.open_sessions_of("jansen01", clock.now, idle)
    assert (entry.session.id, entry.last_seen) == (session.id, session.created_at)
    held = records.index.session(b"portal", PORTAL)
    assert held is not None
    records.index.touch(held, clock.now + 60)  # not in the database yet
    (entry,) = await records.open_sessions_of("jansen01", clock.now + 61, idle)
    assert entry.last_seen == clock.now + 60
    assert await records.open_sessions_of("jansen01", clock.now + 60 + idle, idle) == []
    assert await records.open_sessions_of("jansen01", session.expires_at, 1e9) == []
    assert await records.open_sessions_of("dupont01", clock.now, idle) == []
    await records.end_session(session.id, "test", "shell")
    assert await records.open_sessions_of("jansen01", clock.now, idle) == []
    assert records.index.last_seen("nothing") == 0.0


async def test_where_a_session_was_used(records: Records, session: Session) -> None:
    await records.attach_cookie(session.id, "a.example", b"a")
    assert await records.hosts_of(session.id) == ["a.example", PORTAL]
    assert await records.hosts_of("nothing") == []
