"""What is seen of a session's client, and kept of it."""

from __future__ import annotations

import dataclasses as dc

import pytest

from gateway.decision import Agent, ClientEvidence, Connection, Decision, Hello, Rules, Signal
from gateway.model import Channel
from gateway.proxy.agent import Named
from gateway.proxy.evidence import MAX_TRANSACTIONS, Observed, look, note, observed
from gateway.proxy.facts import Sent, read_sent
from gateway.records.values import SessionEntry
from tests.decision.world import NOW, SESSION, WORLD
from tests.message.dialogue import one_request, request
from tests.proxy.test_activity import CHROME, FIREFOX, HOST, LYNX, OLD_SAFARI, SAFARI, WEBSOCKET

LANGUAGE = "Accept-Language: nl-BE,nl;q=0.9"
CHROMIUM = Named(Agent.BROWSER, "chrome", True)
MOZILLA = Named(Agent.BROWSER, "firefox", True)
RULES = Rules(pace=10.0, burst=5.0)


def connection(fingerprint: str | None = "1.3-a-b", *, post_handshake_auth: bool = False) -> Connection:
    hello = None if fingerprint is None else Hello(fingerprint, "TLSv1.3", "http/1.1", HOST, post_handshake_auth)
    return Connection(Channel.USER, "TLSv1.3", None, None, hello)


def sent(agent: str, *fields: str, on: Connection | None = None) -> Sent:
    data = request(f"Host: {HOST}", f"User-Agent: {agent}", *fields, host=None)
    return read_sent(one_request(data), 8443, on or connection())


@pytest.fixture
def entry() -> SessionEntry:
    return SessionEntry(SESSION, NOW)


def seen(entry: SessionEntry, named: Named = CHROMIUM, *traits: Signal, at: float = NOW, given_to: str | None = None) -> ClientEvidence | None:  # fmt: skip
    return look(observed(entry), traits, named, connection(), given_to, RULES, at)


# --- what fields show --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "fields", "traits"),
    [
        (CHROME, (LANGUAGE,), (Signal.NO_FETCH_METADATA,)),
        (FIREFOX, (LANGUAGE,), (Signal.NO_FETCH_METADATA,)),
        (SAFARI, (LANGUAGE,), (Signal.NO_FETCH_METADATA,)),
        (CHROME, (), (Signal.NO_FETCH_METADATA, Signal.NO_ACCEPT_LANGUAGE)),
        (CHROME, (LANGUAGE, "Sec-Fetch-Site: none"), ()),
        (CHROME, (LANGUAGE, "Sec-Fetch-Mode: navigate"), ()),
        (CHROME, (LANGUAGE, "Sec-Fetch-Dest: document"), ()),
        (CHROME, (LANGUAGE, *WEBSOCKET), ()),
        (CHROME.replace("156", "79"), (LANGUAGE,), ()),
        (OLD_SAFARI, (LANGUAGE,), ()),
        (LYNX, (LANGUAGE,), ()),
        (LYNX, (), (Signal.NO_ACCEPT_LANGUAGE,)),
    ],
)
def test_traits(agent: str, fields: tuple[str, ...], traits: tuple[Signal, ...]) -> None:
    assert sent(agent, *fields).traits == traits


def test_what_the_connection_shows() -> None:
    fields = (LANGUAGE, "Sec-Fetch-Site: none")
    assert sent(CHROME, *fields, on=connection(post_handshake_auth=True)).traits == (Signal.POST_HANDSHAKE_AUTH,)
    assert sent(CHROME, *fields, on=connection(None)).traits == ()


# --- a session ---------------------------------------------------------------------------------------------------------------


def test_a_browser_leaves_nothing(entry: SessionEntry) -> None:
    for number in range(1000):
        assert seen(entry, at=NOW + number / 10) is None
    assert observed(entry).seen == {}


def test_a_signal_counts_and_fades(entry: SessionEntry) -> None:
    first = seen(entry, CHROMIUM, Signal.NO_FETCH_METADATA)
    assert first is not None
    assert (first.score, first.since) == (100.0, SESSION.auth_time)
    again = seen(entry, CHROMIUM, Signal.NO_FETCH_METADATA, at=NOW + 10)
    assert again is not None
    assert again.score == 100.0
    later = seen(entry, at=NOW + 10 + 3600)
    assert later is not None
    assert later.score == 50.0


def test_what_it_comes_to_is_worked_out_once_a_second(entry: SessionEntry) -> None:
    first = seen(entry, CHROMIUM, Signal.NO_FETCH_METADATA)
    assert seen(entry, at=NOW + 0.9) is seen(entry, at=NOW + 0.1) is first
    assert seen(entry, at=NOW - 1) is not first  # a clock that was set back
    assert seen(entry, at=NOW + 1.5) is not first
    changed = seen(entry, MOZILLA, at=NOW + 1.6)  # a new sighting counts at once
    assert changed is not None
    assert dict(changed.reported) == {Signal.USER_AGENT_CHANGED: 50.0}
    moved = look(observed(entry), (), MOZILLA, connection("1.3-x-y"), "1.3-a-b", RULES, NOW + 1.7)
    assert moved is not None
    assert moved.moved


