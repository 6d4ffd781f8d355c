"""Step-up: the page says what would do, and what does leads on."""

from __future__ import annotations

from dataclasses import replace

from gateway.credentials.totp import code_at, step_at
from gateway.model import Means
from tests.portal.conftest import DOSSIER, HOUR, PASSWORD, PENSION, PORTAL, SESSION, TOTP_SECRET, Answer, Browser, World

URL = f"https://{PORTAL}/step-up"


async def signed_in(world: World, user_id: str = "jansen01") -> Browser:
    browser = world.browser()
    await browser.accept(await browser.sign_in(user_id))
    return browser


async def opened(browser: Browser, host: str, target: str, reason: str = "means_too_weak") -> tuple[str, Answer]:
    start = browser.challenged(host, target, reason)
    return start, await browser.get(f"{URL}?start={start}")


async def test_a_code_raises_the_session_and_leads_back(world: World) -> None:
    browser = await signed_in(world)
    old = browser.jar[PORTAL][SESSION]
    start, page = await opened(browser, PENSION, "/pension/list")
    assert "Pension rights" in page.page.words
    assert "official's token (app or code card), or electronic identity card (eID)" in page.page.words
    asked = [field.attributes["name"] for field in page.page.all("input") if "required" in field.attributes]
    assert asked == ["password", "code"]  # both are needed here, and a screen reader says so
    fields = {
        "csrf": page.csrf,
        "start": start,
        "password": PASSWORD,
        "code": code_at(TOTP_SECRET, step_at(world.clock.now)),
    }
    answer = await browser.post(URL, fields)
    assert answer.status == 303
    assert browser.jar[PORTAL][SESSION] != old
    newest, before = await world.records.sessions_of("jansen01")
    assert {newest.means, before.means} == {"token", "password"}
    line = world.lines("sign-in")[-1]
    assert (line["verdict"], line["reason"], line["step_up"]) == ("permit", "stepped_up", True)
    landed = await browser.follow(answer)
    assert landed.url.endswith("/pension/list")


async def test_where_only_the_eid_would_do_the_page_says_so_and_who_can_help(world: World) -> None:
    browser = await signed_in(world)
    _, page = await opened(browser, PENSION, "/careers/")
    assert "You cannot open this transaction now" in page.page.words
    assert "helpdesk@hulpkas.example" in page.page.words
    assert "ABCD-EFGH-JKMN-PQRS-T" in page.page.words
    assert not [form for form in page.page.all("form") if form.attributes["action"] == "/step-up"]
    assert [a.attributes["href"] for a in page.page.all("a") if "button" in (a.attributes.get("class") or "")] == [
        "/applications"
    ]


async def test_who_has_no_app_is_told_to_ask_for_one(world: World) -> None:
    browser = await signed_in(world, "dupont01")
    _, page = await opened(browser, PENSION, "/pension/")
    assert (
        "Ask the local administrator of your institution for an official's token, a code card or a code by app"
        in page.page.words
    )


async def test_an_old_authentication_is_renewed_by_the_password_alone(world: World) -> None:
    browser = await signed_in(world)
    for _ in range(17):
        world.clock.now += HOUR / 2 - 60
        await browser.get(f"https://{PORTAL}/applications")
    start, page = await opened(browser, DOSSIER, "/dossier/", "authentication_too_old")
    assert "You signed in too long ago" in page.page.words
    assert not [field for field in page.page.all("input") if field.attributes["name"] == "code"]
    answer = await browser.post(URL, {"csrf": page.csrf, "start": start, "password": PASSWORD})
    assert answer.status == 303


async def test_a_doubt_says_what_may_have_caused_it(world: World) -> None:
    """Not what moves a session: an update, or another network, gives no evidence of a program."""
    browser = await signed_in(world)
    _, page = await opened(browser, DOSSIER, "/dossier/", "doubtful_client")
    assert "looks more like a program" in page.page.words
    assert "An extension, a privacy setting or the network of your office" in page.page.words
    assert "an update of your browser" not in page.page.words


async def test_a_confirmation_never_lowers_the_means(world: World) -> None:
    browser = world.browser()
    await browser.accept(await browser.sign_in(code=code_at(TOTP_SECRET, step_at(world.clock.now))))
    for _ in range(17):
        world.clock.now += HOUR / 2 - 60
        await browser.get(f"https://{PORTAL}/applications")
    start, page = await opened(browser, DOSSIER, "/dossier/", "authentication_too_old")
    assert [field for field in page.page.all("input") if field.attributes["name"] == "code"]
    answer = await browser.post(URL, {"csrf": page.csrf, "start": start, "password": PASSWORD})
    assert answer.status == 422
    assert "Fill in the code that your app shows." in answer.page.words


async def test_another_language_after_a_slip_leads_on_to_where_the_person_was_going(world: World) -> None:
    """The page that says what was wrong is an answer to a POST, whose address has no `start`: its language links have it."""
    browser = await signed_in(world)
    start, page = await opened(browser, PENSION, "/pension/list")
    wrong = await browser.post(URL, {"csrf": page.csrf, "start": start, "password": "", "code": ""})
    assert wrong.status == 422
    (link,) = [a.attributes["href"] for a in wrong.page.all("a") if a.attributes.get("hreflang") == "fr"]
    switched = await browser.follow(await browser.get(f"https://{PORTAL}{link}"))
    assert f'name="start" value="{start}"' in switched.text
    fields = {
        "csrf": switched.csrf,
        "start": start,
        "password": PASSWORD,
        "code": code_at(TOTP_SECRET, step_at(world.clock.now)),
    }
    assert (await browser.follow(await browser.post(URL, fields))).url.endswith("/pension/list")


