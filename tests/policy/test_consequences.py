"""What a release would change: said in words, and for whom as the decision itself would say it."""

from __future__ import annotations

import dataclasses as dc
import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision import PathPattern, Snapshot, decide
from gateway.decision.ruling import find_operation
from gateway.decision.supposing import suppose
from gateway.model import (
    Acceptance,
    Authorisation,
    Context,
    Designation,
    Means,
    Role,
    Transaction,
    Use,
    UserRecords,
    Validity,
)
from gateway.policy.consequences import accesses, consequences
from gateway.policy.release import load_release
from gateway.policy.settings import load_settings
from tests.policy.conftest import NOW

DAY = 86400.0
METHODS = frozenset({"GET", "HEAD", "POST", "PUT"})
NORTH = "0403019261"
YEAR = Validity(NOW - 300 * DAY, NOW + 300 * DAY)
Edit = Callable[[str, str, str], None]


def load(config: Path) -> Snapshot:
    return load_release(load_settings(config), NOW).snapshot


@pytest.fixture(scope="module")
def table(pristine: Path) -> Snapshot:
    return load(pristine)


def named(reference: str, number: int = 1, uses: frozenset[Use] = frozenset(Use), **changes: object) -> Designation:
    made = Designation(number, reference, uses, YEAR, NOW - 100 * DAY, None, confirmed=True)
    return dc.replace(made, **changes)  # type: ignore[arg-type]


def user(name: str, *designations: Designation, roles: tuple[str, ...] = ("DossierReader",)) -> UserRecords:
    theirs: dict[str, tuple[Designation, ...]] = {}
    for one in designations:
        theirs[one.authorisation] = (*theirs.get(one.authorisation, ()), one)
    held = {role: (Role(1, role, YEAR),) for role in roles}
    return UserRecords(name, 1, "85073003328", "Somebody", NORTH, "nl", YEAR, False, theirs, held)


def test_who_loses_and_who_gains(config: Path, edit: Edit, table: Snapshot) -> None:
    people = [
        user("an", named("24/123")),
        user("bert", named("24/123", uses=frozenset({Use.CONSULTATION}))),
        user("carla"),
    ]
    assert not consequences(table, table, people, NOW).persons
    edit("authorisations/24-123.toml", 'status = "active"', 'status = "suspended"')
    after = load(config)
    found = consequences(table, after, people, NOW)
    assert [(one.user_id, one.loses, one.gains) for one in found.persons] == [
        ("an", (("dossier", Use.COMMUNICATION), ("dossier", Use.CONSULTATION)), ()),
        ("bert", (("dossier", Use.CONSULTATION),), ()),
    ]
    back = consequences(after, table, people, NOW)
    assert [(one.user_id, one.loses, one.gains) for one in back.persons] == [
        (one.user_id, one.gains, one.loses) for one in found.persons
    ]
    (ends,) = found.altered
    assert (ends.kind, ends.id, ends.how, ends.institution) == ("authorisation", "24/123", "ends", NORTH)
    assert [(one.what, one.before, one.after) for one in ends.differences] == [("status", "active", "suspended")]
    assert consequences(after, table, [], NOW).altered[0].how == "begins"


def test_an_operation_that_is_never_reached_gives_nobody_anything(table: Snapshot) -> None:
    """The first operation that matches counts: one that is put before takes what stood behind it from everybody."""
    old = table.transactions["dossier"]
    everything = dc.replace(old.operations[0], use=Use.COMMUNICATION, path=PathPattern("/**"), methods=METHODS)
    new = dc.replace(old, operations=(everything, *(one for one in old.operations if not one.websocket)))
    after = dc.replace(
        table,
        transactions={**table.transactions, "dossier": new},
        hosts={
            host: {path: (new if one is old else one, match) for path, (one, match) in paths.items()}
            for host, paths in table.hosts.items()
        },
    )
    (an,) = consequences(table, after, [user("an", named("24/123"))], NOW).persons
    assert (an.loses, an.gains) == ((("dossier", Use.CONSULTATION),), ())


