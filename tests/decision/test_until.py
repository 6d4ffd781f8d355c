"""Until then, the decision is the same; nothing may end earlier than we look again."""

from __future__ import annotations

import dataclasses as dc
import datetime as dt
import math

from hypothesis import event, given, settings
from hypothesis import strategies as st

from gateway.decision import decide
from gateway.decision.until import stands_until
from gateway.model import BRUSSELS, FOR_EVER, Context, Validity
from tests.decision.test_properties import NEXT, worlds
from tests.decision.world import AUTHORISATION, DESIGNATION, HOUR, MANDATE, NOW, USER, WORLD, YEAR, World

MANY = settings(max_examples=max(400, settings().max_examples))


@MANY
@given(worlds(), st.floats(0, 1), st.lists(st.floats(0, 90 * 86400.0), max_size=5))
def test_nothing_changes_before(world: World, fraction: float, later: list[float]) -> None:
    facts, snapshot = world.facts, world.snapshot
    decision = decide(facts, snapshot)
    until = stands_until(facts, decision, snapshot)
    assert until >= NOW
    last = min(until, NOW + 365 * 86400.0)
    tried = {NOW + (last - NOW) * fraction, math.nextafter(last, NOW), *(NOW + after for after in later)}
    for now in tried:
        if NOW <= now < until:
            again = decide(dc.replace(facts, now=now), snapshot)
            assert again.reason is decision.reason, (now - NOW, until - NOW)
    event("permitted" if decision.permitted else "refused")


def test_what_ends_a_permit_is_among_the_moments() -> None:
    """Each of these is the first end of its world, and the decision turns there."""
    worlds_that_end = {
        NOW + 1: WORLD.session(expires_at=NOW + 1),
        NOW + 2: WORLD.request(last_seen=NOW + 2 - 1800),
        NOW + 3: WORLD.session(auth_time=NOW + 3 - 8 * HOUR),
        NOW + 4: WORLD.designated(dc.replace(DESIGNATION, validity=Validity(YEAR.start, NOW + 4))),
        NOW + 5: WORLD.designated(
            dc.replace(
                DESIGNATION,
                mandate=dc.replace(MANDATE, validity=Validity(YEAR.start, NOW + 5)),
            )
        ).table(mandate_review_seconds=0.0),
        NOW + 6: WORLD.user(validity=Validity(YEAR.start, NOW + 6)),
        NOW + 7: WORLD.user(
            roles={
                "DossierReader": (dc.replace(USER.roles["DossierReader"][0], validity=Validity(YEAR.start, NOW + 7)),)
            }
        ),
        NOW + 7.5: WORLD.user(outside_roles=USER.roles, roles_known_at=NOW - 52.5).table(roles_stale_seconds=60.0),
        NOW + 7.75: WORLD.user(
            outside_roles={
                "DossierReader": (
                    dc.replace(USER.roles["DossierReader"][0], validity=Validity(YEAR.start, NOW + 7.75)),
                )
            },
            roles_known_at=NOW,
        ).table(roles_stale_seconds=60.0),
        NOW + 8: WORLD.session(certificate="ab" * 32, certificate_good_at=NOW + 8 - 900),
        NOW + 9: WORLD.session(certificate="ab" * 32, certificate_good_at=NOW + 9 - HOUR).transaction(
            soft_revocation=HOUR
        ),
        NOW + 10: WORLD.authorised(AUTHORISATION, dc.replace(NEXT, review_until=NOW + 10)),
        NOW + 60: WORLD.grant(context=Context(hours=(0, 601))),
        NOW + 900: WORLD.grant(context=Context(hours=(0, 615))),
    }
    for end, world in worlds_that_end.items():
        decision = world.decide()
        assert decision.permitted
        assert stands_until(world.facts, decision, world.snapshot) == end
        # An authentication lasts for its last moment, everything else ends at it.
        assert not decide(dc.replace(world.facts, now=end + 0.001), world.snapshot).permitted


