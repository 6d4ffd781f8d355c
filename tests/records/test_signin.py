"""Sign-in: one counter for a natural person, the same words for nobody, codes that are good once."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.credentials.lockout import DISABLED_AFTER, WAIT_SECONDS, LockState
from gateway.errors import Conflict, RecordsError
from gateway.records import Change, Login, Records, RecordsSettings
from tests.records.conftest import BY_ACT, DAY, INSZ, NORTH, NOW, SOUTH, Opener, add_user, everything

HASH = "$argon2id$not-checked-here"


async def login_of(records: Records, user_id: str = "jansen01") -> Login:
    login = await records.find_login(user_id)
    assert login is not None
    return login


async def test_what_a_sign_in_needs_to_know(records: Records) -> None:
    person = await add_user(records)
    assert await records.find_login("jansen02") is None
    assert await records.find_login("JANSEN01") is None
    bare = await login_of(records)
    assert (bare.person, bare.insz, bare.institution, bare.language) == (person, INSZ[0], NORTH, "nl")
    assert (bare.password_hash, bare.password_disabled, bare.password_alone, bare.has_totp) == (
        None,
        False,
        False,
        False,
    )
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    await records.set_totp("jansen01", b"s" * 20, BY_ACT, NOW)
    whole = await login_of(records)
    assert (whole.password_hash, whole.password_alone, whole.has_totp) == (HASH, True, True)
    assert (whole.totp_secret, whole.last_totp_step) == (b"s" * 20, 0)
    assert whole.allowed(NOW)
    assert not whole.allowed(NOW - 1)


async def test_no_secret_shows_in_a_trace(records: Records) -> None:
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    await records.set_totp("jansen01", b"s" * 20, BY_ACT, NOW)
    login = await login_of(records)
    shown = repr(login)
    for secret in (HASH, "ssss", INSZ[0], "Name of"):
        assert secret not in shown
    assert {field.name for field in fields(login) if not field.repr} == {
        "insz",
        "name",
        "password_hash",
        "totp_secret",
        "activation_hash",
    }


async def test_ended_credentials_are_none(records: Records) -> None:
    await add_user(records)
    password = await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    totp = await records.set_totp("jansen01", b"s" * 20, BY_ACT, NOW)
    await records.end_credential(password, BY_ACT, NOW + 1)
    await records.end_credential(totp, BY_ACT, NOW + 1)
    login = await login_of(records)
    assert (login.password_hash, login.password_disabled, login.has_totp, login.totp_credential) == (
        None,
        False,
        False,
        None,
    )


async def test_the_secret_is_sealed_and_bound_to_its_user_id(records: Records, settings: RecordsSettings) -> None:
    await add_user(records)
    await records.set_totp("jansen01", b"a secret of the app.", BY_ACT, NOW)
    assert b"jansen01" in everything(settings)
    assert b"a secret of the app." not in everything(settings)
    sealed = records._key.seal(b"x" * 20, "totp of jansen01")
    for wrong in (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"", sealed[:5]):
        with pytest.raises(RecordsError, match="does not open"):
            records._key.open(wrong, "totp of jansen01")
    with pytest.raises(RecordsError, match="does not open"):
        records._key.open(sealed, "totp of peeters1")


# --- lock-outs


async def attempts(records: Records, who: Login | str, times: list[float]) -> list[LockState]:
    return [await records.claim_attempt(who, at) for at in times]


@pytest.mark.parametrize("known", [True, False])
async def test_a_known_and_an_unknown_user_id_wait_alike(records: Records, known: bool) -> None:
    """The very same states at the very same times: only the wait's table decides."""
    await add_user(records)
    who: Login | str = await login_of(records) if known else "nobody99"
    now, states = NOW, []
    for _ in range(12):
        state = await records.claim_attempt(who, now)
        states.append((state.failures, round(state.wait_until - now, 3), state.disabled, state.waits(now)))
        now = max(now, (await records.lockout(who)).wait_until)
    assert [state[0] for state in states] == list(range(12))
    assert not any(state[2] or state[3] for state in states)
    assert now - NOW == sum(WAIT_SECONDS) + 2 * WAIT_SECONDS[-1]


@pytest.mark.parametrize("known", [True, False])
async def test_an_attempt_during_a_wait_is_not_counted(records: Records, known: bool) -> None:
    await add_user(records)
    who: Login | str = await login_of(records) if known else "nobody99"
    await attempts(records, who, [NOW] * 3)
    before = await records.lockout(who)
    assert before == LockState(3, NOW + 5, False)
    for state in await attempts(records, who, [NOW, NOW + 1, NOW + 4.999]):
        assert state == before
        assert state.waits(NOW + 4.999)
    assert await records.lockout(who) == before
    allowed = await records.claim_attempt(who, NOW + 5)
    assert not allowed.waits(NOW + 5)
    assert (await records.lockout(who)).failures == 4


