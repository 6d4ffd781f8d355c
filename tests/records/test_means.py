"""What a person is told of their means: what was changed, when, by whom; and when each was last used."""

from __future__ import annotations

import pytest

from gateway.model import Means
from gateway.records import Bound, By, MeansChange, Records
from tests.records.conftest import BY_ACT, INSZ, NOW, add_user

HASH = "$argon2id$x"
OWN = By("user:jansen01", "by themself")


async def administrator(records: Records) -> By:
    await add_user(records, "admin01", insz=INSZ[4])
    return By("user:admin01", "card lost", await records.add_mandate("admin01", BY_ACT, NOW))


async def told(records: Records, since: float = 0.0) -> list[tuple[float, str, str, str, int | None]]:
    changes = await records.changes_to_means("jansen01", since)
    return [(change.at - NOW, change.kind, change.what, change.actor, change.mandate) for change in changes]


async def test_what_was_changed_when_and_by_whom(records: Records) -> None:
    await add_user(records)
    admin = await administrator(records)
    mandate = admin.mandate
    assert await told(records) == []
    letter = await records.set_activation("jansen01", "$letter", admin, NOW + 1)
    await records.set_password("jansen01", HASH, OWN, NOW + 2, alone=True, activation=letter)
    await records.set_password("jansen01", HASH + "2", OWN, NOW + 3, alone=True)
    await records.set_code_card("jansen01", b"stored", admin, NOW + 4)
    card = await records.set_code_card("jansen01", b"stored", By("shell", "x", mandate), NOW + 5)
    await records.end_credential(card, admin, NOW + 6)
    everything = [
        (1, "activation", "added", "user:admin01", mandate),
        (2, "activation", "used", "user:jansen01", None),
        (2, "password", "added", "user:jansen01", None),
        (3, "password", "replaced", "user:jansen01", None),
        (4, "code_card", "added", "user:admin01", mandate),
        (5, "code_card", "replaced", "shell", mandate),
        (6, "code_card", "ended", "user:admin01", mandate),
    ]
    assert await told(records) == everything
    for since in range(7):
        assert await told(records, NOW + since) == [change for change in everything if change[0] > since]
    assert await records.changes_to_means("admin01", 0.0) == []


async def test_a_letter_that_is_replaced_or_voided(records: Records) -> None:
    await add_user(records)
    await records.set_activation("jansen01", "$letter", BY_ACT, NOW + 1)
    await records.set_activation("jansen01", "$letter", BY_ACT, NOW + 2)
    await records.set_password("jansen01", HASH, BY_ACT, NOW + 3, alone=True)
    assert [change[:3] for change in await told(records)] == [
        (1, "activation", "added"),
        (2, "activation", "replaced"),
        (3, "activation", "ended"),
        (3, "password", "added"),
    ]


async def test_a_password_that_is_hashed_anew_is_no_change(records: Records) -> None:
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    await records.rehash_password("jansen01", HASH, HASH + "2", NOW + 1)
    assert await told(records, NOW) == []
    await records.set_password("jansen01", HASH + "3", BY_ACT, NOW + 2, alone=True)
    assert [change[:3] for change in await told(records, NOW)] == [(2, "password", "replaced")]


async def test_a_password_that_was_disabled(records: Records) -> None:
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    login, now = await records.find_login("jansen01"), NOW
    assert login is not None
    while not (await records.claim_attempt(login, now)).disabled:
        now = max(now, (await records.lockout(login)).wait_until)
    assert [change[1:] for change in await told(records, NOW)] == [("password", "disabled", "gateway", None)]


@pytest.mark.parametrize(("actor", "user"), [("user:admin01", "admin01"), ("shell", None), ("gateway", None)])
def test_who_did_it(actor: str, user: str | None) -> None:
    assert MeansChange(NOW, "totp", "added", actor, None).by_user == user


# --- told once


async def test_everything_is_told_once(records: Records) -> None:
    await add_user(records)
    assert await records.untold_changes("jansen01") == []
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    assert await records.untold_changes("jansen01") == []  # what one begins with is no change
    await records.set_totp("jansen01", b"s" * 20, BY_ACT, NOW + 1)
    assert [change.kind for change in await records.untold_changes("jansen01")] == ["totp"]
    await records.mark_told("jansen01", NOW + 1)
    assert await records.untold_changes("jansen01") == []
    await records.set_code_card("jansen01", b"stored", BY_ACT, NOW + 2)
    assert [change.kind for change in await records.untold_changes("jansen01")] == ["code_card"]
    await records.mark_told("jansen01", NOW)  # an old page that was open: nothing is told again
    assert [change.kind for change in await records.untold_changes("jansen01")] == ["code_card"]
    await records.mark_told("jansen01", NOW + 3)
    assert await records.untold_changes("jansen01") == []


# --- last used


async def test_when_each_means_was_last_used(records: Records) -> None:
    await add_user(records)
    login = await records.find_login("jansen01")
    assert login is not None
    assert await records.means_used("jansen01") == {}
    await records.record_success(login, NOW, ("password", "totp"))
    await records.record_success(login, NOW + 5, ("password",))
    card, provider = Bound(certificate="ab" * 32), Bound(provider="csam")
    # The second comes from a worker whose clock, or whose turn, is behind.
    for number, (bound, now) in enumerate(((card, NOW + 6), (card, NOW + 2), (provider, NOW + 7))):
        token = bytes([number]) * 32
        await records.create_session(login, Means.EID, now, "portal.localhost", token, now, 3600, bound=bound)
    assert await records.means_used("jansen01") == {
        "password": NOW + 5, "totp": NOW, "eid": NOW + 6, "csam": NOW + 7,
    }  # fmt: skip
    assert await records.means_used("peeters1") == {}
