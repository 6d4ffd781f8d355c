"""What a check goes by and who mends it; and what somebody could use, where the random test does not lead (tests/policy/test_agreement.py)."""

from __future__ import annotations

import dataclasses as dc
from ipaddress import ip_network

import pytest

from gateway.decision import Mender, Place, decide
from gateway.decision.access import NOT_ACCEPTED, OUTSIDE, could, unexpired, until
from gateway.decision.criteria import BY_PLACE, CRITERIA
from gateway.decision.grounds import _LOOKS, Source
from gateway.decision.supposing import coming_from, ruling, suppose, using
from gateway.decision.suspensions import Scope, Suspended, Suspensions
from gateway.model import FOR_EVER, Channel, Context, Mandate, Match, Means, Operation, Role, Use, Validity
from tests.decision.world import (
    AUTHORISATION,
    CONSULTATION,
    DAY,
    DESIGNATION,
    KBO,
    NOW,
    TRANSACTION,
    USER,
    WORLD,
    YEAR,
    Change,
    World,
    text,
)

FILES = {
    ("authorisation", "24/123"): "authorisations/north.toml",
    ("transaction", "dossier"): "transactions/dossier.toml",
}
NAMED = WORLD.table(files=FILES)


def test_every_check_has_grounds() -> None:
    assert {row.check for row in CRITERIA} == set(_LOOKS)


def grounds(world: World) -> dict[str, list[str]]:
    return {step.criterion.name: list(map(str, step.sources)) for step in world.explain()[1]}


def test_of_a_permit_every_check_of_the_table_names_its_file_or_record() -> None:
    found = grounds(NAMED)
    assert list(found) == [row.name for row in BY_PLACE[Place.TRANSACTION, Channel.USER]]
    assert found["the institution is authorised for this transaction, now"] == ["authorisations/north.toml"]
    assert found["the person is designated by name, under a mandate"] == [
        "user ID jansen01",
        "designation 1",
        "mandate 1",
    ]
    assert found["the person has the user-management role"] == ["transactions/dossier.toml", "role 1"]
    assert found["the user regulation in force is accepted"] == ["regulations/ (2026)", "acceptance 1"]
    assert found["a checked table is in force"] == ["release " + "cd" * 6]
    assert [name for name, sources in found.items() if not sources] == [
        "nothing but our own pages is open when all is suspended in an emergency",
        "no emergency suspension of the person, the institution, the authorisation or the transaction",
    ]


@pytest.mark.parametrize(
    ("name", "sources", "change"),
    [
        ("a checked table is in force", ["release 7 (cdcdcdcdcdcd)"], lambda w: w.table(release=7)),
        ("the institution is authorised for this transaction, now", [f"institutions/ ({KBO})"], lambda w: w.authorised()),
        ("the target belongs to a transaction", ["request dossier.localhost/elsewhere"], lambda w: w.request(path="/elsewhere")),
        ("the user regulation in force is accepted", ["regulations/ (2026)"], lambda w: w.user(acceptances={})),
        ("the person has the user-management role", ["transactions/dossier.toml"], lambda w: w.user(roles={})),
        (
            "the person has the user-management role",
            ["transactions/dossier.toml", "gateway.toml [roles]", "role DossierReader"],
            lambda w: w.table(roles_stale_seconds=60.0).user(
                outside_roles={"DossierReader": (dc.replace(USER.roles["DossierReader"][0], id=0),)}, roles_known_at=NOW
            ),
        ),
        (
            "the person is designated by name, under a mandate",
            ["user ID jansen01", "designation 5", "designation 4", "designation 3"],
            lambda w: w.designated(*(dc.replace(DESIGNATION, id=n, mandate=None, confirmed=False) for n in range(1, 6))),
        ),
        (
            "the place and the time are those of the authorisation",
            ["authorisations/north.toml", "connection 192.0.2.7"],
            lambda w: w.grant(context=Context((ip_network("192.0.2.0/24"),))),
        ),
        (
            "no emergency suspension of the person, the institution, the authorisation or the transaction",
            ["suspension 20260615-00000001"],
            lambda w: w.request(suspensions=Suspensions([Suspended("20260615-00000001", Scope.INSTITUTION, KBO)])),
        ),
    ],
)  # fmt: skip
def test_what_a_check_goes_by(name: str, sources: list[str], change: Change) -> None:
    assert grounds(change(NAMED))[name] == sources


