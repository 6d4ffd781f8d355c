"""Persons and their means in a real browser: a letter, a card, an app, a password, sessions here and there, and another user ID."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from playwright.async_api import Page, expect

from gateway.cli.check import ask_to_reload
from gateway.credentials.totp import code_at, parse_secret, step_at
from gateway.demo.card_office import keep, open_tree
from gateway.demo.files import PKCS12_PASSWORD
from gateway.policy.settings import load_settings
from tests.browser.barriers import barriers, misfits, unseen_focus
from tests.browser.conftest import Visitors, visitor
from tests.browser.harness import Demo, chromium, own, running_demo, screenshot, trust, with_policy
from tests.browser.person import fresh_code, sign_in, sign_out

PHONE = {"width": 320, "height": 640}
MINE = "nine slow clouds whistling"


async def looked_at(page: Page, name: str) -> None:
    """The page that is open, as everybody must be able to use it, on a screen and a telephone."""
    assert await barriers(page) == []
    await screenshot(page, name)
    wide = page.viewport_size
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert await misfits(page) == []
    await screenshot(page, f"{name}-320")
    if wide is not None:
        await page.set_viewport_size(wide)


async def card_code(page: Page, person: dict[str, Any]) -> None:
    """On the page that asks for a number of the card: its code."""
    found = re.search(r"[0-9]+", await page.inner_text("h1"))
    assert found is not None
    await page.fill("[name=card_code]", person["code_card"][found[0]])
    await page.click("main form button")
    await page.wait_for_load_state()


LOCALES = [("nl-BE", "nl"), pytest.param("fr-BE", "fr", marks=pytest.mark.soak)]


@pytest.mark.parametrize(("locale", "language"), LOCALES)
async def test_a_code_card_opens_what_a_password_does_not(
    demo: Demo, visitors: Visitors, locale: str, language: str
) -> None:
    karel = demo.person("permitted with a card")
    page = await visitors(locale)
    wanted = demo.transaction("benefits")["url"]
    await page.goto(wanted)
    await sign_in(page, karel)
    assert "/code-card" in page.url
    await looked_at(page, f"code-card-{language}")
    assert await unseen_focus(page) == []
    await page.fill("[name=card_code]", "123456")
    await page.keyboard.press("Enter")
    await expect(page.locator("#card_code-error")).to_be_visible()
    await looked_at(page, f"code-card-slip-{language}")
    await card_code(page, karel)
    assert page.url == wanted


@pytest.mark.parametrize(("locale", "language"), LOCALES)
async def test_the_pages_of_ones_own_means(demo: Demo, locale: str, language: str, tmp_path: Path) -> None:
    complaints: list[str] = []
    iris = demo.person("permitted with a code")
    async with chromium(tmp_path, demo.ca) as browser:
        context = await visitor(browser, complaints, locale=locale)
        elsewhere = await (await visitor(browser, complaints, locale=locale)).new_page()
        page = await context.new_page()
        await page.goto(demo.user)
        await page.goto(f"{demo.user}forgotten")
        await looked_at(page, f"forgotten-{language}")
        await page.goto(f"{demo.user}sign-in")
        await looked_at(page, f"sign-in-form-{language}")
        await sign_in(page, iris, await fresh_code(iris))
        await elsewhere.goto(f"{demo.user}sign-in")
        await sign_in(elsewhere, iris)

        await page.goto(f"{demo.user}methods")
        await expect(page.locator("main")).to_contain_text("Chrome, Linux")
        await looked_at(page, f"methods-{language}")
        assert await unseen_focus(page) == []
        await page.locator("main form[action='/methods/sessions'] button").last.click()
        await expect(page.get_by_role("status").first).to_contain_text(re.compile("[1-9]"))  # other tests leave some
        await elsewhere.goto(f"{demo.user}methods")
        assert "/sign-in" in elsewhere.url

        await page.goto(f"{demo.user}methods/password")
        await page.fill("[name=password]", iris["password"])
        await page.fill("[name=new_password]", "kort")
        await page.keyboard.press("Enter")
        await expect(page.locator("#new_password-error")).to_be_visible()
        await looked_at(page, f"password-{language}")

        await page.goto(f"{demo.user}methods/app")
        await expect(page.locator("svg.qr")).to_be_visible()
        await looked_at(page, f"app-{language}")
        secret = parse_secret(await page.inner_text("main .reference"))
        assert len(secret) == 20

        await page.goto(f"{demo.user}sign-out?other=1")
        await looked_at(page, f"another-user-id-{language}")
        await page.goto(f"{demo.user}sign-out")
        await looked_at(page, f"sign-out-{language}")
        await sign_out(page)
        await looked_at(page, f"signed-out-{language}")
    assert complaints == []


async def test_from_the_letter_to_an_app_and_a_notice(template: Path, tmp_path: Path) -> None:
    """In a demo of its own: its people's means are changed."""
    complaints: list[str] = []
    async with (
        running_demo(copytree(template, tmp_path / "state")) as demo,
        chromium(tmp_path / "home", demo.ca) as browser,
    ):
        nora = demo.person("regulation not accepted")
        page = await (await visitor(browser, complaints, locale="fr-BE")).new_page()
        await page.goto(f"{demo.user}activation")
        await page.fill("[name=user_id]", nora["user_id"])
        await page.fill("[name=activation_code]", nora["activation_code"][:-1] + "2")
        await page.keyboard.press("Enter")
        await expect(page.locator("#activation_code-error")).to_be_visible()
        await looked_at(page, "activation-fr")
        await page.fill("[name=activation_code]", nora["activation_code"].lower().replace("-", " "))
        await page.keyboard.press("Enter")
        await expect(page.locator("[name=new_password]")).to_be_visible()
        await looked_at(page, "activation-password-fr")
        await page.fill("[name=new_password]", MINE)
        await page.fill("[name=new_password_again]", MINE)
        await page.keyboard.press("Enter")
        await page.click("form[action='/regulation'] button")
        await expect(page.locator("h1")).to_have_text("Mes applications")

        await page.goto(f"{demo.user}methods/app")  # freshly, with an activation code
        secret = await page.inner_text("main .reference")
        await page.fill("[name=code]", code_at(parse_secret(secret), step_at(time.time())))
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("Votre application a été ajoutée")
        await looked_at(page, "app-added-fr")

        other = await (await visitor(browser, complaints, locale="fr-BE")).new_page()
        await other.goto(f"{demo.user}sign-in")
        await sign_in(other, {**nora, "password": MINE})
        await expect(other.locator("h1")).to_have_text("Vos méthodes de connexion ont été modifiées")
        await looked_at(other, "changes-fr")
        await other.click("form[action='/changes'] button")
        await expect(other.locator("h1")).to_have_text("Mes applications")
    assert complaints == []


