"""Signing in at a provider of the federation, against a real one: as it should go, and each way in which it can go wrong."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.credentials.oidc import Provider
from gateway.decision import Agent, ClientEvidence, Facts, PageOrigin
from gateway.model import LANGUAGES, Means, Text
from gateway.outbound import oidc as outbound_oidc
from gateway.outbound.hosts import Hosts
from gateway.outbound.http import Client
from gateway.outbound.oidc import RENEW_SECONDS, ProviderDesk
from gateway.outbound.settings import OutboundSettings
from tests.portal.conftest import NOW, OFFICIAL, PENSION, PORTAL, SESSION, Answer, Browser, World
from tests.provider import CLIENT, LEVEL, SECRET, RealProvider, needs_provider, real_provider

pytestmark = needs_provider

START, CALLBACK, LOGOUT = (f"https://{PORTAL}/oidc/{name}/csam" for name in ("start", "callback", "logout"))
ADDRESS = f"https://{PORTAL}:8443/oidc"
TITLE = Text("CSAM & co (nl)", "CSAM & co (fr)", "CSAM & co (de)", "CSAM & co")
PEOPLE = [
    {"sub": "an", "name": "An Jansen", "insz": "85073003328", "acr": [f"{LEVEL}{level}" for level in (200, 400, 450, 500)]},
    {"sub": "marc", "name": "Marc Dupont", "insz": "17073003384", "acr": [f"{LEVEL}500"]},
]  # fmt: skip
ACR = {f"{LEVEL}500": Means.EID, f"{LEVEL}450": Means.ITSME, f"{LEVEL}400": Means.TOKEN}


@dataclass
class Federation:
    """The portal with a provider. `provider` is the real one's process, `desk` where the portal asks it."""

    world: World
    provider: RealProvider
    desk: ProviderDesk
    began: float

    def tick(self, seconds: float = 0.0) -> None:
        """Both clocks go on alike."""
        self.world.clock.now = NOW + time.monotonic() - self.began + seconds

    async def there(self, answer: Answer, who: str = "an", level: str = "500") -> str:
        """From our redirect to the provider's way back."""
        assert answer.status == 303, answer.text
        return await self.provider.authenticate(answer.location, who, level)

    async def sign_in(self, browser: Browser, user_id: str = "jansen01", who: str = "an", level: str = "500") -> Answer:
        self.tick()
        form = await browser.open_form()
        sent = await browser.post(START, {"csrf": form.csrf, "start": "", "user_id": user_id})
        back = await self.there(sent, who, level)
        self.tick()
        return await browser.send("GET", back, facts=came_back)


def came_back(facts: Facts) -> Facts:
    """A navigation that another site's redirect made, as browsers say it."""
    return replace(facts, fetch_site="cross-site", page_origin=PageOrigin.NONE)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[RealProvider, float]]:
    """One process for all tests here, and when it began to take NOW for now."""
    with real_provider(f"{ADDRESS}/callback/csam", f"{ADDRESS}/logout/csam", PEOPLE, now=NOW) as provider:
        yield provider, time.monotonic()


@pytest.fixture
async def federation(world: World, running: tuple[RealProvider, float]) -> AsyncIterator[Federation]:
    provider, began = running
    await provider.control(fault="", silent=False, slow=0)
    client = Client(OutboundSettings())
    scopes, algorithms = ("openid", "profile", "egovnrn"), ("RS256",)
    described = Provider("csam", TITLE, provider.issuer, CLIENT, scopes, algorithms, ACR, tuple(ACR)[:2], 900.0)
    desk = ProviderDesk(described, SECRET, Hosts.of([provider.issuer]), client, world.clock, lambda count: b"r" * count)
    world.providers["csam"] = desk
    made = Federation(world, provider, desk, began)
    made.tick()
    yield made
    await client.close()


def reason(world: World) -> tuple[object, ...]:
    line = world.lines("sign-in")[-1]
    return line["verdict"], line["reason"], line["detail"]


