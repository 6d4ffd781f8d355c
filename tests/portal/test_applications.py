"""My applications says what the decision would say."""

from __future__ import annotations

from dataclasses import replace

from gateway.decision import decide
from gateway.decision.supposing import ruling
from gateway.model import Use
from tests.portal.conftest import AUTHORISATIONS, KBO, NOW, OFFICIAL, PORTAL, TRANSACTIONS, Answer, Browser, Page, World

URL = f"https://{PORTAL}/applications"


async def signed_in(world: World, user_id: str = "jansen01") -> Browser:
    browser = world.browser()
    await browser.accept(await browser.sign_in(user_id))
    return browser


def cards(answer: Answer) -> dict[str, str]:
    """The text of each transaction's card, by its title."""
    found = {}
    for part in answer.text.split("<article")[1:]:
        page = Page.of("<body><article" + part.split("</article>")[0] + "</article></body>")
        found[page.one("h3").text.strip()] = page.words
    return found


async def test_what_is_open_is_a_link_with_use_purpose_means_and_last_day(world: World) -> None:
    browser = await signed_in(world)
    answer = await browser.get(URL)
    card = cards(answer)["Dossiers"]
    for part in (
        "Consultation",
        "Open to you",
        "Checking the right to a benefit",
        "password",
        "25 September 2026",  # half a year after it was made: nobody has said yet that it is still needed
        "24/123",
    ):
        assert part in card
    assert 'href="https://dossier.localhost:8443/dossier/"' in answer.text
    assert await browser.get(f"https://{PORTAL}/")


async def test_what_asks_for_more_says_whether_the_person_can_give_it(world: World) -> None:
    with_app = cards(await (await signed_in(world)).get(URL))
    assert "Asks for another means" in with_app["Pension rights"]
    assert "Closed" in with_app["Careers"]
    assert "You have none of the means" in with_app["Careers"]
    without_app = cards(await (await signed_in(world, "dupont01")).get(URL))
    assert "Closed" in without_app["Pension rights"]


async def test_what_is_over_says_why_and_who_can_help(world: World) -> None:
    browser = await signed_in(world)
    answer = await browser.get(URL)
    assert "Your authorisation is suspended or has expired." in cards(answer)["Notices"]
    assert "31 May 2026" in cards(answer)["Notices"]
    assert "helpdesk@hulpkas.example" in answer.page.words
    assert "/board/" not in answer.text


async def test_a_change_of_the_table_is_on_the_page_at_once(world: World) -> None:
    browser = await signed_in(world)
    suspended = replace(AUTHORISATIONS[0], status="suspended")
    world.snapshot = replace(
        world.snapshot, authorisations={**world.snapshot.authorisations, (KBO, "dossier"): (suspended,)}
    )
    assert "has suspended the authorisation" in cards(await browser.get(URL))["Dossiers"]


async def test_a_designation_that_ended_is_told_and_one_that_never_was_is_not_shown(world: World) -> None:
    browser = await signed_in(world)
    user = world.records.index.user("jansen01")
    assert user is not None
    await world.records.end_designation(user.designations["24/123"][-1].id, OFFICIAL, NOW)
    assert "that designation has ended" in cards(await browser.get(URL))["Dossiers"]
    world.snapshot = replace(world.snapshot, by_reference={})
    assert cards(await browser.get(URL)) == {}


async def test_the_page_and_the_decision_agree_on_every_use(world: World) -> None:
    browser = await signed_in(world)
    await browser.get(URL)
    facts = next(reversed(world.handed.values())).facts
    for transaction in TRANSACTIONS:
        for use in Use:
            made = ruling(facts, transaction, use, world.snapshot)
            match = transaction.matches[0]
            path = match.path + ("dossiers/x" if use is Use.COMMUNICATION else "")
            method = "POST" if use is Use.COMMUNICATION else "GET"
            asked = replace(
                facts, host=match.host, path=path, method=method, connection=facts.connection._replace(sni=match.host)
            )
            assert made.reason is decide(asked, world.snapshot).reason, (transaction.id, use)
