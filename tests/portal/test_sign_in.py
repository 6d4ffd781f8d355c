"""Sign-in: from the form to a session, and every way in which it is refused."""

from __future__ import annotations

import asyncio

import pytest

from gateway.credentials.totp import code_at, step_at
from gateway.errors import LedgerError
from gateway.portal import attempts
from gateway.portal.hashing import Busy, HashingPool
from tests.portal.conftest import (
    DOSSIER,
    HOUR,
    NOW,
    PASSWORD,
    PENSION,
    PORTAL,
    SESSION,
    TOTP_SECRET,
    Answer,
    Browser,
    World,
)

SIGN_IN = f"https://{PORTAL}/sign-in"


def code(now: float = NOW) -> str:
    return code_at(TOTP_SECRET, step_at(now))


async def test_a_password_opens_a_session_and_the_line_names_it(world: World) -> None:
    browser = world.browser()
    answer = await browser.sign_in()
    assert (answer.status, answer.location) == (303, "/regulation")
    (cookie,) = [cookie for cookie in answer.cookies if cookie.startswith(SESSION) and "Max-Age=0" not in cookie]
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; ")[1:])
    assert "Domain" not in cookie
    assert len(browser.jar[PORTAL][SESSION]) == 43
    (session,) = await world.records.sessions_of("jansen01")
    assert (session.means, session.auth_time, session.expires_at) == ("password", NOW, NOW + 10 * HOUR)
    (line,) = world.lines("sign-in")
    assert (line["verdict"], line["reason"], line["means"], line["session"]) == (
        "permit",
        "signed_in",
        "password",
        session.id,
    )


async def test_a_code_makes_the_means_token_and_is_good_once(world: World) -> None:
    assert (await world.browser().sign_in(code=code())).status == 303
    (session,) = await world.records.sessions_of("jansen01")
    assert session.means == "token"
    again = await world.browser().sign_in(code=code())
    assert again.status == 403
    assert world.lines("sign-in")[-1]["reason"] == "code_used"


@pytest.mark.parametrize(
    ("user_id", "password", "given", "reason"),
    [
        ("jansen01", "wrong", "", "password_wrong"),
        ("jansen01", PASSWORD, "000000", "code_wrong"),
        ("dupont01", PASSWORD, "000000", "code_unknown"),
        ("nobody01", PASSWORD, "", "unknown_user_id"),
        ("jansen01'--", PASSWORD, "", "unknown_user_id"),
    ],
)
async def test_every_failure_looks_alike_and_leaves_its_line(
    world: World, user_id: str, password: str, given: str, reason: str
) -> None:
    browser = world.browser()
    answer = await browser.sign_in(user_id, password, given)
    assert answer.status == 403
    assert SESSION not in browser.jar[PORTAL]
    (line,) = world.lines("sign-in")
    assert (line["verdict"], line["reason"], line["session"]) == ("deny", reason, None)
    other = await world.browser().sign_in("somebody99", "something else entirely")
    assert answer.page.by_id("errors").text == other.page.by_id("errors").text


async def test_a_known_and_an_unknown_user_id_wait_alike(world: World) -> None:
    shown: dict[str, list[tuple[int, str]]] = {}
    for user_id in ("jansen01", "nobody01"):
        world.clock.now = NOW
        answers = []
        for _ in range(6):
            answer = await world.browser().sign_in(user_id, "wrong")
            answers.append((answer.status, answer.page.by_id("errors").text))
            world.clock.now += 1
        shown[user_id] = answers
    assert shown["jansen01"] == shown["nobody01"]
    assert "You can try again at" in shown["jansen01"][-1][1]


async def test_during_a_wait_the_right_password_is_not_even_looked_at_and_after_it_it_works(world: World) -> None:
    for _ in range(3):
        await world.browser().sign_in(password="wrong")
    early = await world.browser().sign_in()
    assert early.status == 403
    assert world.lines("sign-in")[-1]["reason"] == "locked_out"
    assert "You can try again at 10:00:06 (in 5 seconds)" in early.page.words
    world.clock.now += 6
    assert (await world.browser().sign_in()).status == 303


async def test_parallel_guesses_are_counted_like_any_others(world: World) -> None:
    browsers = [world.browser() for _ in range(12)]
    answers = await asyncio.gather(*(browser.sign_in(password="wrong") for browser in browsers))
    assert all(answer.status == 403 for answer in answers)
    reasons = [line["reason"] for line in world.lines("sign-in")]
    assert reasons.count("password_wrong") == 3
    assert reasons.count("locked_out") == 9


