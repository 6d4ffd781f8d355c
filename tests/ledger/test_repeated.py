"""Lines that repeat: whatever came before on the connection, each is to the letter what its record alone would be."""

from __future__ import annotations

from dataclasses import fields, replace
from ipaddress import ip_network
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision import REASONS, Agent, ClientEvidence, Connection, Decision, Facts, PageOrigin, Place
from gateway.decision.snapshot import Located
from gateway.decision.suspensions import Scope, Suspended, Suspensions
from gateway.ledger import repeated
from gateway.ledger.line import serialise
from gateway.ledger.record import completion_record, decision_record
from gateway.ledger.repeated import DECISION_GAPS, KEPT_TEXTS, Lines, Template, same_facts, same_found
from gateway.model import Context, Means
from tests.ledger import samples

CARD = replace(samples.SESSION, certificate="ab" * 32, certificate_good_at=samples.NOW - 899)
SOMEWHERE = replace(samples.GRANT, context=Context((ip_network("192.0.2.0/24"),), hours=(0, 720)))
OTHER_TABLE = replace(samples.SNAPSHOT, hash="cd" * 32)
FACTS: dict[str, list[Any]] = {
    "now": [samples.NOW, samples.NOW + 0.000001, samples.NOW + 2, samples.NOW + 50_000, 1.8e9],
    "method": ["GET", "POST", 'G"T', "G\\ET", "GÉT"],
    "path": ["/dossiers/85073003328", "/x", "/x/85.07.30-033.28", '/"', "/\\", "/é", "/\x7f", "/\ud800", "/" + "a" * 5000],
    "last_seen": [0.0, samples.NOW, 1.5e-7, 1e22],
    "host": [samples.FACTS.host, None, "elders.example"],
    "agent": [Agent.BROWSER, Agent.PROGRAM],
    "page_origin": [PageOrigin.NONE, PageOrigin.FOREIGN],
    "navigation": [False, True],
    "session": [samples.SESSION, CARD, replace(CARD, certificate_good_at=None), replace(samples.SESSION), None],
    "user": [samples.FACTS.user, None],
    "records_age": [0.25, 0.125, 3.0004, None],
    "too_fast": [(), ("dossier",)],
}  # fmt: skip
OTHERS: dict[str, list[Any]] = {
    "decision": [
        samples.PERMIT,
        replace(samples.PERMIT, subject="85073003328"),
        replace(samples.PERMIT, grant=SOMEWHERE),
        replace(samples.PERMIT, operation=None, located=None),
        replace(samples.PERMIT, reason=REASONS["not_designated"], disclosed=False),
    ],
    "snapshot": [samples.SNAPSHOT, OTHER_TABLE],
    "client": [samples.CLIENT, samples.NETWORK],
    "user": [samples.USER, None],
    "subject": [None, samples.SUBJECT],
    "user_agent": ["Mozilla/5.0", None, "a\\b", "é", "\ud800"],
    "status": [None, 200, 404],
}


USUAL = {key: values[0] for key, values in OTHERS.items()}
COMPLETED: dict[str, Any] = {
    "reason": REASONS["completed"],
    "client": samples.CLIENT,
    "user": samples.USER,
    "status": 200,
    "request_bytes": 0,
    "response_bytes": 13,
    "first_byte_seconds": 0.002,
    "detail": None,
    "subject": None,
}


def variations(usual: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """The first value of each, but for a few: so that what stays the same comes again often."""
    chosen = st.dictionaries(st.sampled_from(sorted(usual)), st.integers(0, 9), max_size=2)
    return chosen.map(lambda odd: {key: values[odd.get(key, 0) % len(values)] for key, values in usual.items()})


requests = st.tuples(variations(FACTS), variations(OTHERS))


@given(st.lists(requests, min_size=1, max_size=4).flatmap(lambda few: st.lists(st.sampled_from(few), min_size=3, max_size=12)))  # fmt: skip
def test_each_line_of_a_decision_is_what_its_record_alone_would_be(
    made: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    lines = Lines()
    for changed, others in made:
        facts = replace(samples.FACTS, **changed)
        alone = decision_record(samples.REFERENCE, facts, **others)
        assert "".join(lines.decision(samples.REFERENCE, facts, **others)) == serialise(alone)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "reason": st.sampled_from([REASONS["completed"], REASONS["client_closed"]]),
                "client": st.sampled_from([samples.CLIENT, samples.NETWORK]),
                "user": st.sampled_from([samples.USER, None]),
                "status": st.sampled_from([200, 404]),
                "request_bytes": st.integers(0, 2**62),
                "response_bytes": st.integers(0, 2**62),
                "seconds": st.floats(0, 1e6),
                "first_byte_seconds": st.none() | st.floats(0, 1e6),
                "detail": st.sampled_from([None, None, None, "a\\b", "\ud800"]),
                "subject": st.sampled_from([None, samples.SUBJECT]),
            }
        ),
        min_size=1,
        max_size=3,
    ).flatmap(lambda few: st.lists(st.sampled_from(few), min_size=3, max_size=12))
)
def test_each_line_of_a_completion_is_what_its_record_alone_would_be(made: list[dict[str, Any]]) -> None:
    lines = Lines()
    for values in made:
        alone = completion_record(samples.REFERENCE, **values)
        assert "".join(lines.completion(samples.REFERENCE, **values)) == serialise(alone)


