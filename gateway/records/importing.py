"""Bringing in a list of people with their user IDs, designations and roles: first what it would do and every fault of every row, then all of it
in one transaction, or nothing.

A row adds what is not there yet, and changes nothing that is: what stands already is left as it is, and what stands otherwise is a fault.
So a list that was exported and is brought in again does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import Conflict
from gateway.identifiers import IdentifierError, check_insz
from gateway.model import FOR_EVER, LANGUAGES, Authorisation, Language, Use, Validity
from gateway.records.administration import check_mandate, recorded
from gateway.records.among import among, chunks
from gateway.records.directory import lasts_beyond
from gateway.records.loading import Row as DatabaseRow
from gateway.records.loading import effective, parse_uses, root, write_uses
from gateway.records.narrowing import Terms, day_of, designation_terms, last_day_of, read_day, read_days
from gateway.records.reviewing import LAPSED, standings
from gateway.records.schema import designations, persons, roles, user_ids
from gateway.records.search import Search
from gateway.records.standing import Rules
from gateway.records.store import Store, Write, said
from gateway.records.table_file import Fault, Row
from gateway.records.values import USER_ID, BeforeCommit, By, Change, Detail

MOST_NAME: Final = 200
MOST_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class Bounds:
    """What whoever brings a list in may give: the `authorisations` of their `institution` that their mandate is for and that are in the table,
    by reference, the `roles` that those ask for; `language` is the institution's, `person` who they are themself, `mandates` under which of theirs somebody is
    designated for an authorisation."""

    institution: str
    language: Language
    authorisations: Mapping[str, Authorisation]
    roles: frozenset[str]
    person: int | None
    mandates: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What one row does. `adds` says that the user ID is new; `terms` and `role` are None where nothing of it is to be done. `lapsed` are the
    numbers of designations that nobody confirmed in time, in whose place this one comes."""

    line: int
    user_id: str
    adds: bool
    person: int | None
    insz: str = field(repr=False)
    name: str = field(repr=False)
    language: Language
    authorisation: str
    terms: Terms | None
    lapsed: tuple[int, ...]
    role: str | None
    role_validity: Validity | None
    reason: str

    @property
    def does(self) -> bool:
        return self.adds or self.terms is not None or self.role is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a list would do, row by row, or its faults: with one, nothing is done."""

    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]

    @property
    def digest(self) -> str:
        """The same for lists that do the same. A begin is left out: one that is now is another one when the list is applied. An end counts: where
        the row gives none it is the authorisation's, which a release may change meanwhile."""
        told = [
            (
                step.user_id, step.adds, step.person, step.insz, step.name, step.language, step.authorisation,
                None if step.terms is None else (sorted(step.terms.uses), step.terms.validity.end), step.role, step.reason,
            )
            for step in self.steps
        ]  # fmt: skip
        return sha256(orjson.dumps(told)).hexdigest()

    def count(self, what: str) -> int:
        """How many user IDs, designations or roles it adds, or rows it leaves as they are (`user_ids`, `designations`, `roles`, `nothing`)."""
        match what:
            case "user_ids":
                return sum(step.adds for step in self.steps)
            case "designations":
                return sum(step.terms is not None for step in self.steps)
            case "roles":
                return sum(step.role is not None for step in self.steps)
            case _:
                return sum(not step.does for step in self.steps)


@dataclass
class _Known:
    """What the records hold of whom a list names: of designations, on which terms those stand that do, and the numbers of those that lapsed."""

    user_ids: dict[str, DatabaseRow]
    people: dict[str, int]
    numbers: dict[int, set[str]]
    here: dict[int, str]
    designated: dict[tuple[str, str], Terms]
    lapsed: dict[tuple[str, str], tuple[int, ...]]
    held: dict[tuple[str, str], Validity]


