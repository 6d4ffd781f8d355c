"""Whatever head officials and administrators do, in whatever order and however time passes, nobody can do what no act allows (clauses P1–P5).

Real pages, records and ledger. Two institutions send forms at random, most of them for what is not theirs: the own person, another
institution's people and records, uses and times beyond the authorisation, under mandates that wait, have ended, or are for something else.
After every step each row of the records is judged by rules written down here from the policy, and so is each permit of the decision itself:
for every person, every authorisation and every use.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from gateway.decision import Agent, Connection, Decision, Facts, PageOrigin, decide
from gateway.model import BRUSSELS, Acceptance, Channel, GrantedRole, Means, Session, Use, UserRecords, Validity
from gateway.records.standing import Rules
from tests.portal.conftest import (
    AUTHORISATIONS,
    DAY,
    DOSSIER,
    INSTITUTION,
    KBO,
    NOW,
    OFFICIAL,
    PENSION,
    PORTAL,
    REGULATION,
    Answer,
    World,
    open_world,
    snapshot_of,
)
from tests.portal.test_administration import add_person, signed_in

NORTH, SOUTH = KBO, "0671516647"
REVIEW, PERIOD = 30 * DAY, Rules().recertify
HEADS = {NORTH: ("head.n", "98472899765"), SOUTH: ("head.s", "01490700185")}
PEOPLE = {
    "admin.n1": ("92521506931", NORTH),
    "admin.n2": ("19282416134", NORTH),
    "admin.s1": ("10200100128", SOUTH),
    "worker.n": ("00003241778", NORTH),
    "both.n": ("93051822361", NORTH),
    "both.s": ("93051822361", SOUTH),
}
EVERYBODY = (*(user_id for user_id, _ in HEADS.values()), *PEOPLE, "jansen01")
ADMINISTRATORS = ("admin.n1", "admin.n2", "admin.s1", "both.n", "both.s")
GRANTED = {
    "24/123": replace(AUTHORISATIONS[0], validity=Validity(NOW - 100 * DAY, NOW + 400 * DAY)),
    "24/124": replace(AUTHORISATIONS[1], validity=Validity(NOW - 100 * DAY, NOW + 90 * DAY)),
    "24/900": replace(
        AUTHORISATIONS[0], reference="24/900", institution=SOUTH, uses=(AUTHORISATIONS[0].uses[0],),
        validity=Validity(NOW - 100 * DAY, NOW + 250 * DAY),
    ),
}  # fmt: skip
ASKED = {"dossier": (DOSSIER, "/dossier/x", "/dossier/dossiers/1"), "pension": (PENSION, "/pension/x", "/pension/x")}
T = TypeVar("T")

anybody = st.sampled_from(EVERYBODY)
references = st.sampled_from(sorted(GRANTED))
numbers = st.integers(0, 30)
ticks = st.sets(numbers, min_size=1, max_size=3)


class People(RuleBasedStateMachine):
    """The gateway, and everybody who may send it a form."""

    prepared: Path
    permits: ClassVar[set[tuple[str, str, Use]]] = set()
    """What was ever permitted: of a run without any nothing is learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.directory = tempfile.TemporaryDirectory()
        self.world: World = self.run(self._open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _open(self) -> World:
        world = await self.stack.enter_async_context(open_world(Path(self.directory.name), self.prepared))
        granted: dict[tuple[str, str], Any] = {}
        for each in GRANTED.values():
            granted[each.institution, each.transaction] = (*granted.get((each.institution, each.transaction), ()), each)
        roles = {
            insz: (GrantedRole("head_official", insz, kbo, Validity(NOW - DAY), "Appointment"),)
            for kbo, (_, insz) in HEADS.items()
        }
        world.snapshot = replace(
            snapshot_of(),
            roles=roles,
            by_reference=GRANTED,
            authorisations=granted,
            institutions={NORTH: INSTITUTION, SOUTH: replace(INSTITUTION, kbo=SOUTH)},
        )
        for kbo, (user_id, insz) in HEADS.items():
            await add_person(world, user_id, insz, user_id, kbo)
        for user_id, (insz, kbo) in PEOPLE.items():
            if user_id == "both.s":
                person = await world.records.person_of(insz=insz)
                await world.records.add_user_id(user_id, person, kbo, "en", OFFICIAL, NOW - DAY)
            else:
                await add_person(world, user_id, insz, user_id, kbo)
        return world

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()
        self.directory.cleanup()

    def send(self, who: str, path: str, form: dict[str, str]) -> Answer:
        return self.run(self._send(who, path, form))

    async def _send(self, who: str, path: str, form: dict[str, str]) -> Answer:
        """As somebody who has just signed in with their card, or would have: a blocked person has no session."""
        login = await self.world.records.find_login(who)
        if login is None or not login.allowed(self.world.clock.now):
            return Answer(0, {}, [], "", path)
        self.world.clock.now += 1
        browser = await signed_in(self.world, who)
        csrf = (await browser.get(f"https://{PORTAL}/sign-out")).csrf
        return await browser.post(f"https://{PORTAL}{path}", {"csrf": csrf, "reason": "because", **form})

    async def _one_of(self, table: str, number: int) -> int:
        """One of the records that there are, or the one behind the last."""
        rows = (await self._rows())[table]
        return number % (len(rows) + 1) + 1

    # --- what they try

    @initialize()
    def a_day_as_it_should_be(self) -> None:
        self.become_an_administrator("admin.n2", "24/123")
        for head, who, whom, reference in (
            (NORTH, "admin.n1", "worker.n", "24/123"),
            (SOUTH, "admin.s1", "both.s", "24/900"),
        ):
            self.become_an_administrator(who, "all")
            self.designate_for_consultation(who, whom, reference)
            for row in self.run(self._rows())["designations"]:
                self.send(HEADS[head][0], "/head/review/confirm", {"list": "waiting", f"d{row.id}": "yes"})

    @rule(
        head=st.sampled_from(sorted(HEADS)), whom=anybody, days=st.integers(0, 200),
        scope=st.sampled_from(("all", "24/123", "24/124", "24/900")),
    )  # fmt: skip
    def give_a_mandate(self, head: str, whom: str, days: int, scope: str) -> None:
        form = {"user_id": whom, "act_reference": "HR/1", "act_date": "2026-06-01"}
        form |= {"scope": "all"} if scope == "all" else {"scope": "some", f"for {scope}": "yes"}
        until = dt.datetime.fromtimestamp(self.world.clock.now + days * DAY, BRUSSELS).date()
        self.send(HEADS[head][0], "/head/mandates/give", form | ({"until": until.isoformat()} if days else {}))

    @rule(who=st.sampled_from(ADMINISTRATORS), scope=st.sampled_from(("all", "24/123")))
    def become_an_administrator(self, who: str, scope: str) -> None:
        """The usual way, so that there is somebody to misuse it."""
        head = HEADS[PEOPLE[who][1]][0]
        form = {"user_id": who, "act_reference": "HR/1", "act_date": "2026-06-01"}
        form |= {"scope": "all"} if scope == "all" else {"scope": "some", f"for {scope}": "yes"}
        self.send(head, "/head/mandates/give", form)
        for mandate in self.run(self.world.records.mandates_of(who)):
            self.send(who, "/mandate", {"mandate": str(mandate.record), "answer": "accept"})

    @rule(who=anybody, mandate=numbers, answer=st.sampled_from(("accept", "decline")))
    def answer_a_mandate(self, who: str, mandate: int, answer: str) -> None:
        self.send(who, "/mandate", {"mandate": str(self.run(self._one_of("mandates", mandate))), "answer": answer})

    @rule(who=st.sampled_from(sorted(HEADS)), mandate=numbers)
    def end_a_mandate(self, who: str, mandate: int) -> None:
        record = self.run(self._one_of("mandates", mandate))
        self.send(HEADS[who][0], "/head/mandates/end", {"mandate": str(record), "last": "yes"})

    @rule(
        who=anybody, whom=anybody, reference=references, uses=st.sets(st.sampled_from(Use)), days=st.integers(-1, 500)
    )
    def designate(self, who: str, whom: str, reference: str, uses: set[Use], days: int) -> None:
        until = dt.datetime.fromtimestamp(self.world.clock.now + days * DAY, BRUSSELS).date()
        form = {"user_id": whom, "authorisation": reference, **{f"use_{use.value}": "yes" for use in uses}}
        self.send(who, "/administration/designate", form | ({"until": until.isoformat()} if days % 2 else {}))

    @rule(who=st.sampled_from(ADMINISTRATORS), whom=anybody, reference=references)
    def designate_for_consultation(self, who: str, whom: str, reference: str) -> None:
        form = {"user_id": whom, "authorisation": reference, "use_consultation": "yes"}
        self.send(who, "/administration/designate", form)

    @rule(whom=anybody, reference=references)
    def designate_beyond_the_mandate(self, whom: str, reference: str) -> None:
        form = {"user_id": whom, "authorisation": reference, "use_consultation": "yes"}
        self.send("admin.n2", "/administration/designate", form)

    @rule(head=st.sampled_from(sorted(HEADS)), which=st.sampled_from(("waiting", "due", "orphaned")), records=ticks)
    def head_confirms(self, head: str, which: str, records: set[int]) -> None:
        for record in {self.run(self._one_of("designations", each)) for each in records}:
            self.send(HEADS[head][0], "/head/review/confirm", {"list": which, f"d{record}": "yes"})

    @rule(who=anybody, records=ticks)
    def somebody_confirms(self, who: str, records: set[int]) -> None:
        for record in {self.run(self._one_of("designations", each)) for each in records}:
            self.send(who, "/administration/review/confirm", {"list": "due", f"d{record}": "yes"})

    @rule(who=anybody, record=numbers, path=st.sampled_from(("/head/review/end", "/administration/review/end")))
    def end_a_designation(self, who: str, record: int, path: str) -> None:
        self.send(who, path, {"list": "due", f"d{self.run(self._one_of('designations', record))}": "yes"})

    @rule(who=anybody, whom=anybody, act=st.sampled_from(("block", "unblock")))
    def block(self, who: str, whom: str, act: str) -> None:
        self.send(who, f"/administration/{act}", {"user_id": whom})

    @rule(whom=anybody, head=st.sampled_from(sorted(HEADS)), office=st.sampled_from(("ciso", "dpo", "head_official")))
    def grant_an_office(self, whom: str, head: str, office: str) -> None:
        form = {"user_id": whom, "office": office, "act_reference": "HR/2", "act_date": "2026-06-01"}
        self.send(HEADS[head][0], "/head/offices/grant", form)

    @rule(days=st.sampled_from((1, 20, 29, 31, 90, 175)))
    def time_passes(self, days: int) -> None:
        self.world.clock.now += days * DAY

    # --- what must hold

    @invariant()
    def every_record_and_every_permit_rests_on_an_act(self) -> None:
        rows, now = self.run(self._rows()), self.world.clock.now
        for name, judge in (
            ("mandates", _judge_mandate), ("confirmations", _judge_confirmation),
            ("designations", _judge_designation), ("user_ids", _judge_user_id), ("offices", _judge_office),
        ):  # fmt: skip
            for row in rows[name]:
                if row.actor != "shell":
                    assert judge(row, rows), f"{name}: {row}"
        for user_id in EVERYBODY:
            user = self.run(self.world.records.user(user_id))
            assert user is not None
            for granted, use in itertools.product(GRANTED.values(), Use):
                decision = self._decided(user, granted.transaction, use, now)
                if granted.institution != user.institution or not decision.permitted:
                    continue
                self.permits.add((user_id, granted.reference, use))
                assert any(
                    _holds(row, rows, use, now)
                    for row in rows["designations"]
                    if (row.user_id, row.authorisation) == (user_id, granted.reference)
                ), f"{user_id} may {use} {granted.reference} at {now} by no act"

    def _decided(self, user: UserRecords, transaction: str, use: Use, now: float) -> Decision:
        host, reading, writing = ASKED[transaction]
        accepted = {REGULATION.version: Acceptance(1, REGULATION.version, REGULATION.sha256, NOW)}
        session = Session("s", user.user_id, Means.EID, now, now, now + DAY)
        facts = Facts(
            now=now,
            connection=Connection(Channel.USER, "TLSv1.3", "TLS_AES_256_GCM_SHA384", host, address="192.0.2.7"),
            method="GET" if use is Use.CONSULTATION else "POST",
            host=host,
            port_is_ours=True,
            path=reading if use is Use.CONSULTATION else writing,
            agent=Agent.BROWSER,
            fetch_site="same-origin",
            page_origin=PageOrigin.OURS,
            navigation=True,
            activity=True,
            session=session,
            last_seen=now,
            user=replace(user, acceptances=accepted),
        )
        return decide(facts, self.world.snapshot)

    async def _rows(self) -> dict[str, list[Any]]:
        found = {}
        async with self.world.records._database.reading() as connection:
            for table in ("mandates", "confirmations", "designations", "user_ids", "offices"):
                found[table] = list(await connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY id")))
        return found


# --- the rules, on rows as they are


def _user(user_id: str, rows: dict[str, list[Any]]) -> Any:
    return next(row for row in rows["user_ids"] if row.user_id == user_id)


def _actor(row: Any) -> str:
    return str(row.actor).removeprefix("user:")


def _is_head(row: Any, institution: str) -> bool:
    return _actor(row) == HEADS[institution][0]


def _end(row: Any) -> float:
    return min(row.valid_to or float("inf"), row.ended_at or float("inf"))


def _accepted(mandate: Any, rows: dict[str, list[Any]]) -> float:
    said = [each for each in rows["confirmations"] if (each.kind, each.subject) == ("accepted", mandate.id)]
    assert len(said) <= 1
    return said[0].recorded_at if said else float("inf")


def _under(row: Any, rows: dict[str, list[Any]], institution: str, reference: str | None) -> bool:
    """The mandate that an act was done under: the actor's own, of this institution, accepted, in force, and for this."""
    mandate = next(each for each in rows["mandates"] if each.id == row.mandate)
    scope = mandate.authorisations
    begins = max(mandate.valid_from, _accepted(mandate, rows))
    return (
        (mandate.user_id, mandate.institution) == (_actor(row), institution)
        and begins <= row.recorded_at < _end(mandate)
        and (scope is None or reference is None or reference in scope.split(","))
    )


def _other_person(row: Any, rows: dict[str, list[Any]]) -> bool:
    return bool(_user(_actor(row), rows).person != _user(row.user_id, rows).person)


def _judge_mandate(row: Any, rows: dict[str, list[Any]]) -> bool:
    institution = _user(row.user_id, rows).institution
    ended = row.ended_by is None or row.ended_by in (f"user:{HEADS[institution][0]}", f"user:{row.user_id}")
    return row.institution == institution and _is_head(row, institution) and _other_person(row, rows) and ended


def _judge_confirmation(row: Any, rows: dict[str, list[Any]]) -> bool:
    if row.kind == "accepted":
        mandate = next(each for each in rows["mandates"] if each.id == row.subject)
        return bool(_actor(row) == row.user_id == mandate.user_id and row.recorded_at < _end(mandate))
    designation = next(each for each in rows["designations"] if each.id == row.subject)
    institution = _user(designation.user_id, rows).institution
    if not _other_person(row, rows) or row.user_id != designation.user_id:
        return False
    if row.mandate is None:
        return _is_head(row, institution)
    return row.kind == "recertified" and _under(row, rows, institution, designation.authorisation)


def _judge_designation(row: Any, rows: dict[str, list[Any]]) -> bool:
    granted, institution = GRANTED[row.authorisation], _user(row.user_id, rows).institution
    return (
        granted.institution == institution
        and set(row.uses.split(",")) <= {grant.use.value for grant in granted.uses}
        and granted.validity.start <= row.valid_from < row.valid_to <= granted.validity.end
        and _other_person(row, rows)
        and _under(row, rows, institution, row.authorisation)
    )


def _judge_user_id(row: Any, rows: dict[str, list[Any]]) -> bool:
    leads = row.user_id in {user_id for user_id, _ in HEADS.values()}
    return _under(row, rows, row.institution, None) and not leads


def _judge_office(row: Any, rows: dict[str, list[Any]]) -> bool:
    institution = _user(row.user_id, rows).institution
    return row.office in ("ciso", "dpo") and _is_head(row, institution) and _other_person(row, rows)


def _holds(row: Any, rows: dict[str, list[Any]], use: Use, now: float) -> bool:
    """Whether this designation names its person for this use now, by everything that was done and left undone."""
    said = [each for each in rows["confirmations"] if each.kind != "accepted" and each.subject == row.id]
    acts = [row.recorded_at, *(each.recorded_at for each in said), now]
    in_time = all(later - earlier < PERIOD for earlier, later in itertools.pairwise(acts))
    word = row.act_reference is not None or any(each.kind == "confirmed" for each in said)
    return (
        use.value in row.uses.split(",")
        and row.valid_from <= now < _end(row)
        and GRANTED[row.authorisation].validity.holds(now)
        and in_time
        and word
        and _rests(row.mandate, said, rows, now)
    )


def _rests(mandate: int | None, said: list[Any], rows: dict[str, list[Any]], now: float) -> bool:
    """Under a mandate that lives, or is gone for less than the time of review; or taken over in that time, and so on."""
    if mandate is None:
        return True
    end = _end(next(each for each in rows["mandates"] if each.id == mandate))
    if now < end + REVIEW:
        return True
    over = next((at for at, each in enumerate(said) if end <= each.recorded_at < end + REVIEW), None)
    return over is not None and _rests(said[over].mandate, said[over + 1 :], rows, now)


@pytest.fixture
def machine(prepared: Path) -> type[People]:
    return type("Machine", (People,), {"prepared": prepared})


def test_no_sequence_of_acts_opens_what_none_allows(machine: type[People], soak: bool) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=200 if soak else 4,
            stateful_step_count=50 if soak else 20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not soak,
        ),
    )
    assert {user_id for user_id, _, _ in People.permits} >= {"jansen01", "worker.n", "both.s"}
