"""The code card: after the password a second page asks for the code of one number, once; at sign-in and at step-up."""

from __future__ import annotations

import hashlib
import re
from functools import cache

import pytest

from gateway.credentials import code_card
from gateway.credentials.peppered import Pepper
from gateway.credentials.totp import code_at, step_at
from gateway.portal.hashing import Busy, HashingPool
from tests.portal.conftest import (
    DOSSIER,
    MINUTE,
    NOW,
    OFFICIAL,
    PASSWORD,
    PENSION,
    PORTAL,
    SESSION,
    TOTP_SECRET,
    Answer,
    Browser,
    World,
)

CARD = f"https://{PORTAL}/code-card"
CODES = code_card.make_codes(hashlib.shake_256(b"a card").digest(code_card.CARD_BYTES))


@cache
def stored(user_id: str) -> bytes:
    """Hashed once: every world has the same records key."""
    pepper = Pepper(b"r" * 32)
    hashes = [code_card.hash_code(pepper, user_id, number, code, b"0" * 16) for number, code in enumerate(CODES, 1)]
    return code_card.write_stored(hashes)


async def give_card(world: World, user_id: str = "dupont01", at: float = NOW - MINUTE) -> None:
    await world.records.set_code_card(user_id, stored(user_id), OFFICIAL, at)


def number_on(page: Answer) -> int:
    found = re.fullmatch(r"Code number ([0-9]+), please", page.page.one("h1").text)
    assert found is not None
    return int(found[1])


async def asked(browser: Browser, user_id: str = "dupont01", start: str = "", code: str = "") -> Answer:
    answer = await browser.sign_in(user_id, start=start, code=code)
    assert answer.status == 303
    assert answer.location.startswith("/code-card?key=")
    return await browser.follow(answer)


async def answered(browser: Browser, page: Answer, code: str) -> Answer:
    (key,) = re.findall(r'name="key" value="([^"]+)"', page.text)
    return await browser.post(CARD, {"csrf": page.csrf, "key": key, "card_code": code})


async def failures(world: World, user_id: str = "dupont01") -> int:
    login = await world.records.find_login(user_id)
    assert login is not None
    return (await world.records.lockout(login)).failures


async def test_the_right_code_opens_a_session_by_token_and_leads_where_the_person_was_going(world: World) -> None:
    await give_card(world)
    browser = world.browser()
    start = browser.challenged(PENSION, "/pension/list")
    page = await asked(browser, start=start)
    assert SESSION not in browser.jar[PORTAL]
    assert await world.records.sessions_of("dupont01") == []
    typed = f" {CODES[number_on(page) - 1][:3].lower()}-{CODES[number_on(page) - 1][3:]} "
    answer = await answered(browser, page, typed)
    assert answer.status == 303
    (session,) = await world.records.sessions_of("dupont01")
    assert session.means == "token"
    assert [line["reason"] for line in world.lines("sign-in")] == ["card_asked", "signed_in"]
    assert [line["verdict"] for line in world.lines("sign-in")] == ["challenge", "permit"]
    assert set(await world.records.means_used("dupont01")) == {"password", "code_card"}
    landed = await browser.follow(await browser.accept(answer))
    assert landed.url == f"https://{PENSION}/pension/list"


async def test_a_wrong_code_is_a_counted_failure_and_the_next_number_is_another_one(world: World) -> None:
    await give_card(world)
    browser = world.browser()
    page = await asked(browser)
    assert await failures(world) == 0
    first = number_on(page)
    wrong = await answered(browser, page, CODES[first % 24])  # the code of another number
    assert wrong.status == 403
    assert wrong.page.one("h1").text == "Sign in"
    assert f"not the code beside number {first} of your card" in wrong.page.words
    assert world.lines("sign-in")[-1]["reason"] == "card_code_wrong"
    assert await failures(world) == 1
    assert (await answered(browser, page, CODES[first - 1])).status == 410  # one try
    assert number_on(await asked(browser)) != first
    assert await failures(world) == 1