def test_an_authentication_begins_anew(entry: SessionEntry) -> None:
    for number in range(30):
        observed(entry).navigation(NOW + 30.0 * number)
    seen(entry, CHROMIUM, Signal.NO_FETCH_METADATA)
    observed(entry).connected(NOW)
    entry.session = dc.replace(SESSION, auth_time=NOW + 60)
    assert seen(entry, MOZILLA, at=NOW + 60) is None
    kept = observed(entry)
    assert (list(kept.navigations), kept.family, kept.since, kept.connections) == ([], "firefox", NOW + 60, 1)


def test_another_browsers_name(entry: SessionEntry) -> None:
    assert seen(entry, CHROMIUM) is None
    assert seen(entry, Named(Agent.BROWSER, "", False)) is None  # the player of films inside a browser
    changed = seen(entry, MOZILLA)
    assert changed is not None
    assert (changed.score, changed.reported) == (0.0, ((Signal.USER_AGENT_CHANGED, 50.0),))


@pytest.mark.parametrize(
    ("given_to", "from_family", "moved"),
    [
        (None, "1.3-a-b", False),  # a session of before
        (None, None, False),
        ("1.3-a-b", "1.3-a-b", False),
        ("1.3-a-b", "1.3-a-c", True),
        ("1.3-a-b", None, True),  # what cannot be known is not believed to be the same
    ],
)
def test_moved(entry: SessionEntry, given_to: str | None, from_family: str | None, moved: bool) -> None:
    found = look(observed(entry), (), CHROMIUM, connection(from_family), given_to, RULES, NOW)
    assert (found is not None and found.moved) is moved


def test_who_has_anothers_cookie_says_nothing_of_the_person(entry: SessionEntry) -> None:
    seen(entry, CHROMIUM)
    thief = look(observed(entry), (Signal.NO_FETCH_METADATA,), MOZILLA, connection("1.3-x-y"), "1.3-a-b", RULES, NOW)
    assert thief is not None
    assert (thief.moved, thief.score) == (True, 0.0)
    assert look(observed(entry), (), CHROMIUM, connection("1.3-a-b"), "1.3-a-b", RULES, NOW) is None
    facts = dc.replace(WORLD.facts, evidence=thief)
    assert note(entry, facts, WORLD.decide(), sent(CHROME).acting, RULES) is None
    assert observed(entry).paces == {}


def test_twenty_navigations_at_a_timers_beat(entry: SessionEntry) -> None:
    watched, page = observed(entry), sent(CHROME, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document").acting
    for number in range(20):
        note(entry, dc.replace(WORLD.facts, now=NOW + 30.0 * number), WORLD.decide(), page, RULES)
        note(
            entry, dc.replace(WORLD.facts, now=NOW + 30.0 * number + 0.1), WORLD.decide(), page, RULES
        )  # decided twice
        note(entry, dc.replace(WORLD.facts, now=NOW + 30.0 * number + 7, activity=False), WORLD.decide(), page, RULES)
        note(entry, dc.replace(WORLD.facts, now=NOW + 30.0 * number + 8, method="POST"), WORLD.decide(), page, RULES)
    assert watched.seen == {}
    note(entry, dc.replace(WORLD.facts, now=NOW + 600.0), WORLD.decide(), page, RULES)
    assert watched.seen == {Signal.STEADY_NAVIGATIONS: NOW + 600.0}


def test_more_than_twenty_connections(entry: SessionEntry) -> None:
    watched = observed(entry)
    for _ in range(20):
        watched.connected(NOW)
    assert watched.seen == {}
    watched.connected(NOW)
    assert watched.seen == {Signal.MANY_CONNECTIONS: NOW}


# --- pace --------------------------------------------------------------------------------------------------------------------


def passed(watched: Observed, moments: list[float], transaction: str = "dossier") -> int:
    """How many of the requests at these moments are let through."""
    count = 0
    for moment in moments:
        count += transaction not in watched.too_fast(moment)
        watched.count(transaction, RULES, moment)
    return count


def test_a_burst_then_the_pace() -> None:
    watched = Observed(0.0)
    assert passed(watched, [NOW] * 50) == 5
    assert watched.too_fast(NOW) == ("dossier",)
    assert passed(watched, [NOW + 0.1 + number / 1000 for number in range(1000)]) == 10
    assert watched.too_fast(NOW + 10) == ()
    assert passed(watched, [NOW + 10] * 50) == 5


def test_at_the_pace_all_pass() -> None:
    assert passed(Observed(0.0), [NOW + number / 10 for number in range(1000)]) == 1000


def test_each_transaction_has_its_own() -> None:
    watched = Observed(0.0)
    assert passed(watched, [NOW] * 50) == 5
    assert passed(watched, [NOW] * 50, "pension") == 5
    assert sorted(watched.too_fast(NOW)) == ["dossier", "pension"]


def test_what_is_kept_is_bounded() -> None:
    watched = Observed(0.0)
    for number in range(3 * MAX_TRANSACTIONS):
        watched.count(f"t{number}", RULES, NOW)
    assert len(watched.paces) <= MAX_TRANSACTIONS


def test_every_request_to_a_transaction_counts_whatever_came_of_it(entry: SessionEntry) -> None:
    denied: Decision = WORLD.request(method="DELETE").decide()
    assert denied.reason.code == "use_not_covered"
    for _ in range(5):
        note(entry, WORLD.facts, denied, sent(CHROME).acting, RULES)
    assert observed(entry).too_fast(NOW) == ("dossier",)
    note(entry, WORLD.facts, WORLD.anonymous().decide(), sent(CHROME).acting, RULES)  # one that belongs to none
