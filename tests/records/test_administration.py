"""Persons, user IDs, mandates, designations and roles: history, clear conflicts, and nothing wider than granted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import Conflict, LedgerError
from gateway.model import FOR_EVER, Means, Use, Validity
from gateway.records import Act, By, Change, Records
from tests.records.conftest import ACT, BY, BY_ACT, DAY, INSZ, NORTH, NOW, SOUTH, add_user, authorisation

HASH = "$argon2id$x"


BIS = "10200100128"


async def mandated(records: Records, user_id: str = "admin01", institution: str = NORTH, insz: str = INSZ[4]) -> By:
    """A local administrator, and how acts under their mandate are signed."""
    await add_user(records, user_id, institution, insz)
    mandate = await records.add_mandate(user_id, BY_ACT, NOW)
    return By("shell", "asked by letter", mandate=mandate)


# --- persons and user IDs


async def test_a_person_is_recorded_once(records: Records) -> None:
    first = await records.add_person(INSZ[0], "An Jansen", BY_ACT, NOW)
    for same in (INSZ[0], f" {INSZ[0]}\n", "85.07.30-033.28"):
        with pytest.raises(Conflict, match="recorded already") as caught:
            await records.add_person(same, "Another", BY_ACT, NOW)
        assert INSZ[0] not in str(caught.value)
    assert await records.add_person(INSZ[1], "An Jansen", BY_ACT, NOW) != first


@pytest.mark.parametrize("insz", ["", "85073003329", "1234", "8507300332\u0668"])
async def test_an_insz_is_checked_and_never_repeated(records: Records, insz: str) -> None:
    with pytest.raises(Conflict) as caught:
        await records.add_person(insz, "An Jansen", BY_ACT, NOW)
    assert not insz or insz not in str(caught.value)


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "An\x1b[31m", "An\u202eJansen"])
async def test_a_name_can_be_shown(records: Records, name: str) -> None:
    with pytest.raises(Conflict, match="name"):
        await records.add_person(INSZ[0], name, BY_ACT, NOW)


async def test_a_bis_number_becomes_a_national_number(records: Records) -> None:
    """Both stay this person's for the history; lock-outs, user IDs and designations go on."""
    person = await add_user(records)
    await records.add_designation("jansen01", authorisation(), {Use.CONSULTATION}, BY_ACT, NOW)
    await records.change_person(person, INSZ[1], "An Jansens", BY_ACT, NOW + 1)
    user = await records.user("jansen01")
    assert user is not None
    assert (user.person, user.insz, user.name) == (person, INSZ[1], "An Jansens")
    assert list(user.designations) == ["24/123"]
    assert await records.person_of(insz=INSZ[0]) == person
    assert await records.person_of(insz=INSZ[1]) == person
    for number in INSZ[:2]:
        with pytest.raises(Conflict, match="recorded already"):
            await records.add_person(number, "Somebody", BY_ACT, NOW + 2)
    await records.change_person(person, INSZ[0], "An Jansen", BY_ACT, NOW + 3)
    login = await records.find_login("jansen01")
    assert login is not None
    assert (login.person, login.insz) == (person, INSZ[0])


async def test_two_persons_are_never_joined(records: Records) -> None:
    person = await add_user(records)
    await add_user(records, "peeters1", insz=INSZ[1])
    with pytest.raises(Conflict, match="another recorded person"):
        await records.change_person(person, INSZ[1], "An Jansen", BY_ACT, NOW)
    with pytest.raises(Conflict, match="does not exist"):
        await records.change_person(4711, INSZ[2], "An Jansen", BY_ACT, NOW)