def test_a_moment_that_is_just_now_is_looked_at_again() -> None:
    world = WORLD.session(auth_time=NOW - 8 * HOUR)
    assert world.decide().permitted
    assert stands_until(world.facts, world.decide(), world.snapshot) == NOW


def test_without_anything_that_ends_it_stands_for_ever() -> None:
    world = WORLD.anonymous().table(regulations=())
    assert stands_until(world.facts, world.decide(), world.snapshot) == FOR_EVER


def test_without_a_person_or_a_transaction_only_what_is_known_counts() -> None:
    nobody = dc.replace(WORLD, the_user=None)
    assert stands_until(nobody.facts, nobody.decide(), nobody.snapshot) > NOW
    nowhere = WORLD.request(path="/nowhere")
    assert stands_until(nowhere.facts, nowhere.decide(), nowhere.snapshot) > NOW


def test_a_role_that_nobody_asks_for_ends_nothing() -> None:
    role = dc.replace(USER.roles["DossierReader"][0], validity=Validity(YEAR.start, NOW + 4))
    world = WORLD.transaction(role=None, social_personal_data=False).user(roles={"DossierReader": (role,)})
    assert world.decide().permitted
    assert stands_until(world.facts, world.decide(), world.snapshot) > NOW + 4


def test_who_was_named_by_the_head_official_in_person_hangs_on_no_mandate() -> None:
    world = WORLD.designated(dc.replace(DESIGNATION, mandate=None, validity=Validity(YEAR.start, NOW + 4)))
    assert stands_until(world.facts, decide(world.facts, world.snapshot), world.snapshot) == NOW + 4


HOURS = st.integers(0, 1439).flatmap(lambda first: st.tuples(st.just(first), st.integers(first + 1, 1440)))
CONTEXTS = st.builds(
    Context, hours=st.one_of(st.none(), HOURS), days=st.one_of(st.none(), st.frozensets(st.integers(0, 6))), working=st.booleans()
)  # fmt: skip
SUMMER_BEGINS, SUMMER_ENDS = (
    dt.datetime(2026, month, day, 1, tzinfo=dt.UTC).timestamp() for month, day in ((3, 29), (10, 25))
)


@MANY
@given(
    CONTEXTS,
    st.sampled_from([NOW, SUMMER_BEGINS, SUMMER_ENDS]),
    st.floats(-26 * HOUR, 26 * HOUR),
    st.lists(st.floats(0, 1), max_size=9),
)
def test_no_hour_and_no_day_turns_before(context: Context, around: float, away: float, fractions: list[float]) -> None:
    """Also where the clocks change, and on public holidays."""
    holidays = frozenset({dt.date(2026, 3, 30), dt.date(2026, 6, 16), dt.date(2026, 10, 26)})
    world = WORLD.grant(context=context).table(holidays=holidays).at(around + away)
    facts, snapshot = world.facts, world.snapshot
    decision = decide(facts, snapshot)
    until = stands_until(facts, decision, snapshot)
    assert facts.now <= until <= facts.now + HOUR or context.hours is context.days is None
    for now in {math.nextafter(until, 0), *(facts.now + (until - facts.now) * fraction for fraction in fractions)}:
        if facts.now <= now < until:
            assert decide(dc.replace(facts, now=now), snapshot).reason is decision.reason
    event(decision.reason.code)


def test_an_hour_that_the_clocks_repeat_ends_each_time() -> None:
    """02:00 to 02:30, on the night of 25 October 2026: open, closed, open again, closed."""
    world = WORLD.grant(context=Context(hours=(120, 150)))
    for minutes, code in (
        (-1, "outside_context"),
        (0, "permitted"),
        (30, "outside_context"),
        (60, "permitted"),
        (90, "outside_context"),
    ):
        now = SUMMER_ENDS - HOUR + minutes * 60
        assert dt.datetime.fromtimestamp(now, BRUSSELS).hour in (1, 2)
        assert world.at(now).code == code