@pytest.mark.parametrize(
    ("mender", "change"),
    [
        (Mender.HEAD_OFFICIAL, lambda w: w.designation(confirmed=False)),
        (Mender.ADMINISTRATOR, lambda w: w.designated()),
        (Mender.ADMINISTRATOR, lambda w: w.designation(uses=frozenset({Use.COMMUNICATION}))),
        (Mender.KSZ, lambda w: w.transaction(operations=())),
        (Mender.KSZ, lambda w: w.authorisation(status="suspended")),
        (Mender.PERSON, lambda w: w.session(means=Means.PASSWORD)),
    ],
)
def test_who_can_mend_it(mender: Mender, change: Change) -> None:
    steps = change(WORLD).explain()[1]
    assert next(step.mender for step in steps if step.met is False) is mender
    assert all(step.mender is None for step in WORLD.explain()[1])


def test_a_source_in_words() -> None:
    assert str(Source("file", "roles.toml")) == "roles.toml"
    assert str(Source("records")) == "records"


# --- who could


def test_what_somebody_could_use_and_by_what() -> None:
    found = could(USER, WORLD.snapshot, NOW)
    assert [(one.transaction.id, one.use, one.means, one.authorisation, one.first) for one in found] == [
        ("dossier", Use.CONSULTATION, (Means.TOKEN, Means.EID), "24/123", ()),
        ("dossier", Use.COMMUNICATION, (Means.EID,), "24/123", ()),
    ]
    assert found[0].designation == DESIGNATION
    assert not could(USER, WORLD.snapshot, NOW, transactions=["pension"])
    assert len(could(USER, WORLD.snapshot, NOW, transactions=["pension", "dossier"])) == 2


def test_what_comes_first() -> None:
    office = Context(networks=(ip_network("198.51.100.0/24"),), hours=(0, 60))
    world = WORLD.grant(context=office).user(acceptances={})
    assert world.the_user is not None
    one = could(world.the_user, world.snapshot, NOW)[0]
    assert (one.use, one.first) == (Use.CONSULTATION, (NOT_ACCEPTED, OUTSIDE))
    # Without a regulation nobody can accept one, and nobody could.
    assert not could(world.the_user, world.table(regulations=()).snapshot, NOW)


def test_no_means_or_no_operation_is_no_access() -> None:
    nothing = WORLD.grant(means=frozenset({Means.ITSME}), stronger_satisfies=False).transaction(sensitivity=4)
    assert [one.use for one in could(USER, nothing.snapshot, NOW)] == [Use.COMMUNICATION]
    at_another_hour = WORLD.grant(
        means=frozenset({Means.ITSME}), stronger_satisfies=False, context=Context(hours=(0, 60))
    )
    assert [one.use for one in could(USER, at_another_hour.transaction(sensitivity=4).snapshot, NOW)] == [
        Use.COMMUNICATION
    ]
    reading = WORLD.transaction(operations=TRANSACTION.operations[:1])
    assert [one.use for one in could(USER, reading.snapshot, NOW)] == [Use.CONSULTATION]


def test_a_request_that_reaches_the_use() -> None:
    """Not by a method that an earlier operation takes, and not below a longer match of another transaction."""
    from gateway.decision import PathPattern

    operations = (
        Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"GET"})),
        Operation(Use.COMMUNICATION, PathPattern("/send"), frozenset({"GET", "POST"})),
    )
    inner = dc.replace(
        TRANSACTION, id="inner", title=text("Inner"), matches=(Match("dossier.localhost", "/dossier/send/"),)
    )
    there = (Match("dossier.localhost", "/dossier/"), Match("pension.localhost", "/dossier/"))
    outer = dc.replace(TRANSACTION, operations=operations, matches=there)
    world = dc.replace(WORLD, transactions=(outer, inner))
    supposed = suppose(outer, USER, "/", "GET", Means.EID, NOW)
    asked = using(supposed, outer, Use.COMMUNICATION, world.snapshot)
    assert asked is not None
    assert (asked.method, asked.host, asked.path) == ("POST", "pension.localhost", "/dossier/send")
    hidden = dc.replace(outer, matches=there[:1])
    covered = dc.replace(WORLD, transactions=(hidden, inner)).snapshot
    assert using(supposed, hidden, Use.COMMUNICATION, covered) is None
    assert ruling(supposed, hidden, Use.COMMUNICATION, covered).reason.code == "use_not_covered"
    assert ruling(supposed, outer, Use.CONSULTATION, world.snapshot).permitted