async def failure(browser: Browser, answer: Answer) -> Answer:
    """The page that a person sees, at an address of its own."""
    assert (answer.status, answer.location.partition("=")[0]) == (303, "/oidc/failed?key")
    page = await browser.follow(answer)
    assert "code=" not in page.url
    assert "Reference" in page.page.words
    return page


async def test_the_button_stands_on_the_sign_in_page_and_the_browser_may_follow_it(federation: Federation) -> None:
    page = await federation.world.browser().open_form()
    (button,) = [each for each in page.page.all("button") if each.attributes.get("formaction")]
    assert button.attributes["formaction"] == "/oidc/start/csam"
    assert button.text == "Sign in with CSAM & co"
    assert f"form-action 'self' {federation.provider.issuer};" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(("level", "means"), [("500", "eid"), ("450", "itsme")])
async def test_a_person_signs_in_by_the_means_that_they_used_there(
    federation: Federation, level: str, means: str
) -> None:
    world, browser = federation.world, federation.world.browser()
    answer = await federation.sign_in(browser, level=level)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    landed = await browser.follow(await browser.accept(answer))
    assert landed.url.endswith("/applications")
    (session,) = await world.records.sessions_of("jansen01")
    assert (session.means.value, session.provider) == (means, "csam")
    assert NOW - 30 <= session.auth_time <= world.clock.now
    line = world.lines("sign-in")[-1]
    assert (line["verdict"], line["reason"], line["means"]) == ("permit", "signed_in", means)


async def test_what_the_pages_of_ones_own_say_of_a_provider(federation: Federation) -> None:
    """Its title, not its id; and that signing out here signs nobody out there."""
    browser = federation.world.browser()
    await browser.accept(await federation.sign_in(browser))
    page = await browser.get(f"https://{PORTAL}/methods")
    assert re.search(r"<h3>CSAM &amp; co</h3>.*?last used on", page.text, re.DOTALL), page.text
    confirm = await browser.get(f"https://{PORTAL}/sign-out")
    gone = await browser.follow(await browser.post(f"https://{PORTAL}/sign-out", {"csrf": confirm.csrf}))
    assert "You may still be signed in at CSAM &amp; co" in gone.text, gone.text


async def test_what_was_asked_for_is_a_secret_of_one_attempt(federation: Federation) -> None:
    asked = []
    for _ in range(2):
        browser = federation.world.browser()
        form = await browser.open_form()
        answer = await browser.post(START, {"csrf": form.csrf, "start": "", "user_id": "jansen01"})
        asked.append({name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()})
    first, second = asked
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
    assert first["redirect_uri"] == f"{ADDRESS}/callback/csam"
    assert first["acr_values"] == f"{LEVEL}500 {LEVEL}450"


async def test_the_user_id_is_claimed_here_and_the_person_compared(federation: Federation) -> None:
    """Clause I4: whoever is known there is nobody here without a user ID, and not somebody else with somebody else's."""
    world, browser = federation.world, federation.world.browser()
    form = await browser.open_form()
    empty = await browser.post(START, {"csrf": form.csrf, "start": "", "user_id": " "})
    assert "Fill in your user ID." in empty.page.words
    for user_id, who in (("jansen01", "marc"), ("nobody01", "an")):
        page = await failure(browser, await federation.sign_in(browser, user_id, who))
        assert "This is another person's user ID" in page.page.words
        assert reason(world) == ("deny", "other_person", "provider csam")
    assert await world.records.sessions_of("jansen01") == []


async def test_a_number_that_became_another_names_the_same_person(federation: Federation) -> None:
    """A bis number that became a national number (DESIGN section 1): the provider may know either."""
    world = federation.world
    person = await world.records.person_of("jansen01")
    await world.records.change_person(person, "92521506931", "An Jansen", OFFICIAL, NOW)
    browser = world.browser()
    assert (await federation.sign_in(browser)).location.startswith("/regulation")


async def test_a_blocked_user_id_stays_closed(federation: Federation) -> None:
    world, browser = federation.world, federation.world.browser()
    await world.records.block_user_id("jansen01", OFFICIAL, NOW)
    page = await failure(browser, await federation.sign_in(browser))
    assert "This user ID cannot be used" in page.page.words
    assert reason(world) == ("deny", "user_id_blocked", "provider csam")