async def test_a_person_ends_with_everything(records: Records) -> None:
    person = await add_user(records)
    await records.add_user_id("jansen.sud", person, SOUTH, "fr", BY_ACT, NOW)
    login = await records.find_login("jansen.sud")
    assert login is not None
    await records.create_session(login, Means.PASSWORD, NOW, "portal", b"x", NOW, 3600)
    await records.end_person(person, BY_ACT, NOW + 5)
    for user_id in ("jansen01", "jansen.sud"):
        user = await records.user(user_id)
        assert user is not None
        assert user.validity == Validity(NOW, NOW + 5)
    assert await records.live_sessions(NOW) == []
    assert await records.persons() == []
    assert [one.ended for one in await records.persons(ended=True)] == [True]
    with pytest.raises(Conflict, match="ended"):
        await records.end_person(person, BY_ACT, NOW + 6)


@pytest.mark.parametrize(
    "user_id", ["", "abc", "a" * 65, "Jansen01", "jan sen", "-jansen", "jansen.", "jänsen01", "jansen/01", "j\n01"]
)
async def test_what_is_no_user_id(records: Records, user_id: str) -> None:
    person = await records.add_person(INSZ[0], "An", BY_ACT, NOW)
    with pytest.raises(Conflict, match="4 to 64 characters"):
        await records.add_user_id(user_id, person, NORTH, "nl", BY_ACT, NOW)


async def test_a_user_id_is_never_somebody_elses(records: Records) -> None:
    person = await add_user(records)
    other = await records.add_person(INSZ[1], "Bo", BY_ACT, NOW)
    with pytest.raises(Conflict, match="exists already"):
        await records.add_user_id("jansen01", person, NORTH, "nl", BY_ACT, NOW)
    await records.end_user_id("jansen01", BY_ACT, NOW + 1)
    for who, where in ((other, NORTH), (person, SOUTH)):
        with pytest.raises(Conflict, match="choose another"):
            await records.add_user_id("jansen01", who, where, "nl", BY_ACT, NOW + 2)
    await records.add_user_id("jansen01", person, NORTH, "fr", BY_ACT, NOW + 3)
    user = await records.user("jansen01")
    assert user is not None
    assert (user.validity, user.language) == (Validity(NOW + 3), "fr")


async def test_language_and_person_are_checked(records: Records) -> None:
    with pytest.raises(Conflict, match="language"):
        await records.add_user_id("jansen01", 1, NORTH, "it", BY_ACT, NOW)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="person 1 does not exist"):
        await records.add_user_id("jansen01", 1, NORTH, "nl", BY_ACT, NOW)


async def test_blocking_is_an_end_and_a_new_row(records: Records) -> None:
    person = await records.add_person(INSZ[0], "An", BY_ACT, NOW)
    await records.add_user_id("jansen01", person, NORTH, "nl", BY_ACT, NOW, Validity(NOW, NOW + DAY))
    with pytest.raises(Conflict, match="not blocked"):
        await records.unblock_user_id("jansen01", BY_ACT, NOW + 1)
    await records.block_user_id("jansen01", By("shell", "misuse", act=ACT), NOW + 1)
    user = await records.user("jansen01")
    assert user is not None
    assert (user.blocked, user.validity.end) == (True, NOW + DAY)
    with pytest.raises(Conflict, match="blocked already"):
        await records.block_user_id("jansen01", BY_ACT, NOW + 2)
    await records.unblock_user_id("jansen01", BY_ACT, NOW + 3)
    history = await records.entries("user-id", user_id="jansen01", ended=True)
    assert [(entry.says["blocked"], entry.ended_at, entry.ended_reason) for entry in history] == [
        (False, NOW + 1, "misuse"),
        (True, NOW + 3, "the head official's letter"),
        (False, None, None),
    ]
    with pytest.raises(Conflict, match="has expired"):
        await records.block_user_id("jansen01", BY_ACT, NOW + 2 * DAY)


# --- mandates


