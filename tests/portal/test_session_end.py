"""The warning before a session ends, which needs no script: the style sheet counts."""

from __future__ import annotations

import re

from gateway.portal.assets import Assets
from tests.portal.conftest import HOUR, MINUTE, PORTAL, World


async def test_every_page_says_when_the_session_ends_and_carries_the_warning(world: World) -> None:
    browser = world.browser()
    await browser.accept(await browser.sign_in())
    page = await browser.get(f"https://{PORTAL}/applications")
    assert "Your session ends at 10:30 unless you go on." in page.page.words
    (soon,) = [div for div in page.page.all("div") if "soon" in (div.attributes.get("class") or "").split()]
    assert soon.attributes["class"] == "soon ends-30"
    assert "Stay signed in" in soon.text
    assert "Your session is about to end" not in (await world.browser().open_form()).text


async def test_near_the_longest_time_the_warning_says_that_going_on_does_not_help(world: World) -> None:
    browser = world.browser()
    await browser.accept(await browser.sign_in())
    for _ in range(20):
        world.clock.now += 29 * MINUTE + 15
        page = await browser.get(f"https://{PORTAL}/applications")
    assert world.clock.now < page_end(world)
    assert "the longest that a session may last" in page.page.words
    assert "unless you go on" not in page.page.words


def page_end(world: World) -> float:
    from tests.portal.conftest import NOW

    return NOW + 10 * HOUR


def test_the_sheet_warns_in_time_and_says_when_it_is_over() -> None:
    sheet = Assets(30 * MINUTE, 2 * MINUTE).named("portal.css").content.decode()
    rules = {
        int(n): (int(soon), int(over))
        for n, soon, over in re.findall(r"\.ends-(\d+)\{--soon:(\d+)s;--over:(\d+)s\}", sheet)
    }
    assert set(rules) == set(range(31))
    for minutes, (soon, over) in rules.items():
        assert over == minutes * 60
        # the page is shown up to a minute later in the minute that it counts as
        assert soon <= max(0, over - 60 - 2 * MINUTE)
