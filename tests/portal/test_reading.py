"""The readers' pages: who may, only lines of the own institution, no numbers of persons, and each reading a line of the ledger itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.ledger.record import administration_record
from gateway.model import LANGUAGES, GrantedRole, Means
from tests.portal.conftest import KBO, NOW, OFFICIAL, PORTAL, YEAR, Browser, World
from tests.portal.test_accessibility import faults
from tests.portal.test_administration import OTHER_KBO, add_person, signed_in

READ = f"https://{PORTAL}/read"
INSZ, OTHER_INSZ = "98472899765", "01490700185"
KSZ = "ksz"
PAGES = ("", "/ledger", "/report", "/people", "/table", "/access")


async def write(world: World, user_id: str, institution: str, act: str = "designation add") -> None:
    """A line on somebody of an institution."""
    sealer = world.ledger.sealer
    record = administration_record(
        world.ledger.references(), act=act, actor="portal", person=sealer.person(user_id, INSZ), institution=institution
    )
    await world.ledger.admin.write(record)


def acts(world: World) -> list[str]:
    return [str(line["act"]) for line in world.lines("administration")]


@pytest.fixture
async def ciso(world: World) -> Browser:
    """The institution's information security officer, with lines of their own institution and of another one."""
    await add_person(world, "ciso01", INSZ, "Ci So")
    await add_person(world, "peeters1", OTHER_INSZ, "Bo Peeters", OTHER_KBO)
    await world.records.grant_office("ciso01", "ciso", OFFICIAL, NOW)
    await write(world, "jansen01", KBO)
    await write(world, "peeters1", OTHER_KBO)
    return await signed_in(world, "ciso01")


@pytest.fixture
async def reader(world: World) -> Browser:
    """A reader for the KSZ."""
    await add_person(world, "reader01", INSZ, "Re Ader", KSZ)
    role = GrantedRole("ksz_reader", INSZ, KSZ, YEAR, "KSZ/2026/8")
    world.snapshot = replace(world.snapshot, roles={INSZ: (role,)})
    return await signed_in(world, "reader01")


async def test_for_everybody_else_the_pages_do_not_exist(world: World, ciso: Browser) -> None:
    before = len(acts(world))
    somebody = await signed_in(world, "jansen01")
    nothing = await somebody.get(f"https://{PORTAL}/no-such-page")
    for page in PAGES:
        answer = await somebody.get(READ + page)
        assert (answer.status, answer.page.one("h1").text) == (404, nothing.page.one("h1").text)
    (held,) = (await world.records.offices_of("ciso01", NOW)).values()
    await world.records.end_office(held, OFFICIAL, NOW)
    for page in PAGES:
        assert (await ciso.get(READ + page)).status == 404
    assert len(acts(world)) == before


@pytest.mark.parametrize("page", PAGES)
async def test_a_weaker_means_is_led_to_a_stronger(world: World, ciso: Browser, page: str) -> None:
    browser = await signed_in(world, "ciso01", Means.PASSWORD)
    answer = await browser.get(READ + page)
    assert (answer.status, answer.location) == (303, "/step-up?page=%2Fread")


async def test_a_token_is_enough_for_the_institution_and_not_for_the_ksz(world: World, reader: Browser) -> None:
    weaker = await signed_in(world, "reader01", Means.TOKEN)
    answer = await weaker.get(f"{READ}/table")
    assert (answer.status, answer.location) == (303, "/step-up?page=%2Fread%2Ftable")
    assert (await weaker.get(f"https://{PORTAL}{answer.location}")).status == 200
    await add_person(world, "dpo01", OTHER_INSZ, "De Po")
    await world.records.grant_office("dpo01", "dpo", OFFICIAL, NOW)
    assert (await (await signed_in(world, "dpo01", Means.TOKEN)).get(f"{READ}/ledger")).status == 200


async def test_only_lines_of_the_own_institution(world: World, ciso: Browser) -> None:
    answer = await ciso.get(f"{READ}/ledger")
    assert answer.status == 200
    other = world.ledger.sealer.user_pseudonym("peeters1")
    assert "jansen01" in answer.page.words
    assert "designation add" in answer.page.words
    for word in ("peeters1", other, INSZ, OTHER_INSZ):
        assert word not in answer.text
    assert other not in (await ciso.get(f"{READ}/ledger?institution={OTHER_KBO}")).text
    for query in (f"user_id=peeters1&institution={OTHER_KBO}", "user_id=peeters1"):
        asked = await ciso.get(f"{READ}/ledger?{query}")
        assert (
            "designation add" not in asked.page.words
        )  # of that person there is the reader's own reading, and nothing else
        assert "ledger read" in asked.page.words


async def test_somebody_elses_pseudonym_stays_one(world: World, ciso: Browser) -> None:
    """A line of the own institution on somebody who is not of it."""
    await write(world, "peeters1", KBO)
    answer = await ciso.get(f"{READ}/ledger")
    assert world.ledger.sealer.user_pseudonym("peeters1") in answer.text
    assert "peeters1" not in answer.text


