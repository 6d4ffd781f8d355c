"""Properties of the decision over random worlds."""

from __future__ import annotations

import dataclasses as dc
import datetime as dt
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gateway.decision import (
    NOT_FOR_YOU,
    PERMITTED,
    REASONS,
    Agent,
    ClientEvidence,
    Connection,
    Facts,
    Kind,
    PageOrigin,
    PathPattern,
    Place,
    Signal,
    decide,
    explain,
    place_of,
)
from gateway.decision.criteria import BY_PLACE
from gateway.decision.suspensions import NOTHING_SUSPENDED, Scope, Suspended, Suspensions
from gateway.model import (
    FOR_EVER,
    Acceptance,
    Channel,
    Context,
    Mandate,
    Match,
    Means,
    Operation,
    Opinion,
    Role,
    Session,
    Use,
    UseGrant,
    Validity,
)
from tests.decision import oracle
from tests.decision.world import (
    AUTHORISATION,
    COMMUNICATION,
    CONSULTATION,
    DAY,
    DESIGNATION,
    HOUR,
    INSTITUTION,
    KBO,
    MINUTE,
    NOW,
    REGULATION,
    SHA,
    TRANSACTION,
    USER,
    WORLD,
    YEAR,
    World,
    text,
)

MANY = settings(max_examples=max(500, settings().max_examples))
"""A refusal is easy to find; these need permits too."""