def test_that_the_old_release_has_expired_by_then_is_no_consequence(table: Snapshot) -> None:
    expired = dc.replace(table, expires=NOW - DAY, refused_from=NOW - 1)
    assert not consequences(expired, table, [user("an", named("24/123"))], NOW).persons
    assert not consequences(table, expired, [user("an", named("24/123"))], NOW).persons


def _superseding(edit: Edit, config: Path, review: str) -> None:
    text = (config / "authorisations/24-123.toml").read_text()
    text = text.replace('reference = "24/123"', 'reference = "26/200"').replace(
        "valid_from = 2024-07-01", f"valid_from = 2026-05-01\n{review}"
    )
    text = re.sub(r"^supersedes = .*$", 'supersedes = ["24/123"]', text, flags=re.MULTILINE)
    assert 'supersedes = ["24/123"]' in text
    (config / "authorisations/26-200.toml").write_text(text)


@pytest.mark.parametrize(
    ("review", "until", "lost"), [("", None, 1), ("review_until = 2026-08-31", 1_788_213_600.0, 0)]
)
def test_who_has_to_be_reviewed(
    config: Path, edit: Edit, table: Snapshot, review: str, until: float | None, lost: int
) -> None:
    """A successor takes nobody along; until the KSZ's date they stay under the old terms."""
    _superseding(edit, config, review)
    people = [
        user("an", named("24/123")),
        user("bert", named("24/123", validity=Validity(YEAR.start, NOW - 1))),  # over already
        user("carla", named("24/123"), named("26/200", 2)),  # reviewed already
        user("dirk"),
    ]
    found = consequences(table, load(config), people, NOW)
    assert [(one.user_id, one.predecessor, one.authorisation, one.until) for one in found.reviews] == [
        ("an", "24/123", "26/200", until)
    ]
    assert [one.user_id for one in found.persons] == ["an"][:lost]
    (begins,) = found.altered
    assert (begins.id, begins.how) == ("26/200", "begins")
    assert {one.what for one in begins.differences} >= {"from", "until", "supersedes", "consultation: means"}


def test_words_for_what_a_use_needs(table: Snapshot) -> None:
    old = table.by_reference["24/123"]
    consultation, communication = old.uses
    new = dc.replace(
        old,
        uses=(
            dc.replace(
                consultation, means=frozenset({Means.EID}), stronger_satisfies=False, max_authentication_age=90.0
            ),
            dc.replace(
                communication,
                context=Context((ip_network("192.0.2.0/24"),), (420, 1140), frozenset({0, 6}), working=True),
            ),
        ),
    )
    (found,) = consequences(table, _with(table, new), [], NOW).altered
    assert {one.what: (one.before, one.after) for one in found.differences} == {
        "consultation: means": ("token, itsme, eid, or a stronger one", "eid"),
        "consultation: age of the sign-in": ("8 hours", "90 seconds"),
        "communication: where and when": (
            "anywhere, at any time",
            "from 192.0.2.0/24, 07:00-19:00, on Monday, Sunday, not on public holidays",
        ),
    }
    (found,) = consequences(table, _with(table, dc.replace(old, uses=(consultation,))), [], NOW).altered
    assert ("communication", "granted", "") in {(one.what, one.before, one.after) for one in found.differences}


def test_everything_else_that_stands_in_a_table(config: Path, edit: Edit, table: Snapshot) -> None:
    edit("institutions/0671516647.toml", 'language = "fr"', 'language = "de"')
    (config / "roles.toml").write_text("")
    edit("gateway.toml", '# idle = "30min"', 'idle = "20min"')
    (config / "regulation/demo-1/nl.md").write_text("Een nieuwe tekst")
    found = consequences(table, load(config), [], NOW)
    said = {(one.kind, one.how) for one in found.altered}
    assert said == {("institution", "changes"), ("role", "ends"), ("settings", "changes"), ("regulation", "changes")}
    (settings,) = (one for one in found.altered if one.kind == "settings")
    assert ("idle time of a session", "30 minutes", "20 minutes") in {
        (one.what, one.before, one.after) for one in settings.differences
    }
    everything = repr(found)
    assert not [insz for insz in table.roles if insz in everything]  # nobody is named on a shell


