"""Persons in a real browser, against the real demo: what each of them gets to see, from the first address to the sign-out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from gateway.demo.applications import ARCHIVE_BYTES, archive_sha256
from tests.browser.barriers import barriers
from tests.browser.conftest import Visitors
from tests.browser.harness import Demo, screenshot
from tests.browser.person import fresh_code, language, ledger_line, reference, sign_in, sign_out


def application(demo: Demo, transaction: str, path: str = "") -> str:
    return str(demo.transaction(transaction)["url"]) + path


def somebody(demo: Demo, user_id: str) -> dict[str, Any]:
    return next(person for person in demo.facts["people"] if person["user_id"] == user_id)


async def test_what_is_permitted_works_as_without_a_gateway(demo: Demo, visitors: Visitors, tmp_path: Path) -> None:
    an = demo.person("permitted:")
    page = await visitors("nl-BE")
    record = application(demo, "dossier", "dossiers/93051822361?from=a%26b&tab=%C3%A9%20x&empty=")
    await page.goto(record)
    assert await language(page) == "nl"
    await screenshot(page, "sign-in-nl")
    await sign_in(page, an)

    assert page.url == record  # the deep link, its query byte for byte
    bar = await page.inner_text(".you")
    for words in (an["user_id"], an["institution"], "password", "consultation", "24/101"):
        assert words in bar
    await screenshot(page, "record")

    # a form: a communication, and a redirect that comes back below the public path
    await page.select_option("#status", "closed")
    await page.fill("#note", "Gezien op 24 november: “in orde”.")
    await page.click("main form button")
    await expect(page.locator("main dl")).to_contain_text("Gezien op 24 november: “in orde”.")
    assert urlsplit(page.url).path == "/dossier/dossiers/93051822361"

    # a search by POST: a consultation
    await page.goto(application(demo, "dossier"))
    await page.fill("#query", "aerts")
    await page.click("main form button")
    await expect(page.get_by_role("status")).to_contain_text("1 found")
    assert "consultation" in await page.inner_text(".you")

    # a file up, and one down
    sent = tmp_path / "bijlage.pdf"
    sent.write_bytes(b"%PDF-1.7 " + bytes(range(256)) * 8192)
    await page.goto(application(demo, "dossier", "documents"))
    await page.set_input_files("input[type=file]", sent)
    await page.click("main form button")
    await expect(page.locator("main")).to_contain_text("bijlage.pdf")
    assert hashlib.sha256(sent.read_bytes()).hexdigest()[:16] in await page.inner_text("main")
    async with page.expect_download() as downloading:
        await page.click("a[href$='archive.csv']")
    received = Path(await (await downloading.value).path())
    assert received.stat().st_size == ARCHIVE_BYTES
    assert hashlib.sha256(received.read_bytes()).hexdigest() == archive_sha256()

    # a websocket, seen by two pages, and server-sent events
    await page.goto(application(demo, "dossier", "live"))
    await expect(page.locator("#state")).to_have_text("open")
    other = await page.context.new_page()
    await other.goto(application(demo, "dossier", "live"))
    await expect(other.locator("#state")).to_have_text("open")
    await page.fill("#word", "goedemorgen")
    await page.keyboard.press("Enter")
    await expect(other.locator("#log")).to_contain_text("an.peeters: goedemorgen")
    await page.goto(application(demo, "dossier", "queue"))
    await expect(page.locator("#closed")).to_have_text("3")
    await page.goto(application(demo, "dossier", "dossiers/93051822361"))
    await page.select_option("#status", "open")
    await page.click("main form button")
    await page.goto(application(demo, "dossier", "queue"))
    await expect(page.locator("#closed")).to_have_text("2")

    # what the portal says of it
    await page.goto(demo.user)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mijn toepassingen")
    assert await page.locator("a", has_text="Dossiers").get_attribute("href") == application(demo, "dossier")
    assert await page.get_by_text("Open voor u").count() == 4  # two transactions, both uses of each
    await screenshot(page, "applications-nl")


async def test_a_means_that_is_too_weak_is_told_and_nothing_is_asked_that_the_person_does_not_have(
    demo: Demo, visitors: Visitors
) -> None:
    page = await visitors("fr-BE")
    await page.goto(application(demo, "benefits"))
    await sign_in(page, demo.person("means too weak"))
    assert urlsplit(page.url).path == "/step-up"
    assert await language(page) == "fr"
    assert "Allocations" in await page.inner_text("main dl")
    assert await page.locator("[name=password], [name=code]").count() == 0
    assert await page.locator("[formaction='/eid']").count() == 1  # whoever has a card has this way
    await screenshot(page, "step-up-card-alone-fr")
    await page.click("main .actions a")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mes applications")
    await expect(page.locator("article", has_text="Allocations").first).to_contain_text("Exige une autre méthode")


async def test_a_step_up_by_code_lands_on_the_page_that_was_asked_for(demo: Demo, visitors: Visitors) -> None:
    iris = demo.person("permitted with a code")
    page = await visitors("de-DE")
    wanted = application(demo, "benefits", "dossiers/1002?tab=2&q=a+b")
    await page.goto(wanted)
    await sign_in(page, iris)
    assert urlsplit(page.url).path == "/step-up"
    assert await language(page) == "de"
    await expect(page.locator("[name=user_id]")).to_be_hidden()
    await screenshot(page, "step-up-de")

    await page.fill("[name=password]", iris["password"])
    await page.fill("[name=code]", "000000")
    await page.click("main form button")
    await expect(page.locator("#errors")).to_be_focused()

    await page.fill("[name=password]", iris["password"])
    await page.fill("[name=code]", await fresh_code(iris))
    await page.click("main form button")
    await page.wait_for_url(wanted)
    assert "token" in await page.inner_text(".you")


async def test_a_stranger_is_told_no_more_than_that_it_is_not_for_them(demo: Demo, visitors: Visitors) -> None:
    page = await visitors("fr-BE")
    await page.goto(application(demo, "pension"))
    await sign_in(page, demo.person("never designated"))
    assert page.url == application(demo, "pension")
    text = await page.inner_text("main")
    assert "Vous n" in text
    assert "helpdesk@les-tilleuls.example" in text
    assert "Pensions" not in text  # not even that there is such a transaction
    assert "not_designated" not in await page.content()
    line = ledger_line(Path(demo.facts["ledger"]), await reference(page))
    assert (line["verdict"], line["reason"], line["clause"]) == ("deny", "not_designated", "P4")
    await screenshot(page, "refused-fr")

    # A place that does not exist looks the same.
    shown = await page.inner_text("h1")
    await page.goto(application(demo, "pension").replace("/pension/", "/nowhere/"))
    assert await page.inner_text("h1") == shown


@pytest.mark.parametrize(
    ("story", "transaction", "reason"),
    [
        ("designation ended", "pension", "designation_ended"),
        ("authorisation expired", "career", "expired"),
        ("not yet activated", "career", "not_activated"),
        ("suspended:", "benefits", "suspended"),
        ("role missing", "pension", "role_missing"),
    ],
)
async def test_who_was_designated_is_told_the_reason(
    demo: Demo, page: Page, story: str, transaction: str, reason: str
) -> None:
    await page.goto(application(demo, transaction))
    await sign_in(page, demo.person(story))
    assert reason in await page.inner_text("main")
    assert ledger_line(Path(demo.facts["ledger"]), await reference(page))["reason"] == reason
    await screenshot(page, f"refused-{reason}")


async def test_a_use_that_is_not_covered_says_that_nothing_was_sent(demo: Demo, page: Page) -> None:
    await page.goto(application(demo, "pension", "dossiers/1001"))
    await sign_in(page, demo.person("wrong use"))
    await page.fill("#note", "not allowed")
    await page.click("main form button")
    text = await page.inner_text("main")
    assert "What you filled in was not sent" in text
    assert "use_not_covered" in text
    await page.goto(application(demo, "pension", "dossiers/1001"))
    assert "not allowed" not in await page.content()


async def test_the_first_day_begins_with_the_regulation(demo: Demo, visitors: Visitors) -> None:
    """Of all tests this one alone is about Nora: her acceptance stays in the demo's records."""
    nora = demo.person("first day")
    page = await visitors("nl-BE")
    wanted = application(demo, "guidance", "dossiers/1003?a=b")
    await page.goto(wanted)
    await sign_in(page, nora)
    assert urlsplit(page.url).path == "/regulation"
    await screenshot(page, "regulation-nl")
    assert await barriers(page) == []
    # Nothing opens before, wherever one tries.
    await page.goto(application(demo, "guidance"))
    assert urlsplit(page.url).path == "/regulation"
    # Who does not accept it leaves.
    await page.click("button.quiet")
    await page.wait_for_load_state()
    await page.goto(wanted)
    await sign_in(page, nora)
    await page.click("main form[action='/regulation'] button")
    await page.wait_for_url(wanted)
    # It is asked once.
    page = await visitors()
    await page.goto(wanted)
    await sign_in(page, nora)
    assert page.url == wanted