async def test_each_empty_field_is_told_at_the_field(world: World) -> None:
    browser = world.browser()
    form = await browser.open_form()
    answer = await browser.post(SIGN_IN, {"csrf": form.csrf, "user_id": "", "password": "", "code": "12"})
    assert answer.status == 422
    for field in ("user_id", "password", "code"):
        given = answer.page.by_id(field).attributes
        assert given["aria-invalid"] == "true"
        assert f"{field}-error" in (given["aria-describedby"] or "").split()
        assert answer.page.by_id(f"{field}-error").text
    assert {"href": "#password"} in [link.attributes for link in answer.page.all("a")]
    assert not world.lines("sign-in")


async def test_another_language_after_a_slip_still_leads_where_the_person_was_going(world: World) -> None:
    browser = world.browser()
    start = browser.challenged(DOSSIER, "/dossier/list?q=a%26b")
    form = await browser.get(f"{SIGN_IN}?start={start}")
    wrong = await browser.post(SIGN_IN, {"csrf": form.csrf, "start": start, "user_id": "", "password": "", "code": ""})
    (link,) = [a.attributes["href"] for a in wrong.page.all("a") if a.attributes.get("hreflang") == "fr"]
    switched = await browser.follow(await browser.get(f"https://{PORTAL}{link}"))
    assert switched.url == f"{SIGN_IN}?start={start}"
    assert f'name="start" value="{start}"' in switched.text


async def test_what_was_typed_comes_back_but_never_the_password(world: World) -> None:
    answer = await world.browser().sign_in('x"><script>', "a secret <that> nobody sees")
    assert answer.page.by_id("user_id").attributes["value"] == 'x"><script>'
    assert answer.page.by_id("password").attributes["value"] == ""
    assert "nobody sees" not in answer.text
    assert not answer.page.all("script")


async def test_a_form_of_another_browser_is_not_taken(world: World) -> None:
    foreign = await world.browser().open_form()
    browser = world.browser()
    await browser.open_form()
    for token in (foreign.csrf, "", "x" * 64):
        answer = await browser.post(SIGN_IN, {"csrf": token, "user_id": "jansen01", "password": PASSWORD})
        assert answer.status == 403
        assert "another browser" in answer.page.words
    assert not world.lines("sign-in")


async def test_signing_in_again_ends_the_session_that_the_browser_had(world: World) -> None:
    browser = world.browser()
    await browser.sign_in()
    first = browser.jar[PORTAL][SESSION]
    form = await browser.follow(await browser.get(f"https://{PORTAL}/regulation"))
    assert form.status == 200
    blank = world.browser()
    blank.jar[PORTAL] = {SESSION: first}
    page = await blank.get(f"https://{PORTAL}/sign-out")
    answer = await blank.post(SIGN_IN, {"csrf": page.csrf, "user_id": "dupont01", "password": PASSWORD})
    assert answer.status == 303
    assert blank.jar[PORTAL][SESSION] != first
    (ended,) = await world.records.sessions_of("jansen01")
    assert ended.ended_reason == "signed in again"
    assert [line["cause"] for line in world.lines("sign-out")] == ["signed_in_again"]


async def test_a_session_id_that_a_stranger_planted_is_never_used(world: World) -> None:
    browser = world.browser()
    browser.jar[PORTAL] = {SESSION: "A" * 43}
    await browser.sign_in()
    assert browser.jar[PORTAL][SESSION] != "A" * 43
    assert world.records.index.session(b"A" * 32, PORTAL) is None


async def test_without_its_line_no_session_comes_to_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(record: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(world.ledger.admin, "write", fail)
    browser = world.browser()
    answer = await browser.sign_in()
    assert answer.status == 503
    assert "Retry-After" in answer.headers
    assert SESSION not in browser.jar[PORTAL]
    assert await world.records.sessions_of("jansen01") == []


async def test_a_full_queue_asks_to_try_again_and_keeps_the_user_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: HashingPool, network: str) -> None:
        raise Busy("full")

    monkeypatch.setattr(HashingPool, "take_place", full)
    answer = await world.browser().sign_in()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert answer.page.by_id("user_id").attributes["value"] == "jansen01"
    assert "Too many people are signing in" in answer.page.words


