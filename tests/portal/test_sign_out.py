from __future__ import annotations

import pytest

from gateway.model import Means
from tests.portal.conftest import DOSSIER, MINUTE, PENSION, PORTAL, SESSION, Browser, World
from tests.portal.test_hand_over import handed_over

PAGES = {PORTAL: f"https://{PORTAL}/sign-out", DOSSIER: f"https://{DOSSIER}/.gateway/sign-out"}


async def inside(world: World) -> Browser:
    browser = world.browser()
    await browser.get((await handed_over(browser)).location)
    return browser


@pytest.mark.parametrize("host", PAGES)
async def test_signing_out_ends_the_session_everywhere(world: World, host: str) -> None:
    browser = await inside(world)
    form = await browser.get(PAGES[host])
    assert form.page.one("form").attributes["action"] == PAGES[host].removeprefix(f"https://{host}")
    answer = await browser.post(PAGES[host], {"csrf": form.csrf})
    assert (answer.status, answer.headers["Clear-Site-Data"]) == (303, '"cache", "storage"')
    assert SESSION not in browser.jar[host]
    (session,) = await world.records.sessions_of("jansen01")
    assert (session.ended_reason, session.ended_at) == ("signed out", world.clock.now)
    (line,) = world.lines("sign-out")
    assert (line["cause"], line["session"]) == ("signed_out", session.id)
    assert (await browser.follow(answer)).page.one("h1").text == "You are signed out"
    refused = await browser.get(f"https://{PORTAL}/applications")
    assert refused.challenge is not None
    other = await browser.get(f"https://{DOSSIER}/dossier/")
    assert other.challenge is not None
    assert other.challenge.reason.code in ("session_revoked", "sign_in_required")


async def test_looking_at_the_page_ends_nothing(world: World) -> None:
    browser = await inside(world)
    await browser.get(PAGES[PORTAL])
    assert (await browser.get(f"https://{PORTAL}/applications")).status == 200


async def test_a_form_without_its_token_ends_nothing_and_says_so(world: World) -> None:
    browser = await inside(world)
    answer = await browser.post(PAGES[PORTAL], {"csrf": "0" * 64})
    assert answer.status == 403
    assert "You are still signed in" in answer.page.words
    assert (await browser.get(f"https://{PORTAL}/applications")).status == 200


async def test_who_is_not_signed_in_is_told_so(world: World) -> None:
    for url in PAGES.values():
        assert (await world.browser().get(url)).page.one("h1").text == "You are signed out"
    browser = world.browser()
    assert (await browser.post(PAGES[PORTAL], {})).page.one("h1").text == "You are signed out"


# --- what is said, and what is cleared


async def test_what_was_ended_is_said_and_every_host_clears_what_it_left(world: World) -> None:
    browser = await inside(world)
    browser.jar[DOSSIER]["theirs"] = "1"
    form = await browser.get(PAGES[PORTAL])
    assert "Dossiers" in form.page.words
    assert "Notices" not in form.page.words  # on the same host, but expired
    allowed = form.headers["Content-Security-Policy"].partition("form-action ")[2].partition(";")[0]
    assert f"https://{DOSSIER}:8443" in allowed.split()
    first = await browser.post(PAGES[PORTAL], {"csrf": form.csrf})
    assert first.location.startswith(f"https://{DOSSIER}:8443/.gateway/signed-out?note=")
    assert first.headers["Clear-Site-Data"] == '"cache", "storage"'
    second = await browser.get(first.location)
    assert second.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "theirs=; Path=/; Max-Age=0; Secure" in second.cookies
    assert set(browser.jar[DOSSIER]) == {"__Host-gw-language", "__Host-gw-last"}
    assert second.location.startswith(f"https://{PORTAL}:8443/sign-out?note=")
    page = await browser.get(second.location)
    assert "This has ended: Dossiers" in page.page.words
    assert "stops within a second" in page.page.words
    assert "identity card" not in page.page.words
    assert SESSION not in browser.jar[PORTAL]
    world.clock.now += 11 * MINUTE
    late = await browser.get(second.location)
    assert "This has ended" not in late.page.words


async def test_from_an_application_the_way_ends_at_the_portal(world: World) -> None:
    browser = await inside(world)
    form = await browser.get(PAGES[DOSSIER])
    answer = await browser.post(PAGES[DOSSIER], {"csrf": form.csrf})
    assert answer.location.startswith(f"https://{PORTAL}:8443/sign-out?note=")
    page = await browser.follow(answer)
    assert "This has ended: Dossiers" in page.page.words
    assert SESSION not in browser.jar[PORTAL]