async def test_the_right_password_after_the_wait_begins_anew(records: Records) -> None:
    await add_user(records)
    login = await login_of(records)
    await attempts(records, login, [NOW] * 3)
    await records.claim_attempt(login, NOW + 5)
    await records.record_success(login, NOW + 5)
    assert await records.lockout(login) == LockState(0, 0.0, False)


async def test_one_counter_for_all_user_ids_of_a_person(records: Records) -> None:
    person = await add_user(records)
    await records.add_user_id("jansen.sud", person, SOUTH, "fr", BY_ACT, NOW)
    await add_user(records, "peeters1", insz=INSZ[1])
    north, south = await login_of(records), await login_of(records, "jansen.sud")
    await records.claim_attempt(north, NOW)
    await records.claim_attempt(south, NOW)
    await records.claim_attempt(north, NOW)
    assert (await records.lockout(south)).waits(NOW)
    assert (await records.lockout(await login_of(records, "peeters1"))).failures == 0


async def test_many_at_once_are_counted_one_by_one(records: Records) -> None:
    """Parallel guesses are no way round: whoever claims first is checked, the others wait."""
    await add_user(records)
    login = await login_of(records)
    states = await asyncio.gather(*(records.claim_attempt(login, NOW) for _ in range(20)))
    assert sum(not state.waits(NOW) for state in states) == 3
    assert (await records.lockout(login)).failures == 3


async def test_two_processes_share_the_counter(open_records: Opener) -> None:
    one, other = await open_records(), await open_records()
    await add_user(one)
    login = await login_of(one)
    for records in (one, other, one):
        assert not (await records.claim_attempt(login, NOW)).waits(NOW)
    assert (await other.claim_attempt(login, NOW)).waits(NOW)


async def run_full(records: Records, login: Login, user_ids: tuple[str, ...]) -> float:
    """A hundred counted failures; gives the moment after them."""
    now = NOW
    for _ in range(DISABLED_AFTER):
        assert not (await records.claim_attempt(login, now)).disabled
        now = max(now, (await records.lockout(login)).wait_until)
    assert (await records.lockout(login)).disabled
    assert (await records.claim_attempt(login, now)).disabled
    for user_id in user_ids:
        assert (await login_of(records, user_id)).password_disabled
        assert (await login_of(records, user_id)).password_hash is None
    return now


async def test_a_hundred_failures_disable_until_recovered_by_each_institution(records: Records) -> None:
    person = await add_user(records)
    await records.add_user_id("jansen.sud", person, SOUTH, "fr", BY_ACT, NOW)
    for user_id in ("jansen01", "jansen.sud"):
        await records.set_password(user_id, HASH, BY_ACT, NOW, alone=True)
    now = await run_full(records, await login_of(records), ("jansen01", "jansen.sud")) + 10 * DAY
    assert (await records.claim_attempt(await login_of(records), now)).disabled

    await records.set_password("jansen01", HASH + "2", BY_ACT, now, alone=True)
    north, south = await login_of(records), await login_of(records, "jansen.sud")
    assert await records.lockout(north) == LockState(0, 0.0, False)
    assert not (await records.claim_attempt(north, now)).disabled
    # No institution recovers what is another's.
    assert south.password_hash is None
    assert (await records.claim_attempt(south, now)).disabled


async def test_recovery_before_anybody_tried_again_disables_the_others_too(records: Records) -> None:
    person = await add_user(records)
    await records.add_user_id("jansen.sud", person, SOUTH, "fr", BY_ACT, NOW)
    for user_id in ("jansen01", "jansen.sud"):
        await records.set_password(user_id, HASH, BY_ACT, NOW, alone=True)
    login, now = await login_of(records), NOW
    for _ in range(DISABLED_AFTER):
        await records.claim_attempt(login, now)
        now = max(now, (await records.lockout(login)).wait_until)
    await records.set_password("jansen01", HASH + "2", BY_ACT, now, alone=True)
    assert (await login_of(records)).password_hash == HASH + "2"
    assert (await login_of(records, "jansen.sud")).password_disabled


async def test_a_new_password_does_not_shorten_a_wait(records: Records) -> None:
    """Else an administrator of one institution could reset the counter that guards another's password."""
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    await attempts(records, await login_of(records), [NOW] * 3)
    await records.set_password("jansen01", HASH + "2", BY_ACT, NOW, alone=True)
    assert (await records.lockout(await login_of(records))).waits(NOW)


async def test_the_hundredth_attempt_may_still_be_right(records: Records) -> None:
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    login, now = await login_of(records), NOW
    for _ in range(DISABLED_AFTER):
        await records.claim_attempt(login, now)
        now = max(now, (await records.lockout(login)).wait_until)
    await records.record_success(login, now)
    assert not (await records.claim_attempt(await login_of(records), now)).disabled
    assert (await login_of(records)).password_hash == HASH