async def test_a_form_of_another_browser_begins_nothing(federation: Federation) -> None:
    one, other = federation.world.browser(), federation.world.browser()
    form = await one.open_form()
    answer = await other.post(START, {"csrf": form.csrf, "start": "", "user_id": "jansen01"})
    assert answer.status == 403
    assert "This form is from another sign-in" in answer.page.words


async def test_an_answer_is_good_once_in_the_browser_that_asked(federation: Federation) -> None:
    world, browser, thief = federation.world, federation.world.browser(), federation.world.browser()
    form = await browser.open_form()
    sent = await browser.post(START, {"csrf": form.csrf, "start": "", "user_id": "jansen01"})
    back = await federation.there(sent)
    await thief.open_form()
    page = await failure(thief, await thief.get(back))
    assert "only in the browser in which it was begun" in page.page.words
    assert reason(world) == ("deny", "state_unknown", "provider csam")
    # It was shown elsewhere: it is good for nobody any more (a stolen answer does not race the person).
    await failure(browser, await browser.get(back))
    assert reason(world) == ("deny", "state_unknown", "provider csam")


async def test_an_answer_that_comes_after_ten_minutes(federation: Federation) -> None:
    browser = federation.world.browser()
    form = await browser.open_form()
    sent = await browser.post(START, {"csrf": form.csrf, "start": "", "user_id": "jansen01"})
    back = await federation.there(sent)
    federation.tick(600)
    page = await failure(browser, await browser.get(back))
    assert "This sign-in is over" in page.page.words


async def test_another_providers_answer_is_refused(federation: Federation) -> None:
    """Mix-up (RFC 9207): by the issuer in the answer, and by the address that each provider has of its own."""
    world, browser = federation.world, federation.world.browser()
    world.providers["other"] = federation.desk
    for change in (
        lambda back: back.replace(f"iss={federation.provider.issuer.replace(':', '%3A').replace('/', '%2F')}", "iss=https%3A%2F%2Fevil.example"),
        lambda back: back.rpartition("&iss=")[0],
        lambda back: back.replace("/callback/csam", "/callback/other"),
    ):  # fmt: skip
        form = await browser.open_form()
        sent = await browser.post(START, {"csrf": form.csrf, "start": "", "user_id": "jansen01"})
        back = await federation.there(sent)
        changed = change(back)
        assert changed != back
        if "/other" in changed:
            world.providers["other"] = ProviderDesk(
                replace(federation.desk.provider, id="other"), "x", Hosts(), federation.desk._client, world.clock, bytes
            )
        page = await failure(browser, await browser.get(changed))
        assert "cannot be accepted" in page.page.words
        assert reason(world)[:2] == ("deny", "mixed_up")


async def test_a_person_who_cancels_there_is_back_at_the_form(federation: Federation) -> None:
    world, browser = federation.world, federation.world.browser()
    page = await failure(browser, await federation.sign_in(browser, who=""))
    assert page.status == 403
    assert "The sign-in with CSAM & co was cancelled" in page.page.words
    assert reason(world) == ("deny", "provider_error", "provider csam, access_denied")


FAULTS = [
    ("wrong nonce", "token_nonce"),
    ("swapped audience", "token_audience"),
    ("another issuer", "mixed_up"),
    ("alg none", "token_algorithm"),
    ("HS256 with the public key", "token_algorithm"),
    ("wrong signature", "token_signature"),
    ("unpublished key", "token_key_unknown"),
    ("expired", "token_time"),
    ("issued before it was asked for", "token_time"),
    ("stale auth_time", "authentication_stale"),
    ("no auth_time", "authentication_stale"),
    ("unknown acr", "acr_refused"),
    ("of a program", "token_of_program"),
    ("on behalf of", "token_of_program"),
    ("no number", "insz_missing"),
]