async def test_signing_out_ends_it_on_every_host_and_leaves_nothing_to_go_back_to(demo: Demo, page: Page) -> None:
    an = demo.person("permitted:")
    guidance, dossier = application(demo, "guidance"), application(demo, "dossier", "dossiers/93051822361")
    await page.goto(guidance)
    await sign_in(page, an)
    await page.goto(demo.user)
    await page.goto(dossier)  # signed in already: no question is asked
    assert page.url == dossier
    form = await page.context.new_page()
    await form.goto(dossier)
    await form.fill("#note", "too late")

    await page.click("a[href='/.gateway/sign-out']")
    await screenshot(page, "sign-out")
    await sign_out(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    await screenshot(page, "signed-out")

    for _ in range(4):  # back through everything that was seen
        await page.go_back()
        content = await page.content()
        assert "M. Aerts" not in content
        assert "An Peeters" not in content
    assert urlsplit(page.url).path == "/sign-in"  # each host has cleared its cache
    for address in (guidance, dossier, demo.user):
        await page.goto(address)
        assert urlsplit(page.url).path == "/sign-in"

    # A form that was filled in before is not lost by surprise: it was not sent, and says so.
    await form.click("main form button")
    await expect(form.locator("main")).to_contain_text("was not sent")
    assert await form.locator("main .actions a").get_attribute("target") == "_blank"


async def test_the_language_that_a_person_chooses_is_remembered(demo: Demo, visitors: Visitors) -> None:
    page = await visitors("nl-BE")
    await page.goto(application(demo, "dossier"))
    await page.click("nav.languages a[hreflang=fr]")
    assert await language(page) == "fr"
    await sign_in(page, demo.person("permitted:"))
    assert page.url == application(demo, "dossier")  # the way back outlived the switch
    await page.goto(application(demo, "pension"))  # another host; the choice went with the hand-over
    assert await language(page) == "fr"
    await page.goto(demo.user)
    assert await language(page) == "fr"
    await page.click("nav.languages a[hreflang=de]")
    again = await page.context.new_page()
    await again.goto(demo.user)
    assert await language(again) == "de"


async def test_nothing_of_ours_needs_javascript(demo: Demo, visitors: Visitors) -> None:
    iris = demo.person("permitted with a code")
    page = await visitors(java_script_enabled=False)
    await page.goto(application(demo, "guidance", "dossiers/1001"))
    await page.click("nav.languages a[hreflang=nl]")
    await sign_in(page, iris | {"password": "wrong"})
    assert "Er is een probleem" in await page.inner_text("#errors")
    await sign_in(page, iris)
    assert page.url == application(demo, "guidance", "dossiers/1001")
    await page.goto(application(demo, "benefits"))
    await page.fill("[name=password]", iris["password"])
    await page.fill("[name=code]", await fresh_code(iris))
    await page.click("main form button")
    await page.wait_for_url(application(demo, "benefits"))
    await page.goto(demo.user)
    await page.click("main a:has-text('Uitkeringen')")
    await page.wait_for_url(application(demo, "benefits"))
    await page.goto(demo.user + "sign-out")
    await sign_out(page)
    assert "U bent afgemeld" in await page.inner_text("h1")


async def test_a_keyboard_is_enough(demo: Demo, page: Page) -> None:
    an = demo.person("permitted:")
    await page.goto(application(demo, "dossier"))
    await page.keyboard.press("Tab")  # first of all, a way past the head of the page
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator("[name=user_id]")).to_be_focused()
    await page.keyboard.type(an["user_id"])
    await page.keyboard.press("Tab")
    await page.keyboard.type(an["password"])
    await page.keyboard.press("Tab")
    await expect(page.locator("[name=code]")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url(application(demo, "dossier"))

    await page.goto(application(demo, "dossier", ".gateway/sign-out").replace("/dossier/.", "/."))
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.matches('main form button')"):
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")


async def test_what_is_wrong_is_said_where_it_is(demo: Demo, page: Page) -> None:
    await page.goto(demo.user)
    await sign_in(page, {"user_id": "an.peeters", "password": "not this one"})
    summary = page.locator("#errors")
    await expect(summary).to_be_focused()
    assert (await page.title()).startswith("Error:")
    assert await page.input_value("[name=user_id]") == "an.peeters"
    assert await page.input_value("[name=password]") == ""
    for field in ("user_id", "password", "code"):  # which of them is not right is not told
        described = (await page.get_attribute(f"[name={field}]", "aria-describedby") or "").split()
        assert "errors" in described
    known = await summary.inner_text()
    await sign_in(page, {"user_id": "nobody.at.all", "password": "not this one"})
    assert await summary.inner_text() == known
    await screenshot(page, "sign-in-wrong")

    await page.fill("[name=user_id]", "")
    await page.fill("[name=code]", "12")
    await page.click("main form button")
    await expect(summary).to_be_focused()
    for field in ("user_id", "password", "code"):
        element = page.locator(f"[name={field}]")
        assert await element.get_attribute("aria-invalid") == "true"
        described = (await element.get_attribute("aria-describedby") or "").split()
        assert f"{field}-error" in described
        assert await page.locator(f"#{field}-error").is_visible()
    await summary.get_by_role("link").first.press("Enter")
    await expect(page.locator("[name=user_id]")).to_be_focused()
    await screenshot(page, "sign-in-fields")


@pytest.mark.parametrize("transaction", ["guidance", "pension"])
async def test_who_comes_after_finds_nothing_of_who_was_before(demo: Demo, page: Page, transaction: str) -> None:
    """One browser, one host, two user IDs; `guidance` keeps the origin's cookies under their own names, `pension` does not."""
    readers = {"guidance": ("an.peeters", "elise.renard"), "pension": ("hans.schmitz", "hans.schmitz")}
    first, second = (somebody(demo, user_id) for user_id in readers[transaction])
    address = application(demo, transaction)
    await page.goto(address + "dossiers/1001")
    await sign_in(page, first)
    await page.evaluate("localStorage.setItem('draft', 'private')")
    await page.goto(address)
    await expect(page.locator("main")).to_contain_text("Recently opened")
    await page.goto(demo.user + "sign-out")
    await sign_out(page)

    await page.goto(address)
    await sign_in(page, second)
    if first == second:  # the same again: nothing stands in between
        assert page.url == address
        return
    await expect(page.get_by_role("heading", level=1)).to_have_text("Another user ID")
    await screenshot(page, "another-user")
    names = {cookie["name"] for cookie in await page.context.cookies(address)}
    assert not {name for name in names if "recent" in name or name == "__Host-gw-session"}
    await page.click("main .actions a")
    await page.wait_for_url(address)
    assert second["user_id"] in await page.inner_text(".you")
    assert "Recently opened" not in await page.inner_text("main")
    assert await page.evaluate("localStorage.getItem('draft')") is None


async def test_plain_http_gets_a_page_and_nothing_of_what_was_asked(demo: Demo, visitors: Visitors) -> None:
    page = await visitors("nl-BE")
    answer = await page.goto(demo.facts["addresses"]["plain"] + "dossier/?insz=85073003328")
    assert answer is not None
    assert answer.status == 403
    assert page.url.startswith("http://")  # refused, not redirected
    assert "85073003328" not in await page.content()
    assert await page.locator("main .actions a").get_attribute("href") == demo.user
    line = ledger_line(Path(demo.facts["ledger"]), await reference(page))
    assert (line["reason"], line["clause"]) == ("plain_http", "B3")
    await screenshot(page, "plain-http-nl")
