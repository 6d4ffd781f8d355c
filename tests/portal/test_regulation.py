from __future__ import annotations

from dataclasses import replace

from gateway.portal.regulation import as_html
from tests.portal.conftest import PORTAL, REGULATION, SESSION, World, snapshot_of

URL = f"https://{PORTAL}/regulation"


async def test_the_text_is_shown_in_the_language_of_the_page_and_nothing_in_it_is_markup(world: World) -> None:
    browser = world.browser()
    page = await browser.follow(await browser.sign_in())
    assert "<strong>personal</strong>" in page.text
    assert "&lt;script&gt;" in page.text
    assert not page.page.all("script")
    assert "Version 2026.1, in force since 1 January 2026." in page.page.words
    browser.jar[PORTAL]["__Host-gw-language"] = "fr"
    assert "<strong>personnel</strong>" in (await browser.get(URL)).text


async def test_accepting_is_recorded_with_version_and_hash_after_its_line(world: World) -> None:
    browser = world.browser()
    answer = await browser.accept(await browser.sign_in())
    assert (answer.status, answer.location) == (303, "/applications")
    user = world.records.index.user("jansen01")
    assert user is not None
    assert user.acceptances["2026.1"].sha256 == REGULATION.sha256
    (line,) = [line for line in world.lines("administration") if line["act"] == "acceptance add"]
    assert line["objects"] == {"version": "2026.1", "sha256": REGULATION.sha256, "language": "en"}
    assert "You have accepted this version." in (await browser.get(URL)).page.words


async def test_leaving_signs_out(world: World) -> None:
    browser = world.browser()
    page = await browser.follow(await browser.sign_in())
    answer = await browser.post(f"https://{PORTAL}/sign-out", {"csrf": page.csrf})
    assert SESSION not in browser.jar[PORTAL]
    assert (await browser.follow(answer)).page.one("h1").text == "You are signed out"


async def test_a_version_that_changed_meanwhile_is_not_accepted_unread(world: World) -> None:
    browser = world.browser()
    page = await browser.follow(await browser.sign_in())
    world.snapshot = snapshot_of(regulations=(replace(REGULATION, version="2026.2", sha256="cd" * 32),))
    fields = {"csrf": page.csrf, "version": REGULATION.version, "sha256": REGULATION.sha256}
    answer = await browser.post(URL, fields)
    assert answer.status == 409
    assert "has changed meanwhile" in answer.page.words
    assert not world.lines("administration")


async def test_a_form_without_its_token_accepts_nothing(world: World) -> None:
    browser = world.browser()
    await browser.follow(await browser.sign_in())
    answer = await browser.post(URL, {"csrf": "0" * 64, "version": REGULATION.version, "sha256": REGULATION.sha256})
    assert answer.status == 403
    assert not world.lines("administration")


async def test_without_a_regulation_nobody_goes_on_and_the_page_says_why(world: World) -> None:
    browser = world.browser()
    await browser.sign_in()
    world.snapshot = snapshot_of(regulations=())
    answer = await browser.get(URL)
    assert answer.status == 503
    assert "no user regulation in force" in answer.page.words


def test_markdown_becomes_no_raw_html_script_or_image() -> None:
    hostile = "<img src=x onerror=alert(1)> ![x](https://evil.example/x.png) [y](javascript:alert(1))\n\n<div>z</div>"
    made = as_html(hostile)
    assert "<img" not in made
    assert "<div" not in made
    assert 'href="javascript' not in made


def test_headings_of_the_text_stand_below_the_pages_own() -> None:
    assert as_html("# One\n\n## Two") == "<h2>One</h2>\n<h3>Two</h3>\n"