class Imports(Store):
    """Checking and applying. Everything raises RecordsError."""

    async def plan_import(self, rows: Sequence[Row], bounds: Bounds, reason: str, now: float) -> Plan:
        """What these rows would do, and their faults. `reason` is for rows that give none."""
        async with self._database.reading() as connection:
            return await _plan(connection, rows, bounds, reason, now, self.rules)

    async def apply_import(
        self,
        rows: Sequence[Row],
        digest: str,
        bounds: Bounds,
        by: By,
        now: float,
        before_commit: BeforeCommit | None = None,
    ) -> Plan:
        """Does what the rows would do, all in one transaction, when that still is what the `digest` is of (`Plan.digest`).

        `by.reason` is for rows that give none. Raises Conflict, or whatever `before_commit` does: then nothing was done. Rows go in
        together, some hundred at a time: who signs in meanwhile waits.
        """
        async with self._write(before_commit) as write:
            plan = await _plan(write.connection, rows, bounds, by.reason, now, self.rules)
            if plan.faults or plan.digest != digest:
                raise Conflict("the records have changed since the list was checked; nothing was done")
            for reference in ("", *sorted({step.authorisation for step in plan.steps if step.terms is not None})):
                await check_mandate(
                    write, _word(by, bounds, by.reason, reference), bounds.institution, now, reference or None
                )
            await _Work(write, bounds, by, now).do(plan)
        return plan


async def namesakes_of(plan: Plan, institution: str, search: Search) -> dict[int, list[str]]:
    """By the line of each row that adds a natural person: user IDs of the institution whose person it may be, as with one who is added by
    hand. It is for whoever looks at the plan to say; nothing refuses the list for it."""
    newcomers = [step for step in plan.steps if step.adds and step.person is None]
    found = {step.line: await search.namesakes(institution, step.insz, step.name) for step in newcomers}
    return {line: [each.user_id for each in alike] for line, alike in found.items() if alike}


