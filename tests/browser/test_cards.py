"""Signing in with a card in a real browser: its certificate in the store of certificates, chosen by a policy as an institution sets it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from gateway.demo.card_office import keep, open_tree
from gateway.demo.cards import DAY, Draft, Issued, Tree
from gateway.demo.files import PKCS12_PASSWORD
from tests.browser.barriers import barriers
from tests.browser.conftest import visitor
from tests.browser.harness import Demo, chromium, own, screenshot, trust, with_policy
from tests.browser.person import language, reference, sign_in

LANGUAGES = ("nl", "fr", "de", "en")
CARD = "[formaction='/eid']"
"""The button, on the pages of sign-in and step-up."""
Reader = Callable[..., AbstractAsyncContextManager[Page]]


class Office:
    """The demo's office for cards, from which a test gets odd ones."""

    def __init__(self, demo: Demo) -> None:
        self.mila = demo.person("permitted with the eid")
        self.directory = Path(self.mila["pkcs12"]).parent
        eid = str(demo.facts["addresses"]["eid"])
        self.port = int(eid.rstrip("/").rpartition(":")[2])
        self.now = time.time()
        self.tree: Tree = open_tree(self.directory, f"http://127.0.0.1:{self.port + 2}", self.now)

    def card(self, insz: str = "", surname: str = "Vermeulen") -> Draft:
        return self.tree.card(insz or self.mila["insz"], "Mila", surname, self.now)

    def signature(self) -> Draft:
        return self.tree.signature(self.mila["insz"], "Mila", "Vermeulen", self.now)

    def signed(self, draft: Draft) -> Issued:
        return draft.signed_by(self.tree.citizen)

    def keep(self, name: str, card: Issued, *, revoked: bool = False) -> Path:
        file = keep(self.directory, name, card, self.tree)
        if revoked:
            file.with_suffix(".revoked").touch()
        return file


@pytest.fixture
def office(demo: Demo) -> Office:
    return Office(demo)


@pytest.fixture
def reader(demo: Demo, tmp_path: Path, complaints: list[str]) -> Reader:
    """Opens a browser that has these cards, and a page in it. It chooses by itself: at each door the one that `chosen` names by its
    subject, or any."""

    @asynccontextmanager
    async def opened(
        *cards: Path, chosen: dict[str, dict[str, str]] | None = None, locale: str = "en-GB"
    ) -> AsyncIterator[Page]:
        home = tmp_path / "home"
        trust(home, demo.ca)
        for card in cards:
            own(home, card, PKCS12_PASSWORD)
        rules: list[dict[str, Any]] = [
            {"pattern": door, "filter": {"SUBJECT": subject}} for door, subject in (chosen or {}).items()
        ]
        rules = rules or [{"pattern": "https://[*.]localhost", "filter": {}}]
        program = with_policy(tmp_path, {"AutoSelectCertificateForUrls": [json.dumps(rule) for rule in rules]})
        async with chromium(home, demo.ca, program=program) as browser:
            context = await visitor(browser, complaints, locale=locale)
            yield await context.new_page()
            await context.close()
        assert complaints == []

    return opened


async def take_the_card(page: Page, person: dict[str, Any]) -> None:
    """On the sign-in page that is open: the user ID, and the button of the card."""
    await page.fill("[name=user_id]", person["user_id"])
    await page.click(CARD)
    await page.wait_for_load_state()


def attempts(demo: Demo, reference: str) -> list[dict[str, Any]]:
    found = []
    for file in sorted(Path(demo.facts["ledger"]).rglob("*.jsonl")):
        found += [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in found if line["kind"] == "sign-in" and line["id"] == reference.replace("-", "")]


async def test_a_card_signs_in_and_opens_what_a_password_does_not(demo: Demo, office: Office, reader: Reader) -> None:
    mila = office.mila
    async with reader(Path(mila["pkcs12"])) as page:
        target = str(demo.transaction("benefits")["url"])
        await page.goto(target)
        await screenshot(page, "card-sign-in")
        assert await barriers(page) == []
        await take_the_card(page, mila)
        assert page.url == target
        assert "eid" in await page.inner_text(".you")
        await page.goto(f"{demo.user}applications")
        await expect(page.locator("header .who")).to_contain_text("electronic identity card (eID)")
        await screenshot(page, "card-signed-in")


async def test_a_step_up_by_card_keeps_the_page(demo: Demo, office: Office, reader: Reader) -> None:
    mila = office.mila
    async with reader(Path(mila["pkcs12"])) as page:
        target = str(demo.transaction("benefits")["url"])
        await page.goto(target)
        await sign_in(page, mila)
        await expect(page.locator("h1")).to_contain_text("too weak")
        await screenshot(page, "card-step-up")
        await page.click(CARD)
        await page.wait_for_load_state()
        assert page.url == target
        assert "eid" in await page.inner_text(".you")