async def test_a_blocked_user_id_answers_like_a_wrong_password(world: World) -> None:
    from tests.portal.conftest import OFFICIAL

    await world.records.block_user_id("dupont01", OFFICIAL, NOW)
    blocked = await world.browser().sign_in("dupont01")
    wrong = await world.browser().sign_in("dupont01", "wrong")
    assert (blocked.status, blocked.page.by_id("errors").text) == (403, wrong.page.by_id("errors").text)
    assert world.lines("sign-in")[0]["reason"] == "user_id_blocked"


async def test_a_short_password_needs_its_code(world: World) -> None:
    from gateway.credentials.password import hash_password
    from tests.portal.conftest import OFFICIAL

    await world.records.set_password("jansen01", hash_password("kort maar", b"1" * 16), OFFICIAL, NOW, alone=False)
    assert (await world.browser().sign_in(password="kort maar")).status == 403
    assert world.lines("sign-in")[-1]["reason"] == "code_needed"
    assert (await world.browser().sign_in(password="kort maar", code=code())).status == 303


async def test_a_password_is_hashed_anew_when_the_parameters_have_risen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts.passwords, "needs_rehash", lambda stored: True)
    before = await world.records.find_login("jansen01")
    assert (await world.browser().sign_in()).status == 303
    after = await world.records.find_login("jansen01")
    assert before is not None
    assert after is not None
    assert after.password_hash != before.password_hash
    monkeypatch.undo()
    assert (await world.browser().sign_in()).status == 303


async def test_the_way_back_survives_sign_in_and_its_errors(world: World) -> None:
    browser = world.browser()
    start = browser.challenged(DOSSIER, "/dossier/list?page=2")
    form = await browser.open_form(start)
    assert f"form-action 'self' https://{DOSSIER}:8443;" in form.headers["Content-Security-Policy"]
    wrong = await browser.post(SIGN_IN, {"csrf": form.csrf, "user_id": "jansen01", "password": "no", "start": start})
    assert f'name="start" value="{start}"' in wrong.text
    answer = await browser.sign_in(start=start)
    assert answer.location == f"/regulation?start={start}"
    answer = await browser.accept(answer)
    landed = await browser.follow(answer)
    assert landed.url.endswith("/dossier/list?page=2")


@pytest.mark.parametrize("token", ["x", "A" * 200, "é", "%00"])
async def test_a_way_back_that_is_not_ours_is_told_and_forgotten(world: World, token: str) -> None:
    form = await world.browser().open_form(token)
    assert form.status == 200
    assert "too old" in form.page.words
    assert 'name="start" value=""' in form.text
    assert "form-action 'self';" in form.headers["Content-Security-Policy"]


async def test_an_expired_way_back_leads_to_my_applications(world: World) -> None:
    browser = world.browser()
    start = browser.challenged(DOSSIER, "/dossier/")
    world.clock.now += 601
    assert "too old" in (await browser.open_form(start)).page.words
    assert (await browser.sign_in(start=start)).location == "/regulation"


async def test_who_comes_back_from_an_ended_session_is_told_so(world: World) -> None:
    browser = world.browser()
    start = browser.challenged(DOSSIER, "/dossier/", "session_expired")
    assert "Your session has ended. Sign in again" in (await browser.open_form(start)).page.words


async def test_no_password_code_or_cookie_reaches_the_ledger(world: World) -> None:
    browser = world.browser()
    await browser.sign_in(password="wrong horse battery")
    await browser.sign_in(code=code())
    written = world.ledger_bytes()
    assert b"sign-in" in written
    for secret in (PASSWORD, "wrong horse", code(), browser.jar[PORTAL][SESSION], "jansen01", "85073003328"):
        assert secret.encode() not in written


async def test_the_form_is_scriptable_and_helps_browsers_to_fill_it(world: World) -> None:
    page = (await world.browser().open_form()).page
    fields = {field.attributes["name"]: field.attributes for field in page.all("input")}
    assert {"user_id", "password", "code", "csrf", "start"} == set(fields)
    assert fields["user_id"]["autocomplete"] == "username"
    assert fields["password"]["autocomplete"] == "current-password"
    assert fields["code"]["autocomplete"] == "one-time-code"
    assert page.one("form").attributes["method"] == "post"