class _Checker:
    """Goes through the rows in their order; what an earlier row adds is there for the later ones."""

    def __init__(self, known: _Known, bounds: Bounds, reason: str, now: float) -> None:
        self.faults: list[Fault] = []
        self._known = known
        self._bounds = bounds
        self._reason = reason
        self._now = now
        self._added: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, str] = {}
        self._seen: set[tuple[str, str, str]] = set()
        self._named: dict[tuple[str, str], Terms] = {}
        self._given: dict[tuple[str, str], Validity | None] = {}
        self._line = 0

    def step(self, row: Row) -> Step:
        self._line = row.line
        cells = row.cells
        user_id = cells["user_id"]
        adds, person, insz = self._user_id(cells)
        terms = self._designation(cells)
        role, role_validity = self._role(cells)
        own = self._known.user_ids.get(user_id)
        if own is not None and own.person == self._bounds.person and not (terms is None and role is None):
            self._fault("user_id", "oneself")
        reason = " ".join(cells["reason"].split()) or self._reason
        if not reason:
            self._fault("reason", "no_reason")
        elif len(reason) > MOST_REASON:
            self._fault("reason", "too_long")
        if (what := (user_id, cells["authorisation"], cells["role"])) in self._seen:
            self._fault("user_id", "row_twice", user_id)
        self._seen.add(what)
        name = " ".join(cells["name"].split())
        language: Any = cells["language"].lower() or self._bounds.language
        return Step(
            row.line,
            user_id,
            adds,
            person,
            insz,
            name,
            language,
            cells["authorisation"],
            terms,
            self._known.lapsed.get((user_id, cells["authorisation"]), ()) if terms is not None else (),
            role,
            role_validity,
            reason,
        )

    def _fault(self, column: str, code: str, value: str = "") -> None:
        self.faults.append(Fault(self._line, column, code, value))

    def _user_id(self, cells: Mapping[str, str]) -> tuple[bool, int | None, str]:
        """Whether the row adds a user ID, to which recorded person, and the number of a new one."""
        user_id, insz = cells["user_id"], self._insz(cells["insz"])
        if not user_id:
            self._fault("user_id", "no_user_id")
        elif not USER_ID.fullmatch(user_id):
            self._fault("user_id", "user_id_shape", user_id)
        if cells["language"] and cells["language"].lower() not in LANGUAGES:
            self._fault("language", "language", cells["language"])
        current = self._known.user_ids.get(user_id)
        if current is not None and current.ended_at is None:
            self._present(current, user_id, insz)
            return False, None, ""
        if user_id in self._added:
            if insz is not None and insz != self._added[user_id][0]:
                self._fault("insz", "insz_differs")
            name = " ".join(cells["name"].split())
            if name and name != self._added[user_id][1]:
                self._fault("name", "name_differs")
            return False, None, ""
        return self._newcomer(cells, current, insz)

    def _present(self, current: DatabaseRow, user_id: str, insz: str | None) -> None:
        if current.institution != self._bounds.institution:
            # The same as for any word that is somebody else's: nothing of the other institution shows.
            self._fault("user_id", "user_id_taken", user_id)
        elif insz is not None and insz not in self._known.numbers.get(current.person, set()):
            self._fault("insz", "insz_other")

    def _newcomer(
        self, cells: Mapping[str, str], earlier: DatabaseRow | None, insz: str | None
    ) -> tuple[bool, int | None, str]:
        user_id, name = cells["user_id"], " ".join(cells["name"].split())
        if not cells["insz"]:
            self._fault("insz", "no_insz")
        if not name:
            self._fault("name", "no_name")
        elif len(name) > MOST_NAME:
            self._fault("name", "too_long")
        if insz is None:
            return True, None, ""
        person = self._known.people.get(insz)
        if earlier is not None and (earlier.institution, earlier.person) != (self._bounds.institution, person):
            self._fault("user_id", "user_id_taken", user_id)
        if person is not None and person == self._bounds.person:
            self._fault("insz", "oneself")
        elif person is not None and person in self._known.here:
            self._fault("insz", "here_already", self._known.here[person])
        elif self._numbers.setdefault(insz, user_id) != user_id:
            self._fault("insz", "insz_twice", self._numbers[insz])
        self._added[user_id] = (insz, name)
        return True, person, insz

    def _insz(self, text: str) -> str | None:
        if not text:
            return None
        digits = _digits(text)
        if not digits:
            short = text.isascii() and text.isdecimal() and 8 <= len(text) < 11
            self._fault("insz", "insz_short" if short else "insz_shape")
            return None
        try:
            return check_insz(digits)
        except IdentifierError:
            self._fault("insz", "insz_wrong")
            return None

    def _designation(self, cells: Mapping[str, str]) -> Terms | None:
        reference, uses = cells["authorisation"], cells["uses"].lower().replace(",", " ").replace("+", " ").split()
        if not reference:
            if any(cells[column] for column in ("uses", *(() if cells["role"] else ("from", "until")))):
                self._fault("authorisation", "no_authorisation")
            return None
        granted = self._bounds.authorisations.get(reference)
        if granted is None:
            self._fault("authorisation", "authorisation_unknown", reference)
            return None
        for word in uses:
            if word not in {use.value for use in Use}:
                self._fault("uses", "use_unknown", word)
                return None
        what = (cells["user_id"], reference)
        current = self._known.designated.get(what)
        if current is not None:
            if not self._stands(current, cells, frozenset(map(Use, uses))):
                self._fault("authorisation", "designated_otherwise", reference)
            return None
        terms, wrong = designation_terms(granted, uses, cells["from"], cells["until"], self._now)
        for column, code in wrong:
            self._fault(column, code, cells[column])
        earlier = self._named.get(what)
        if terms is None or earlier is None:
            self._named.update({} if terms is None else {what: terms})
            return terms
        if terms != earlier:
            self._fault("authorisation", "designated_otherwise", reference)
        return None

    def _stands(self, current: Terms, cells: Mapping[str, str], uses: frozenset[Use]) -> bool:
        """Whether the row says what stands already: then it does nothing."""
        return current.uses == uses and _same_days(current.validity, cells)

    def _role(self, cells: Mapping[str, str]) -> tuple[str | None, Validity | None]:
        role = cells["role"]
        if not role:
            return None, None
        held = self._known.held.get((cells["user_id"], role))
        if held is not None:
            # With an authorisation the days of the row are the designation's.
            if held.end <= self._now or not (cells["authorisation"] or _same_days(held, cells)):
                self._fault("role", "role_otherwise", role)
            return None, None
        if role not in self._bounds.roles:
            self._fault("role", "role_unknown", role)
            return None, None
        validity: Validity | None = None
        if not cells[
            "authorisation"
        ]:  # else the days of the row are the designation's; the role does not end before it
            validity, wrong = read_days(cells["from"], cells["until"], self._now)
            for column, code in wrong:
                self._fault(column, code, cells[column])
            if validity is not None and validity.end == FOR_EVER:
                validity = None
        what = (cells["user_id"], role)
        if what not in self._given:
            self._given[what] = validity
            return role, validity
        if self._given[what] != validity:
            self._fault("role", "row_twice", role)
        return None, None


