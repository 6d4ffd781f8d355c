"""Activation: the letter's code, a password of one's own, the regulation, and the first session."""

from __future__ import annotations

import re
from functools import cache

import pytest

from gateway.credentials import activation
from gateway.credentials.peppered import Pepper
from gateway.portal.hashing import Busy, HashingPool
from gateway.records.pending import PendingSignIns
from tests.portal.conftest import DAY, INSTITUTION, MINUTE, NOW, OFFICIAL, PASSWORD, PORTAL, Answer, Browser, World
from tests.portal.test_methods import NEW, hidden, inside

PAGE = f"https://{PORTAL}/activation"
CODE = activation.make_code(b"7" * activation.CODE_BYTES)
OTHER = activation.make_code(b"8" * activation.CODE_BYTES)


@cache
def stored(user_id: str) -> str:
    return activation.hash_code(Pepper(b"r" * 32), user_id, CODE, b"0" * 16)


async def letter(world: World, user_id: str = "claes01", at: float = NOW - MINUTE) -> None:
    if await world.records.find_login(user_id) is None:
        person = await world.records.add_person("97061812358", "Els Claes", OFFICIAL, NOW - DAY)
        await world.records.add_user_id(user_id, person, INSTITUTION.kbo, "en", OFFICIAL, NOW - DAY)
    await world.records.set_activation(user_id, stored(user_id), OFFICIAL, at)


async def shown(browser: Browser, user_id: str = "claes01", code: str = CODE) -> Answer:
    form = await browser.get(PAGE)
    return await browser.post(PAGE, {"csrf": form.csrf, "user_id": user_id, "activation_code": code})


async def chosen(browser: Browser, page: Answer, new: str = NEW, again: str = NEW) -> Answer:
    fields = {"csrf": page.csrf, "key": hidden(page, "key"), "new_password": new, "new_password_again": again}
    return await browser.post(f"{PAGE}/password", fields)


async def test_a_new_person_goes_from_the_letter_to_the_applications(world: World) -> None:
    await letter(world)
    browser = world.browser()
    page = await browser.follow(await shown(browser, "Claes01 ", f" {activation.grouped(CODE).lower()} "))
    assert page.page.one("h1").text == "Choose your password"
    assert "claes01" in page.page.words
    answer = await chosen(browser, page)
    assert answer.location == "/regulation"
    landed = await browser.follow(await browser.accept(answer))
    assert landed.page.one("h1").text == "My applications"
    (session,) = await world.records.sessions_of("claes01")
    assert session.means == "password"
    assert [line["reason"] for line in world.lines("sign-in")] == ["activation_shown", "signed_in"]
    (act,) = [line for line in world.lines("administration") if line["act"] == "credential add"]
    assert (act["actor"], act["by"]) == ("portal", act["person"])
    assert CODE.encode() not in world.ledger_bytes()
    assert (await world.browser().sign_in("claes01", NEW)).location == "/applications"
    assert set(await world.records.means_used("claes01")) == {"activation", "password"}


async def test_a_code_is_good_once(world: World) -> None:
    await letter(world)
    first, second = world.browser(), world.browser()
    page, late = await first.follow(await shown(first)), await second.follow(await shown(second))
    assert (await chosen(first, page)).status == 303
    assert (await chosen(second, late)).status == 410
    again = await shown(world.browser())
    assert again.status == 403
    assert "was used already" in again.page.words
    assert world.lines("sign-in")[-1]["reason"] == "activation_unknown"


async def test_a_refused_password_does_not_use_the_code_up(world: World) -> None:
    await letter(world)
    browser = world.browser()
    page = await browser.follow(await shown(browser))
    short = await chosen(browser, page, "kort", "kort")
    assert short.status == 422
    assert "at least 15 characters" in short.page.by_id("new_password-error").text
    named = await chosen(browser, page, "elsclaeselsclaes", "elsclaeselsclaes")
    assert "too easy to guess" in named.page.by_id("new_password-error").text
    different = await chosen(browser, page, again="x")
    assert "not the same" in different.page.by_id("new_password_again-error").text
    foreign = await browser.post(f"{PAGE}/password", {"csrf": "0" * 64, "key": hidden(page, "key")})
    assert foreign.status == 403
    assert (await chosen(browser, page)).status == 303


async def test_a_slip_of_the_finger_is_told_and_not_counted(world: World) -> None:
    await letter(world)
    slip = CODE[:-1] + ("2" if CODE[-1] != "2" else "3")
    for code, user_id in ((slip, "claes01"), ("", ""), (CODE[:-1], "claes01")):
        answer = await shown(world.browser(), user_id, code)
        assert answer.status == 422
        assert "There is a slip in this code" in answer.page.by_id("activation_code-error").text
    assert not world.lines("sign-in")


