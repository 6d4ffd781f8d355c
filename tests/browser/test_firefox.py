"""Cards in Firefox, which asks the person which one it shall show: the pages of a sign-in with a card, a step-up, a sign-out, and those
of cards that sign nobody in.

One Firefox for all of them, since its start is what costs; what it was told is forgotten between two tests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509

from gateway.demo.cards import Issued
from gateway.demo.files import PKCS12_PASSWORD
from tests.browser.firefox import Firefox, firefox, missing
from tests.browser.harness import Demo, own, trust
from tests.browser.person import REFERENCE
from tests.browser.test_cards import CARD, LANGUAGES, ODD, Office, attempts

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

OWN = "own"
NOT_OFFERED = {"expired", "signature"}
"""As by Chromium; what the pages say of them is in tests/end_to_end/test_eid_door.py."""


class Wallet:
    """Mila's card and the odd ones, all of them in the browser from its start."""

    def __init__(self, office: Office, home: Path) -> None:
        self.mila = office.mila
        self._serials: dict[int, str] = {}
        self._put(home, OWN, Path(office.mila["pkcs12"]))
        for kind, odd in ODD.items():
            if odd.make is not None:
                card = odd.make(office)
                self._put(home, kind, office.keep(f"firefox-{kind}", card, revoked=odd.revoked))

    def _put(self, home: Path, kind: str, card: Path) -> None:
        own(home, card, PKCS12_PASSWORD)
        self._serials[Issued.read(card.with_suffix(".pem").read_bytes()).certificate.serial_number] = kind

    def named(self, offered: list[str]) -> dict[str, str]:
        """How Firefox names those that it offers, by what they are: `common name [serial number]`."""
        serials = {int(name.rpartition("[")[2].rstrip("]").replace(":", ""), 16): name for name in offered}
        return {self._serials[serial]: name for serial, name in serials.items()}


@pytest.fixture(scope="module")
def home(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("firefox")
    trust(home, demo.ca)
    return home


@pytest.fixture(scope="module")
def wallet(demo: Demo, home: Path) -> Wallet:
    return Wallet(Office(demo), home)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(demo: Demo, home: Path, wallet: Wallet) -> AsyncIterator[Firefox]:
    async with firefox(home, demo.ca) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def browser(running: Firefox) -> AsyncIterator[Firefox]:
    yield running
    await running.forget()


async def take_the_card(browser: Firefox, wallet: Wallet) -> dict[str, str]:
    """On the page of sign-in or step-up: the button of the card; gives what Firefox offers, by what they are."""
    await browser.press(CARD)
    return wallet.named(await browser.asked_for_a_certificate())


async def test_it_offers_what_somebody_can_sign_in_with_at_all(demo: Demo, browser: Firefox, wallet: Wallet) -> None:
    await browser.goto(demo.user)
    await browser.fill("[name=user_id]", wallet.mila["user_id"])
    offered = await take_the_card(browser, wallet)
    assert offered.keys() == {OWN, *ODD} - NOT_OFFERED - {"none"}
    await browser.choose("")


async def test_a_card_signs_in_and_signs_out(demo: Demo, browser: Firefox, wallet: Wallet) -> None:
    target = demo.transaction("benefits")["url"]
    await browser.goto(target)
    await browser.screenshot("firefox-sign-in")
    await browser.fill("[name=user_id]", wallet.mila["user_id"])
    offered = await take_the_card(browser, wallet)
    await browser.choose(offered[OWN])
    assert await browser.url() == target
    assert "eid" in await browser.text(".you")
    await browser.goto(f"{demo.user}applications")
    assert "electronic identity card (eID)" in await browser.text("header .who")
    await browser.screenshot("firefox-signed-in")
    await browser.goto(f"{demo.user}sign-out")
    await browser.click("main form button")
    assert await browser.text("h1") == "You are signed out"
    await browser.screenshot("firefox-signed-out")
    await browser.goto(target)
    assert (await browser.url()).startswith(f"{demo.user}sign-in")


async def test_a_step_up_by_card_keeps_the_page(demo: Demo, browser: Firefox, wallet: Wallet) -> None:
    target = demo.transaction("benefits")["url"]
    await browser.goto(target)
    await browser.fill("[name=user_id]", wallet.mila["user_id"])
    await browser.fill("[name=password]", wallet.mila["password"])
    await browser.click("main form button")
    assert "too weak" in await browser.text("h1")
    await browser.screenshot("firefox-step-up")
    offered = await take_the_card(browser, wallet)
    await browser.choose(offered[OWN])
    assert await browser.url() == target
    assert "eid" in await browser.text(".you")


@pytest.mark.parametrize("kind", [kind for kind in ODD if kind not in NOT_OFFERED])
async def test_a_card_that_does_not_do_and_none_have_their_page(
    demo: Demo, browser: Firefox, wallet: Wallet, kind: str
) -> None:
    await browser.goto(demo.user)
    await browser.fill("[name=user_id]", wallet.mila["user_id"])
    offered = await take_the_card(browser, wallet)
    await browser.choose(offered.get(kind, ""))
    assert await browser.text("h1") == ODD[kind].title
    shown = REFERENCE.search(await browser.text("main"))
    assert shown is not None
    (line,) = attempts(demo, shown[0])
    assert (line["reason"], line["session"]) == (ODD[kind].reason, None)
    for language in LANGUAGES:
        if language != await browser.language():
            await browser.click(f"nav.languages a[lang={language}]")
        assert await browser.language() == language
        assert shown[0] in await browser.text("main")
        await browser.screenshot(f"firefox-{kind}-{language}")


async def test_another_card_is_asked_for_under_another_address(demo: Demo, browser: Firefox, wallet: Wallet) -> None:
    """Firefox keeps its choice for a host, as the page says: it does not ask there again, and does at the next."""
    await browser.goto(demo.user)
    await browser.fill("[name=user_id]", wallet.mila["user_id"])
    offered = await take_the_card(browser, wallet)
    await browser.choose(offered["another"])
    await browser.click("main a[href^='/.gateway/eid?']")
    assert await browser.text("h1") == ODD["another"].title
    await browser.press("main a[href^='https://eid2.']")
    assert wallet.named(await browser.asked_for_a_certificate()) == offered
    await browser.choose(offered[OWN])
    assert await browser.text("h1") == "My applications"


@pytest.mark.soak  # the same page is shown to a client of ours in tests/end_to_end
async def test_a_card_that_expires_while_the_person_is_asked_for_it(
    demo: Demo, browser: Firefox, wallet: Wallet
) -> None:
    """The one way in which this browser shows an expired card: it offered it when it was still good."""
    office, ends = Office(demo), time.time() + 8
    soon = office.signed(replace(office.card(), not_after=ends))
    await browser.put_in(office.keep("firefox-soon", soon), PKCS12_PASSWORD)
    await browser.goto(demo.user)
    await browser.fill("[name=user_id]", wallet.mila["user_id"])
    await browser.press(CARD)
    serial = x509.load_der_x509_certificate(soon.der).serial_number
    (name,) = (one for one in await browser.asked_for_a_certificate() if f"{serial:X}" in one.replace(":", ""))
    await asyncio.sleep(max(0.0, ends + 1 - time.time()))
    await browser.choose(name)
    assert await browser.text("h1") == "The certificate has expired."
    for language in LANGUAGES:
        if language != await browser.language():
            await browser.click(f"nav.languages a[lang={language}]")
        await browser.screenshot(f"firefox-expired-{language}")