async def test_a_provider_that_errs_lets_nobody_in(federation: Federation) -> None:
    world, browser = federation.world, federation.world.browser()
    for fault, word in FAULTS:
        await federation.provider.control(fault=fault)
        page = await failure(browser, await federation.sign_in(browser))
        assert reason(world)[:2] == ("deny", word), fault
        assert page.status == 403
    assert await world.records.sessions_of("jansen01") == []
    await federation.provider.control(fault="")
    assert (await federation.sign_in(browser)).location.startswith("/regulation")


async def test_a_means_that_was_not_asked_for_does_not_do(federation: Federation) -> None:
    """The provider knows weaker ways; a sign-in asks for itsme or more, and compares the levels as numbers."""
    for level in ("400", "200"):
        browser = federation.world.browser()
        page = await failure(browser, await federation.sign_in(browser, level=level))
        assert "in another way" in page.page.words
        assert reason(federation.world)[:2] == ("deny", "acr_refused")


async def test_a_provider_that_rotates_its_key_loses_nobody(federation: Federation) -> None:
    browser = federation.world.browser()
    await browser.accept(await federation.sign_in(browser))
    await federation.provider.control(rotate=True)
    federation.began -= RENEW_SECONDS  # so long after the keys were asked for; less than clocks may differ
    other = federation.world.browser()
    assert (await federation.sign_in(other)).location == "/applications"


