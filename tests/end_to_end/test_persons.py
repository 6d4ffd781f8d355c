"""Persons, not programs, with the whole gateway: a session that moves to another client, evidence, pace, and what keeps a session alive."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from gateway.credentials.lockout import WAIT_SECONDS
from tests.end_to_end.client import BROWSER, Connector, Person, origin_of, person, trusting
from tests.end_to_end.house import House

WHO = "an.peeters"
MARK = "gateway-mark-7c1f"
NO_METADATA = {"User-Agent": BROWSER, "Accept": "text/html", "Accept-Language": "en"}


def older_tls(here: House) -> ssl.SSLContext:
    """Another client: TLS inspection, an update, or a thief's tool."""
    context = trusting(here.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@asynccontextmanager
async def elsewhere(here: House, jar: aiohttp.abc.AbstractCookieJar | None = None, agent: str = BROWSER) -> AsyncIterator[Person]:  # fmt: skip
    """Another client, with the cookies in `jar`."""
    async with aiohttp.ClientSession(
        connector=Connector(older_tls(here)),
        cookie_jar=jar or aiohttp.CookieJar(),
        headers={"User-Agent": agent, "Accept-Language": "en"},
    ) as session:
        yield Person(session)


def stolen(an: Person, *urls: str) -> aiohttp.CookieJar:
    """A copy of the cookies that a browser would send to these addresses."""
    jar = aiohttp.CookieJar()
    for url in urls:
        cookies = an.session.cookie_jar.filter_cookies(URL(url))
        for one in cookies.values():
            one["path"] = "/"  # as ours are: else a new one would stand beside it
        jar.update_cookies(cookies, URL(url))
    return jar


async def signed_in(an: Person, here: House, url: str, who: str = WHO) -> None:
    answer = await an.sign_in(url, who, here.person(who)["password"])
    assert (answer.status, str(answer.url)) == (200, url)


async def told(here: House, url: str, who: str = WHO) -> None:
    """At the next sign-in the person hears that a session was ended, once."""
    async with person(here.ca) as again:
        known = {"user_id": who, "password": here.person(who)["password"], "code": ""}
        page = await again.fill_in(await again.get(url), known, goes_on=False)
        assert (page.status, page.url.path) == (200, "/changes")
        assert "A session of yours was ended" in await page.text()
        read = await again.fill_in(page, {})
        assert (read.status, str(read.url)) == (200, url)
    async with person(here.ca) as later:
        await signed_in(later, here, url, who)


async def closed(live: aiohttp.ClientWebSocketResponse) -> None:
    """It is closed soon, whatever was said on it before."""
    async with asyncio.timeout(5):
        while (await live.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
    assert live.closed


# --- a session that moves ----------------------------------------------------------------------------------------------------


async def test_a_stolen_cookie_opens_nothing_from_another_client(demo: House) -> None:
    url = demo.url("dossier")
    portal = f"https://portal.localhost:{demo.port}"
    async with person(demo.ca) as an:
        await signed_in(an, demo, url)
        live = await an.session.ws_connect(f"{url}live", headers={"Origin": origin_of(url)})
        async with elsewhere(demo, stolen(an, url)) as thief:
            page = await thief.get(url, allow_redirects=False)
            assert page.status == 303
            assert page.headers["Location"].startswith(f"{portal}/step-up?start=")
            line = demo.lines.one(page.headers["X-Request-Id"])
            assert (line["reason"], line["clause"], line["verdict"]) == ("session_moved", "I4", "challenge")
            assert line["evidence"]["moved"] is True
            assert line["client_hello"].startswith("1.2-")
            script = await thief.fetch(url)
            problem = await script.json()
            assert (script.status, problem["reason"]) == (401, "session_moved")
            saved = await thief.fetch(f"{url}search", method="POST", data={"query": MARK})
            assert saved.status == 401
            refused = await thief.session.get(
                f"{url}live",
                headers={"Origin": origin_of(url), "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                         "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
            )  # fmt: skip
            assert refused.status == 401
            # The portal's cookie is another one: there the thief is nobody.
            asked = await thief.get(url)
            assert asked.url.path == "/sign-in"
        # The person and what they have open go on undisturbed.
        assert (await an.get(url)).url == URL(url)
        await live.send_str("still there")
        assert await live.receive(timeout=5)
        await live.close()


async def test_all_cookies_of_a_browser_do_not_help_another_client(demo: House) -> None:
    """Not by the challenge, not by going to another host, not by signing in as the session's own browser would."""
    url, other = demo.url("dossier"), demo.url("pension")
    portal = f"https://portal.localhost:{demo.port}/"
    async with person(demo.ca) as an:
        await signed_in(an, demo, url)
        for steps in ((url,), (other,), (portal,), (f"{portal}applications",), (f"{portal}sign-in",)):
            async with elsewhere(demo, stolen(an, url, other, portal)) as thief:
                for step in steps:
                    page = await thief.get(step)
                    assert page.url.path == "/step-up", step
                assert (await thief.get(url, allow_redirects=False)).status == 303
        async with elsewhere(demo, stolen(an, url, other, portal)) as thief:
            wrong = await thief.fill_in(await thief.get(url), {"password": "not hers", "code": ""})
            assert (wrong.status, wrong.url.path) == (403, "/step-up")
        assert (await an.get(url)).url == URL(url)


async def test_who_cannot_prove_it_three_times_ends_the_session(demo: House) -> None:
    """One slip of the finger, and another, are a person's; the person whose session it is can go on until then, and hears of its end."""
    url, portal = demo.url("guidance"), f"https://portal.localhost:{demo.port}/"
    async with person(demo.ca) as david:
        await signed_in(david, demo, url, "david.lambert")
        live = await david.session.ws_connect(f"{url}live", headers={"Origin": origin_of(url)})
        async with elsewhere(demo, stolen(david, url, portal)) as thief:
            page = await thief.get(url)
            for number in (1, 2, 3):
                assert (await david.get(url)).url == URL(url)
                page = await thief.fill_in(page, {"password": "not his", "code": ""})
                assert (page.status, page.url.path) == (403, "/step-up")
                assert ("the session has been ended" in await page.text()) is (number == 3)
            assert (await thief.get(url)).url.path == "/sign-in"
        await closed(live)
        asked = await david.get(url, allow_redirects=False)
        assert demo.lines.one(asked.headers["X-Request-Id"])["reason"] == "session_revoked"
        (line,) = [line for line in demo.lines.all() if line["kind"] == "sign-out" and line["cause"] == "not_confirmed"]
        assert line["id"] == page.headers["X-Request-Id"]
        await asyncio.sleep(WAIT_SECONDS[3] + 0.1)  # as after any three failures in a row
    await told(demo, url, "david.lambert")


@pytest.mark.parametrize("back_at", ["dossier", "portal", "pension"])
async def test_a_session_that_two_clients_have_ends(demo: House, back_at: str) -> None:
    """Somebody has the cookies and the password: what the person does next, anywhere, ends it for both."""
    url, other, portal = demo.url("dossier"), demo.url("pension"), f"https://portal.localhost:{demo.port}/"
    async with person(demo.ca) as an:
        await signed_in(an, demo, url)
        await an.get(other)
        live = await an.session.ws_connect(f"{url}live", headers={"Origin": origin_of(url)})
        async with elsewhere(demo, stolen(an, url, other, portal)) as thief:
            page = await thief.fill_in(await thief.get(url), {"password": demo.person(WHO)["password"], "code": ""})
            assert (page.status, str(page.url)) == (200, url)
            # What the old client has open hangs on what it had.
            await closed(live)
            assert (await thief.get(url)).url == URL(url)
            back = await an.get({"dossier": url, "portal": f"{portal}applications", "pension": other}[back_at])
            assert back.url.path == "/sign-in"

            async def is_over() -> bool:
                return (await thief.get(url, allow_redirects=False)).status == 303

            for _ in range(20):
                if await is_over():
                    break
                await asyncio.sleep(0.05)
            ended = await thief.get(url, allow_redirects=False)
            assert demo.lines.one(ended.headers["X-Request-Id"])["reason"] == "session_revoked"
        session = demo.lines.of(page.headers["X-Request-Id"])[0]["session"]["id"]
        lines = [
            line for line in demo.lines.all() if line["kind"] == "sign-out" and line["cause"] == "used_by_two_clients"
        ]
        assert [line["session"] for line in lines].count(session) == 1
    await told(demo, url)


async def test_a_browser_that_was_updated_is_asked_once(demo: House) -> None:
    """Likewise a laptop that enters or leaves its employer's TLS inspection. Every host goes on, and nothing else changes."""
    url, other = demo.url("dossier"), demo.url("guidance")
    async with person(demo.ca) as an:
        await signed_in(an, demo, url)
        await an.get(other)
        async with elsewhere(demo, an.session.cookie_jar) as updated:
            page = await updated.get(url)
            assert page.url.path == "/step-up"
            done = await updated.fill_in(page, {"password": demo.person(WHO)["password"], "code": ""})
            assert (done.status, str(done.url)) == (200, url)
            for again in (url, other, url, f"https://portal.localhost:{demo.port}/applications"):
                assert (await updated.get(again)).url.path == URL(again).path


async def test_inspection_of_one_host_alone_asks_nothing(demo: House) -> None:
    """An employer inspects what its list says: the portal's TLS is then another than the transaction's, all the time."""
    url = demo.url("dossier")
    async with person(demo.ca) as direct, elsewhere(demo, direct.session.cookie_jar) as inspected:
        challenge = await inspected.get(url, allow_redirects=False)
        page = await direct.get(challenge.headers["Location"])
        form = await page.text()
        assert page.url.path == "/sign-in"
        assert form
        sent = await direct.fill_in(page, {"user_id": WHO, "password": demo.person(WHO)["password"], "code": ""}, allow_redirects=False)  # fmt: skip
        entered = await inspected.get(sent.headers["Location"])
        assert (entered.status, str(entered.url)) == (200, url)
        assert (await inspected.get(url)).url == URL(url)
        # It is taken off the list: the host's cookie goes over to the browser itself without a question, since the portal knows that one.
        gone_over = await direct.get(url)
        assert (gone_over.status, str(gone_over.url)) == (200, url)


# --- evidence ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def strict(house: Callable[..., House]) -> House:
    """No time in which an authentication answers all doubt, and a small burst."""
    return house(settings={"evidence": {"answered": 0, "pace": 1, "burst": 40}})


async def test_evidence_asks_and_is_answered(strict: House) -> None:
    url = strict.url("dossier")
    with strict.demo():
        async with person(strict.ca) as an:
            await signed_in(an, strict, url)
            # The same client, without what a browser of this name always sends.
            bare = await an.session.get(url, headers=NO_METADATA, allow_redirects=False)
            line = strict.lines.one(bare.headers["X-Request-Id"])
            assert (bare.status, line["reason"], line["clause"]) == (303, "doubtful_client", "B1")
            assert (line["evidence"]["score"], line["evidence"]["parts"]) == (100.0, {"no_fetch_metadata": 100.0})
            asked = await an.get(url)
            assert asked.url.path == "/step-up"
            done = await an.fill_in(asked, {"password": strict.person(WHO)["password"], "code": ""})
            assert (done.status, str(done.url)) == (200, url)
            again = await an.get(url)
            assert (again.status, str(again.url)) == (200, url)
            words = ("--person", WHO, "--transaction", "dossier", "--evidence", bare.headers["X-Request-Id"])
            shown = strict.run("explain", *words, "--json")
            said = json.loads(shown.stdout)
            assert (shown.returncode, said["reason"], said["evidence"]["score"]) == (1, "doubtful_client", 100.0)


async def test_too_fast_is_told_when_to_come_back(strict: House) -> None:
    url = strict.url("dossier")
    with strict.demo():
        async with person(strict.ca) as an:
            await signed_in(an, strict, url)
            answers = [await an.fetch(f"{url}search") for _ in range(50)]
            refused = [one for one in answers if one.status == 429]
            assert 5 <= len(refused) <= 12
            assert all(one.headers["Retry-After"] == "1" for one in refused)
            line = strict.lines.one(refused[0].headers["X-Request-Id"])
            assert (line["reason"], line["clause"], line["too_fast"]) == ("too_fast", "B1", ["dossier"])
            page = await an.get(url)
            assert page.status == 429
            assert "Too many requests at once" in await page.text()
            await asyncio.sleep(1.1)
            assert (await an.get(url)).status == 200


# --- what keeps a session alive ----------------------------------------------------------------------------------------------


async def test_only_a_persons_acts_keep_a_session_alive(demo: House) -> None:
    url = demo.url("dossier")

    async def last_seen(an: Person, make: Callable[[], Any]) -> float:
        """The session's last act after what `make` does, as the next line tells it."""
        await make()
        told = await an.fetch(url)
        return float(demo.lines.of(told.headers["X-Request-Id"])[0]["last_seen"])

    async with person(demo.ca) as an:
        await signed_in(an, demo, url)
        before = await last_seen(an, lambda: asyncio.sleep(0))
        websocket = await an.session.ws_connect(f"{url}live", headers={"Origin": origin_of(url)})
        await websocket.send_str("ping")
        await websocket.close()
        for idle in (
            lambda: an.fetch(url),
            lambda: an.fetch(f"{url}events"),
            lambda: an.fetch(f"{url}search", method="POST", data={"query": "x"}, headers={"Sec-Fetch-Mode": "no-cors"}),
            lambda: an.get(url, headers={"Sec-Fetch-Site": "same-origin", "Referer": url, "Sec-Fetch-User": ""}),
        ):
            assert await last_seen(an, idle) == before
        for act in (
            lambda: an.get(url),
            lambda: an.fetch(f"{url}search", method="POST", data={"query": "x"}),
            lambda: an.submit(f"{url}search", {"query": "x"}),
        ):
            after = await last_seen(an, act)
            assert after > before
            before = after
