"""The duty officer's pages: for nobody else, suspending and resuming by every scope, and what the person who is stopped sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from gateway.decision.suspensions import Scope
from gateway.errors import RecordsError
from gateway.model import LANGUAGES, GrantedRole, Means
from tests.portal.conftest import KBO, PORTAL, YEAR, Answer, Browser, World
from tests.portal.test_accessibility import faults
from tests.portal.test_administration import add_person, signed_in

PAGE = f"https://{PORTAL}/duty"
INSZ = "98472899765"
KSZ = "ksz"


@dataclass
class Officer:
    """A duty officer of the KSZ at a browser, signed in with their eID."""

    world: World
    browser: Browser

    async def do(self, what: str, reason: str = "origin compromised", **form: str) -> Answer:
        csrf = (await self.browser.get(f"https://{PORTAL}/sign-out")).csrf
        return await self.browser.post(f"{PAGE}/{what}", {"csrf": csrf, "reason": reason, **form})

    async def key(self) -> str:
        [running] = self.world.emergency.running() or []
        return running.entry.key


@pytest.fixture
async def officer(world: World) -> Officer:
    await add_person(world, "duty.officer", INSZ, "Du Ty", KSZ)
    role = GrantedRole("duty_officer", INSZ, KSZ, YEAR, "KSZ/2026/7")
    world.snapshot = replace(world.snapshot, roles={INSZ: (role,)})
    return Officer(world, await signed_in(world, "duty.officer"))


async def test_for_everybody_else_the_pages_do_not_exist(world: World, officer: Officer) -> None:
    somebody = await signed_in(world, "jansen01")
    csrf = (await somebody.get(f"https://{PORTAL}/sign-out")).csrf
    form = {"csrf": csrf, "reason": "x", "scope": "all"}
    nothing = await somebody.get(f"https://{PORTAL}/no-such-page")
    for page in (PAGE, f"{PAGE}/sessions?user_id=dupont01"):
        answer = await somebody.get(page)
        assert (answer.status, answer.page.one("h1").text) == (404, nothing.page.one("h1").text)
    for what in ("suspend", "resume", "sessions"):
        assert (await somebody.post(f"{PAGE}/{what}", form)).status == 404
    world.snapshot = replace(world.snapshot, roles={})
    assert (await officer.do("suspend", scope="all")).status == 404
    assert world.emergency.running() == []
    assert world.lines("administration") == []


@pytest.mark.parametrize("means", [Means.PASSWORD, Means.TOKEN, Means.ITSME])
async def test_with_a_weaker_means_the_eid_is_asked_for(world: World, officer: Officer, means: Means) -> None:
    browser = await signed_in(world, "duty.officer", means)
    answer = await browser.get(PAGE)
    assert (answer.status, answer.location) == (303, "/step-up?page=%2Fduty")
    csrf = (await browser.get(f"https://{PORTAL}/sign-out")).csrf
    refused = await browser.post(f"{PAGE}/suspend", {"csrf": csrf, "reason": "x", "scope": "all"})
    assert refused.status == 403
    assert world.emergency.running() == []


@pytest.mark.parametrize(
    ("scope", "field", "subject"),
    [
        (Scope.ALL, "", ""),
        (Scope.TRANSACTION, "transaction", "dossier"),
        (Scope.INSTITUTION, "institution", KBO),
        (Scope.AUTHORISATION, "authorisation", "24/123"),
        (Scope.PERSON, "person", "jansen01"),
    ],
)
async def test_suspend_and_resume(world: World, officer: Officer, scope: Scope, field: str, subject: str) -> None:
    somebody = await signed_in(world, "jansen01", Means.PASSWORD)
    form = {"scope": scope.value} | ({field: subject} if field else {})
    done = await officer.do("suspend", **form)
    assert done.status == 200
    assert "It is suspended. What was open ends within a second." in done.page.words
    if scope in (Scope.INSTITUTION, Scope.PERSON):
        stopped = await somebody.get(f"https://{PORTAL}/applications")
        assert stopped.challenge is not None
        assert stopped.challenge.reason.code == "suspended_by_ksz"
    page = await officer.browser.get(PAGE)
    assert "origin compromised" in page.page.words
    [running] = world.emergency.running() or []
    assert (running.entry.scope, running.entry.subject, running.by, running.recorded) == (
        scope, subject, "user:duty.officer", True
    )  # fmt: skip
    again = await officer.do("resume", reason="origin rebuilt", key=running.entry.key)
    assert "It is open again." in again.page.words
    assert world.emergency.running() == []
    assert "origin rebuilt" in again.page.words
    lines = world.lines("administration")
    assert [(line["act"], line["actor"], line["reason"]) for line in lines] == [
        ("suspension add", "portal", "origin compromised"),
        ("suspension end", "portal", "origin rebuilt"),
    ]
    if scope is Scope.PERSON:
        assert all(line["person"] is not None for line in lines)
        assert b"jansen01" not in world.ledger_bytes()


async def test_what_another_one_suspends_too_is_not_said_to_be_open(world: World, officer: Officer) -> None:
    for _ in range(2):
        await officer.do("suspend", scope="transaction", transaction="dossier")
    first, second = (each.entry.key for each in world.emergency.running() or [])
    page = await officer.do("resume", key=first)
    assert "It is open again." not in page.page.words
    assert "What it was for is still suspended, by another one that stands below." in page.page.words
    assert "It is open again." in (await officer.do("resume", key=second)).page.words


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "Choose what is to be suspended."),
        ({"scope": "galaxy"}, "Choose what is to be suspended."),
        ({"scope": "all", "reason": " "}, "Say in a few words why"),
        ({"scope": "all", "reason": "x" * 501}, "Say in a few words why"),
        ({"scope": "transaction"}, "What you chose does not exist."),
        ({"scope": "transaction", "transaction": "nonsense"}, "What you chose does not exist."),
        ({"scope": "institution", "institution": "0671516647"}, "What you chose does not exist."),
        ({"scope": "authorisation", "authorisation": "99/1"}, "What you chose does not exist."),
        ({"scope": "person", "person": ""}, "What you chose does not exist."),
        ({"scope": "person", "person": "nobody99"}, "What you chose does not exist."),
    ],
)
async def test_what_cannot_be_is_said_and_nothing_is_suspended(
    world: World, officer: Officer, form: dict[str, str], said: str
) -> None:
    answer = await officer.do("suspend", **form)
    assert answer.status == 422
    assert said in answer.page.words
    assert world.emergency.running() == []
    assert world.lines("administration") == []


async def test_a_form_of_another_session_does_nothing(world: World, officer: Officer) -> None:
    for what in ("suspend", "resume", "sessions"):
        form = {"csrf": "0" * 64, "reason": "x", "scope": "all", "key": "x", "user_id": "jansen01"}
        assert (await officer.browser.post(f"{PAGE}/{what}", form)).status == 403
    assert world.emergency.running() == []


async def test_who_comes_second_is_told(world: World, officer: Officer) -> None:
    await officer.do("suspend", scope="all")
    key = await officer.key()
    assert (await officer.do("resume", key=key)).status == 200
    second = await officer.do("resume", key=key)
    assert (second.status, "It has ended already." in second.page.words) == (409, True)
    assert (await officer.do("resume", reason="", key=key)).status == 422


async def test_a_switch_that_cannot_be_read_suspends_everything_and_says_so(world: World, officer: Officer) -> None:
    (world.directory / "suspensions" / "notes.txt").write_text("x")
    page = await officer.browser.get(PAGE)
    assert "What is suspended cannot be read on this machine" in page.page.words
    assert world.suspensions[-1].everything is not None


async def test_sessions_of_a_user_id_are_seen_and_ended(world: World, officer: Officer) -> None:
    somebody = await signed_in(world, "jansen01", Means.PASSWORD)
    page = await officer.browser.get(f"{PAGE}/sessions?user_id=jansen01")
    assert "End all of them" in page.page.words
    assert "An Jansen" not in page.page.words
    assert (await officer.do("sessions", reason="", user_id="jansen01")).status == 422
    ended = await officer.do("sessions", reason="laptop stolen", user_id="jansen01")
    assert "All sessions of this user ID have ended" in ended.page.words
    gone = await somebody.get(f"https://{PORTAL}/applications")
    assert gone.challenge is not None
    assert gone.challenge.reason.code == "session_revoked"
    assert [line["act"] for line in world.lines("administration")] == ["session end"]
    assert world.lines("administration")[0]["institution"] == KBO
    unknown = await officer.do("sessions", user_id="jansen02")
    assert (unknown.status, "This user ID does not exist." in unknown.page.words) == (422, True)
    typed = await officer.browser.get(f"{PAGE}/sessions?user_id=%20Jansen01")
    assert "jansen01" in typed.page.words
    nobody = await officer.browser.get(f"{PAGE}/sessions?user_id=nobody99")
    assert "This user ID is signed in nowhere." in nobody.page.words


async def test_the_pages_keep_their_promises(world: World, officer: Officer) -> None:
    """Structure and labels, in every language; what was typed is kept when something was wrong."""
    await officer.do("suspend", scope="transaction", transaction="dossier")
    for language in LANGUAGES:
        officer.browser.fields["Accept-Language"] = language
        for page in (PAGE, f"{PAGE}/sessions?user_id=jansen01"):
            answer = await officer.browser.get(page)
            assert answer.status == 200
            assert faults(answer.page, language) == []
    wrong = await officer.do("suspend", scope="person", person="nobody99", reason="because of <this>")
    assert "nobody99" in wrong.text
    assert "because of &lt;this&gt;" in wrong.text


async def test_what_was_done_is_said_though_the_register_is_gone_by_then(
    world: World, officer: Officer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch has it, so it holds; a page that said "nothing was done" would be the opposite of the truth."""
    csrf = (await officer.browser.get(f"https://{PORTAL}/sign-out")).csrf

    async def gone(*_: object) -> None:
        raise RecordsError("away")

    for question in ("add_suspension", "past_suspensions"):
        monkeypatch.setattr(world.records, question, gone)
    form = {"csrf": csrf, "reason": "origin compromised", "scope": "all"}
    done = await officer.browser.post(f"{PAGE}/suspend", form)
    assert (done.status, "the register could not be reached" in done.page.words) == (200, True)
    [running] = world.emergency.running() or []
    assert (running.entry.scope, running.recorded) == (Scope.ALL, False)
    monkeypatch.undo()
    monkeypatch.setattr(world.records, "running_suspensions", gone)
    await world.emergency.bring_together()
    kept = await officer.do("resume", key=running.entry.key)
    assert (kept.status, "so it stays suspended" in kept.page.words) == (503, True)
    assert world.emergency.running() != []