async def test_one_person_goes_from_password_to_code_to_card_and_a_half_filled_form_is_not_lost(
    template: Path, tmp_path: Path
) -> None:
    """Reading takes a password, sensitive data a code, writing a card; the form that was begun at the first waits for the last."""
    complaints: list[str] = []
    async with running_demo(copytree(template, tmp_path / "state")) as demo:
        iris = demo.person("permitted with a code")
        await writing_asks_for_the_card(demo)
        home = tmp_path / "home"
        trust(home, demo.ca)
        own(home, card_for(demo, iris), PKCS12_PASSWORD)
        rule = json.dumps({"pattern": "https://[*.]localhost", "filter": {}})
        program = with_policy(tmp_path, {"AutoSelectCertificateForUrls": [rule]})
        async with chromium(home, demo.ca, program=program) as browser:
            context = await visitor(browser, complaints)
            page = await context.new_page()
            record = demo.transaction("guidance")["url"] + "dossiers/1001"
            await page.goto(record)
            await sign_in(page, iris)  # the first page: the password
            assert page.url == record
            await page.fill("#note", "half a form: Grüße")

            tab, sensitive = await context.new_page(), demo.transaction("benefits")["url"]
            await tab.goto(sensitive)  # the second page: the code
            await expect(tab.locator("main")).to_contain_text("It asks for")
            await tab.fill("[name=password]", iris["password"])
            await tab.fill("[name=code]", await fresh_code(iris))
            await tab.keyboard.press("Enter")
            await tab.wait_for_url(sensitive)

            assert await page.input_value("#note") == "half a form: Grüße"
            await page.click("main form button")
            await page.wait_for_url("**/step-up?start=**")  # the third page: the card
            await expect(page.locator("main")).to_contain_text("has been kept")
            await expect(page.locator("[name=password]")).to_have_count(0)
            await screenshot(page, "step-up-card")
            assert await barriers(page) == []
            await page.click("[formaction='/eid']")
            await expect(page.locator("h1")).to_have_text("Send your form")
            await expect(page.locator("main")).to_contain_text("half a form: Grüße")
            await page.click("main form[enctype] button")
            await expect(page.locator("main dl")).to_contain_text("half a form: Grüße")
            await tab.reload()  # the other tab's session was raised with it
            assert tab.url == sensitive
            assert "eid" in await tab.inner_text(".you")
    assert complaints == []


def card_for(demo: Demo, person: dict[str, Any]) -> Path:
    """A card of this person, from the demo's office."""
    directory = Path(demo.person("permitted with the eid")["pkcs12"]).parent
    port = int(str(demo.facts["addresses"]["eid"]).rstrip("/").rpartition(":")[2])
    now = time.time()
    tree = open_tree(directory, f"http://127.0.0.1:{port + 2}", now)
    first, _, last = str(person["user_id"]).partition(".")
    return keep(directory, person["user_id"], tree.card(person["insz"], first, last, now).signed_by(tree.citizen), tree)


async def writing_asks_for_the_card(demo: Demo) -> None:
    config = Path(demo.facts["config"])
    file = config / "authorisations" / "24-108.toml"
    reading, change, writing = file.read_text().rpartition("[[use]]")
    file.write_text(reading + change + re.sub(r"^means = .*$", 'means = ["eid"]', writing, flags=re.MULTILINE))
    assert (await asyncio.to_thread(ask_to_reload, load_settings(config), 20.0, os.kill))["ok"]


async def test_two_user_ids_in_one_browser_are_never_mixed(demo: Demo, tmp_path: Path) -> None:
    complaints: list[str] = []
    first, second = demo.person("permitted with a card"), demo.person("permitted:")
    wanted = demo.transaction("guidance")["url"]
    async with chromium(tmp_path, demo.ca) as browser:
        context = await visitor(browser, complaints)
        page, tab = await context.new_page(), await context.new_page()
        await page.goto(wanted)
        await sign_in(page, first)
        await card_code(page, first)
        assert page.url == wanted
        await tab.goto(wanted)
        await page.goto(f"{demo.user}applications")
        await page.click("text=Use another user ID")
        await page.click("main form button")
        await expect(page.locator("main")).to_contain_text("You are signed out, everywhere.")
        await tab.reload()  # the other tab has nothing left either
        assert "/sign-in" in tab.url
        await sign_in(page, second)
        await expect(page.locator(".who")).to_contain_text(second["user_id"])
        await page.goto(wanted)
        await expect(page.locator("h1")).to_have_text("Another user ID")
        await page.click("main a.button")
        await page.wait_for_url(wanted)
        assert second["user_id"] in await page.inner_text(".you")
        assert first["user_id"] not in await page.inner_text("body")
    assert complaints == []