def test_so_many_durations_are_remembered_and_no_more() -> None:
    lines = Lines()
    for number in range(KEPT_TEXTS + 500):
        values = {**COMPLETED, "seconds": number / 1e6}
        alone = completion_record(samples.REFERENCE, **values)
        assert "".join(lines.completion(samples.REFERENCE, **values)) == serialise(alone)
    assert len(repeated._texts) <= KEPT_TEXTS


def test_what_comes_again_is_not_made_again() -> None:
    """Else nothing is gained. Seen by what must never be: records that change behind the line's back."""
    lines, facts = Lines(), samples.FACTS
    for _ in range(2):
        first = "".join(lines.decision("000G40R40M30E2099", facts, **USUAL))
    assert facts.session is not None
    means = facts.session.means
    try:
        object.__setattr__(facts.session, "means", Means.PASSWORD)
        later = replace(facts, now=facts.now + 1, path="/elders", method="POST", last_seen=facts.now)
        third = "".join(lines.decision("000G40R40M30E2099", later, **USUAL))
    finally:
        object.__setattr__(facts.session, "means", means)
    assert f'"means":"{means}"' in third
    read, before = orjson.loads("{" + third + "}"), orjson.loads("{" + first + "}")
    assert {key for key in read if read[key] != before[key]} == {"now", "path", "method", "last_seen"}


def test_fields_that_were_read_anew_and_say_the_same_change_nothing() -> None:
    """Each page of an application has a Referer of its own, and then all its fields are read anew."""
    lines, host = Lines(), samples.FACTS.host or ""
    for _ in range(2):
        facts = replace(samples.FACTS, host="".join(list(host)))
        lines.decision("000G40R40M30E2099", facts, **USUAL | {"user_agent": "".join(list("Mozilla/5.0"))})
    assert lines._decision.template is not None
    lines.decision("000G40R40M30E2099", samples.FACTS, **USUAL | {"user_agent": "Mozilla/5.1"})
    assert lines._decision.template is None


def test_an_equal_session_that_is_another_object_makes_the_line_anew() -> None:
    lines, facts = Lines(), samples.FACTS
    for _ in range(3):
        lines.decision("000G40R40M30E2099", facts, **USUAL)
    assert facts.session is not None
    ended = replace(facts.session, ended_at=5.0, ended_reason="expired")
    line = "".join(lines.decision("000G40R40M30E2099", replace(facts, session=ended), **USUAL))
    assert '"ended_reason":"expired"' in line


# Each fact and each part of a decision otherwise: another value, or an equal one that is another object. Of the types that they have: compiled,
# nothing else can be put there.
OTHER_FACTS: dict[str, Any] = {
    "now": samples.NOW + 1.0,
    "connection": Connection(*samples.CONNECTION),
    "method": "POST",
    "host": "elsewhere.localhost",
    "port_is_ours": False,
    "path": "/x",
    "fault": "malformed",
    "agent": Agent.OFFICE,
    "signature_agent": True,
    "authorization": True,
    "credential": "x-api-key",
    "websocket": True,
    "fetch_site": "none",
    "page_origin": PageOrigin.OURS,
    "navigation": False,
    "activity": False,
    "session": replace(samples.SESSION),
    "last_seen": samples.NOW,
    "user": replace(samples.RECORDS),
    "records_current": False,
    "evidence": ClientEvidence(),
    "too_fast": ("dossier",),
    "suspensions": Suspensions([]),
    "records_age": 0.5,
}
OTHER_PARTS: dict[str, Any] = {
    "reason": REASONS["completed"],
    "place": Place.ACCEPTED,
    "disclosed": False,
    "located": Located(replace(samples.TRANSACTION), samples.TRANSACTION.matches[0], "/"),
    "authorisation": replace(samples.AUTHORISATION),
    "grant": replace(samples.GRANT),
    "operation": replace(samples.OPERATION),
    "designation": replace(samples.DESIGNATIONS[1]),
    "role": replace(samples.RECORDS.roles["DossierReader"][0]),
    "regulation": replace(samples.REGULATION),
    "subject": "12345678901",
    "suspension": Suspended("20260615-00000001", Scope.ALL),
}


@pytest.mark.parametrize("name", [each.name for each in fields(Facts)])
def test_each_fact_has_a_gap_or_makes_another_line(name: str) -> None:
    """A fact that is new fails here until somebody has thought of it."""
    other = replace(samples.FACTS, **{name: OTHER_FACTS[name]})
    assert same_facts(samples.FACTS, replace(samples.FACTS))
    assert same_facts(samples.FACTS, other) is (name in DECISION_GAPS)


@pytest.mark.parametrize("name", [each.name for each in fields(Decision)])
def test_so_does_each_part_of_the_decision(name: str) -> None:
    other = replace(samples.PERMIT, **{name: OTHER_PARTS[name]})
    assert same_found(samples.PERMIT, replace(samples.PERMIT))
    assert same_found(samples.PERMIT, other) is (name in DECISION_GAPS)


def test_a_template_has_gaps_for_the_keys_that_are_there_and_for_no_others() -> None:
    record = {"kind": "decision", "id": "A", "now": 1.5, "inner": {"id": "A", "now": 1.5}, "path": "/"}
    template = Template(record, ("id", "now", "path", "subject"))
    assert (
        "".join(template.fill(["B", "2.5", "/x"]))
        == '"kind":"decision","id":"B","now":2.5,"inner":{"id":"A","now":1.5},"path":"/x"'
    )
    assert "".join(Template({"id": 1}, ("id",)).fill(["2"])) == '"id":2'