async def test_a_provider_that_is_not_there_is_a_page(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    world, browser = federation.world, federation.world.browser()
    form = await browser.open_form()
    fields = {"csrf": form.csrf, "start": "", "user_id": "jansen01"}
    await federation.provider.control(silent=True)
    page = await failure(browser, await browser.post(START, fields))
    assert page.status == 503
    assert "CSAM & co cannot be used at the moment" in page.page.words
    assert reason(world)[:2] == ("failure", "provider_failed")
    await federation.provider.control(silent=False)
    federation.tick(outbound_oidc.FAILED_SECONDS)
    back = await federation.there(await browser.post(START, fields))
    await federation.provider.control(silent=True)
    await failure(browser, await browser.get(back))
    assert str(reason(world)[2]).startswith("provider csam, ")


async def test_a_slow_provider_keeps_nobody_waiting(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_oidc, "ASK_SECONDS", 0.3)
    browser = federation.world.browser()
    form = await browser.open_form()
    await federation.provider.control(slow=60)
    began = time.monotonic()
    page = await failure(browser, await browser.post(START, {"csrf": form.csrf, "start": "", "user_id": "jansen01"}))
    assert time.monotonic() - began < 5
    assert page.status == 503
    assert "timeout" in str(reason(federation.world)[2])


async def test_the_page_of_a_failure_speaks_four_languages(federation: Federation) -> None:
    browser = federation.world.browser()
    failed = await browser.follow(await federation.sign_in(browser, who=""))
    texts = set()
    for language in LANGUAGES:
        switched = await browser.get(
            f"https://{PORTAL}/language?back={urlsplit(failed.url).path}?{urlsplit(failed.url).query}&to={language}"
        )
        page = await browser.follow(switched)
        assert f'lang="{language}"' in page.text
        assert TITLE.in_(language) in page.page.words
        texts.add(page.page.one("h1").text.replace(TITLE.in_(language), ""))
    assert len(texts) == 4


async def test_nobody_sees_anothers_failure(federation: Federation) -> None:
    browser = federation.world.browser()
    failed = await browser.follow(await federation.sign_in(browser, who=""))
    stranger = federation.world.browser()
    for address in (failed.url, f"https://{PORTAL}/oidc/failed", f"https://{PORTAL}/oidc/failed?key=x"):
        assert (await stranger.get(address)).location == "/sign-in"


@pytest.mark.parametrize(
    "query", ["", "?state=", "?code=x&state=" + "x" * 43, "?code=x&state=" + "%C3%A9" * 43, "?error=x"]
)
async def test_an_answer_to_no_question_is_a_page_and_a_line(federation: Federation, query: str) -> None:
    browser = federation.world.browser()
    page = await failure(browser, await browser.send("GET", f"{ADDRESS}/callback/csam{query}", facts=came_back))
    assert page.status == 403
    assert reason(federation.world) == ("deny", "state_unknown", "provider csam")


async def test_an_unknown_provider_is_no_page(federation: Federation) -> None:
    browser = federation.world.browser()
    form = await browser.open_form()
    for method, path in (("POST", "start"), ("GET", "callback")):
        answer = await browser.send(method, f"https://{PORTAL}/oidc/{path}/evil", {"csrf": form.csrf})
        assert answer.status == 404


async def test_nothing_of_a_sign_in_stands_in_the_ledger(federation: Federation) -> None:
    browser = federation.world.browser()
    form = await browser.open_form()
    sent = await browser.post(START, {"csrf": form.csrf, "start": "", "user_id": "jansen01"})
    back = await federation.there(sent)
    await browser.get(back)
    written = federation.world.ledger_bytes()
    secrets = [values[0] for values in parse_qs(urlsplit(back).query).values()] + [SECRET, "85073003328"]
    for secret in secrets:
        if secret != federation.provider.issuer:
            assert secret.encode() not in written


# --- step-up -------------------------------------------------------------------------------------------------------------


async def with_password(federation: Federation) -> Browser:
    federation.tick()
    browser = federation.world.browser()
    await browser.accept(await browser.sign_in())
    return browser


async def test_a_step_up_keeps_the_page_and_changes_the_session(federation: Federation) -> None:
    world, browser = federation.world, await with_password(federation)
    old = browser.jar[PORTAL][SESSION]
    start = browser.challenged(PENSION, "/careers/list", "means_too_weak")
    page = await browser.get(f"https://{PORTAL}/step-up?start={start}")
    (button,) = [each for each in page.page.all("button") if each.attributes.get("formaction")]
    assert button.text == "Sign in with CSAM & co"
    sent = await browser.post(START, {"csrf": page.csrf, "errand": "step-up", "start": start, "user_id": "dupont01"})
    query = parse_qs(urlsplit(sent.location).query)
    # Only what would do, and the person of the session, whatever the form says; and who is there now.
    assert (query["acr_values"], query["max_age"]) == ([f"{LEVEL}500"], ["0"])
    back = await federation.there(sent)
    federation.tick()
    answer = await browser.get(back)
    assert browser.jar[PORTAL][SESSION] != old
    landed = await browser.follow(answer)
    assert landed.url.endswith("/careers/list")
    newest, before = await world.records.sessions_of("jansen01")
    assert {(newest.means.value, newest.provider), (before.means.value, before.provider)} == {
        ("eid", "csam"),
        ("password", None),
    }
    line = world.lines("sign-in")[-1]
    assert (line["reason"], line["means"], line["step_up"]) == ("stepped_up", "eid", True)


async def test_a_step_up_takes_nothing_that_would_not_do(federation: Federation) -> None:
    world, browser = federation.world, await with_password(federation)
    start = browser.challenged(PENSION, "/careers/list", "means_too_weak")
    page = await browser.get(f"https://{PORTAL}/step-up?start={start}")
    sent = await browser.post(START, {"csrf": page.csrf, "errand": "step-up", "start": start})
    back = await federation.there(sent, level="450")
    federation.tick()
    failed = await failure(browser, await browser.get(back))
    assert reason(world)[:2] == ("deny", "acr_refused")
    (link,) = [a for a in failed.page.all("a") if "button" in (a.attributes.get("class") or "")]
    assert (link.attributes["href"] or "").startswith("/step-up?start=")
    (session,) = [each for each in await world.records.sessions_of("jansen01") if each.ended_at is None]
    assert session.means is Means.PASSWORD


async def test_a_session_that_moved_ends_when_somebody_else_answers_for_it(federation: Federation) -> None:
    """I4: as after wrong passwords. Somebody has the cookie, and is somebody else there."""
    world, browser = federation.world, await with_password(federation)
    since = world.clock.now

    def moved(facts: Facts) -> Facts:
        return replace(facts, evidence=ClientEvidence(moved=True, since=since))

    for _ in range(3):
        federation.tick()
        start = browser.challenged(PENSION, "/careers/list", "session_moved")
        page = await browser.send("GET", f"https://{PORTAL}/step-up?start={start}", facts=moved)
        fields = {"csrf": page.csrf, "errand": "step-up", "start": start}
        back = await federation.there(await browser.send("POST", START, fields, moved), who="marc")
        federation.tick()
        await browser.send("GET", back, facts=lambda facts: came_back(moved(facts)))
        assert reason(world)[:2] == ("deny", "other_person")
    (session,) = await world.records.sessions_of("jansen01")
    assert session.ended_at is not None
    assert world.lines("sign-out")[-1]["cause"] == "not_confirmed"


async def test_a_step_up_without_a_session_raises_nothing(federation: Federation) -> None:
    browser = federation.world.browser()
    form = await browser.open_form()
    answer = await browser.post(START, {"csrf": form.csrf, "errand": "step-up", "user_id": "jansen01"})
    assert answer.status == 403
    assert "Your session has ended" in answer.page.words


# --- the provider ends a session -----------------------------------------------------------------------------------------


def machine(facts: Facts) -> Facts:
    """The provider's own program: no browser, no Origin, no fetch metadata."""
    return replace(
        facts,
        agent=Agent.PROGRAM,
        fetch_site=None,
        page_origin=PageOrigin.NONE,
        navigation=False,
        session=None,
        user=None,
    )


async def ended(world: World) -> list[str]:
    return [str(line["session"]) for line in world.lines("sign-out") if line["cause"] == "provider"]


async def tokens(federation: Federation, orders: Iterable[str]) -> list[str]:
    """The logout tokens that the provider sends, caught by a server in the gateway's place."""
    caught: list[str] = []

    async def catch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        caught.append(parse_qs((await reader.readexactly(length)).decode())["logout_token"][0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(catch, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for order in orders:
            await federation.provider.control(logout=order, to=f"http://127.0.0.1:{port}/")
    return caught


async def test_the_provider_ends_its_session_and_no_other(federation: Federation) -> None:
    world, browser, other = federation.world, federation.world.browser(), await with_password(federation)
    await browser.follow(await federation.sign_in(browser))
    (token,) = await tokens(federation, ["session"])
    stranger = world.browser()
    answer = await stranger.send("POST", LOGOUT, {"logout_token": token}, machine)
    assert (answer.status, answer.headers["Cache-Control"], answer.cookies) == (200, "no-store", [])
    (session,) = [each for each in await world.records.sessions_of("jansen01") if each.provider == "csam"]
    assert await ended(world) == [session.id]
    assert (session.ended_at is not None, session.ended_reason) == (True, "ended at the provider")
    challenged = (await browser.get(f"https://{PORTAL}/applications")).challenge
    assert challenged is not None
    assert challenged.reason.code == "session_revoked"
    assert (await other.get(f"https://{PORTAL}/applications")).status == 200
    # Once: and whoever catches it cannot shut out who signs in again.
    federation.tick()
    again = world.browser()
    await again.follow(await federation.sign_in(again))
    assert (await stranger.send("POST", LOGOUT, {"logout_token": token}, machine)).status == 400
    assert len(await ended(world)) == 1


async def test_the_provider_ends_every_session_of_a_person(federation: Federation) -> None:
    for _ in range(2):
        browser = federation.world.browser()
        await browser.follow(await federation.sign_in(browser))
    (token,) = await tokens(federation, ["person"])
    assert (await browser.send("POST", LOGOUT, {"logout_token": token}, machine)).status == 200
    assert len(await ended(federation.world)) == 2


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 20_000])
async def test_a_stranger_ends_nothing(federation: Federation, token: str) -> None:
    browser = federation.world.browser()
    await browser.follow(await federation.sign_in(browser))
    answer = await browser.send("POST", LOGOUT, {"logout_token": token}, machine)
    assert (answer.status, answer.text) == (400, '{"error": "invalid_request"}')
    assert await ended(federation.world) == []


async def test_a_token_for_one_provider_says_nothing_of_another(federation: Federation) -> None:
    answer = await federation.world.browser().send(
        "POST", LOGOUT.replace("csam", "evil"), {"logout_token": "x"}, machine
    )
    assert answer.status == 404