@dataclass(frozen=True)
class Odd:
    """A card that signs nobody in: how it is made, and what the line and the page say."""

    reason: str
    title: str
    make: Callable[[Office], Issued] | None
    revoked: bool = False


ODD = {
    "none": Odd("certificate_missing", "No card was shown", None),
    # Chromium offers neither of these two, and the page says so of the one that a person cannot see: see `test_eid_door` for theirs.
    "expired": Odd(
        "certificate_missing", "No card was shown", lambda at: at.signed(replace(at.card(), not_after=at.now - DAY))
    ),
    "signature": Odd("certificate_missing", "No card was shown", lambda at: at.signed(at.signature())),
    "revoked": Odd(
        "certificate_revoked", "The certificate has been revoked.", lambda at: at.signed(at.card()), revoked=True
    ),
    "organisation": Odd(
        "certificate_not_a_person",
        "This certificate type is not permitted.",
        lambda at: at.signed(at.tree.organisation("De Linde", "0403019261", at.now)),
    ),
    "another": Odd(
        "certificate_not_yours",
        "This card does not belong to the user ID",
        lambda at: at.signed(at.card("85073003328")),
    ),
}


@pytest.mark.parametrize("kind", ODD)
async def test_a_card_that_does_not_do_and_none_have_their_page(
    demo: Demo, office: Office, reader: Reader, kind: str
) -> None:
    odd = ODD[kind]
    cards = () if odd.make is None else (office.keep(kind, odd.make(office), revoked=odd.revoked),)
    async with reader(*cards) as page:
        await page.goto(demo.user)
        await take_the_card(page, office.mila)
        assert (await page.inner_text("h1"), await language(page)) == (odd.title, "en")
        shown = await reference(page)
        (line,) = attempts(demo, shown)
        assert (line["reason"], line["session"]) == (odd.reason, None)
        assert ("certificate" in line) == (odd.reason != "certificate_missing")
        titles = set()
        for spoken in LANGUAGES:
            if spoken != await language(page):
                await page.click(f"nav.languages a[lang={spoken}]")
                await page.wait_for_load_state()
            assert (await language(page), await reference(page)) == (spoken, shown)
            titles.add(await page.inner_text("h1"))
            assert await barriers(page) == []
            await screenshot(page, f"card-{kind}-{spoken}")
        assert len(titles) == len(LANGUAGES)


async def test_another_card_is_asked_for_under_another_address(demo: Demo, office: Office, reader: Reader) -> None:
    """The browser keeps its choice for the first door, also the next time; it was made once."""
    mila = office.mila
    other = office.keep("other", office.signed(office.card("85073003328", "Others")))
    eid, eid2 = (f"https://{name}:{office.port}" for name in ("eid.localhost", "eid2.localhost"))
    chosen = {eid: {"CN": "Mila Others (Authentication)"}, eid2: {"CN": "Mila Vermeulen (Authentication)"}}
    async with reader(other, Path(mila["pkcs12"]), chosen=chosen) as page:
        await page.goto(demo.user)
        await take_the_card(page, mila)
        for _ in range(2):
            assert await page.inner_text("h1") == "This card does not belong to the user ID"
            assert page.url.startswith(eid)
            await page.get_by_role("link", name="Try again").click()
            await page.wait_for_load_state()
        await page.get_by_role("link", name="Use another card").click()
        await expect(page.locator("h1")).to_have_text("My applications")


@pytest.mark.soak  # the same page is shown to a client of ours in tests/end_to_end
async def test_a_card_that_ends_while_the_browser_is_open(demo: Demo, office: Office, reader: Reader) -> None:
    """The one way in which this browser shows an expired card: it chose it when it was still good."""
    ends = time.time() + 25
    soon = office.keep("ends-soon", office.signed(replace(office.card(), not_after=ends)))
    somebody_else = demo.person("permitted:")
    async with reader(soon) as page:
        await page.goto(demo.user)
        await take_the_card(page, somebody_else)
        assert await page.inner_text("h1") == "This card does not belong to the user ID"
        await asyncio.sleep(max(0.0, ends + 1 - time.time()))
        await page.get_by_role("link", name="Try again").click()
        await expect(page.locator("h1")).to_have_text("The certificate has expired.")
        (line,) = attempts(demo, await reference(page))
        assert (line["reason"], line["certificate"]["step"]) == ("certificate_expired", "validity")
        for spoken in ("nl", "fr", "de"):
            await page.click(f"nav.languages a[lang={spoken}]")
            await page.wait_for_load_state()
            await screenshot(page, f"card-ended-{spoken}")
