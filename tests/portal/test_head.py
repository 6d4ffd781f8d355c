"""The head official's pages, accepting a mandate, and the administrator's periodic review: who may, and that each act is the one that it says."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from gateway.errors import Conflict
from gateway.model import KSZ, LANGUAGES, Authorisation, GrantedRole, Language, Means, Use, Validity
from gateway.records import By, Records
from gateway.records.standing import HALF_A_YEAR
from tests.portal.conftest import (
    AUTHORISATIONS,
    DAY,
    KBO,
    MINUTE,
    NOW,
    OFFICIAL,
    PORTAL,
    YEAR,
    Answer,
    Browser,
    World,
)
from tests.portal.test_accessibility import faults
from tests.portal.test_administration import add_person, signed_in

HEAD = f"https://{PORTAL}/head"
MANDATE = f"https://{PORTAL}/mandate"
REVIEW = f"https://{PORTAL}/administration/review"
OTHER_KBO = "0671516647"
INSZ = "98472899765"
GIVE = {
    "user_id": "admin01",
    "scope": "all",
    "act_reference": "HR/2026/7",
    "act_date": "2026-06-10",
    "reason": "new administrator",
}


def role(name: str, insz: str = INSZ, institution: str = KBO, validity: Validity = YEAR) -> GrantedRole:
    return GrantedRole(name, insz, institution, validity, "Appointment 1")


async def post(browser: Browser, url: str, form: dict[str, str]) -> Answer:
    csrf = (await browser.get(f"https://{PORTAL}/sign-out")).csrf
    return await browser.post(url, {"csrf": csrf, **form})


@pytest.fixture
async def head(world: World) -> Browser:
    """The head official at a browser, signed in with their eID; `admin01` is somebody of theirs without a mandate."""
    world.snapshot = replace(world.snapshot, roles={INSZ: (role("head_official"),)})
    await add_person(world, "head01", INSZ, "Lea Ding")
    await add_person(world, "admin01", "01490700185", "Ad Min")
    return await signed_in(world, "head01")


def acts(world: World) -> list[str]:
    return [str(line["act"]) for line in world.lines("administration")]


# --- who may


@pytest.mark.parametrize(
    "roles",
    [
        (),
        (role("head_official", validity=Validity(NOW - 2 * DAY, NOW)),),
        (role("head_official", validity=Validity(NOW + DAY, NOW + 2 * DAY)),),
        (role("head_official", institution=OTHER_KBO),),
        (role("ksz_reader", institution=KSZ),),
        (role("duty_officer"),),
    ],
    ids=["nobody", "over", "not yet", "another institution's", "reader", "duty officer"],
)
async def test_for_everybody_else_there_is_no_such_page(
    world: World, head: Browser, roles: tuple[GrantedRole, ...]
) -> None:
    world.snapshot = replace(world.snapshot, roles={INSZ: roles})
    nothing = await head.get(f"https://{PORTAL}/no-such-page")
    for path in ("", "/mandates", "/review", "/succession", "/mandates/give"):
        answer = await head.get(HEAD + path)
        assert (answer.status, answer.page.one("h1").text) == (404, nothing.page.one("h1").text)
    assert (await post(head, f"{HEAD}/mandates/give", GIVE)).status == 404
    assert acts(world) == []
    assert 'href="/head"' not in (await head.get(f"https://{PORTAL}/applications")).text


async def test_a_bis_number_that_became_a_national_number_is_the_same_head_official(
    world: World, head: Browser
) -> None:
    person = await world.records.person_of(user_id="head01")
    await world.records.change_person(person, "92521506931", "Lea Ding", OFFICIAL, NOW)
    assert (await head.get(HEAD)).status == 200


@pytest.mark.parametrize("means", [Means.PASSWORD, Means.TOKEN, Means.ITSME])
async def test_a_weaker_means_is_led_to_the_eid(world: World, head: Browser, means: Means) -> None:
    browser = await signed_in(world, "head01", means)
    answer = await browser.get(f"{HEAD}/mandates")
    assert (answer.status, answer.location) == (303, "/step-up?page=%2Fhead")
    page = await browser.follow(answer)
    assert "in the name of the institution" in page.page.words
    refused = await post(browser, f"{HEAD}/mandates/give", GIVE)
    assert refused.status == 403
    assert "/step-up?page=" in refused.text
    assert acts(world) == []


async def test_who_holds_an_office_finds_the_way(world: World, head: Browser) -> None:
    page = await head.get(f"https://{PORTAL}/applications")
    assert 'href="/head"' in page.text
    await world.records.grant_office("admin01", "dpo", OFFICIAL, NOW)
    officer = await signed_in(world, "admin01", Means.TOKEN)
    assert 'href="/read"' in (await officer.get(f"https://{PORTAL}/applications")).text


async def test_a_form_of_another_session_does_nothing(world: World, head: Browser) -> None:
    answer = await head.post(f"{HEAD}/mandates/give", {"csrf": "0" * 64, **GIVE})
    assert answer.status == 403
    assert acts(world) == []


# --- mandates


async def test_a_mandate_is_given_accepted_and_ended(world: World, head: Browser) -> None:
    given = await post(head, f"{HEAD}/mandates/give", {**GIVE, "until": "2026-12-31"})
    assert given.status == 200
    assert "waits to be accepted" in given.page.words
    [mandate] = await world.records.mandates_of("admin01")
    assert (mandate.accepted_at, mandate.scope, mandate.act) == (None, None, "HR/2026/7 (2026-06-10)")
    assert mandate.given.end == Validity.of_days(dt.date(2026, 12, 31), dt.date(2026, 12, 31)).end

    holder = await signed_in(world, "admin01")
    administration = f"https://{PORTAL}/administration"
    assert (await holder.get(administration)).status == 404
    page = await holder.get(MANDATE)
    assert "Auxiliary Fund of Aalter" in page.page.words
    world.clock.now += 10 * MINUTE
    accepted = await post(holder, MANDATE, {"mandate": str(mandate.record), "answer": "accept"})
    assert accepted.status == 303
    assert (await holder.get(administration)).status == 200

    ended = await post(head, f"{HEAD}/mandates/end", {"mandate": str(mandate.record), "reason": "retired"})
    assert ended.status == 422
    assert "last mandate in force" in ended.page.words
    form = {"mandate": str(mandate.record), "reason": "retired", "last": "yes"}
    ended = await post(head, f"{HEAD}/mandates/end", form)
    assert ended.status == 200
    assert "Earlier mandates" in ended.page.words
    assert (await holder.get(administration)).status == 404
    assert "no local administrator" in (await head.get(HEAD)).page.words
    assert acts(world) == ["mandate add", "mandate accept", "mandate end"]
    line = world.lines("administration")[0]
    assert line["objects"]["after"][0]["table"] == "mandates"  # type: ignore[index]
    assert line["objects"]["act_reference"] == "HR/2026/7"  # type: ignore[index]
    assert world.lines("administration")[2]["objects"]["before"][0]["id"] == mandate.record  # type: ignore[index]


async def test_whoever_has_a_mandate_that_waits_is_shown_it_at_the_next_sign_in(world: World, head: Browser) -> None:
    await world.records.add_mandate("jansen01", OFFICIAL, NOW, accepted=False)
    browser = world.browser()
    answer = await browser.accept(await browser.sign_in("jansen01"))
    assert answer.location == "/mandate"
    page = await browser.follow(answer)
    assert "I accept the mandate" not in page.text  # not without the eID
    later = await post(browser, MANDATE, {"mandate": "1", "answer": "later"})
    assert later.location == "/applications"
    assert acts(world)[-1] != "mandate accept"


async def test_accepting_needs_the_eid_and_is_the_holders_own(world: World, head: Browser) -> None:
    mandate = await world.records.add_mandate("admin01", OFFICIAL, NOW, accepted=False)
    weak = await signed_in(world, "admin01", Means.TOKEN)
    await post(weak, MANDATE, {"mandate": str(mandate), "answer": "accept"})
    await post(head, MANDATE, {"mandate": str(mandate), "answer": "accept"})
    assert await world.records.mandate_in_force("admin01", KBO, NOW) is None
    strong = await signed_in(world, "admin01")
    assert (await post(strong, MANDATE, {"mandate": "99", "answer": "accept"})).status == 409
    await post(strong, MANDATE, {"mandate": str(mandate), "answer": "accept"})
    assert await world.records.mandate_in_force("admin01", KBO, NOW) is not None


async def test_a_mandate_can_be_declined(world: World, head: Browser) -> None:
    mandate = await world.records.add_mandate("admin01", OFFICIAL, NOW, accepted=False)
    holder = await signed_in(world, "admin01")
    answer = await post(holder, MANDATE, {"mandate": str(mandate), "answer": "decline"})
    assert answer.status == 303
    assert "declined by its holder" in (await head.get(f"{HEAD}/mandates")).page.words
    assert await world.records.mandate_in_force("admin01", KBO, NOW) is None
    line = world.lines("administration")[-1]
    assert (line["act"], line["reason"]) == ("mandate decline", "declined by its holder")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"user_id": "nobody99"}, "user_id"),
        ({"user_id": "theirs01"}, "user_id"),
        ({"user_id": "head01"}, "user_id"),
        ({"user_id": "head.two"}, "user_id"),
        ({"act_reference": " "}, "act_reference"),
        ({"act_date": ""}, "act_date"),
        ({"act_date": "2026-06-16"}, "act_date"),
        ({"act_date": "soon"}, "act_date"),
        ({"scope": "some"}, "scope"),
        ({"scope": "some", "for 99/999": "yes"}, "scope"),
        ({"from": "2026-06-14"}, "from"),
        ({"until": "2026-06-14"}, "until"),
        ({"until": "never"}, "until"),
        ({"reason": " "}, None),
    ],
)
async def test_what_is_wrong_stands_beside_its_field(
    world: World, head: Browser, form: dict[str, str], field: str | None
) -> None:
    await add_person(world, "theirs01", "19282416134", "Bo", OTHER_KBO)
    person = await world.records.person_of(user_id="head01")
    await world.records.add_user_id("head.two", person, KBO, "nl", OFFICIAL, NOW - DAY)
    answer = await post(head, f"{HEAD}/mandates/give", {**GIVE, **form})
    assert answer.status == 422
    if field is not None:
        assert f'href="#{field}"' in answer.text
        assert answer.page.by_id(field).tag in ("input", "fieldset")
    assert GIVE["reason"] in answer.text or field is None
    assert acts(world) == []


async def test_a_mandate_for_some_authorisations(world: World, head: Browser) -> None:
    await post(head, f"{HEAD}/mandates/give", {**GIVE, "scope": "some", "for 24/123": "yes", "for 24/124": "yes"})
    [mandate] = await world.records.mandates_of("admin01")
    assert mandate.scope == ("24/123", "24/124")


async def test_what_somebody_else_ended_meanwhile_is_told(world: World, head: Browser) -> None:
    mandate = await world.records.add_mandate("admin01", OFFICIAL, NOW)
    await world.records.end_mandate(mandate, OFFICIAL, NOW)
    answer = await post(head, f"{HEAD}/mandates/end", {"mandate": str(mandate), "reason": "retired"})
    assert answer.status == 409
    assert "changed meanwhile" in answer.page.words


# --- offices


async def test_an_office_is_granted_and_ended(world: World, head: Browser) -> None:
    form = {key: GIVE[key] for key in ("user_id", "act_reference", "act_date", "reason")}
    answer = await post(head, f"{HEAD}/offices/grant", {**form, "office": "ciso"})
    assert answer.status == 200
    held = await world.records.offices_of("admin01", NOW)
    assert list(held) == ["ciso"]
    again = await post(head, f"{HEAD}/offices/grant", {**form, "office": "ciso"})
    assert again.status == 409
    wrong = await post(head, f"{HEAD}/offices/grant", {**form, "office": "auditor", "user_id": "head01"})
    assert (wrong.status, wrong.page.by_id("office_user_id").attributes["aria-invalid"]) == (422, "true")
    await post(head, f"{HEAD}/offices/end", {"record": str(held["ciso"]), "reason": "left"})
    assert await world.records.offices_of("admin01", NOW) == {}
    assert (await post(head, f"{HEAD}/offices/end", {"record": "99", "reason": "left"})).status == 422


# --- confirming


async def waiting(world: World, user_id: str = "jansen01", reference: str = "24/126") -> int:
    """A designation by an administrator without the written act; its record."""
    mandates = await world.records.mandates_of("admin01")
    mandate = mandates[0].record if mandates else await world.records.add_mandate("admin01", OFFICIAL, NOW)
    granted = replace(AUTHORISATIONS[0], reference=reference)
    by = By("user:admin01", "handles files", mandate)
    return await world.records.add_designation(user_id, granted, [Use.CONSULTATION], by, NOW)


async def test_the_head_official_confirms_from_a_list(world: World, head: Browser) -> None:
    first, second = await waiting(world), await waiting(world, "dupont01")
    page = await head.get(f"{HEAD}/review?list=waiting")
    assert {f"d{first}", f"d{second}"} <= {each.attributes.get("name") for each in page.page.all("input")}
    none = await post(head, f"{HEAD}/review/confirm", {"list": "waiting"})
    assert none.status == 422
    done = await post(head, f"{HEAD}/review/confirm", {"list": "waiting", f"d{first}": "yes"})
    assert "Confirmed: 1" in done.page.words
    for user_id, confirmed in (("jansen01", True), ("dupont01", False)):
        user = await world.records.user(user_id)
        assert user is not None
        assert user.designations["24/126"][0].confirmed is confirmed
    again = await post(head, f"{HEAD}/review/confirm", {"list": "waiting", f"d{first}": "yes"})
    assert again.status == 409
    assert (await post(head, f"{HEAD}/review/end", {"list": "waiting", f"d{second}": "yes"})).status == 422
    ended = await post(head, f"{HEAD}/review/end", {"list": "waiting", f"d{second}": "yes", "reason": "no"})
    assert "Ended: 1" in ended.page.words
    assert acts(world) == ["designation confirm", "designation end"]


def refuses(monkeypatch: pytest.MonkeyPatch, act: str, record: int) -> None:
    """That act is refused of this record, as if something had come in its way in this moment."""
    does = getattr(Records, act)

    async def refused(records: Records, *words: object) -> None:
        if record in words:
            raise Conflict("as if something were in the way in this moment")
        await does(records, *words)

    monkeypatch.setattr(Records, act, refused)


@pytest.mark.parametrize(
    ("page", "refused"),
    [
        ("head/review/end", "end_designation"),
        ("administration/review/end", "end_designation"),
        ("head/review/confirm", "_say"),
        ("administration/review/confirm", "_say"),
    ],
)
async def test_a_form_is_done_whole_or_not_at_all(
    world: World, head: Browser, monkeypatch: pytest.MonkeyPatch, page: str, refused: str
) -> None:
    first, second = await waiting(world, "dupont01"), await waiting(world)
    browser = head if page.startswith("head") else await signed_in(world, "admin01")
    refuses(monkeypatch, refused, second)
    form = {"list": "due", f"d{first}": "yes", f"d{second}": "yes", "reason": "not needed"}
    assert (await post(browser, f"https://{PORTAL}/{page}", form)).status == 409
    assert await records_of(world, "24/126") == {"dupont01": first, "jansen01": second}
    assert acts(world) == []


@pytest.mark.parametrize("act", ["confirm", "end"])
async def test_who_lost_their_mandate_meanwhile_sees_nothing_more(
    world: World, head: Browser, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    record = await waiting(world)
    [mandate] = await world.records.mandates_of("admin01")
    admin, reviewed = await signed_in(world, "admin01"), Records.reviewed

    async def meanwhile(records: Records, *words: object, **named: object) -> object:
        found = await reviewed(records, *words, **named)  # type: ignore[arg-type]
        await world.records.end_mandate(mandate.record, OFFICIAL, NOW)
        return found

    csrf = (await admin.get(f"https://{PORTAL}/sign-out")).csrf
    monkeypatch.setattr(Records, "reviewed", meanwhile)
    form = {"csrf": csrf, "list": "due", f"d{record}": "yes", "reason": "not needed"}
    answer = await admin.post(f"{REVIEW}/{act}", form)
    assert (answer.status, "jansen01" in answer.text) == (404, False)


async def test_what_can_be_no_number_is_not_taken_for_one(world: World, head: Browser) -> None:
    assert (await post(head, f"{HEAD}/review/confirm", {"list": "due", f"d{'9' * 5000}": "yes"})).status == 422


async def test_nobody_confirms_their_own(world: World, head: Browser) -> None:
    record = await waiting(world, "head01")
    assert f'name="d{record}"' not in (await head.get(f"{HEAD}/review?list=waiting")).text
    assert (await post(head, f"{HEAD}/review/confirm", {"list": "waiting", f"d{record}": "yes"})).status == 409


async def test_another_institutions_designations_are_not_there(world: World, head: Browser) -> None:
    await add_person(world, "theirs01", "19282416134", "Bo", OTHER_KBO)
    theirs = replace(AUTHORISATIONS[0], reference="24/900", institution=OTHER_KBO)
    record = await world.records.add_designation("theirs01", theirs, [Use.CONSULTATION], OFFICIAL, NOW)
    assert (await post(head, f"{HEAD}/review/confirm", {"list": "due", f"d{record}": "yes"})).status == 409
    form = {"list": "due", f"d{record}": "yes", "reason": "x"}
    assert (await post(head, f"{HEAD}/review/end", form)).status == 409


# --- still needed?


async def test_an_administrator_confirms_what_is_still_needed(world: World, head: Browser) -> None:
    await world.records.add_mandate("admin01", OFFICIAL, NOW, authorisations=["24/123"])
    world.clock.now = NOW + 90 * DAY  # designations of 80 days before: their half a year is over in 12 days
    admin = await signed_in(world, "admin01")
    page = await admin.get(f"{REVIEW}?list=due")
    listed = [each.attributes["name"] for each in page.page.all("input") if each.attributes["type"] == "checkbox"]
    assert len(listed) == 2  # of two persons, the one authorisation that the mandate is for
    others = await world.records.entries("designation", user_id="jansen01")
    other = next(each.record for each in others if each.says["authorisation"] == "24/124")
    assert (await post(admin, f"{REVIEW}/confirm", {"list": "due", f"d{other}": "yes"})).status == 409
    done = await post(admin, f"{REVIEW}/confirm", {"list": "due", str(listed[0]): "yes"})
    assert "Confirmed: 1" in done.page.words
    world.clock.now = NOW + 103 * DAY
    held = {
        user_id: (await world.records.user(user_id)).designations["24/123"][0].validity.holds(world.clock.now)  # type: ignore[union-attr]
        for user_id in ("jansen01", "dupont01")
    }
    assert sorted(held.values()) == [False, True]
    [lapsed] = [name for name in listed if str(name) != str(listed[0])]
    admin = await signed_in(world, "admin01")
    assert (await post(admin, f"{REVIEW}/confirm", {"list": "due", str(lapsed): "yes"})).status == 409


async def test_the_review_is_the_administrators(world: World, head: Browser) -> None:
    nobody = await signed_in(world, "dupont01")
    assert (await nobody.get(REVIEW)).status == 404
    assert (await post(nobody, f"{REVIEW}/confirm", {"d1": "yes"})).status == 404


async def test_what_an_ended_mandate_left_is_taken_over(world: World, head: Browser) -> None:
    record = await waiting(world)
    await world.records.confirm_designations([record], By("user:head01", "yes"), NOW)
    [mandate] = await world.records.mandates_of("admin01")
    await world.records.end_mandate(mandate.record, OFFICIAL, NOW + DAY)
    world.clock.now = NOW + 2 * DAY
    head = await signed_in(world, "head01")
    assert f'name="d{record}"' in (await head.get(f"{HEAD}/review?list=orphaned")).text
    done = await post(head, f"{HEAD}/review/confirm", {"list": "orphaned", f"d{record}": "yes"})
    assert done.status == 200
    user = await world.records.user("jansen01")
    assert user is not None
    assert user.designations["24/126"][0].mandate is None


# --- succession

NEW = replace(
    AUTHORISATIONS[0],
    reference="26/001",
    supersedes=("24/123",),
    uses=(AUTHORISATIONS[0].uses[0],),
    validity=Validity(NOW - DAY, YEAR.end),
    review_until=NOW + 30 * DAY,
)


def with_successor(world: World, new: Authorisation = NEW) -> None:
    by_reference = {**world.snapshot.by_reference, new.reference: new}
    granted = {**world.snapshot.authorisations, (KBO, "dossier"): (AUTHORISATIONS[0], new)}
    world.snapshot = replace(world.snapshot, by_reference=by_reference, authorisations=granted)


async def records_of(world: World, reference: str) -> dict[str, int]:
    listed = await world.records.entries("designation", institution=KBO)
    return {each.user_id: each.record for each in listed if each.says["authorisation"] == reference}


async def test_who_is_ticked_is_carried_over_and_the_others_end(world: World, head: Browser) -> None:
    with_successor(world)
    old = await records_of(world, "24/123")
    page = await head.get(f"{HEAD}/succession")
    assert "26/001" in page.page.words
    shown = ",".join(map(str, old.values()))
    form = {"old": "24/123", "new": "26/001", "shown": shown, f"d{old['jansen01']}": "yes"}
    answer = await post(head, f"{HEAD}/succession", form)
    assert "1 carried over, 1 ended" in answer.page.words
    assert "Everybody has been reviewed" in answer.page.words
    assert list(await records_of(world, "26/001")) == ["jansen01"]
    assert await records_of(world, "24/123") == {}
    user = await world.records.user("jansen01")
    assert user is not None
    [new] = user.designations["26/001"]
    assert (new.uses, new.confirmed, new.mandate, new.validity.end) == (
        frozenset({Use.CONSULTATION}), True, None, NOW + HALF_A_YEAR,
    )  # fmt: skip
    assert (await post(head, f"{HEAD}/succession", form)).status == 409


async def test_a_succession_is_reviewed_whole_or_not_at_all(
    world: World, head: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the last of them is refused in the middle of the work."""
    with_successor(world)
    old = await records_of(world, "24/123")
    refuses(monkeypatch, "end_designation", max(old.values()))
    shown = ",".join(map(str, old.values()))
    form = {"old": "24/123", "new": "26/001", "shown": shown, **{f"d{record}": "yes" for record in old.values()}}
    answer = await post(head, f"{HEAD}/succession", form)
    assert (answer.status, "Nothing more was done" in answer.page.words) == (409, True)
    assert (await records_of(world, "24/123"), await records_of(world, "26/001")) == (old, {})
    assert acts(world) == []


