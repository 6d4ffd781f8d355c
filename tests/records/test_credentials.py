"""Credentials: a new one voids the old one, a letter is good once, and nobody administers their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.credentials.activation import LIFETIME_SECONDS
from gateway.errors import Conflict
from gateway.records import By, Change, Login, Records
from tests.records.conftest import BY_ACT, DAY, INSZ, NORTH, NOW, SOUTH, Opener, add_user, sign_in

HASH = "$argon2id$x"
OWN = By("user:jansen01", "by themself")


async def login_of(records: Records, user_id: str = "jansen01") -> Login:
    login = await records.find_login(user_id)
    assert login is not None
    return login


async def history(records: Records, user_id: str = "jansen01") -> list[tuple[object, float | None, str | None]]:
    entries = await records.entries("credential", user_id=user_id, ended=True)
    return [(entry.says["kind"], entry.ended_at, entry.ended_reason) for entry in entries]


async def test_a_new_credential_ends_the_old_one_and_the_sessions(records: Records) -> None:
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    for change in (
        lambda: records.set_password("jansen01", HASH + "2", BY_ACT, NOW + 1, alone=False),
        lambda: records.set_totp("jansen01", b"s" * 20, BY_ACT, NOW + 2),
        lambda: records.end_credential(2, BY_ACT, NOW + 3),
        lambda: records.set_code_card("jansen01", b"one", BY_ACT, NOW + 4),
        lambda: records.set_code_card("jansen01", b"two", BY_ACT, NOW + 5),
    ):
        await sign_in(records, cookie=f"{change}".encode())
        await change()
        assert await records.live_sessions(NOW + 4) == []
    assert [entry[:2] for entry in await history(records)] == [
        ("password", NOW + 1),
        ("password", NOW + 3),
        ("totp", None),
        ("code_card", NOW + 5),
        ("code_card", None),
    ]
    with pytest.raises(Conflict, match="credential 2 has ended already"):
        await records.end_credential(2, BY_ACT, NOW)
    with pytest.raises(Conflict, match="credential 99 does not exist"):
        await records.end_credential(99, BY_ACT, NOW)


KEEPING: dict[str, Callable[[Records, str | None], Awaitable[object]]] = {
    "password": lambda records, keep: records.set_password(
        "jansen01", HASH + "2", OWN, NOW + 1, alone=True, keep_session=keep
    ),
    "app": lambda records, keep: records.set_totp("jansen01", b"s" * 20, OWN, NOW + 1, keep_session=keep),
    "end": lambda records, keep: records.end_credential(1, OWN, NOW + 1, keep_session=keep),
}


@pytest.mark.parametrize("act", KEEPING)
async def test_the_session_that_does_it_goes_on_and_the_others_end(records: Records, act: str) -> None:
    await add_user(records)
    await add_user(records, "peeters1", insz=INSZ[1])
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    here, elsewhere = await sign_in(records, cookie=b"here"), await sign_in(records, cookie=b"elsewhere")
    somebody = await sign_in(records, "peeters1", cookie=b"somebody")
    await KEEPING[act](records, here.id)
    assert {session.id for session in await records.live_sessions(NOW + 2)} == {here.id, somebody.id}
    ended = next(one for one in await records.sessions_of("jansen01") if one.id == elsewhere.id)
    assert ended.ended_at == NOW + 1


async def test_a_session_of_somebody_else_is_not_kept_by_naming_it(records: Records) -> None:
    await add_user(records)
    await add_user(records, "peeters1", insz=INSZ[1])
    mine, theirs = await sign_in(records, cookie=b"mine"), await sign_in(records, "peeters1", cookie=b"theirs")
    await records.set_password("jansen01", HASH, OWN, NOW, alone=True, keep_session=theirs.id)
    assert [session.id for session in await records.live_sessions(NOW)] == [theirs.id]
    assert mine.id != theirs.id


# --- nobody administers their own


OWN_ACTS: dict[str, Callable[[Records, str, By], Awaitable[object]]] = {
    "password": lambda records, who, by: records.set_password(who, HASH, by, NOW, alone=True),
    "app": lambda records, who, by: records.set_totp(who, b"s" * 20, by, NOW),
    "card": lambda records, who, by: records.set_code_card(who, b"stored", by, NOW),
    "activation": lambda records, who, by: records.set_activation(who, HASH, by, NOW),
    "end": lambda records, who, by: records.end_credential(1, by, NOW),
}


@pytest.mark.parametrize("act", OWN_ACTS)
async def test_nobody_administers_their_own_means(records: Records, act: str) -> None:
    """Nor by another user ID of theirs: it is the person that counts."""
    person = await add_user(records, "admin01")
    await records.add_user_id("admin.two", person, NORTH, "nl", BY_ACT, NOW)
    mandate = await records.add_mandate("admin01", BY_ACT, NOW)
    await records.set_password("admin.two", HASH, BY_ACT, NOW, alone=True)
    before = await history(records, "admin.two")
    for who in ("admin01", "admin.two"):
        with pytest.raises(Conflict, match="nobody administers their own means"):
            await OWN_ACTS[act](records, who, By("user:admin01", "x", mandate))
    assert await history(records, "admin.two") == before
    await add_user(records, "admin02", insz=INSZ[1])
    other = await records.add_mandate("admin02", BY_ACT, NOW)
    await OWN_ACTS[act](records, "admin.two", By("user:admin02", "x", other))


# --- activation


async def test_a_letter_waits_and_changes_nothing_by_itself(records: Records) -> None:
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    session = await sign_in(records)
    first = await records.set_activation("jansen01", "$first", BY_ACT, NOW)
    second = await records.set_activation("jansen01", "$second", BY_ACT, NOW + 1)
    login = await login_of(records)
    assert (login.activation, login.activation_hash) == (second, "$second")
    assert login.activation_until == NOW + 1 + 14 * DAY == NOW + 1 + LIFETIME_SECONDS
    assert login.password_hash == HASH
    assert [one.id for one in await records.live_sessions(NOW + 2)] == [session.id]
    with pytest.raises(Conflict, match="used, voided or too old"):
        await records.set_password("jansen01", HASH, OWN, NOW + 2, alone=True, activation=first)


async def test_a_letter_is_used_once_with_what_it_sets(records: Records) -> None:
    await add_user(records)
    told: list[Change] = []
    letter = await records.set_activation("jansen01", "$letter", BY_ACT, NOW)

    async def use() -> int:
        return await records.set_password(
            "jansen01", HASH, OWN, NOW + 1, alone=True, activation=letter, before_commit=told.append
        )

    made = await use()
    with pytest.raises(Conflict, match="used, voided or too old"):
        await use()
    login = await login_of(records)
    assert (login.activation, login.activation_hash, login.activation_until) == (None, None, 0.0)
    assert (await history(records))[0] == ("activation", NOW + 1, "used")
    [change] = told
    assert dict(change.details) == {"record": made, "kind": "password", "activation": letter}


async def test_of_two_that_use_a_letter_at_once_one_does(open_records: Opener) -> None:
    """Two workers, two browsers: whoever has a copy of the letter comes too late."""
    one, other = await open_records(), await open_records()
    await add_user(one)
    letter = await one.set_activation("jansen01", "$letter", BY_ACT, NOW)
    attempts = [
        records.set_password("jansen01", f"$by-{number}", OWN, NOW + 1, alone=True, activation=letter)
        for number, records in enumerate((one, other, one, other))
    ]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 3


@pytest.mark.parametrize(("after", "good"), [(14 * DAY - 1, True), (14 * DAY, False)])
async def test_a_letter_is_good_for_fourteen_days(records: Records, after: float, good: bool) -> None:
    await add_user(records)
    letter = await records.set_activation("jansen01", "$letter", BY_ACT, NOW)
    using = records.set_password("jansen01", HASH, OWN, NOW + after, alone=True, activation=letter)
    if good:
        await using
    else:
        with pytest.raises(Conflict, match="too old"):
            await using
        assert (await login_of(records)).password_hash is None


async def test_a_letter_of_somebody_else_is_none(records: Records) -> None:
    await add_user(records)
    await add_user(records, "peeters1", insz=INSZ[1])
    letter = await records.set_activation("peeters1", "$letter", BY_ACT, NOW)
    with pytest.raises(Conflict, match="used, voided or too old"):
        await records.set_password("jansen01", HASH, OWN, NOW, alone=True, activation=letter)


async def test_a_password_set_otherwise_voids_the_letter_that_waits(records: Records) -> None:
    """Else it would still lie about, and open the user ID to whoever finds it."""
    await add_user(records)
    letter = await records.set_activation("jansen01", "$letter", BY_ACT, NOW)
    await records.set_password("jansen01", HASH, OWN, NOW + 1, alone=True)
    assert (await history(records))[0] == ("activation", NOW + 1, OWN.reason)
    with pytest.raises(Conflict, match="used, voided or too old"):
        await records.set_password("jansen01", HASH, OWN, NOW + 2, alone=True, activation=letter)


async def test_a_letter_can_be_taken_back(records: Records) -> None:
    await add_user(records)
    letter = await records.set_activation("jansen01", "$letter", BY_ACT, NOW)
    await records.end_credential(letter, BY_ACT, NOW + 1)
    assert (await login_of(records)).activation is None


async def test_a_letter_recovers_a_disabled_password(records: Records) -> None:
    """And not the other way round: the letter alone opens nothing that was disabled."""
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    login, now = await login_of(records), NOW
    while not (state := await records.claim_attempt(login, now)).disabled:
        now = max(now, (await records.lockout(login)).wait_until)
    letter = await records.set_activation("jansen01", "$letter", BY_ACT, now)
    assert (await records.lockout(login)).disabled
    await records.set_password("jansen01", HASH + "2", OWN, now, alone=True, activation=letter)
    login = await login_of(records)
    assert not login.password_disabled
    assert not (await records.lockout(login)).disabled
    assert state.failures == 100


# --- the key


async def test_two_user_ids_of_a_person_have_means_of_their_own(records: Records) -> None:
    person = await add_user(records)
    await records.add_user_id("jansen.sud", person, SOUTH, "fr", BY_ACT, NOW)
    await records.set_code_card("jansen01", b"stored", BY_ACT, NOW)
    await records.set_totp("jansen01", b"s" * 20, BY_ACT, NOW)
    north, south = await login_of(records), await login_of(records, "jansen.sud")
    assert (north.has_code_card, north.has_totp, north.has_token) == (True, True, True)
    assert (south.has_code_card, south.has_totp, south.has_token) == (False, False, False)
