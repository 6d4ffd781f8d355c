"""Cards at the door of a running gateway, over real TLS of both versions: what no browser shows, a client of ours does."""

from __future__ import annotations

import asyncio
import html
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from yarl import URL

from gateway.demo.card_office import keep
from gateway.demo.cards import DAY, Draft, Issued, Tree, make_tree
from gateway.portal.eid_words import WORDS
from gateway.proxy.client import CARD_KEEP_ALIVE_SECONDS
from tests.edge.hellos import openssl_hello
from tests.end_to_end.cards import showing, take_the_card, tree_of
from tests.end_to_end.client import connected, person
from tests.end_to_end.house import House

MILA = "mila.vermeulen"
NAMES = ("Mila", "Vermeulen")
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def own_card(demo: House) -> Path:
    return Path(demo.person(MILA)["pkcs12"]).with_suffix(".pem")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_card_opens_what_is_its_holders(demo: House, version: ssl.TLSVersion) -> None:
    url = demo.url("benefits")
    async with person(demo.ca, tls=showing(demo, own_card(demo), version)) as mila:
        answer = await take_the_card(mila, url, MILA)
        assert (answer.status, str(answer.url)) == (200, url)
        names = {urlsplit(str(one.url)).hostname for one in answer.history}
        assert "eid.localhost" in names
        assert not mila.session.cookie_jar.filter_cookies(URL(demo.facts["addresses"]["eid"]))


def signed(draft: Draft, tree: Tree) -> Issued:
    return draft.signed_by(tree.citizen)


def _weak(tree: Tree, insz: str, now: float) -> Issued:
    card = tree.card(insz, *NAMES, now)
    return signed(replace(card, key=rsa.generate_private_key(65537, 1024)), tree)


ODD: dict[str, Callable[[Tree, str, float], Issued]] = {
    "certificate_expired": lambda tree, insz, now: signed(
        replace(tree.card(insz, *NAMES, now), not_after=now - DAY), tree
    ),
    "certificate_not_yet_valid": lambda tree, insz, now: signed(
        replace(tree.card(insz, *NAMES, now), not_before=now + DAY), tree
    ),
    "certificate_for_signing": lambda tree, insz, now: signed(tree.signature(insz, *NAMES, now), tree),
    "certificate_not_a_person": lambda tree, _, now: signed(tree.organisation("De Linde", "0403019261", now), tree),
    "certificate_untrusted": lambda tree, insz, now: tree.card(insz, *NAMES, now).signed_by(make_tree(now).citizen),
    "certificate_weak": _weak,
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("reason", ["certificate_missing", "certificate_revoked", *ODD])
async def test_whatever_is_shown_there_is_a_page(
    demo: House, tmp_path: Path, reason: str, version: ssl.TLSVersion
) -> None:
    tree, insz, now = tree_of(demo), demo.person(MILA)["insz"], time.time()
    card: Path | None = None
    if reason == "certificate_revoked":
        name = f"revoked-{version.name}"
        card = keep(demo.home.cards, name, signed(tree.card(insz, *NAMES, now), tree), tree).with_suffix(".pem")
        card.with_suffix(".revoked").touch()
    elif reason in ODD:
        card = tmp_path / "card.pem"
        card.write_bytes(ODD[reason](tree, insz, now).pem())
    async with person(demo.ca, tls=showing(demo, card, version)) as mila:
        answer = await take_the_card(mila, demo.url("benefits"), MILA)
        text = await answer.text()
        assert answer.status == 403
        assert WORDS[reason].title in html.unescape(text)
        shown = re.search(r'class="reference">([0-9A-Z-]+)<', text)
        assert shown is not None
        (line,) = [one for one in demo.lines.of(shown[1].replace("-", "")) if one["kind"] == "sign-in"]
        assert (line["verdict"], line["reason"], line["means"], line["session"]) == ("deny", reason, "eid", None)
        assert ("certificate" in line) == (card is not None)
        assert insz not in str(line)


async def test_another_try_is_another_handshake(demo: House) -> None:
    """The connection that was judged is closed soon: who puts a card in and tries again in the same browser shows it."""
    tls = showing(demo, None)
    async with person(demo.ca, tls=tls) as mila:
        answer = await take_the_card(mila, demo.url("benefits"), MILA)
        again = re.search(r'href="(/\.gateway/eid\?[^"]+)">Try again', await answer.text())
        assert again is not None
        tls.load_cert_chain(own_card(demo))
        await asyncio.sleep(CARD_KEEP_ALIVE_SECONDS + 1)
        judged = await mila.get(str(answer.url.join(URL(html.unescape(again[1]), encoded=True))))
        assert (judged.status, str(judged.url)) == (200, demo.url("benefits"))


async def test_broken_handshakes_are_lines_and_nothing_else(demo: House) -> None:
    """As Chromium does each time that it is asked for a certificate."""
    port = demo.plan.ports.eid
    before = [line for line in demo.lines.decisions("tls_failed") if line["channel"] == "eid"]
    for _ in range(10):
        async with connected(port) as (reader, writer):
            writer.write(openssl_hello("eid.localhost"))
            assert await reader.read(3) == b"\x16\x03\x03"
    async with person(demo.ca, tls=showing(demo, own_card(demo))) as mila:
        assert (await take_the_card(mila, demo.url("benefits"), MILA)).status == 200
    found: list[dict[str, Any]] = []
    for _ in range(100):
        found = [line for line in demo.lines.decisions("tls_failed") if line["channel"] == "eid"]
        if len(found) >= len(before) + 10:
            break
        await asyncio.sleep(0.05)
    assert {line["detail"] for line in found[len(before) :]} == {"broken_off"}
    assert len(found) == len(before) + 10


@pytest.mark.parametrize(
    ("path", "status"), [("/", 404), ("/sign-in", 403), ("/dossier/list", 403), ("/.gateway/enter?code=x", 403)]
)
async def test_there_is_nothing_else_at_the_door(demo: House, path: str, status: int) -> None:
    async with person(demo.ca) as somebody:
        answer = await somebody.get(f"https://eid.localhost:{demo.plan.ports.eid}{path}", allow_redirects=False)
        assert answer.status == status
        assert "text/html" in answer.headers["Content-Type"]


async def test_the_door_is_at_no_other_port(demo: House) -> None:
    async with person(demo.ca) as somebody:
        for host, port in (("eid.localhost", demo.port), ("portal.localhost", demo.plan.ports.eid)):
            with pytest.raises(aiohttp.ClientConnectorError):
                await somebody.get(f"https://{host}:{port}/")