async def test_a_mandate_is_the_head_officials_written_act(records: Records) -> None:
    await add_user(records)
    with pytest.raises(Conflict, match="reference and date"):
        await records.add_mandate("jansen01", BY, NOW)
    with pytest.raises(Conflict, match="never under another mandate"):
        await records.add_mandate("jansen01", By("shell", "x", mandate=1, act=ACT), NOW)
    mandate = await records.add_mandate("jansen01", BY_ACT, NOW, Validity(NOW, NOW + DAY))
    [entry] = await records.entries("mandate")
    assert (entry.record, entry.institution, entry.act) == (mandate, NORTH, "HO/2026/1 (2026-01-05)")
    with pytest.raises(Conflict, match="never under another mandate"):
        await records.end_mandate(mandate, By("shell", "x", mandate=mandate), NOW)
    await records.end_mandate(mandate, BY_ACT, NOW + 1)
    with pytest.raises(Conflict, match="has ended already"):
        await records.end_mandate(mandate, BY_ACT, NOW + 2)


async def test_the_end_of_a_mandate_is_seen_in_its_designations(records: Records) -> None:
    by = await mandated(records)
    await add_user(records)
    await records.add_designation("jansen01", authorisation(), {Use.CONSULTATION}, by, NOW + 1)
    await records.end_mandate(by.mandate or 0, BY_ACT, NOW + 10)
    user = await records.user("jansen01")
    assert user is not None
    [designation] = user.designations["24/123"]
    assert designation.mandate is not None
    assert designation.mandate.validity == Validity(NOW, NOW + 10)
    assert designation.validity.holds(NOW + 20)


Acting = Callable[[Records, By, float], Awaitable[object]]
ACTS: dict[str, Acting] = {
    "user ID": lambda records, by, now: records.add_user_id("jansen02", 1, NORTH, "nl", by, now),
    "block": lambda records, by, now: records.block_user_id("jansen01", by, now),
    "end user ID": lambda records, by, now: records.end_user_id("jansen01", by, now),
    "password": lambda records, by, now: records.set_password("jansen01", HASH, by, now, alone=True),
    "code": lambda records, by, now: records.set_totp("jansen01", b"s" * 20, by, now),
    "card": lambda records, by, now: records.set_code_card("jansen01", b"stored", by, now),
    "activation": lambda records, by, now: records.set_activation("jansen01", HASH, by, now),
    "designation": lambda records, by, now: records.add_designation(
        "jansen01", authorisation(), {Use.CONSULTATION}, by, now
    ),
    "role": lambda records, by, now: records.add_role("jansen01", "DossierReader", by, now),
    "end designation": lambda records, by, now: records.end_designation(1, by, now),
    "end role": lambda records, by, now: records.end_role(1, by, now),
    "end credential": lambda records, by, now: records.end_credential(1, by, now),
}


@pytest.mark.parametrize("act", ACTS)
async def test_an_act_rests_on_a_living_mandate_of_this_institution(records: Records, act: str) -> None:
    await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    await records.add_designation("jansen01", authorisation("24/9"), {Use.CONSULTATION}, BY_ACT, NOW)
    await records.add_role("jansen01", "OtherRole", BY_ACT, NOW)
    north = await mandated(records)
    south = await mandated(records, "admin.sud", SOUTH, INSZ[3])
    later = By("shell", "x", mandate=await records.add_mandate("admin01", BY_ACT, NOW, Validity(NOW + DAY)))
    refused = [
        (By("shell", "x", mandate=4711), "does not exist"),
        (south, "is for institution"),
        (later, "not in force"),
    ]
    for by, why in refused:
        with pytest.raises(Conflict, match=why):
            await ACTS[act](records, by, NOW + 1)
    await records.block_user_id("admin01", BY_ACT, NOW + 1)
    with pytest.raises(Conflict, match="its holder admin01 is blocked"):
        await ACTS[act](records, north, NOW + 2)
    await records.unblock_user_id("admin01", BY_ACT, NOW + 2)
    await ACTS[act](records, north, NOW + 3)


# --- designations