async def _plan(
    connection: AsyncConnection, rows: Sequence[Row], bounds: Bounds, reason: str, now: float, rules: Rules
) -> Plan:
    known = await _known(connection, rows, bounds.institution, now, rules)
    checker = _Checker(known, bounds, " ".join(reason.split()), now)
    steps = [checker.step(row) for row in rows]
    return Plan(tuple(steps), tuple(checker.faults))


async def _known(
    connection: AsyncConnection, rows: Sequence[Row], institution: str, now: float, rules: Rules
) -> _Known:
    named = sorted({row.cells["user_id"] for row in rows})
    numbers = sorted({digits for row in rows if (digits := _digits(row.cells["insz"]))})
    found = _Known({}, {}, {}, {}, {}, {}, {})
    for chunk in chunks(named):
        newest = sa.select(user_ids).where(among(user_ids.c.user_id, chunk)).order_by(user_ids.c.id)
        found.user_ids.update({row.user_id: row for row in await connection.execute(newest)})
        live = sa.and_(among(designations.c.user_id, chunk), designations.c.ended_at.is_(None), lasts_beyond(now))
        for row, stands in await standings(Write(connection), live, rules):
            what = (row.user_id, row.authorisation)
            if now < stands.over(rules.review):
                found.designated[what] = Terms(parse_uses(row.uses), effective(row))
            else:
                found.lapsed[what] = (*found.lapsed.get(what, ()), row.id)
        theirs = sa.select(roles).where(among(roles.c.user_id, chunk), roles.c.ended_at.is_(None))
        found.held.update({(row.user_id, row.role): effective(row) for row in await connection.execute(theirs)})
    for chunk in chunks(numbers):
        known = sa.select(root().label("person"), persons.c.insz).where(among(persons.c.insz, chunk))
        found.people.update({row.insz: row.person for row in await connection.execute(known)})
    people = {row.person for row in found.user_ids.values()} | set(found.people.values())
    for few in chunks(sorted(people)):
        all_of = sa.select(root().label("person"), persons.c.insz).where(
            sa.or_(among(persons.c.id, few), among(persons.c.same_as, few))
        )
        for row in await connection.execute(all_of):
            found.numbers.setdefault(row.person, set()).add(row.insz)
        at_work = sa.select(user_ids.c.person, user_ids.c.user_id).where(
            among(user_ids.c.person, few), user_ids.c.institution == institution, user_ids.c.ended_at.is_(None)
        )
        found.here.update({row.person: row.user_id for row in await connection.execute(at_work)})
    return found


def _word(by: By, bounds: Bounds, reason: str, reference: str) -> By:
    """On whose word a row is recorded: a designation under a mandate that is for its authorisation."""
    return By(by.actor, reason, bounds.mandates.get(reference, by.mandate), by.act)