def test_where_it_comes_from() -> None:
    inside = WORLD.grant(context=Context((ip_network("198.51.100.0/24"),)))
    supposed = suppose(TRANSACTION, USER, "/list", "GET", Means.EID, NOW)
    assert coming_from(supposed, None, WORLD.snapshot).connection.address == ""
    assert coming_from(supposed, None, inside.snapshot).connection.address == "198.51.100.0"
    assert decide(coming_from(supposed, "192.0.2.7", inside.snapshot), inside.snapshot).reason is OUTSIDE
    websocket = suppose(TRANSACTION, USER, "/live", "GET", Means.EID, NOW, websocket=True)
    assert decide(websocket, WORLD.snapshot).permitted


def test_another_institution_gets_nothing() -> None:
    other = dc.replace(AUTHORISATION, institution="0884303369", uses=(CONSULTATION,), validity=YEAR)
    assert not could(USER, WORLD.authorised(other).snapshot, NOW)


# --- until when


def ends_of(world: World) -> set[float]:
    user = world.facts.user
    assert user is not None
    return {until(one, world.snapshot, NOW) for one in could(user, world.snapshot, NOW)}


MANDATE_OVER = dc.replace(DESIGNATION, mandate=Mandate(1, Validity(YEAR.start, NOW - 10 * DAY)))


@pytest.mark.parametrize(
    ("ends", "change"),
    [
        (YEAR.end, lambda w: w),
        (NOW + 1, lambda w: w.designated(dc.replace(DESIGNATION, validity=Validity(YEAR.start, NOW + 1)))),
        (NOW + 20 * DAY, lambda w: w.designated(MANDATE_OVER)),  # the time for its review
        # Another one goes on.
        (YEAR.end, lambda w: w.designated(MANDATE_OVER, dc.replace(DESIGNATION, id=2))),
        (NOW + 3, lambda w: w.user(roles={"DossierReader": (Role(1, "DossierReader", Validity(YEAR.start, NOW + 3)),)})),
        (NOW + 4, lambda w: w.user(validity=Validity(YEAR.start, NOW + 4))),
        # Published in time is what a release is; and a directory is asked again.
        (YEAR.end, lambda w: w.table(refused_from=NOW + 5)),
        (YEAR.end, lambda w: w.user(outside_roles=USER.roles, roles_known_at=NOW).table(roles_stale_seconds=60.0)),
        (
            NOW + 6,
            lambda w: w.user(
                outside_roles={"DossierReader": (Role(0, "DossierReader", Validity(YEAR.start, NOW + 6)),)}, roles_known_at=NOW
            ).table(roles_stale_seconds=60.0),
        ),
    ],
)  # fmt: skip
def test_until_when(ends: float, change: Change) -> None:
    assert ends_of(change(WORLD)) == {ends}


def test_what_has_no_end_goes_on_for_ever() -> None:
    always, own = Validity(YEAR.start), dc.replace(DESIGNATION, validity=Validity(YEAR.start), mandate=None)
    world = WORLD.authorised(dc.replace(AUTHORISATION, validity=always)).designated(own)
    roles = {"DossierReader": (Role(1, "DossierReader", always),)}
    assert ends_of(world.user(validity=always, roles=roles)) == {FOR_EVER}


def test_the_same_table_is_not_made_twice() -> None:
    expiring = WORLD.table(refused_from=NOW).snapshot
    table = unexpired(expiring)
    assert (table.refused_from, table.hash) == (FOR_EVER, expiring.hash)
    assert unexpired(table) is table