async def test_each_reading_is_a_line_first(world: World, ciso: Browser) -> None:
    await ciso.get(f"{READ}/ledger?user_id=jansen01&reason=permitted&day=2026-11-24&transaction=dossier")
    for page in ("report", "people?search=jansen", "table"):
        assert (await ciso.get(f"{READ}/{page}")).status == 200
    lines = world.lines("administration")[-4:]
    assert [line["act"] for line in lines] == ["ledger read", "report read", "people read", "table read"]
    assert all(line["institution"] == KBO and line["reason"] == "office: ciso" and line["by"] for line in lines)
    assert lines[0]["objects"] == {"day": "2026-11-24", "reason": "permitted", "transaction": "dossier", "before": None}
    assert lines[0]["person"]["user_id"] == world.ledger.sealer.user_pseudonym("jansen01")  # type: ignore[index]
    assert lines[2]["objects"] == {"of": KBO, "searched": True}
    assert b"jansen01" not in world.ledger_bytes()


async def test_filters_and_pages(world: World, ciso: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(60):
        await write(world, "jansen01", KBO, "role add")
    first = await ciso.get(f"{READ}/ledger?user_id=jansen01")
    assert first.page.words.count("role add") == 49  # and this reading itself
    [following] = [a for a in first.page.all("a") if a.attributes.get("rel") == "next"]
    second = await ciso.get(f"https://{PORTAL}{following.attributes['href']}")
    assert (second.page.words.count("role add"), second.page.words.count("designation add")) == (11, 1)
    assert not [a for a in second.page.all("a") if a.attributes.get("rel") == "next"]
    assert "role add" not in (await ciso.get(f"{READ}/ledger?day=2020-01-01")).page.words
    assert "role add" not in (await ciso.get(f"{READ}/ledger?reason=permitted")).page.words
    assert "role add" not in (await ciso.get(f"{READ}/ledger?transaction=dossier")).page.words
    odd = await ciso.get(f"{READ}/ledger?day=x&reason=%27%22&before=now&user_id=%00&transaction=..")
    assert odd.status == 200
    monkeypatch.setattr("gateway.ledger.extract.Scan.over", lambda scan: setattr(scan, "whole", False) or True)
    monkeypatch.setattr("gateway.ledger.extract._REST_EVERY", 1)
    assert "The log is long" in (await ciso.get(f"{READ}/ledger")).page.words


async def test_people_of_the_own_institution(world: World, ciso: Browser) -> None:
    answer = await ciso.get(f"{READ}/people?institution={OTHER_KBO}")
    assert "jansen01" in answer.page.words
    assert "peeters1" not in answer.text
    assert "peeters1" not in (await ciso.get(f"{READ}/people?search=peeters")).page.one("main").text
    assert INSZ not in answer.text


async def test_how_each_mandate_stands(world: World, ciso: Browser) -> None:
    """Who managed people once, or never accepted to, does not pass for somebody who does."""
    await world.records.add_mandate("jansen01", OFFICIAL, NOW, accepted=False)
    ended = await world.records.add_mandate("dupont01", OFFICIAL, NOW)
    await world.records.add_mandate("ciso01", OFFICIAL, NOW)
    await world.records.end_mandate(ended, OFFICIAL, NOW)
    answer = await ciso.get(f"{READ}/people")
    rows = [row.split("</tr>")[0] for row in answer.text.split("Mandates of local administrators")[1].split("<tr")]
    for user_id, state in (("jansen01", "waits to be accepted"), ("dupont01", "ended"), ("ciso01", "in force")):
        assert [state in row for row in rows if user_id in row] == [True], user_id


async def test_a_reader_for_the_ksz(world: World, reader: Browser) -> None:
    assert (await reader.get(f"{READ}/ledger")).status == 404
    start = await reader.get(READ)
    assert [a.attributes["href"] for a in start.page.all("a") if "/read/" in (a.attributes["href"] or "")] == [
        "/read/table",
        "/read/report",
        "/read/people",
        "/read/access",
        "/read/why",
    ]
    people = await reader.get(f"{READ}/people?institution={KBO}")
    assert "jansen01" in people.page.words
    assert (await reader.get(f"{READ}/people?institution=0000000000")).status == 404
    table = await reader.get(f"{READ}/table")
    assert all(reference in table.page.words for reference in world.snapshot.by_reference)
    assert (await reader.get(f"{READ}/report?days=7")).status == 200
    assert "/read/table" in (await reader.get(f"https://{PORTAL}/applications")).text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", PAGES)
async def test_every_page_is_accessible(world: World, ciso: Browser, language: str, page: str) -> None:
    ciso.fields["Accept-Language"] = language
    answer = await ciso.get(READ + page)
    assert answer.status == 200
    assert faults(answer.page, language) == []  # type: ignore[arg-type]