class _Work:
    """Records the steps of a plan that was checked in this very transaction: each kind of row together, each act with its own line."""

    def __init__(self, write: Write, bounds: Bounds, by: By, now: float) -> None:
        self._write = write
        self._bounds = bounds
        self._by = by
        self._now = now
        self._done: dict[int, list[Change]] = {}
        self._ended: dict[int, tuple[Mapping[str, Detail], ...]] = {}

    async def do(self, plan: Plan) -> None:
        new = [step for step in plan.steps if step.adds]
        unknown = list({step.insz: step for step in new if step.person is None}.values())
        made = await self._put(persons, unknown, lambda step: {"insz": step.insz, "name": step.name})
        people = {step.insz: number for step, number in zip(unknown, made, strict=True)}
        for step in unknown:
            self._tell(step, "person add", {"person": people[step.insz]}, about=None)
        await self._add(
            user_ids,
            "user-id add",
            new,
            lambda step: {
                "user_id": step.user_id,
                "person": people.get(step.insz, step.person),
                "institution": self._bounds.institution,
                "language": step.language,
                "blocked": False,
            },
        )
        for step in plan.steps:
            for number in step.lapsed:
                word = _word(self._by, self._bounds, LAPSED, step.authorisation)
                await self._write.end(designations, designations.c.id == number, word, self._now)
            self._ended[step.line], self._write.before = tuple(self._write.before), []
        await self._add(
            designations,
            "designation add",
            [step for step in plan.steps if step.terms is not None],
            lambda step: {
                "user_id": step.user_id,
                "authorisation": step.authorisation,
                "uses": write_uses(() if step.terms is None else step.terms.uses),
            },
        )
        await self._add(
            roles,
            "role add",
            [step for step in plan.steps if step.role is not None],
            lambda step: {"user_id": step.user_id, "role": step.role},
        )
        for step in plan.steps:
            self._write.users[step.user_id] = None
            self._write.also += [(change, (step.user_id,)) for change in self._done.get(step.line, ())]

    async def _add(
        self, table: sa.Table, act: str, steps: Sequence[Step], of: Callable[[Step], dict[str, object]]
    ) -> None:
        for step, number in zip(steps, await self._put(table, steps, of), strict=True):
            values = {**of(step), **self._recorded(table, step), "id": number}
            self._tell(step, act, {"record": number}, said(table, values))

    async def _put(self, table: sa.Table, steps: Sequence[Step], of: Callable[[Step], dict[str, object]]) -> list[int]:
        return await self._write.insert_all(table, [{**of(step), **self._recorded(table, step)} for step in steps])

    def _recorded(self, table: sa.Table, step: Step) -> dict[str, object]:
        reference = step.authorisation if table is designations else ""
        validity = step.role_validity if table is roles else None
        if table is designations and step.terms is not None:
            validity = Validity(max(self._now, step.terms.validity.start), step.terms.validity.end)
        return recorded(_word(self._by, self._bounds, step.reason, reference), self._now, validity)

    def _tell(
        self, step: Step, act: str, details: dict[str, Detail], *after: Mapping[str, Detail], about: str | None = ""
    ) -> None:
        user_id = None if about is None else step.user_id
        reference = step.authorisation if act.startswith("designation") else ""
        word = _word(self._by, self._bounds, step.reason, reference)
        before = self._ended.get(step.line, ()) if act.startswith("designation") else ()
        change = Change(
            act, self._now, word, user_id, step.insz or None, self._bounds.institution, details, before, after
        )
        self._done.setdefault(step.line, []).append(change)


def _same_days(validity: Validity, cells: Mapping[str, str]) -> bool:
    """Whether the days of a row, as far as it gives any, are the first and the last on which something holds."""
    try:
        first, last = read_day(cells["from"]), read_day(cells["until"])
    except ValueError:
        return False
    return first in (None, day_of(validity.start)) and last in (None, last_day_of(validity))


def _digits(text: str) -> str:
    plain = text.replace(".", "").replace("-", "").replace(" ", "")
    return plain if len(plain) == 11 and plain.isascii() and plain.isdecimal() else ""
