"""The list of people: found by the beginning of any word, filtered, paged; what changed lately; and what the person is told."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest

from gateway.model import FOR_EVER, Validity
from gateway.portal.people import PEOPLE_ON_A_PAGE
from gateway.portal.recent_acts import ACTS_ON_A_PAGE
from tests.portal.conftest import AUTHORISATIONS, DAY, KBO, NOW, OFFICIAL, PORTAL, Answer, World
from tests.portal.test_administration import OTHER_KBO, PAGE, Admin, add_person, admin, signed_in  # noqa: F401 - a fixture

BY_REFERENCE = {each.reference: each for each in AUTHORISATIONS}


def names(answer: Answer) -> list[str]:
    return [link.text for link in answer.page.all("a") if "person?user_id=" in (link.attributes["href"] or "")]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("lukasz", ["Łukasz D'Hondt-Müller"]),
        ("LUK mul", ["Łukasz D'Hondt-Müller"]),
        ("d'hondt", ["Łukasz D'Hondt-Müller"]),
        ("dhondt", ["Łukasz D'Hondt-Müller"]),
        ("hondt", ["Łukasz D'Hondt-Müller"]),
        ("luk.dh", ["Łukasz D'Hondt-Müller"]),
        ("müller an", []),
        ("ukasz", []),
        ("  jansen   an ", ["An Jansen"]),
        ("jansen01", ["An Jansen"]),
        ("'", []),
        ("%", []),
        ("_", []),
        ("a b c d e f g h i j k l m", []),
    ],
)
async def test_a_search_is_for_the_beginnings_of_words(
    world: World,
    admin: Admin,
    search: str,
    found: list[str],
) -> None:
    await add_person(world, "luk.dhondt", "01490700185", "Łukasz D'Hondt-Müller")
    assert names(await admin.browser.get(f"{PAGE}?search={quote(search)}")) == found


async def test_what_has_no_end_says_so(world: World, admin: Admin) -> None:
    await add_person(world, "lasting1", "10200100128", "La Sting")
    granted, by = replace(BY_REFERENCE["24/124"], validity=Validity(NOW - DAY, FOR_EVER)), OFFICIAL
    await world.records.add_designation("lasting1", granted, ["consultation"], by, NOW - DAY)
    assert "designated without an end" in (await admin.browser.get(f"{PAGE}?search=lasting1")).page.words


async def test_the_filters(world: World, admin: Admin) -> None:
    await add_person(world, "nothing1", "01490700185", "No Thing")
    await add_person(world, "lapsing1", "10200100128", "La Psing")
    soon = Validity(NOW - DAY, NOW + 20 * DAY)
    await world.records.add_designation(
        "lapsing1",
        BY_REFERENCE["24/124"],
        ["consultation"],
        OFFICIAL,
        NOW - DAY,
        soon,  # type: ignore[list-item]
    )
    await world.records.block_user_id("dupont01", OFFICIAL, NOW)
    await add_person(world, "admin02", "00003241778", "Old Admin")
    gone = await world.records.add_mandate("admin02", OFFICIAL, NOW - 10 * DAY)
    by = OFFICIAL.__class__("shell", "test", gone)
    await world.records.add_designation(
        "nothing1",
        BY_REFERENCE["24/124"],
        ["consultation"],
        by,
        NOW - DAY,  # type: ignore[list-item]
    )
    await world.records.end_mandate(gone, OFFICIAL, NOW - DAY / 2)
    for only, found in (
        ("blocked", ["Marc Dupont"]),
        ("undesignated", ["Ad Min", "Old Admin"]),
        ("lapsing", ["La Psing"]),
        ("review", ["No Thing"]),
        ("odd", ["Ad Min", "An Jansen", "La Psing", "Marc Dupont", "No Thing", "Old Admin"]),
    ):
        assert names(await admin.browser.get(f"{PAGE}?only={only}")) == found, only
    assert names(await admin.browser.get(f"{PAGE}?only=blocked&search=dup")) == ["Marc Dupont"]
    assert names(await admin.browser.get(f"{PAGE}?only=blocked&search=jan")) == []
    # Time alone changes who lapses: nothing was written since.
    world.clock.now = NOW + 21 * DAY
    assert names(await (await again(world, admin)).get(f"{PAGE}?only=lapsing")) == []
    assert "La Psing" in names(await admin.browser.get(f"{PAGE}?only=undesignated"))


async def again(world: World, admin: Admin):  # type: ignore[no-untyped-def]
    admin.browser = await signed_in(world, "admin01")
    return admin.browser


async def test_pages_stay_whole_when_people_come_and_go(world: World, admin: Admin) -> None:
    person = await world.records.person_of(user_id="jansen01")
    for number in range(PEOPLE_ON_A_PAGE):
        await world.records.add_user_id(f"jansen.{number:02}", person, KBO, "nl", OFFICIAL, NOW - DAY)
    first = await admin.browser.get(PAGE)
    [after] = [link.attributes["href"] for link in first.page.all("a") if link.attributes.get("rel") == "next"]
    seen = names(first)
    assert len(seen) == PEOPLE_ON_A_PAGE
    # Who is at the edge of the page leaves, and somebody comes in ahead of it.
    edge = (after or "").rpartition("after=")[2]
    await world.records.end_user_id(edge, OFFICIAL, NOW)
    await add_person(world, "first.one", "01490700185", "Aa First")
    second = await admin.browser.get(f"https://{PORTAL}{after}")
    assert names(second) == ["An Jansen"] * 2 + ["Marc Dupont"]
    [before] = [link.attributes["href"] for link in second.page.all("a") if link.attributes.get("rel") == "prev"]
    back = names(await admin.browser.get(f"https://{PORTAL}{before}"))
    assert len(back) == PEOPLE_ON_A_PAGE
    assert back[0] == "Aa First"  # the page that ends where the second begins
    for odd in ("nobody", "x" * 999, "", "٣", "a%00"):
        assert (await admin.browser.get(f"{PAGE}?after={odd}")).status == 200


async def test_what_changed_lately(world: World, admin: Admin) -> None:
    await admin.do("block", reason="suspected misuse")
    await add_person(world, "peeters1", "01490700185", "Bo Peeters", OTHER_KBO)
    page = (await admin.browser.get(f"{PAGE}/recent")).page
    first = page.all("tr")[1].text
    assert "jansen01" in first
    assert "blocked" in first
    assert "by Ad Min: suspected misuse" in first
    assert "peeters1" not in page.words
    for number in range(ACTS_ON_A_PAGE):
        await admin.do("unblock" if number % 2 == 0 else "block", reason=f"reason {number}")
    newest = await admin.browser.get(f"{PAGE}/recent")
    [older] = [link.attributes["href"] for link in newest.page.all("a") if link.attributes.get("rel") == "next"]
    assert "suspected misuse" not in newest.text
    assert "suspected misuse" in (await admin.browser.get(f"https://{PORTAL}{older}")).text
    for odd in ("x", "-1", "٣", "9" * 30):
        assert (await admin.browser.get(f"{PAGE}/recent?before={odd}")).status == 200


async def test_the_person_is_told_by_whom(world: World, admin: Admin) -> None:
    await world.records.mark_told("jansen01", NOW - 1)
    [first, *_] = await world.records.entries("designation", user_id="jansen01")
    await admin.do("end-designation", designation=str(first.record), reason="works elsewhere now")
    await admin.do("block")
    await admin.do("unblock")
    browser = await signed_in(world, "jansen01")
    page = (await browser.get(f"https://{PORTAL}/changes")).page.words
    for told in ("No longer designated for Dossiers (24/123)", "Blocked", "No longer blocked", "by Ad Min"):
        assert told in page, told
    assert "works elsewhere now" not in page  # the reason is the administration's
    csrf = (await browser.get(f"https://{PORTAL}/sign-out")).csrf
    until = (await browser.get(f"https://{PORTAL}/changes")).page
    [moment] = [e.attributes["value"] for e in until.all("input") if e.attributes.get("name") == "until"]
    await browser.post(f"https://{PORTAL}/changes", {"csrf": csrf, "until": moment or "", "start": ""})
    assert await world.records.untold_acts("jansen01") == []