async def test_a_form_that_is_too_large_gets_a_page(world: World) -> None:
    browser = world.browser()
    form = await browser.open_form()
    answer = await browser.post(SIGN_IN, {"csrf": form.csrf, "user_id": "x" * 70_000, "password": "x"})
    assert answer.status == 413
    assert answer.page.one("h1").text


async def test_a_capital_in_front_makes_no_other_user_id(world: World) -> None:
    assert (await world.browser().sign_in(" Jansen01 ")).status == 303


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"user_id=\xff\xfe&password=x"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"user_id=x"),
        ("application/x-www-form-urlencoded", b"user_id=%ff%00&user_id=2&csrf=%ed%a0%80"),
        ("application/json", b"{"),
        ("multipart/form-data", b"x"),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=csrf; filename=f\r\n\r\nx\r\n--b--\r\n",
        ),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=csrf\r\nContent-Transfer-Encoding: foo\r\n\r\nx\r\n--b--\r\n",
        ),
    ],
)
async def test_a_body_that_is_no_form_of_ours_gets_a_page_of_the_400s(world: World, kind: str, body: bytes) -> None:
    browser = world.browser()
    await browser.open_form()
    reference, handed = list(world.handed.items())[-1]
    world.handed[reference] = handed
    fields = {"X-Request-Id": reference, "Content-Type": kind}
    async with world.client.post("/sign-in", data=body, headers=fields) as response:
        assert response.status in (400, 403)
        assert "<h1>" in await response.text()
    assert not world.lines("sign-in")


async def test_who_signed_in_in_another_tab_goes_on_from_this_one(world: World) -> None:
    """Its form is of a browser without a session; to fill it in again would end the session that they have just begun."""
    browser = world.browser()
    old = (await browser.open_form()).csrf
    await browser.accept(await browser.sign_in())
    start = browser.challenged(PENSION, "/pension/")
    fields = {"csrf": old, "code": "", "start": start}
    answer = await browser.post(SIGN_IN, {**fields, "user_id": " Jansen01", "password": "whatever it was"})
    assert answer.location.startswith(f"https://{PENSION}:8443/.gateway/enter?code=")
    assert len(await world.records.sessions_of("jansen01")) == 1
    assert (await browser.get(answer.location)).location == "/pension/"
    # Another user ID is a switch, and asked for with a form of this session.
    answer = await browser.post(SIGN_IN, {**fields, "user_id": "dupont01", "password": PASSWORD})
    assert (answer.status, "Nothing was sent on" in answer.page.words) == (403, True)
    assert await world.records.sessions_of("dupont01") == []


async def accepted(world: World, *user_ids: str) -> None:
    for user_id in user_ids:
        other = world.browser()
        await other.accept(await other.sign_in(user_id))
        await world.records.end_sessions_of(user_id, "test", "test")


async def at_once(world: World, browser: Browser, *user_ids: str) -> list[Answer]:
    """The same form, sent for each of them before the browser has a session."""
    form = (await browser.open_form()).csrf
    starts = browser.challenged(DOSSIER, "/dossier/"), browser.challenged(PENSION, "/pension/")
    return await asyncio.gather(
        *(
            browser.post(SIGN_IN, {"csrf": form, "user_id": who, "password": PASSWORD, "code": "", "start": start})
            for who, start in zip(user_ids, starts, strict=True)
        )
    )


async def test_two_user_ids_that_sign_in_at_once_leave_one_session(world: World) -> None:
    await accepted(world, "jansen01", "dupont01")
    browser = world.browser()
    answers = await at_once(world, browser, "jansen01", "dupont01")
    live = await world.records.live_sessions(NOW)
    assert len(live) == 1
    entered = [(await browser.get(answer.location)).status for answer in answers if answer.status == 303]
    assert entered.count(303) == 1
    ended = [line for line in world.lines("sign-out") if line["cause"] == "signed_in_again"]
    assert len(ended) == 1
    assert ended[0]["session"] != live[0].id


async def test_two_clicks_on_sign_in_end_nothing(world: World) -> None:
    """Whichever answer the browser shows, the person is in."""
    await accepted(world, "jansen01")
    browser = world.browser()
    for answer in await at_once(world, browser, "jansen01", "jansen01"):
        assert (await browser.get(answer.location)).status == 303
    assert [line for line in world.lines("sign-out") if line["cause"] == "signed_in_again"] == []


async def test_another_browser_ends_nothing(world: World) -> None:
    for _ in range(2):
        await world.browser().sign_in()
    assert len(await world.records.live_sessions(NOW)) == 2