async def test_before_the_successor_begins_nobody_loses_anything(world: World, head: Browser) -> None:
    with_successor(world, replace(NEW, validity=Validity(NOW + 10 * DAY, YEAR.end), review_until=NOW + 40 * DAY))
    old = await records_of(world, "24/123")
    shown = ",".join(map(str, old.values()))
    form = {"old": "24/123", "new": "26/001", "shown": shown, f"d{old['jansen01']}": "yes"}
    answer = await post(head, f"{HEAD}/succession", form)
    assert "1 carried over, 0 ended" in answer.page.words
    assert await records_of(world, "24/123") == old
    user = await world.records.user("jansen01")
    assert user is not None
    assert user.designations["26/001"][0].validity.start == NOW + 10 * DAY


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"old": "24/123", "new": "24/124", "shown": "1"},
        {"old": "24/123", "new": "26/001"},
        {"old": "24/123", "new": "26/001", "shown": "9" * 5000},
    ],
    ids=["empty", "no such succession", "nobody shown", "no number"],
)
async def test_a_succession_that_is_none_does_nothing(world: World, head: Browser, form: dict[str, str]) -> None:
    with_successor(world)
    assert (await post(head, f"{HEAD}/succession", form)).status == 422
    assert acts(world) == []


# --- what is shown