PAST, AROUND, FUTURE = Validity(NOW - 9 * DAY, NOW), Validity(NOW, NOW + 1), Validity(NOW + 1, NOW + 9 * DAY)
VALIDITIES = [YEAR, AROUND, PAST, FUTURE]
ELSEWHERE = "0884303369"
NEXT = dc.replace(AUTHORISATION, reference="26/007", validity=Validity(NOW - DAY, YEAR.end), supersedes=("24/123",))
OTHER = dc.replace(
    TRANSACTION, id="pension", matches=(Match("dossier.localhost", "/dossier/pension/"),), role="PensionReader"
)
SUSPENDED = [
    Suspended("20260615-00000001", Scope.ALL),
    Suspended("20260615-00000002", Scope.TRANSACTION, "dossier"),
    Suspended("20260615-00000003", Scope.TRANSACTION, "pension"),
    Suspended("20260615-00000004", Scope.INSTITUTION, ELSEWHERE),
    Suspended("20260615-00000005", Scope.INSTITUTION, KBO),
    Suspended("20260615-00000006", Scope.AUTHORISATION, "24/123"),
    Suspended("20260615-00000007", Scope.AUTHORISATION, "26/007"),
    Suspended("20260615-00000008", Scope.PERSON, USER.user_id),
    Suspended("20260615-00000009", Scope.PERSON, "another-id", USER.person),
    Suspended("20260615-0000000a", Scope.PERSON, "peeters01", USER.person + 1),
]
OFFICE, VILLAGE = ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")
WEEKDAYS = frozenset(range(5))
TODAY = dt.date(2026, 6, 15)
"""A Monday, and 10:00 in Brussels."""
MANDATES = [
    None,
    Mandate(1, YEAR),
    Mandate(2, Validity(YEAR.start, NOW - DAY)),
    Mandate(3, Validity(YEAR.start, NOW - 40 * DAY)),
    Mandate(4, Validity(NOW - DAY, YEAR.end)),
]
# What may differ, and how. The first value of each is one under which the request is permitted.
REQUEST: dict[str, list[Any]] = {
    "method": ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"],
    "path": ["/dossier/list", "/dossier", "/dossier/search", "/dossier/dossiers/85073003328", "/dossier/live",
             "/dossier/pension/x", "/dossiers/list", "/", "/.gateway/x"],
    "host": ["dossier.localhost", "pension.localhost", "portal.localhost", "evil.example", None],
    "port_is_ours": [True, False],
    "fault": [None, "malformed", "permitted"],
    "agent": [Agent.BROWSER, Agent.OFFICE, Agent.PROGRAM, Agent.ABSENT, Agent.AUTOMATION],
    "signature_agent": [False, True],
    "authorization": [False, True],
    "credential": [None, "x-api-key"],
    "websocket": [False, True],
    "fetch_site": ["same-origin", None, "none", "same-site", "cross-site", "x"],
    "page_origin": [PageOrigin.OURS, PageOrigin.NONE, PageOrigin.NULL, PageOrigin.FOREIGN],
    "navigation": [True, False],
    "last_seen": [NOW - MINUTE, NOW, NOW - 1800, NOW - 1799],
    "records_current": [True, False],
    "evidence": [None, ClientEvidence(moved=True, since=NOW), ClientEvidence(moved=True, since=0.0), ClientEvidence(moved_reported=True, since=NOW),
                 ClientEvidence(100.0, ((Signal.NO_FETCH_METADATA, 100.0),), since=NOW), ClientEvidence(99.9, since=NOW),
                 ClientEvidence(100.0, since=NOW - 10 * MINUTE), ClientEvidence(100.0, since=NOW - 11 * MINUTE),
                 ClientEvidence(100.0, answered=True, since=NOW), ClientEvidence(0.0, (), ((Signal.MANY_CONNECTIONS, 999.0),), since=NOW)],
    "too_fast": [(), ("dossier",), ("pension",)],
    "suspensions": [NOTHING_SUSPENDED, *(Suspensions([one]) for one in SUSPENDED), Suspensions(SUSPENDED[2:4])],
}  # fmt: skip
CONNECTION: dict[str, list[Any]] = {
    "channel": [Channel.USER, *Channel],
    "tls_version": ["TLSv1.3", None],
    "sni": ["dossier.localhost", None, "portal.localhost", "pension.localhost"],
    "address": ["192.0.2.7", "198.51.100.7", "2001:db8::7"],
}
SESSION: dict[str, list[Any]] = {
    "user_id": [USER.user_id, "peeters01"],
    "means": [Means.TOKEN, *Means],
    "auth_time": [NOW - 10 * MINUTE, NOW - 8 * HOUR, NOW - 9 * HOUR, NOW + 1],
    "created_at": [NOW - 10 * MINUTE, NOW, NOW + 1],
    "expires_at": [NOW + HOUR, NOW],
    "ended_at": [None, NOW - 1],
    "ended_reason": [None, "expired"],
    "certificate": [None, "ab" * 32],
    "certificate_good_at": [None, NOW, NOW - 900, NOW - 901, NOW - HOUR, NOW - HOUR - 1, NOW - 9 * HOUR, NOW + 1],
}
PERSON: dict[str, list[Any]] = {
    "institution": [KBO, ELSEWHERE],
    "validity": VALIDITIES,
    "blocked": [False, True],
    "roles": [USER.roles, {}, {"PensionReader": (Role(2, "PensionReader", YEAR),)},
              *({"DossierReader": (Role(3, "DossierReader", one),)} for one in VALIDITIES)],
    "outside_roles": [USER.roles, {}, {"PensionReader": (Role(0, "PensionReader", YEAR),)},
                      *({"DossierReader": (Role(0, "DossierReader", one),)} for one in VALIDITIES)],
    "roles_known_at": [NOW, NOW - HOUR, NOW - HOUR - 0.001, NOW + 5, NOW + 6, None],
    "acceptances": [USER.acceptances, {}, {"2026": Acceptance(1, "2026", "00" * 32, NOW)}, {"2025": Acceptance(1, "2025", SHA, NOW)}],
}  # fmt: skip
APPLICATION: dict[str, list[Any]] = {
    "channel": [Channel.USER, Channel.FILE_TRANSFER],
    "sensitivity": [2, 0, 1, 3, 4],
    "social_personal_data": [True, False],
    "role": ["DossierReader", None, "PensionReader"],
    "operations": [TRANSACTION.operations, TRANSACTION.operations[::-1], TRANSACTION.operations[1:], (),
                   (Operation(Use.COMMUNICATION, PathPattern("/*"), frozenset({"GET"})), *TRANSACTION.operations)],
    "soft_revocation": [None, HOUR, 60.0],
}  # fmt: skip
GRANT: dict[str, list[Any]] = {
    "purpose": [text("why"), None],
    "means": [CONSULTATION.means, *(frozenset({one}) for one in Means), frozenset(Means), frozenset({Means.PASSWORD, Means.EID}), frozenset()],
    "stronger_satisfies": [True, False],
    "max_authentication_age": [8 * HOUR, 600.0, 599.0],
    "context": [None, Context((OFFICE,)), Context((VILLAGE, OFFICE)), Context((VILLAGE,)), Context(hours=(600, 1140)), Context(hours=(0, 1440)),
                Context(hours=(601, 1140)), Context(hours=(420, 600)), Context(days=WEEKDAYS, working=True), Context(days=WEEKDAYS),
                Context(days=frozenset({5, 6})), Context((OFFICE,), (420, 1140), WEEKDAYS, True)],
}  # fmt: skip
AUTHORISED: dict[str, list[Any]] = {
    "institution": [KBO, ELSEWHERE],
    "transaction": ["dossier", "pension"],
    "validity": VALIDITIES,
    "status": ["active", "suspended", "revoked"],
    "opinion": [AUTHORISATION.opinion, None, Opinion(False, AUTHORISATION.opinion.on)],  # type: ignore[union-attr]
    "review_until": [None, NOW, NOW + 1],
}
NAMED: dict[str, list[Any]] = {
    "authorisation": ["24/123", "26/007"],
    "uses": [frozenset(Use), frozenset({Use.CONSULTATION}), frozenset({Use.COMMUNICATION}), frozenset()],
    "validity": VALIDITIES,
    "made_at": [YEAR.start + DAY, YEAR.start - 1, NOW - 2 * DAY, NOW - 60],
    "mandate": [MANDATES[1], *MANDATES],
    "confirmed": [True, False],
}
TABLE: dict[str, list[Any]] = {
    "usable": [True, False],
    "refused_from": [FOR_EVER, NOW, NOW + 1],
    "institutions": [{KBO: INSTITUTION}, {}, {ELSEWHERE: INSTITUTION}],
    "regulations": [(REGULATION,), (), (REGULATION, dc.replace(REGULATION, version="2027", effective=NOW + 1)),
                    (REGULATION, dc.replace(REGULATION, version="2026b", effective=NOW, sha256="11" * 32)),
                    (REGULATION, dc.replace(REGULATION, version="2025", effective=0.0))],
    "mandate_review_seconds": [30 * DAY, 0.0],
    "idle_seconds": [1800.0, 60.0],
    "doubtful_score": [100.0, 1.0, 1000.0],
    "holidays": [frozenset(), frozenset({TODAY}), frozenset({TODAY + dt.timedelta(days=1)})],
    "card_fresh_seconds": [900.0, 60.0],
    "roles_stale_seconds": [None, HOUR, 60.0],
}  # fmt: skip

