"""Cards in the tests' browsers: from the office of a gateway's own demo, shown at its eID door."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import aiohttp
from yarl import URL

from gateway.demo.card_office import keep, open_tree
from gateway.demo.cards import Tree
from tests.end_to_end.client import Person, hidden_fields, trusting
from tests.end_to_end.house import House


def tree_of(house: House) -> Tree:
    return open_tree(house.home.cards, house.plan.ports.revocation_url, time.time())


def new_card(house: House, user_id: str, name: str) -> Path:
    """Another card of this person, which the office knows under `name`."""
    tree = tree_of(house)
    card = tree.card(house.person(user_id)["insz"], "Holder", "Specimen", time.time()).signed_by(tree.citizen)
    return keep(house.home.cards, name, card, tree).with_suffix(".pem")


def showing(house: House, card: Path | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """A browser's TLS with this card in its reader."""
    context = trusting(house.ca)
    context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a card of 1024 bits is shown too
    if card is not None:
        context.load_cert_chain(card)
    return context


async def take_the_card(browser: Person, url: str, user_id: str) -> aiohttp.ClientResponse:
    """Go to `url`, be asked to sign in, choose the button of the card, and arrive (or not)."""
    form = await browser.get(url)
    fields = hidden_fields(await form.text()) | {"user_id": user_id}
    return await browser.submit(str(form.url.join(URL("/eid"))), fields)