async def test_asking_again_gives_the_same_number_and_one_try_ends_it_on_every_page(world: World) -> None:
    await give_card(world)
    one, other = world.browser(), world.browser()
    page, same = await asked(one), await asked(other)
    number = number_on(page)
    assert number_on(same) == number
    assert (await answered(one, page, CODES[number - 1])).status == 303
    assert (await answered(other, same, CODES[number - 1])).status == 410
    assert len(await world.records.sessions_of("dupont01")) == 1


async def test_no_number_comes_again_before_all_were_used(world: World) -> None:
    await give_card(world)
    numbers = []
    for _ in range(24):
        browser = world.browser()
        page = await asked(browser)
        numbers.append(number_on(page))
        assert (await answered(browser, page, CODES[numbers[-1] - 1])).status == 303
    assert sorted(numbers) == list(code_card.NUMBERS)


async def test_what_can_be_no_code_of_a_card_is_told_and_costs_no_try(world: World) -> None:
    await give_card(world)
    browser = world.browser()
    page = await asked(browser)
    for typed, told in (
        ("", "Fill in the code that stands beside this number"),
        ("123 456", "This looks like a code of the app"),
        ("ABC", "A code of the card has six letters and digits"),
    ):
        again = await answered(browser, page, typed)
        assert again.status == 422
        assert told in again.page.by_id("card_code-error").text
        assert again.page.by_id("card_code").attributes["aria-invalid"] == "true"
    assert await failures(world) == 0
    assert (await answered(browser, page, CODES[number_on(page) - 1])).status == 303


async def test_after_five_minutes_or_elsewhere_nothing_is_asked_for(world: World) -> None:
    await give_card(world)
    browser = world.browser()
    page = await asked(browser)
    (key,) = re.findall(r'name="key" value="([^"]+)"', page.text)
    thief = world.browser()
    form = await thief.open_form()
    stolen = await thief.post(CARD, {"csrf": form.csrf, "key": key, "card_code": CODES[number_on(page) - 1]})
    assert stolen.status == 410
    assert (await browser.get(f"{CARD}?key=x")).status == 410
    assert (await browser.get(f"{CARD}?key={key}")).status == 200
    foreign = await browser.post(CARD, {"csrf": "0" * 64, "key": key, "card_code": CODES[number_on(page) - 1]})
    assert foreign.status == 403
    world.clock.now += 5 * MINUTE
    assert (await answered(browser, page, CODES[number_on(page) - 1])).status == 410
    assert await world.records.sessions_of("dupont01") == []


async def test_guesses_at_codes_wait_and_the_number_stays_asked(world: World) -> None:
    """Who knows the password gets no codes to guess without end: failures add up until a whole sign-in is right."""
    await give_card(world)
    for count in range(1, 4):
        browser = world.browser()
        page = await asked(browser)
        await answered(browser, page, CODES[number_on(page) % 24])
        assert await failures(world) == count
    refused = await world.browser().sign_in("dupont01")
    assert "You can try again at" in refused.page.words
    world.clock.now += 6
    browser = world.browser()
    page = await asked(browser)
    await world.browser().sign_in("dupont01", "wrong")  # somebody else: now there is a wait
    waiting = await answered(browser, page, CODES[number_on(page) - 1])
    assert (waiting.status, number_on(waiting)) == (403, number_on(page))
    assert "You can try again at" in waiting.page.words
    assert world.lines("sign-in")[-1]["reason"] == "locked_out"
    world.clock.now += 16
    assert (await answered(browser, page, CODES[number_on(page) - 1])).status == 303
    assert await failures(world) == 0


async def test_who_has_both_may_use_either(world: World) -> None:
    await give_card(world, "jansen01")
    code = code_at(TOTP_SECRET, step_at(NOW))
    assert (await world.browser().sign_in(code=code)).location == "/regulation"
    assert number_on(await asked(world.browser(), "jansen01")) in code_card.NUMBERS
    wrong = await world.browser().sign_in(code="000000")
    assert wrong.status == 403
    assert world.lines("sign-in")[-1]["reason"] == "code_wrong"


async def test_a_code_of_an_app_that_the_person_does_not_have_changes_nothing(world: World) -> None:
    await give_card(world)
    assert number_on(await asked(world.browser(), code="123456")) in code_card.NUMBERS