async def test_a_wrong_password_here_counts_as_everywhere(world: World) -> None:
    browser = await signed_in(world)
    start, page = await opened(browser, PENSION, "/pension/")
    for _ in range(3):
        answer = await browser.post(URL, {"csrf": page.csrf, "start": start, "password": "wrong", "code": "123456"})
    assert answer.status == 403
    assert "You can try again at" in answer.page.words
    assert (await world.browser().sign_in()).status == 403


async def test_a_slip_names_only_what_was_asked_for(world: World) -> None:
    browser = await signed_in(world)
    for host, target, reason, told in (
        (DOSSIER, "/dossier/", "doubtful_client", "There is a problem The password is not right. "),
        (PENSION, "/pension/", "means_too_weak", "There is a problem The password or the code is not right. "),
    ):
        start = browser.challenged(host, target, reason)
        world.clock.now += 1
        page = await browser.get(f"{URL}?start={start}")
        answer = await browser.post(URL, {"csrf": page.csrf, "start": start, "password": "wrong", "code": "123456"})
        assert told in answer.page.words


async def test_a_form_without_its_token_changes_nothing(world: World) -> None:
    browser = await signed_in(world)
    start, _ = await opened(browser, PENSION, "/pension/")
    answer = await browser.post(URL, {"csrf": "0" * 64, "start": start, "password": PASSWORD, "code": "123456"})
    assert answer.status == 403
    assert len(world.lines("sign-in")) == 1


async def test_what_was_confirmed_in_one_tab_is_not_asked_for_in_another(world: World) -> None:
    browser = await signed_in(world)
    start, page = await opened(browser, PENSION, "/pension/list")
    other, asking = await opened(browser, PENSION, "/pension/list")
    code = code_at(TOTP_SECRET, step_at(world.clock.now))
    fields = {"password": PASSWORD, "code": code}
    await browser.post(URL, {"csrf": page.csrf, "start": start, **fields})
    answer = await browser.post(URL, {"csrf": asking.csrf, "start": other, **fields})
    assert (answer.status, answer.location.split("?")[0]) == (303, f"https://{PENSION}:8443/.gateway/enter")
    assert (await browser.follow(answer)).url.endswith("/pension/list")


async def test_a_form_that_was_not_sent_has_a_step_up_of_its_own(world: World) -> None:
    browser = await signed_in(world)
    page = await browser.get(f"{URL}?transaction=pension&use=consultation")
    assert "Pension rights" in page.page.words
    code = code_at(TOTP_SECRET, step_at(world.clock.now))
    fields = {"csrf": page.csrf, "transaction": "pension", "use": "consultation", "password": PASSWORD, "code": code}
    answer = await browser.post(URL, fields)
    assert answer.status == 200
    assert "Go back to the tab in which you were working" in answer.page.words
    assert (await browser.get(f"https://{PORTAL}/applications")).status == 200
    eid = await browser.get(f"{URL}?transaction=dossier&use=communication")
    assert "You cannot open this transaction now" in eid.page.words


async def test_what_needs_no_step_up_goes_straight_on(world: World) -> None:
    browser = await signed_in(world)
    _, answer = await opened(browser, DOSSIER, "/dossier/")
    assert answer.location.startswith(f"https://{DOSSIER}:8443/.gateway/enter?code=")
    for query in ("", "?start=x", "?transaction=nothing&use=consultation", "?transaction=pension&use=x"):
        assert (await browser.get(f"{URL}{query}")).location == "/applications"


async def test_it_changes_the_means_and_when_and_nothing_that_was_granted(world: World) -> None:
    browser = await signed_in(world)
    before, (old,) = world.records.index.user("jansen01"), await world.records.sessions_of("jansen01")
    world.clock.now += 60
    start, page = await opened(browser, PENSION, "/pension/")
    code = code_at(TOTP_SECRET, step_at(world.clock.now))
    assert (
        await browser.post(URL, {"csrf": page.csrf, "start": start, "password": PASSWORD, "code": code})
    ).status == 303
    ended, new = sorted(await world.records.sessions_of("jansen01"), key=lambda session: session.ended_at is None)
    assert ended.ended_reason == "renewed"
    assert new == replace(old, id=new.id, means=Means.TOKEN, auth_time=world.clock.now)
    assert world.records.index.user("jansen01") == before
    assert before is not None


async def test_nobody_is_asked_twice_for_what_is_fresh(world: World) -> None:
    """One confirmation is enough for every host and transaction, until it is too old for one of them."""
    browser = await signed_in(world)
    start, page = await opened(browser, PENSION, "/pension/list")
    code = code_at(TOTP_SECRET, step_at(world.clock.now))
    done = await browser.post(URL, {"csrf": page.csrf, "start": start, "password": PASSWORD, "code": code})
    assert (await browser.follow(done)).url.endswith("/pension/list")
    for host, target, reason in (
        (PENSION, "/pension/other", "means_too_weak"),
        (DOSSIER, "/dossier/", "authentication_too_old"),
    ):
        start = browser.challenged(host, target, reason)
        answer = await browser.get(f"{URL}?start={start}")
        assert (answer.status, answer.location.split("?")[0]) == (303, f"https://{host}:8443/.gateway/enter")
    assert [row["step_up"] for row in world.lines("sign-in")].count(True) == 1