PARTS = {
    "request": REQUEST, "connection": CONNECTION, "session": SESSION, "person": PERSON, "application": APPLICATION,
    "consultation": GRANT, "communication": GRANT, "authorised": AUTHORISED, "next": AUTHORISED, "named": NAMED,
    "named too": NAMED, "table": TABLE,
}  # fmt: skip
KNOBS = [(part, key) for part, keys in PARTS.items() for key in keys]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """The permitted world with a few knobs turned, so that permits and refusals are both common."""
    turned: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for part, key in draw(st.lists(st.sampled_from(KNOBS), max_size=6, unique=True)):
        turned[part][key] = draw(st.sampled_from(PARTS[part][key]))
    uses = (
        dc.replace(CONSULTATION, **turned["consultation"]),
        dc.replace(COMMUNICATION, **turned["communication"]),
    )
    world = turn(
        turned,
        draw(st.sampled_from([uses, uses[::-1], uses[:1], uses[1:]])) if draw(st.booleans()) else uses,
        draw(st.sampled_from(["12", "1", "21", "2", ""])),
        draw(st.sampled_from(["12", "1", "21", "2", ""])),
    )
    if draw(st.booleans()):
        world = dc.replace(world, transactions=(*world.transactions, OTHER))
    who = draw(st.sampled_from(["as is", "as is", "as is", "anonymous", "no records"]))
    if who == "anonymous":
        return world.anonymous()
    return dc.replace(world, the_user=None) if who == "no records" else world


def turn(turned: dict[str, dict[str, Any]], uses: tuple[UseGrant, ...], designations: str, grants: str) -> World:
    """The permitted world with these knobs turned; `designations` and `grants` name those of two that are there, in order."""
    first = dc.replace(AUTHORISATION, **turned["authorised"], uses=uses)
    second = dc.replace(NEXT, **turned["next"], uses=uses)
    one = dc.replace(DESIGNATION, **turned["named"])
    two = dc.replace(DESIGNATION, **({"id": 2, "authorisation": "26/007"} | turned["named too"]))
    return (
        WORLD.request(**({"page_origin": PageOrigin.OURS} | turned["request"]))
        .connection(**turned["connection"])
        .session(**turned["session"])
        .designated(*({"1": one, "2": two}[name] for name in designations))
        .user(**turned["person"])
        .transaction(**turned["application"])
        .authorised(*({"1": first, "2": second}[name] for name in grants))
        .table(**turned["table"])
    )