async def test_who_opened_nothing_is_told_so(world: World) -> None:
    browser = world.browser()
    await browser.accept(await browser.sign_in())
    form = await browser.get(PAGES[PORTAL])
    page = await browser.follow(await browser.post(PAGES[PORTAL], {"csrf": form.csrf}))
    assert "You had opened no application." in page.page.words


async def test_after_an_eid_the_card_can_be_taken_out(world: World) -> None:
    from tests.portal.test_methods import means_of

    browser = await inside(world)
    await means_of(world, browser, Means.EID)
    form = await browser.get(PAGES[PORTAL])
    page = await browser.follow(await browser.post(PAGES[PORTAL], {"csrf": form.csrf}))
    assert "You can take your identity card out of the reader now." in page.page.words


@pytest.mark.parametrize("note", ["", "x", "eyJ9.00", "bm90IGpzb24=." + "0" * 64])
async def test_a_note_of_somebody_else_clears_and_says_nothing(world: World, note: str) -> None:
    browser = await inside(world)
    answer = await browser.get(f"https://{DOSSIER}/.gateway/signed-out?note={note}")
    assert answer.location == f"https://{PORTAL}:8443/sign-out"
    assert "Clear-Site-Data" not in answer.headers
    assert SESSION in browser.jar[DOSSIER]
    assert "This has ended" not in (await world.browser().get(f"{PAGES[PORTAL]}?note={note}")).page.words


async def test_an_old_note_clears_nothing(world: World) -> None:
    browser = await inside(world)
    form = await browser.get(PAGES[PORTAL])
    first = await browser.post(PAGES[PORTAL], {"csrf": form.csrf})
    world.clock.now += 2 * MINUTE
    answer = await browser.get(first.location)
    assert answer.location == f"https://{PORTAL}:8443/sign-out"
    assert "Clear-Site-Data" not in answer.headers


# --- two institutions, two user IDs, one browser


async def test_another_user_id_begins_where_the_first_one_ended(world: World) -> None:
    browser = await inside(world)
    page = await browser.get(f"{PAGES[PORTAL]}?other=1")
    assert page.page.one("h1").text == "Use another user ID"
    assert "user ID jansen01, for Auxiliary Fund of Aalter" in page.page.words
    answer = await browser.post(PAGES[PORTAL], {"csrf": page.csrf, "next": "sign-in"})
    form = await browser.follow(answer)
    assert form.url == f"https://{PORTAL}:8443/sign-in?switched=1"
    assert "You are signed out, everywhere" in form.page.words
    assert set(browser.jar[DOSSIER]) == {"__Host-gw-language", "__Host-gw-last"}
    (session,) = await world.records.sessions_of("jansen01")
    assert session.ended_reason == "signed out"
    await browser.accept(await browser.sign_in("dupont01"))
    page = await browser.get(f"https://{PORTAL}/applications")
    assert "Marc Dupont, for Auxiliary Fund of Aalter – dupont01" in page.page.words
    start = browser.challenged(DOSSIER, "/dossier/")
    landed = await browser.follow(await browser.get(f"https://{PORTAL}/sign-in?start={start}"))
    assert landed.page.one("h1").text == "Another user ID"  # the host remembers that it served another one


async def test_a_sign_in_form_of_before_says_whose_session_it_would_end(world: World) -> None:
    browser = await inside(world)
    early = await browser.post(
        f"https://{PORTAL}/sign-in", {"csrf": "0" * 64, "user_id": "dupont01", "password": "x", "code": ""}
    )
    assert early.status == 403
    assert "In this browser user ID jansen01 is signed in, for Auxiliary Fund of Aalter" in early.page.words


async def test_every_page_of_ours_shows_who_is_active_and_the_switch(world: World) -> None:
    browser = await inside(world)
    for path in ("/applications", "/methods", "/methods/password", "/regulation", "/help", "/sign-out"):
        page = await browser.get(f"https://{PORTAL}{path}")
        assert "An Jansen, for Auxiliary Fund of Aalter – jansen01" in page.page.words, path
        assert "/sign-out?other=1" in [a.attributes.get("href") for a in page.page.all("a")]
    on_host = await browser.get(PAGES[DOSSIER])
    assert f"https://{PORTAL}:8443/sign-out?other=1" in [a.attributes.get("href") for a in on_host.page.all("a")]
    start = browser.challenged(PENSION, "/pension/", "means_too_weak")
    page = await browser.get(f"https://{PORTAL}/step-up?start={start}")
    assert "An Jansen, for Auxiliary Fund of Aalter – jansen01" in page.page.words