async def test_a_designation_in_the_index(records: Records) -> None:
    by = await mandated(records)
    await add_user(records)
    both = By("shell", "x", mandate=by.mandate, act=Act("HO/7", dt.date(2026, 2, 1)))
    first = await records.add_designation("jansen01", authorisation(), {Use.CONSULTATION}, by, NOW + 1)
    second = await records.add_designation("jansen01", authorisation("24/124"), set(Use), both, NOW + 2)
    user = await records.user("jansen01")
    assert user is not None
    [waiting], [confirmed] = user.designations["24/123"], user.designations["24/124"]
    assert (waiting.id, waiting.uses, waiting.made_at, waiting.confirmed) == (first, {Use.CONSULTATION}, NOW + 1, False)
    assert waiting.validity == Validity(NOW + 1, authorisation().validity.end)
    assert (confirmed.id, confirmed.uses, confirmed.confirmed) == (second, set(Use), True)
    assert waiting.mandate is not None
    assert waiting.mandate.id == by.mandate


async def test_history_stays_so_that_a_person_can_be_told(records: Records) -> None:
    await add_user(records)
    first = await records.add_designation("jansen01", authorisation(), {Use.CONSULTATION}, BY_ACT, NOW)
    with pytest.raises(Conflict, match=f"designation {first}"):
        await records.add_designation("jansen01", authorisation(), {Use.COMMUNICATION}, BY_ACT, NOW + 1)
    await records.end_designation(first, BY_ACT, NOW + 2)
    second = await records.add_designation("jansen01", authorisation(), {Use.COMMUNICATION}, BY_ACT, NOW + 3)
    user = await records.user("jansen01")
    assert user is not None
    assert [(one.id, one.validity.end) for one in user.designations["24/123"]] == [
        (first, NOW + 2),
        (second, authorisation().validity.end),
    ]
    with pytest.raises(Conflict, match="has ended already"):
        await records.end_designation(first, BY_ACT, NOW + 4)


LIMITS = authorisation().validity


@pytest.mark.parametrize(
    ("granted", "uses", "validity", "by", "why"),
    [
        (authorisation(institution=SOUTH), {Use.CONSULTATION}, None, BY_ACT, "was granted to institution"),
        (authorisation(uses=(Use.CONSULTATION,)), {Use.COMMUNICATION}, None, BY_ACT, "covers consultation"),
        (authorisation(uses=(Use.CONSULTATION,)), set(Use), None, BY_ACT, "covers consultation"),
        (authorisation(), set(), None, BY_ACT, "covers communication, consultation"),
        (authorisation(status="revoked"), {Use.CONSULTATION}, None, BY_ACT, "was revoked"),
        (authorisation(), {Use.CONSULTATION}, Validity(NOW, LIMITS.end + 1), BY_ACT, "stay within"),
        (authorisation(), {Use.CONSULTATION}, Validity(NOW, FOR_EVER), BY_ACT, "stay within"),
        (authorisation(), {Use.CONSULTATION}, Validity(LIMITS.start - 1, NOW), BY_ACT, "stay within"),
        (authorisation(), {Use.CONSULTATION}, Validity(NOW + 1, NOW + 1), BY_ACT, "stay within"),
        (authorisation(validity=Validity(NOW - 9, NOW - 1)), {Use.CONSULTATION}, None, BY_ACT, "stay within"),
        (authorisation(), {Use.CONSULTATION}, None, BY, "head official's written act"),
    ],
)
async def test_a_designation_only_narrows(
    records: Records, granted: object, uses: set[Use], validity: Validity | None, by: By, why: str
) -> None:
    await add_user(records)
    with pytest.raises(Conflict, match=why):
        await records.add_designation("jansen01", granted, uses, by, NOW, validity)  # type: ignore[arg-type]
    assert await records.entries("designation", ended=True) == []


async def test_an_authorisation_that_begins_later(records: Records) -> None:
    await add_user(records)
    later = authorisation(validity=Validity(NOW + DAY, NOW + 9 * DAY))
    await records.add_designation("jansen01", later, {Use.CONSULTATION}, BY_ACT, NOW)
    [entry] = await records.entries("designation")
    assert entry.validity == later.validity


async def test_a_suspended_authorisation_may_be_prepared(records: Records) -> None:
    await add_user(records)
    await records.add_designation("jansen01", authorisation(status="suspended"), {Use.CONSULTATION}, BY_ACT, NOW)


# --- roles


