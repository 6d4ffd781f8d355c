"""Records: every kind fits the published schema and its golden line, and no person is in any of them."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.ledger.line import TYPICAL_BYTES, UNCUT_BYTES, ZERO_LEAF, compose, moment, serialise
from gateway.ledger.record import decision_record
from gateway.model import Context, Means, Regulation, Session, Use, UseGrant, UserRecords, Validity
from tests.ledger import samples
from tests.ledger.samples import SAMPLES

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "ledger-line.schema.json").read_bytes())
GOLDEN = Path(__file__).with_name("golden")


def line_of(name: str) -> bytes:
    return compose("user-0", 7, ZERO_LEAF, moment(samples.NOW), serialise(SAMPLES[name]))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_there_is_a_sample_of_every_kind() -> None:
    assert {str(record["kind"]) for record in SAMPLES.values()} == set(SCHEMA["properties"]["kind"]["enum"])


@pytest.mark.parametrize("name", SAMPLES)
def test_every_kind_fits_the_schema_in_the_order_of_its_keys(name: str) -> None:
    line = json.loads(line_of(name))
    Draft202012Validator(SCHEMA).validate(line)
    order = list(SCHEMA["$defs"][f"kind-{line['kind']}"]["properties"])
    assert sorted(line, key=order.index) == list(line)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_kind_is_as_it_was_frozen(name: str) -> None:
    """The format is frozen: a golden file changes with a new version of the line only."""
    path = GOLDEN / f"{name}.jsonl"
    if os.environ.get("GATEWAY_WRITE_GOLDEN"):
        path.write_bytes(line_of(name) + b"\n")
    assert path.read_bytes() == line_of(name) + b"\n"


@pytest.mark.parametrize("name", SAMPLES)
def test_every_kind_is_short_and_takes_the_fast_way(name: str) -> None:
    assert len(line_of(name)) <= (UNCUT_BYTES if "subject" in SAMPLES[name] else TYPICAL_BYTES)
    assert b"\\" not in line_of(name)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_person_stands_in_a_line(name: str) -> None:
    line = line_of(name)
    for secret in (b"jan.peeters", b"Jan Peeters", b"85073003328", b"192.0.2"):
        assert secret not in line


def decision(**changes: Any) -> dict[str, Any]:
    facts = replace(samples.FACTS, **changes.pop("facts", {}))
    made = decision_record(
        samples.REFERENCE,
        facts,
        changes.pop("decision", samples.PERMIT),
        samples.SNAPSHOT,
        client=samples.CLIENT,
        user=samples.USER,
        **changes,
    )
    line: dict[str, Any] = json.loads("{" + serialise(made) + "}")
    return line


def test_a_permit_holds_every_record_that_it_rests_on() -> None:
    line = decision()
    assert (line["verdict"], line["reason"], line["clause"], line["status"]) == ("permit", "permitted", "P1", 200)
    assert line["records"] == {
        "validity": [1.6e9, None],
        "blocked": False,
        "regulation": {"version": "2026-1", "sha256": "ab" * 32},
        "acceptance": 5,
        "designations": [
            {
                "id": 12,
                "validity": [1.6e9, 1.7e9],
                "made_at": 1.6e9,
                "confirmed": True,
                "uses": ["consultation"],
                "mandate": None,
            },
            {
                "id": 17,
                "validity": [1.7e9, None],
                "made_at": 1.7e9,
                "confirmed": True,
                "uses": ["communication", "consultation"],
                "mandate": {"id": 3, "validity": [1.6e9, None]},
            },
        ],
        "role": "DossierReader",
        "roles": [{"id": 9, "validity": [1.6e9, None]}],
    }
    assert line["purpose"] == "Behandeling van dossiers, een voor een"
    assert math.isclose(line["now"], samples.NOW)


def test_facts_that_are_as_usual_are_absent_and_their_defaults_published() -> None:
    usual = decision(facts={"navigation": False, "activity": False})
    properties = SCHEMA["$defs"]["kind-decision"]["properties"]
    for key in ("port_is_ours", "signature_agent", "authorization", "websocket", "navigation", "activity"):
        assert key not in usual
        odd = decision(facts={key: not properties[key]["default"]})
        assert odd[key] is not properties[key]["default"]
    assert decision(facts={"records_current": False})["records_current"] is False
    assert decision(facts={"records_age": 12.3456789})["records_age"] == 12.346
    assert "records_age" not in decision(facts={"records_age": None})
    assert decision(decision=replace(samples.PERMIT, disclosed=False))["disclosed"] is False


def test_an_ended_session_and_another_regulation_are_told() -> None:
    session = Session("s-1", "jan.peeters", Means.TOKEN, 1.0, 1.0, 2.0, ended_at=1.5, ended_reason="expired")
    regulation = Regulation("2026-1", 0.0, "", samples.REGULATION.texts, "00" * 32)
    line = decision(facts={"session": session}, decision=replace(samples.PERMIT, regulation=regulation))
    assert (line["session"]["ended_at"], line["session"]["ended_reason"]) == (1.5, "expired")
    assert line["records"]["accepted_sha256"] == "ab" * 32


def test_a_consultation_without_purpose_says_so() -> None:
    grant = UseGrant(Use.CONSULTATION, None, samples.GRANT.means, True, 1.0)
    assert decision(decision=replace(samples.PERMIT, grant=grant))["purpose"] is None


def test_of_a_card_stands_when_it_was_good_and_never_which_it_is() -> None:
    assert "certificate" not in decision()
    fresh, stale, never = (
        decision(facts={"session": replace(samples.SESSION, certificate="ab" * 32, certificate_good_at=good_at)})
        for good_at in (samples.NOW - 900, samples.NOW - 901, None)
    )
    assert fresh["certificate"] == {"good_at": samples.NOW - 900}
    assert stale["certificate"] == {"good_at": samples.NOW - 901, "stale": True}
    assert never["certificate"] == {"good_at": None, "stale": True}
    assert "abababab" not in json.dumps(stale["session"])


@pytest.mark.parametrize(("context", "told"), [
    (Context(), {}),
    (Context((ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))), {"network": "2001:db8::/32"}),
    (Context((ip_network("192.0.2.0/24"),)), {"network": None, "outside": ["networks"]}),
    (Context(hours=(0, 0), days=frozenset()), {"outside": ["hours", "days"]}),
    (Context(hours=(0, 1440)), {}),
])  # fmt: skip
def test_of_a_context_stands_what_its_check_found_and_not_the_address(context: Context, told: dict[str, Any]) -> None:
    assert "context" not in decision()
    grant = replace(samples.GRANT, context=context)
    at = samples.CONNECTION._replace(address="2001:db8::1:2:3:4")
    line = decision(facts={"connection": at}, decision=replace(samples.PERMIT, grant=grant))
    assert line["context"] == told
    assert "1:2:3:4" not in json.dumps(line)


def test_a_changed_record_is_never_taken_for_the_one_before() -> None:
    before = decision()["records"]["blocked"]
    blocked = UserRecords("jan.peeters", 4, "85073003328", "", "0403019261", "nl", Validity(1.6e9), True)
    assert (before, decision(facts={"user": blocked})["records"]["blocked"]) == (False, True)


hostile = st.text(st.characters(codec=None), max_size=200) | st.sampled_from(["\ud800\n", "\u202e", "x" * 9000, "\\"])


@given(hostile, hostile, hostile, st.none() | hostile)
def test_a_hostile_request_fits_the_schema_too(method: str, host: str, path: str, agent: str | None) -> None:
    facts = replace(samples.FACTS, method=method, host=host, path=path)
    made = decision_record(
        samples.REFERENCE,
        facts,
        samples.PERMIT,
        samples.SNAPSHOT,
        client=samples.CLIENT,
        user_agent=agent,
        detail=host,
        excerpt=path,
    )
    line = compose("user-0", 7, ZERO_LEAF, moment(samples.NOW), serialise(made))
    VALIDATOR.validate(json.loads(line))


VALIDATOR = Draft202012Validator(SCHEMA)