async def test_guesses_wait_like_guesses_at_passwords_and_look_alike(world: World) -> None:
    await letter(world)
    known = [await shown(world.browser(), "claes01", OTHER) for _ in range(4)]
    unknown = [await shown(world.browser(), "nobody01", OTHER) for _ in range(4)]
    without = await shown(world.browser(), "dupont01", OTHER)
    for one, other in zip(known, unknown, strict=True):
        assert (one.status, one.page.by_id("errors").text) == (other.status, other.page.by_id("errors").text)
    assert without.page.by_id("errors").text == known[0].page.by_id("errors").text
    assert "You can try again at" in known[3].page.words
    reasons = [line["reason"] for line in world.lines("sign-in")]
    assert reasons == ["activation_wrong"] * 3 + ["locked_out"] + ["unknown_user_id"] * 3 + ["locked_out"] + [
        "activation_unknown"
    ]
    assert (await shown(world.browser())).status == 403  # the right one, during the wait
    world.clock.now += 6
    assert (await shown(world.browser())).status == 303
    # What was right and not finished is no failure, and forgives none.
    login = await world.records.find_login("claes01")
    assert login is not None
    assert (await world.records.lockout(login)).failures == 3


async def test_the_right_code_too_late_is_told_so(world: World) -> None:
    await letter(world, at=NOW - 15 * DAY)
    answer = await shown(world.browser())
    assert answer.status == 403
    assert "right, but too old" in answer.page.words


async def test_a_blocked_user_id_is_not_opened(world: World) -> None:
    await letter(world)
    await world.records.block_user_id("claes01", OFFICIAL, NOW)
    answer = await shown(world.browser())
    assert answer.status == 403
    assert world.lines("sign-in")[-1]["reason"] == "user_id_blocked"


async def test_a_new_password_is_set_after_the_old_one_was_closed_by_too_many_attempts(world: World) -> None:
    await letter(world, "dupont01")
    login = await world.records.find_login("dupont01")
    assert login is not None
    for _ in range(100):
        world.clock.now += 901
        await world.records.claim_attempt(login, world.clock.now)
    assert (await world.records.lockout(login)).disabled
    await letter(world, "dupont01", world.clock.now)
    world.clock.now += 901
    browser = world.browser()
    page = await browser.follow(await shown(browser, "dupont01"))
    assert (await world.records.lockout(login)).disabled
    assert (await chosen(browser, page)).status == 303
    assert (await world.browser().sign_in("dupont01", NEW)).status == 303


async def test_only_the_browser_that_began_goes_on_and_only_for_a_quarter_of_an_hour(world: World) -> None:
    await letter(world)
    browser = world.browser()
    page = await browser.follow(await shown(browser))
    address = f"{PAGE}/password?key={hidden(page, 'key')}"
    assert (await browser.get(address)).status == 200
    thief = world.browser()
    form = await thief.get(PAGE)
    fields = {"csrf": form.csrf, "key": hidden(page, "key"), "new_password": NEW, "new_password_again": NEW}
    assert (await thief.post(f"{PAGE}/password", fields)).status == 410
    assert (await thief.get(f"{PAGE}/password?key=x")).status == 410
    world.clock.now += 15 * MINUTE
    assert (await browser.get(address)).status == 410
    assert (await world.browser().get(f"{PAGE}/password")).status == 410


async def test_a_foreign_form_and_a_rush_try_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await letter(world)
    browser = world.browser()
    foreign = await browser.post(PAGE, {"csrf": "0" * 64, "user_id": "claes01", "activation_code": CODE})
    assert foreign.status == 403
    page = await browser.follow(await shown(browser))

    def full(self: HashingPool, network: str) -> None:
        raise Busy("full")

    async def no_room(self: PendingSignIns, *_: object) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(HashingPool, "take_place", full)
        assert (await shown(world.browser())).status == 503
        assert (await chosen(browser, page)).status == 503
    with monkeypatch.context() as patched:
        patched.setattr(PendingSignIns, "new_pending", no_room)
        assert (await shown(world.browser())).status == 503
    assert (await chosen(browser, page)).status == 303


async def test_an_app_can_be_added_freshly_after_activation_and_not_later(world: World) -> None:
    await letter(world)
    browser = world.browser()
    page = await browser.follow(await shown(browser))
    await browser.accept(await chosen(browser, page))
    assert (await browser.get(f"https://{PORTAL}/methods/app")).status == 200
    world.clock.now += 16 * MINUTE
    assert (await browser.get(f"https://{PORTAL}/methods/app")).status == 303
    other = await inside(world, "dupont01")
    assert (await other.get(f"https://{PORTAL}/methods/app")).status == 303


async def test_whoever_forgot_their_password_is_told_what_was_done(world: World) -> None:
    await inside(world, "dupont01")
    world.clock.now += DAY
    await letter(world, "dupont01", world.clock.now)
    world.clock.now += MINUTE
    browser = world.browser()
    page = await browser.follow(await shown(browser, "dupont01"))
    told = await browser.follow(await chosen(browser, page))
    assert told.page.one("h1").text == "Your sign-in methods were changed"
    assert re.findall(r"(Activation code|Password) – ([a-z ]+)\b", told.page.words)
    assert (await world.browser().sign_in("dupont01", PASSWORD)).status == 403