async def test_an_unknown_user_id_is_disabled_with_the_same_words(records: Records) -> None:
    now = NOW
    for _ in range(DISABLED_AFTER):
        assert not (await records.claim_attempt("nobody99", now)).disabled
        now = max(now, (await records.lockout("nobody99")).wait_until)
    assert (await records.claim_attempt("nobody99", now + DAY)).disabled


async def test_counters_of_unknown_user_ids_are_bounded(
    records: Records, settings: RecordsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.records.signin.UNKNOWN_KEPT", 3)
    await add_user(records)
    await attempts(records, await login_of(records), [NOW])
    for number, name in enumerate(("aaaa", "bbbb", "cccc", "aaaa", "dddd")):
        await records.claim_attempt(name, NOW + 1000 * number)
    await records._tidy(NOW)
    assert [(await records.lockout(name)).failures for name in ("aaaa", "bbbb", "cccc", "dddd")] == [2, 0, 1, 1]
    assert (await records.lockout(await login_of(records))).failures == 1


async def test_an_unknown_word_is_counted_together_by_all_workers(
    open_records: Opener, settings: RecordsSettings
) -> None:
    """As a known one is: else the number of tries would tell which user IDs exist. The word itself is not kept."""
    one, other = await open_records(), await open_records()
    await attempts(one, "my-own-password", [NOW])
    await attempts(other, "my-own-password", [NOW + 1000])
    assert (await one.lockout("my-own-password")).failures == 2
    assert (await one.lockout("another")).failures == 0
    await one.close()
    assert b"my-own-password" not in everything(settings)


@pytest.mark.parametrize("name", ["", "x" * 1_000_000, "\ud800", "a\x00b", "' OR 1=1 --"])
async def test_hostile_words_are_unknown_user_ids(records: Records, name: str) -> None:
    assert await records.find_login(name) is None
    assert (await records.claim_attempt(name, NOW)).failures == 0
    assert (await records.lockout(name)).failures == 1


async def test_counters_outlive_a_restart(settings: RecordsSettings, open_records: Opener) -> None:
    records = await open_records()
    await add_user(records)
    login = await login_of(records)
    await attempts(records, login, [NOW] * 3)
    again = await open_records()
    assert (await again.lockout(login)).waits(NOW)


# --- codes


async def test_a_step_is_taken_once(open_records: Opener) -> None:
    one, other = await open_records(), await open_records()
    await add_user(one)
    assert not await one.take_totp_step(await login_of(one), 7)
    await one.set_totp("jansen01", b"s" * 20, BY_ACT, NOW)
    login = await login_of(one)
    taken = await asyncio.gather(*(records.take_totp_step(login, 7) for records in (one, other) * 5))
    assert sum(taken) == 1
    assert not await other.take_totp_step(login, 6)
    assert await other.take_totp_step(login, 8)
    assert (await login_of(one)).last_totp_step == 8


async def test_a_new_secret_has_steps_of_its_own(records: Records) -> None:
    await add_user(records)
    await records.set_totp("jansen01", b"s" * 20, BY_ACT, NOW)
    await records.take_totp_step(await login_of(records), 7)
    await records.set_totp("jansen01", b"t" * 20, BY_ACT, NOW)
    assert await records.take_totp_step(await login_of(records), 3)


async def test_a_password_is_hashed_anew_without_ending_anything(records: Records) -> None:
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    told: list[Change] = []
    await records.rehash_password("jansen01", HASH, HASH + "3", NOW + 1, told.append)
    login = await login_of(records)
    assert (login.password_hash, login.password_alone) == (HASH + "3", True)
    await records.rehash_password("jansen01", HASH, HASH + "4", NOW + 2, told.append)
    assert [change.act for change in told] == ["credential rehash"]
    assert (await login_of(records)).password_hash == HASH + "3"
    history = await records.entries("credential", user_id="jansen01", ended=True)
    assert [entry.ended_at for entry in history] == [NOW + 1, None]


@pytest.mark.sqlite
async def test_a_database_that_is_gone_lets_nobody_in(records: Records, settings: RecordsSettings) -> None:
    await add_user(records)
    login = await login_of(records)
    settings.path.rename(Path(f"{settings.path}.away"))
    with pytest.raises(RecordsError, match="No such file"):
        await records.claim_attempt(login, NOW)
    with pytest.raises(RecordsError, match="No such file"):
        await records.record_success(login, NOW)
    Path(f"{settings.path}.away").rename(settings.path)
    with pytest.raises(Conflict):
        await records.attach_cookie("no such session", "host", b"h")