async def test_an_administrator_does_not_shut_out_their_head_official(world: World, head: Browser) -> None:
    await world.records.add_mandate("admin01", OFFICIAL, NOW)
    admin = await signed_in(world, "admin01")
    for path, more in (("block", {}), ("leave", {"all": "yes"})):
        form = {"user_id": "head01", "reason": "x", **more}
        answer = await post(admin, f"https://{PORTAL}/administration/{path}", form)
        assert answer.status == 403
        assert "your mandate is theirs" in answer.page.words
    assert (await head.get(HEAD)).status == 200
    other = {"user_id": "dupont01", "reason": "x"}
    assert (await post(admin, f"https://{PORTAL}/administration/block", other)).status == 200


async def test_what_was_done_by_command_line_is_shown(world: World, head: Browser) -> None:
    await world.records.block_user_id("dupont01", By("shell", "on the phone"), NOW)
    page = await head.get(HEAD)
    assert "on the phone" in page.page.words


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_for_everybody(world: World, head: Browser, language: Language) -> None:
    """WCAG as far as the text shows it, in each language, faults of forms included."""
    with_successor(world)
    record = await waiting(world)
    await world.records.add_mandate("dupont01", OFFICIAL, NOW, accepted=False)
    await world.records.grant_office("dupont01", "dpo", OFFICIAL, NOW)
    holder, admin = await signed_in(world, "dupont01"), await signed_in(world, "admin01")
    weak = await signed_in(world, "dupont01", Means.PASSWORD)
    for browser in (head, holder, admin, weak):
        browser.fields["Accept-Language"] = language
    pages = {
        "head": await head.get(HEAD),
        "mandates": await head.get(f"{HEAD}/mandates"),
        "wrong": await post(head, f"{HEAD}/mandates/give", {**GIVE, "user_id": "x", "scope": "some", "act_date": ""}),
        "office": await post(head, f"{HEAD}/offices/grant", {"reason": "x"}),
        "waiting": await head.get(f"{HEAD}/review?list=waiting"),
        "due": await head.get(f"{HEAD}/review?list=due"),
        "none": await post(head, f"{HEAD}/review/end", {"list": "waiting", f"d{record}": "yes"}),
        "succession": await head.get(f"{HEAD}/succession"),
        "mandate": await holder.get(MANDATE),
        "weak": await weak.get(MANDATE),
        "review": await admin.get(REVIEW),
        "applications": await head.get(f"https://{PORTAL}/applications"),
    }
    assert {name: found for name, answer in pages.items() if (found := faults(answer.page, language))} == {}