async def test_roles_with_history(records: Records) -> None:
    await add_user(records)
    first = await records.add_role("jansen01", "DossierReader", BY_ACT, NOW, Validity(NOW, NOW + DAY))
    with pytest.raises(Conflict, match="already"):
        await records.add_role("jansen01", "DossierReader", BY_ACT, NOW)
    await records.end_role(first, BY_ACT, NOW + 1)
    second = await records.add_role("jansen01", "DossierReader", BY_ACT, NOW + 2)
    user = await records.user("jansen01")
    assert user is not None
    assert [(role.id, role.validity) for role in user.roles["DossierReader"]] == [
        (first, Validity(NOW, NOW + 1)),
        (second, Validity(NOW + 2)),
    ]
    with pytest.raises(Conflict, match="has a name"):
        await records.add_role("jansen01", " ", BY_ACT, NOW)


# --- the ledger's line first


@pytest.mark.parametrize("act", ACTS)
async def test_nothing_is_changed_without_the_ledgers_line(records: Records, act: str) -> None:
    person = await add_user(records)
    await records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True)
    await records.add_designation("jansen01", authorisation("24/9"), {Use.CONSULTATION}, BY_ACT, NOW)
    await records.add_role("jansen01", "OtherRole", BY_ACT, NOW)
    assert person == 1
    kinds = ("user-id", "credential", "designation", "role")
    before = [await records.entries(kind, ended=True) for kind in kinds]
    user = await records.user("jansen01")
    told: list[Change] = []

    def full(change: Change) -> None:
        told.append(change)
        raise LedgerError("the disk is full")

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "user ID": lambda: records.add_user_id("jansen02", 1, NORTH, "nl", BY_ACT, NOW, before_commit=full),
        "block": lambda: records.block_user_id("jansen01", BY_ACT, NOW, full),
        "end user ID": lambda: records.end_user_id("jansen01", BY_ACT, NOW, full),
        "password": lambda: records.set_password("jansen01", HASH, BY_ACT, NOW, alone=True, before_commit=full),
        "code": lambda: records.set_totp("jansen01", b"s" * 20, BY_ACT, NOW, full),
        "card": lambda: records.set_code_card("jansen01", b"stored", BY_ACT, NOW, full),
        "activation": lambda: records.set_activation("jansen01", HASH, BY_ACT, NOW, full),
        "designation": lambda: records.add_designation(
            "jansen01", authorisation(), {Use.CONSULTATION}, BY_ACT, NOW, before_commit=full
        ),
        "role": lambda: records.add_role("jansen01", "DossierReader", BY_ACT, NOW, before_commit=full),
        "end designation": lambda: records.end_designation(1, BY_ACT, NOW, full),
        "end role": lambda: records.end_role(1, BY_ACT, NOW, full),
        "end credential": lambda: records.end_credential(1, BY_ACT, NOW, full),
    }
    with pytest.raises(LedgerError):
        await calls[act]()
    [change] = told
    assert change.user_id == ("jansen02" if act == "user ID" else "jansen01")
    assert (change.insz, change.institution, change.by) == (INSZ[0], NORTH, BY_ACT)
    assert HASH not in str(change)
    assert INSZ[0] not in repr(change)
    assert [await records.entries(kind, ended=True) for kind in kinds] == before
    assert await records.user("jansen01") == user


async def test_the_line_is_written_after_the_checks_and_only_then(records: Records) -> None:
    await add_user(records)
    told: list[Change] = []
    with pytest.raises(Conflict):
        await records.add_user_id("jansen01", 1, NORTH, "nl", BY_ACT, NOW, before_commit=told.append)
    with pytest.raises(Conflict):
        await records.end_person(99, BY_ACT, NOW, told.append)
    assert told == []


# --- lists