def test_a_new_transaction(table: Snapshot) -> None:
    without = dc.replace(
        table, transactions={name: one for name, one in table.transactions.items() if name != "dossier"}
    )
    (found,) = consequences(without, table, [], NOW).altered
    assert (found.kind, found.id, found.how) == ("transaction", "dossier", "begins")
    said = {one.what: one.after for one in found.differences}
    assert said["addresses"] == "dossier.localhost/dossier/"
    assert "(communication)" in said["operations"]
    assert consequences(table, without, [], NOW).altered[0].how == "ends"


def _with(table: Snapshot, grant: Authorisation) -> Snapshot:
    grants = {
        key: tuple(grant if one.reference == grant.reference else one for one in group)
        for key, group in table.authorisations.items()
    }
    return dc.replace(table, authorisations=grants, by_reference={**table.by_reference, grant.reference: grant})


# --- as the decision says it ------------------------------------------------------------------------------------------

PARTS = re.compile(r"\*\*|\*|\{\w+\}")


def _asked(transaction: Transaction, use: Use) -> tuple[str, str, bool] | None:
    """A request whose operation has this use: method, path, whether it is a websocket."""
    for one in transaction.operations:
        path = PARTS.sub("85073003328", one.path.text)
        method = sorted(one.methods)[0]
        if one.use is use and find_operation(transaction.operations, method, path, websocket=one.websocket) is one:
            return method, path, one.websocket
    return None


times = st.sampled_from([NOW - 400 * DAY, NOW - 1, NOW, NOW + 1, NOW + 400 * DAY])
validities = st.builds(Validity, times, times)
some_uses = st.sets(st.sampled_from(Use)).map(frozenset)


@given(st.data())
def test_access_is_what_the_decision_permits(table: Snapshot, data: st.DataObject) -> None:
    references = sorted(table.by_reference)
    grant = table.by_reference[data.draw(st.sampled_from(references))]
    changed = dc.replace(
        grant,
        status=data.draw(st.sampled_from(["active", "active", "suspended", "revoked"])),
        validity=data.draw(st.just(grant.validity) | validities),
        uses=tuple(dc.replace(one, context=None) for one in grant.uses[: data.draw(st.integers(0, 2))]),
        opinion=data.draw(st.sampled_from([grant.opinion, None])),
    )
    snapshot = _with(table, changed)
    designations = [
        named(
            data.draw(st.sampled_from(references)),
            number,
            data.draw(some_uses),
            validity=data.draw(st.just(YEAR) | validities),
            confirmed=data.draw(st.booleans()),
        )
        for number in range(data.draw(st.integers(0, 3)))
    ]
    roles = data.draw(st.sets(st.sampled_from([one.role for one in table.transactions.values() if one.role])))
    regulation = table.regulation(NOW)
    assert regulation is not None
    person = dc.replace(
        user("an", *designations, roles=tuple(roles)),
        institution=data.draw(st.sampled_from(sorted(table.institutions))),
        blocked=data.draw(st.sampled_from([False, False, False, True])),
        acceptances={regulation.version: Acceptance(1, regulation.version, regulation.sha256, NOW - DAY)},
    )
    found = accesses(person, snapshot, NOW)
    for transaction in snapshot.transactions.values():
        for use in Use:
            asked = _asked(transaction, use)
            if asked is None:
                assert (transaction.id, use) not in found
                continue
            method, path, websocket = asked
            reasons = {
                decide(
                    suppose(transaction, person, path, method, means, NOW, websocket=websocket), snapshot
                ).reason.code
                for means in Means
            }
            # Where and when is not asked of a release: whoever meets every other check has access.
            could = bool(reasons & {"permitted", "outside_context"})
            assert ((transaction.id, use) in found) is could, (transaction.id, use, reasons)