async def test_a_wrong_password_shows_nothing_of_a_card(world: World) -> None:
    await give_card(world)
    with_card = await world.browser().sign_in("dupont01", "wrong")
    without = await world.browser().sign_in("nobody01", "wrong")
    assert (with_card.status, with_card.page.by_id("errors").text) == (403, without.page.by_id("errors").text)


@pytest.mark.parametrize("change", ["card", "password"])
async def test_what_was_replaced_meanwhile_lets_nobody_in(world: World, change: str) -> None:
    await give_card(world)
    browser = world.browser()
    page = await asked(browser)
    world.clock.now += 1
    if change == "card":
        await give_card(world, at=NOW + 1)
    else:
        login = await world.records.find_login("dupont01")
        assert login is not None
        assert login.password_hash is not None
        await world.records.set_password("dupont01", login.password_hash, OFFICIAL, NOW + 1, alone=True)
    answer = await answered(browser, page, CODES[number_on(page) - 1])
    assert answer.status in (403, 410)
    assert await world.records.sessions_of("dupont01") == []


async def test_a_user_id_that_was_blocked_meanwhile_is_let_in_no_more(world: World) -> None:
    await give_card(world)
    browser = world.browser()
    page = await asked(browser)
    await world.records.block_user_id("dupont01", OFFICIAL, NOW)
    assert (await answered(browser, page, CODES[number_on(page) - 1])).status == 403
    assert world.lines("sign-in")[-1]["reason"] == "user_id_blocked"


async def test_a_rush_costs_no_try(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await give_card(world)
    browser = world.browser()
    page = await asked(browser)

    def full(self: HashingPool, network: str) -> None:
        raise Busy("full")

    with monkeypatch.context() as patched:
        patched.setattr(HashingPool, "take_place", full)
        answer = await answered(browser, page, CODES[number_on(page) - 1])
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (await answered(browser, page, CODES[number_on(page) - 1])).status == 303


# --- step-up


async def test_a_card_raises_a_session_and_leads_back(world: World) -> None:
    await give_card(world)
    browser = world.browser()
    page = await asked(browser)
    await browser.accept(await answered(browser, page, CODES[number_on(page) - 1]))
    start = browser.challenged(DOSSIER, "/dossier/", "doubtful_client")
    world.clock.now += 1
    form = await browser.get(f"https://{PORTAL}/step-up?start={start}")
    assert not [field for field in form.page.all("input") if field.attributes["name"] == "code"]
    assert "Have your code card at hand" in form.page.words
    answer = await browser.post(f"https://{PORTAL}/step-up", {"csrf": form.csrf, "start": start, "password": PASSWORD})
    page = await browser.follow(answer)
    wrong = await answered(browser, page, CODES[number_on(page) % 24])
    assert (wrong.status, wrong.page.one("h1").text) == (403, form.page.one("h1").text)
    assert f'name="start" value="{start}"' in wrong.text
    answer = await browser.post(f"https://{PORTAL}/step-up", {"csrf": wrong.csrf, "start": start, "password": PASSWORD})
    page = await browser.follow(answer)
    done = await answered(browser, page, CODES[number_on(page) - 1])
    assert (await browser.follow(done)).url == f"https://{DOSSIER}/dossier/"
    assert world.lines("sign-in")[-1]["reason"] == "stepped_up"
    assert world.lines("sign-in")[-1]["step_up"] is True
    newest, before = await world.records.sessions_of("dupont01")
    assert (newest.means, before.ended_reason) == ("token", "renewed")


async def test_a_challenge_of_a_session_that_ended_is_over(world: World) -> None:
    await give_card(world)
    browser = world.browser()
    page = await asked(browser)
    await browser.accept(await answered(browser, page, CODES[number_on(page) - 1]))
    start = browser.challenged(DOSSIER, "/dossier/", "doubtful_client")
    world.clock.now += 1
    form = await browser.get(f"https://{PORTAL}/step-up?start={start}")
    fields = {"csrf": form.csrf, "start": start, "password": PASSWORD}
    page = await browser.follow(await browser.post(f"https://{PORTAL}/step-up", fields))
    await world.records.end_sessions_of("dupont01", "test", "shell")
    assert (await answered(browser, page, CODES[number_on(page) - 1])).status == 410