def applies(world: World) -> bool:
    return place_of(world.facts, world.snapshot) is Place.TRANSACTION


@pytest.mark.parametrize(("part", "key"), KNOBS)
def test_each_knob_alone_does_what_the_policy_says(part: str, key: str) -> None:
    """Nothing else hides what it does: a condition that the decision forgot is found here whatever is drawn below."""
    for value in PARTS[part][key]:
        turned: dict[str, dict[str, Any]] = {name: {} for name in PARTS}
        turned[part][key] = value
        uses = (
            dc.replace(CONSULTATION, **turned["consultation"]),
            dc.replace(COMMUNICATION, **turned["communication"]),
        )
        world = turn(turned, uses, "1", "1")
        assert_as_the_policy_says(world)


@MANY
@given(worlds())
def test_the_decision_is_the_policys(world: World) -> None:
    """Permitted when, and only when, every condition of an independent reading of the policy holds."""
    assert_as_the_policy_says(world)
    event("permitted" if world.decide().permitted else "refused")


def assert_as_the_policy_says(world: World) -> None:
    held = oracle.conditions(world.facts, world.snapshot)
    if applies(world):
        assert world.decide().permitted == all(held.values()), held
    else:
        assert not all(held.values())


@MANY
@given(worlds())
def test_taking_away_never_adds_access(world: World) -> None:
    if world.decide().permitted:
        return
    assert not [name for name, less in lessened(world) if less.decide().permitted]


@MANY
@given(worlds())
def test_taking_away_what_a_permit_rests_on_ends_it(world: World) -> None:
    decision = world.decide()
    if not decision.permitted or decision.place is not Place.TRANSACTION:
        return
    for spoiled in (
        world.anonymous(),
        world.user(acceptances={}),
        world.user(designations={}),
        world.table(institutions={}),
        world.authorised(),
        dc.replace(world, transactions=()),
        dc.replace(world, transactions=tuple(dc.replace(one, operations=()) for one in world.transactions)),
    ):
        assert not spoiled.decide().permitted
    if decision.role is not None:
        assert world.user(roles={}, outside_roles={}).code == "role_missing"


def lessened(world: World) -> list[tuple[str, World]]:
    """Every world with one grant, designation, role, acceptance … less."""
    less: list[tuple[str, World]] = [
        ("session", world.anonymous()),
        ("table", world.table(usable=False)),
        ("institutions", world.table(institutions={})),
        ("regulations", world.table(regulations=())),
        ("records", world.request(records_current=False)),
    ]
    for one in world.authorisations:
        if one.supersedes:  # it is the one thing that takes away by being there
            continue
        rest = tuple(other for other in world.authorisations if other is not one)
        less.append((f"authorisation {one.reference}", world.authorised(*rest)))
    for one in world.authorisations:
        rest = tuple(other for other in world.authorisations if other is not one)
        less.append(
            (f"opinion of {one.reference}", world.authorised(*rest, dc.replace(one, opinion=None)))
            if not one.supersedes
            else ("", world)
        )
        for grant in one.uses:
            uses = tuple(other for other in one.uses if other is not grant)
            less.append((f"{grant.use} of {one.reference}", world.authorised(*rest, dc.replace(one, uses=uses))))
            for means in grant.means:
                fewer = dc.replace(grant, means=grant.means - {means})
                less.append((f"{means}", world.authorised(*rest, dc.replace(one, uses=(*uses, fewer)))))
    user = world.the_user
    if user is not None:
        less += [
            ("acceptances", world.user(acceptances={})),
            ("roles", world.user(roles={})),
            ("outside roles", world.user(outside_roles={})),
            ("word on roles", world.user(roles_known_at=None)),
            ("blocked", world.user(blocked=True)),
        ]
        all_of = [one for named in user.designations.values() for one in named]
        for one in all_of:
            kept = [other for other in all_of if other is not one]
            # A record ends and is never gone: under a successor whose review runs, it is the head official's word to the end.
            over = dc.replace(one, validity=Validity(one.validity.start, min(one.validity.end, NOW)))
            less.append((f"designation {one.id}", world.designated(*kept, over)))
            less += [
                (f"{use} of designation {one.id}", world.designated(*kept, dc.replace(one, uses=one.uses - {use})))
                for use in one.uses
            ]
            less.append((f"confirmation {one.id}", world.designated(*kept, dc.replace(one, confirmed=False))))
    return less