async def test_lists_by_user_id_and_institution(records: Records) -> None:
    person = await add_user(records)
    await records.add_user_id("jansen.sud", person, SOUTH, "fr", BY_ACT, NOW)
    await add_user(records, "peeters1", SOUTH, INSZ[1])
    await records.add_role("jansen.sud", "DossierReader", BY_ACT, NOW)
    await records.add_role("peeters1", "DossierReader", BY_ACT, NOW)
    assert [one.user_id for one in await records.entries("role", institution=SOUTH)] == ["jansen.sud", "peeters1"]
    assert [one.user_id for one in await records.entries("role", user_id="peeters1")] == ["peeters1"]
    assert await records.entries("role", institution=NORTH) == []
    both, other = await records.persons(SOUTH)
    assert (both.person, both.user_ids) == (person, {"jansen01": NORTH, "jansen.sud": SOUTH})
    assert other.user_ids == {"peeters1": SOUTH}
    assert [one.person for one in await records.persons(NORTH)] == [person]
    [entry] = await records.entries("role", user_id="peeters1")
    assert (entry.actor, entry.reason, entry.mandate, entry.recorded_at) == ("shell", BY_ACT.reason, None, NOW)


async def test_under_a_mandate_nobody_gets_the_number_of_somebody_else(records: Records) -> None:
    """Offices of the KSZ's table hang on a number: only a bis number becomes a national one, and only once."""
    north = await mandated(records)
    person, national, bis = await add_user(records), INSZ[1], INSZ[3]
    for other in (national, bis):
        with pytest.raises(Conflict, match="only when a bis number became a national number"):
            await records.change_person(person, other, "Name of jansen01", north, NOW + 1)
    await records.change_person(
        person, bis, "Name of jansen01", BY_ACT, NOW + 1
    )  # it was recorded wrongly: by the written act
    with pytest.raises(Conflict, match="only when a bis number"):
        await records.change_person(person, BIS, "Name of jansen01", north, NOW + 2)
    await records.change_person(person, national, "Name of jansen01", north, NOW + 2)
    with pytest.raises(Conflict, match="only when a bis number"):
        await records.change_person(person, bis, "Name of jansen01", north, NOW + 3)
    await records.change_person(person, national, "Another name", north, NOW + 3)


async def test_no_administrator_touches_what_is_another_institutions(records: Records) -> None:
    """A person who acts for two institutions is changed or ended by a written act, never under the mandate of one."""
    north = await mandated(records)
    person = await add_user(records)
    await records.change_person(person, INSZ[0], "An Jansens", north, NOW + 1)
    await records.add_user_id("jansen.sud", person, SOUTH, "fr", BY_ACT, NOW + 1)
    with pytest.raises(Conflict, match=f"not for {SOUTH}"):
        await records.change_person(person, INSZ[0], "Another", north, NOW + 2)
    with pytest.raises(Conflict, match=f"not for {SOUTH}"):
        await records.end_person(person, north, NOW + 2)
    await records.end_user_id("jansen.sud", BY_ACT, NOW + 3)
    await records.end_person(person, north, NOW + 4)
    bare = await records.add_person(INSZ[1], "Bo", north, NOW + 4)
    await records.end_person(bare, north, NOW + 5)


@pytest.mark.parametrize("user_id", ["nobody01", "jansen01"])
async def test_nothing_hangs_on_a_user_id_that_is_not_live(records: Records, user_id: str) -> None:
    await add_user(records)
    await records.end_user_id("jansen01", By("shell", "left", act=ACT), NOW + 1)
    why = "has ended \\(left\\)" if user_id == "jansen01" else "does not exist"
    for attempt in (
        records.set_password(user_id, HASH, BY_ACT, NOW + 2, alone=True),
        records.add_mandate(user_id, BY_ACT, NOW + 2),
        records.add_designation(user_id, authorisation(), {Use.CONSULTATION}, BY_ACT, NOW + 2),
        records.add_role(user_id, "DossierReader", BY_ACT, NOW + 2),
        records.end_user_id(user_id, BY_ACT, NOW + 2),
    ):
        with pytest.raises(Conflict, match=why):
            await attempt
    with pytest.raises(Conflict, match="no person with this INSZ"):
        await records.person_of(insz=INSZ[3])
