"""Pages and files that need no session, and what the application refuses by itself."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import pytest

from gateway.decision import Facts
from gateway.portal.render import contact
from tests.portal.conftest import DOSSIER, HOUR, NOW, PORTAL, World


@pytest.mark.parametrize("name", ["help", "privacy", "accessibility"])
async def test_the_pages_of_the_footer_are_there_in_four_languages(world: World, name: str) -> None:
    titles = set()
    for language in ("nl", "fr", "de", "en"):
        answer = await world.browser(**{"Accept-Language": language}).get(f"https://{PORTAL}/{name}")
        assert answer.status == 200
        assert answer.headers["Content-Language"] == language
        assert answer.page.one("html").attributes["lang"] == language
        titles.add(answer.page.one("title").text)
    assert len(titles) == 4


async def test_the_footer_leads_to_them_from_every_host(world: World) -> None:
    answer = await world.browser().get(f"https://{DOSSIER}/.gateway/sign-out")
    links = {link.attributes["href"] for link in answer.page.all("a")}
    for name in ("help", "privacy", "accessibility", "help#report"):
        assert f"https://{PORTAL}:8443/{name}" in links


@pytest.mark.parametrize(("host", "prefix"), [(PORTAL, ""), (DOSSIER, "/.gateway")])
async def test_the_language_is_remembered_and_comes_back_to_the_page(world: World, host: str, prefix: str) -> None:
    browser = world.browser(**{"Accept-Language": "de"})
    page = await browser.get(f"https://{host}{prefix}/sign-out?a=b")
    (link,) = [a for a in page.page.all("a") if a.attributes.get("hreflang") == "fr"]
    answer = await browser.get(f"https://{host}{link.attributes['href']}")
    assert answer.location == f"{prefix}/sign-out?a=b"
    assert browser.jar[host]["__Host-gw-language"] == "fr"
    assert (await browser.get(f"https://{host}{answer.location}")).headers["Content-Language"] == "fr"


async def test_an_unknown_language_changes_nothing(world: World) -> None:
    browser = world.browser()
    answer = await browser.get(f"https://{PORTAL}/language?to=xx&back=/help")
    assert (answer.location, browser.jar[PORTAL]) == ("/help", {})


async def test_robots_are_sent_away(world: World) -> None:
    assert (await world.browser().get(f"https://{PORTAL}/robots.txt")).text == "User-agent: *\nDisallow: /\n"


async def test_security_txt_has_what_rfc_9116_asks_for(world: World) -> None:
    answer = await world.browser().get(f"https://{PORTAL}/.well-known/security.txt")
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert fields["Contact"] == "mailto:security@ksz.example"
    assert fields["Canonical"] == f"https://{PORTAL}:8443/.well-known/security.txt"
    expires = dt.datetime.fromisoformat(fields["Expires"]).timestamp()
    assert NOW + 24 * HOUR < expires < NOW + 365 * 24 * HOUR


async def test_the_key_set_and_the_icon_are_served(world: World) -> None:
    keys = await world.browser().get(f"https://{PORTAL}/.well-known/jwks.json")
    assert (keys.text, keys.headers["Content-Type"]) == ('{"keys":[]}', "application/jwk-set+json")
    assert not keys.cookies
    icon = await world.browser().send("HEAD", f"https://{PORTAL}/favicon.ico")
    assert (icon.status, icon.headers["Content-Type"]) == (200, "image/x-icon")


@pytest.mark.parametrize("host", [PORTAL, DOSSIER])
async def test_static_files_are_kept_for_ever_under_the_hash_of_their_content(world: World, host: str) -> None:
    browser = world.browser()
    page = await browser.get(f"https://{host}/sign-out" if host == PORTAL else f"https://{host}/.gateway/sign-out")
    (sheet,) = [link.attributes["href"] for link in page.page.all("link") if link.attributes["rel"] == "stylesheet"]
    answer = await browser.get(f"https://{host}{sheet}")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert not answer.cookies
    for wrong in ("portal.css", "portal.0000000000000000.css", "..%2fapp.py"):
        assert (await browser.get(f"https://{host}{sheet.rpartition('/')[0]}/{wrong}")).status == 404


async def test_every_page_is_strict_about_what_it_may_load_and_is_never_framed(world: World) -> None:
    answer = await world.browser().open_form()
    policy = answer.headers["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert not re.search(r"<script|\sstyle=|\son\w+=|<style", answer.text)


async def test_a_request_that_nobody_handed_over_gets_400_and_nothing_else(world: World) -> None:
    for fields in ({}, {"X-Request-Id": "0" * 17}, {"X-Request-Id": "x", "X-Forwarded-Host": PORTAL}):
        async with world.client.get("/sign-in", headers=fields) as response:
            assert response.status == 400
            assert await response.read() == b""


async def test_what_the_proxy_did_not_permit_is_not_answered(world: World) -> None:
    browser = world.browser()
    await browser.get(f"https://{PORTAL}/help")
    reference, handed = next(iter(world.handed.items()))
    from dataclasses import replace

    from gateway.decision import REASONS

    world.handed[reference] = replace(handed, decision=replace(handed.decision, reason=REASONS["cross_site"]))
    async with world.client.get("/help", headers={"X-Request-Id": reference}) as response:
        assert (response.status, await response.read()) == (400, b"")


@pytest.mark.parametrize("field", ["X-Forwarded-Host", "X-Forwarded-For", "X-Remote-User", "Forwarded"])
async def test_fields_of_the_request_are_not_believed(world: World, field: str) -> None:
    plain = await world.browser().get(f"https://{PORTAL}/help")
    told = await world.browser(**{field: "evil.example"}).get(f"https://{PORTAL}/help")
    assert told.page.words == plain.page.words
    assert "evil.example" not in told.text


async def test_the_portals_pages_are_not_on_transaction_hosts_nor_theirs_on_the_portal(world: World) -> None:
    def as_permitted(facts: Facts) -> Facts:
        return replace(facts, path="/help" if facts.host == PORTAL else "/.gateway/sign-out")

    for url in (
        f"https://{DOSSIER}/sign-in",
        f"https://{DOSSIER}/applications",
        f"https://{PORTAL}/.gateway/enter?code=x",
    ):
        answer = await world.browser().send("GET", url, facts=as_permitted)
        assert answer.status == 404
        assert answer.page.one("h1").text == "This page does not exist"


async def test_an_error_of_ours_is_a_page_without_its_trace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(user_id: str) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(world.records, "find_login", fail)
    answer = await world.browser().sign_in()
    assert answer.status == 503
    assert "secret of the inside" not in answer.text
    assert answer.page.one("h1").text == "This service is not available at the moment"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("help@ksz.example", '<a href="mailto:help@ksz.example">help@ksz.example</a>'),
        ("+32 (0)2 741.83-11", '<a href="tel:+32027418311">+32 (0)2 741.83-11</a>'),
        (
            "https://ksz.example/a?b=1&c",
            '<a href="https://ksz.example/a?b=1&amp;c">https://ksz.example/a?b=1&amp;c</a>',
        ),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ('"><b>@x', "&#34;&gt;&lt;b&gt;@x"),
        ("ask An", "ask An"),
        ("http://ksz.example", "http://ksz.example"),
    ],
)
def test_a_help_desk_is_a_link_only_where_it_can_be_one(text: str, expected: str) -> None:
    made = str(contact(text))
    assert made == expected or (text.startswith('"') and "<b>" not in made)