@MANY
@given(worlds(), st.sampled_from(Means), st.sampled_from([NOW, NOW - HOUR, NOW - 9 * HOUR]))
def test_a_step_up_changes_nothing_that_was_granted(world: World, means: Means, auth_time: float) -> None:
    """What the person may do, by whose word and for what, is found alike; the means and its age decide only whether it is enough."""
    if world.the_session is None:
        return
    mended = {
        "means_too_weak",
        "means_not_agreed",
        "authentication_too_old",
        "doubtful_client",
        "session_moved",
        "revocation_unknown",
    }
    (before, steps), (after, later) = world.explain(), world.session(means=means, auth_time=auth_time).explain()
    for old, new in zip(steps, later, strict=True):
        if old.criterion.reasons[0] not in mended:
            assert old == new
    if before.permitted and after.permitted:
        assert before == after


@MANY
@given(worlds())
def test_evidence_asks_and_never_refuses(world: World) -> None:
    """It turns a permit into a challenge that the person can meet, and nothing else into anything."""
    without = world.request(evidence=None).decide()
    decision = world.decide()
    if decision.reason is without.reason:
        return
    assert decision.reason.code in ("session_moved", "doubtful_client")
    assert decision.kind is Kind.CHALLENGE
    evidence, session = world.the_request.evidence, world.the_session
    assert evidence is not None
    assert session is not None
    # Neither what is only reported, nor what an authentication has answered.
    assert evidence.moved or (evidence.score >= world.snapshot.doubtful_score and not evidence.answered)
    assert world.session(auth_time=evidence.since + 1).decide().reason.code not in ("session_moved", "doubtful_client")


@MANY
@given(worlds(), st.randoms(use_true_random=False))
def test_order_never_matters(world: World, random: Any) -> None:
    """Of files, of authorisations, of a transaction's matches, of designations, roles and regulations."""

    def shuffled(values: Any) -> tuple[Any, ...]:
        values = list(values)
        random.shuffle(values)
        return tuple(values)

    other = dc.replace(
        world,
        transactions=tuple(dc.replace(one, matches=shuffled(one.matches)) for one in shuffled(world.transactions)),
        authorisations=tuple(dc.replace(one, uses=shuffled(one.uses)) for one in shuffled(world.authorisations)),
        settings={**world.settings, "regulations": shuffled(world.settings.get("regulations", (REGULATION,)))},
    )
    if other.the_user is not None:
        other = other.user(
            designations={
                key: shuffled(other.the_user.designations[key]) for key in shuffled(other.the_user.designations)
            },
            roles={key: shuffled(roles) for key, roles in other.the_user.roles.items()},
        )
    mine, theirs = world.decide(), other.decide()
    assert (mine.reason, mine.disclosed, mine.designation) == (theirs.reason, theirs.disclosed, theirs.designation)
    assert (mine.authorisation and mine.authorisation.reference) == (
        theirs.authorisation and theirs.authorisation.reference
    )


@MANY
@given(worlds(), st.integers(0, 8784))
def test_no_permit_outside_the_context(world: World, hours: int) -> None:
    """Whatever else holds, and whenever in the year; and the context never opens anything."""
    now = NOW + hours * HOUR
    for grant in (
        Context((VILLAGE,)),
        Context(hours=(0, 0)),
        Context(days=frozenset()),
        Context((), (0, 1440), WEEKDAYS, True),
    ):
        closed = world.authorised(
            *(
                dc.replace(one, uses=tuple(dc.replace(use, context=grant) for use in one.uses))
                for one in world.authorisations
            )
        )
        decision = closed.connection(address="192.0.2.7").at(now).decide()
        if decision.permitted and decision.place is Place.TRANSACTION:
            year, month, day, weekday, _ = oracle.brussels(now)
            assert grant.working
            assert weekday < 5
            assert dt.date(year, month, day) not in closed.snapshot.holidays
            assert world.connection(address="192.0.2.7").at(now).authorised(
                *(dc.replace(one, uses=tuple(dc.replace(use, context=None) for use in one.uses)) for one in world.authorisations)
            ).decide().permitted  # fmt: skip


@MANY
@given(worlds(), st.floats(0, 10 * HOUR))
def test_no_permit_by_a_revoked_or_too_long_unchecked_card(world: World, age: float) -> None:
    """A card that is revoked ends the session; one that nobody could ask about opens nothing for longer than the transaction bears."""
    if world.the_session is None:
        return
    card = world.session(certificate="ab" * 32, certificate_good_at=NOW - age)
    decision = card.decide()
    if decision.permitted and decision.place is Place.TRANSACTION:
        assert decision.transaction is not None
        assert age <= max(card.snapshot.card_fresh_seconds, decision.transaction.soft_revocation or 0)
        assert not card.session(certificate_good_at=None).decide().permitted
        assert card.session(ended_at=NOW - 1, ended_reason="revoked").code == "session_revoked"


@given(worlds())
def test_nothing_of_the_person_is_told_to_a_stranger(world: World) -> None:
    decision = world.decide()
    if decision.disclosed:
        assert decision.shown == decision.reason.text
        return
    assert decision.reason.personal
    assert (decision.shown, decision.reason.status, decision.kind) == (NOT_FOR_YOU, 403, Kind.DENY)


@given(worlds(), st.sampled_from(["/dossier/list", "/dossier/search", "/nowhere", "/dossier/pension/x"]))
def test_an_anonymous_request_learns_nothing_of_transactions(world: World, path: str) -> None:
    stranger = world.anonymous().request(path=path)
    bare = dc.replace(stranger, transactions=(), authorisations=())
    if applies(stranger):
        assert stranger.decide() == bare.decide()


@given(worlds())
def test_an_explanation_is_the_decision_with_all_its_steps(world: World) -> None:
    decision, steps = world.explain()
    assert decision == world.decide()
    assert [step.criterion for step in steps] == list(BY_PLACE[decision.place, world.the_request.connection.channel])
    unmet = [step.reason for step in steps if step.met is False]
    assert (unmet[0] if unmet else PERMITTED) is decision.reason
    assert all((step.reason is None) is (step.met is not False) for step in steps)
    assert not (decision.permitted and any(step.met is None for step in steps))
    for step in steps:
        if step.reason is not None:
            assert step.reason.code in step.criterion.reasons


moments = st.one_of(st.floats(), st.just(NOW), st.sampled_from([0.0, -1.0, float("inf"), float("nan")]))
words = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["dossier.localhost", "portal.localhost"]))
facts = st.builds(
    Facts,
    now=moments,
    connection=st.builds(Connection, st.sampled_from(Channel), words, words, words),
    method=st.one_of(st.text(max_size=8), st.sampled_from(["GET", "POST"])),
    host=words,
    port_is_ours=st.booleans(),
    path=st.one_of(st.text(max_size=40), st.sampled_from(["/", "/dossier/x", "/.gateway/", "/sign-in", "*", ""])),
    fault=st.one_of(st.none(), st.text(max_size=12), st.sampled_from(sorted(REASONS))),
    agent=st.sampled_from(Agent),
    signature_agent=st.booleans(),
    authorization=st.booleans(),
    credential=words,
    websocket=st.booleans(),
    fetch_site=words,
    page_origin=st.sampled_from(PageOrigin),
    navigation=st.booleans(),
    session=st.one_of(
        st.none(),
        st.builds(
            Session, st.text(max_size=4), st.sampled_from(["jansen01", ""]), st.sampled_from(Means), moments, moments, moments,
            st.one_of(st.none(), moments), words, words, st.one_of(st.none(), moments),
        ),
    ),
    last_seen=moments,
    user=st.one_of(st.none(), st.just(USER)),
    records_current=st.booleans(),
    evidence=st.one_of(
        st.none(), st.builds(ClientEvidence, moments, moved=st.booleans(), moved_reported=st.booleans(), answered=st.booleans(), since=moments)
    ),
    too_fast=st.sampled_from([(), ("dossier",), ("",)]),
)  # fmt: skip


@given(facts)
def test_no_facts_make_it_raise_and_a_fault_never_reads_as_a_permit(facts: Facts) -> None:
    decision = decide(facts, WORLD.snapshot)
    assert explain(facts, WORLD.snapshot)[0].reason is decision.reason
    assert decision.reason in REASONS.values()
    if facts.fault is not None or facts.connection.tls_version is None or facts.connection.channel is not Channel.USER:
        assert not decision.permitted


@given(facts, st.sampled_from([one for one in Channel if one is not Channel.USER]))
def test_other_channels_permit_nothing(facts: Facts, channel: Channel) -> None:
    assert not decide(
        dc.replace(facts, connection=facts.connection._replace(channel=channel)), WORLD.snapshot
    ).permitted
    assert not WORLD.connection(channel=channel).decide().permitted
