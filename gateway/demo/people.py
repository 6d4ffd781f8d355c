"""The demo's people in its records: what is missing is added, what was ever there stays as somebody left it.

Each act goes the way of every act on records: on somebody's word, with its line in the ledger before the commit.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final, TypeGuard

from gateway.credentials import activation, code_card
from gateway.credentials.argon import SALT_BYTES
from gateway.credentials.peppered import Pepper
from gateway.credentials.totp import parse_secret
from gateway.decision import Snapshot
from gateway.demo import stories
from gateway.demo.files import DELIBERATED
from gateway.demo.hashed import HASHED
from gateway.demo.stories import Person
from gateway.errors import Conflict
from gateway.ledger import CliLedger
from gateway.ledger.record import administration_record
from gateway.model import Authorisation, Regulation, UserRecords, Validity
from gateway.policy.settings import Settings
from gateway.records import Act, By, Change, Records
from gateway.records.offices import INSTITUTION_OFFICES

ACTOR: Final = "demo"
BY: Final = By(ACTOR, "the demo's people")
ACT: Final = Act("DEMO/2024/1", DELIBERATED)
"""The head officials' written act, on which mandates and designations rest."""
GRANTED: Final = By(ACTOR, "an office of the institution", act=ACT)


async def populate(settings: Settings, snapshot: Snapshot, now: float) -> None:
    """Adds what the records lack of the demo's people. Raises RecordsError, LedgerError or ConfigurationError."""
    records = await Records.open(settings.records_settings)
    try:
        with CliLedger(settings.ledger_settings) as ledger:
            await _Population(records, ledger, snapshot, now).complete()
    finally:
        await records.close()


class _Population:
    def __init__(self, records: Records, ledger: CliLedger, snapshot: Snapshot, now: float) -> None:
        self._records = records
        self._ledger = ledger
        self._snapshot = snapshot
        self._now = now

    async def complete(self) -> None:
        known = await self._known()
        for person in stories.PEOPLE:
            await self._person(person, known.get(person.user_id))
        known = await self._known()
        for person in stories.PEOPLE:
            user = known.get(person.user_id)
            for reference in (*person.designated, *person.ended):
                # The authorisation of a transaction that `--origin` brings, or takes, is not always in the table.
                authorisation = self._snapshot.by_reference.get(reference)
                if authorisation is not None and self._live(user) and reference not in user.designations:
                    await self._designate(person, authorisation)

    async def _known(self) -> dict[str, UserRecords]:
        """All at once: the second time the demo starts there is nothing else to do."""
        users = await self._records.users_known([person.user_id for person in stories.PEOPLE])
        return {user.user_id: user for user in users}

    def _live(self, user: UserRecords | None) -> TypeGuard[UserRecords]:
        return user is not None and user.validity.holds(self._now)

    async def _person(self, person: Person, user: UserRecords | None) -> None:
        records, now = self._records, self._now
        if user is None:
            try:
                number = await records.person_of(insz=person.insz)
            except Conflict:
                number = await records.add_person(person.insz, person.name, BY, now, self._tell)
            await records.add_user_id(
                person.user_id, number, person.institution, person.language, BY, now, before_commit=self._tell
            )
            user = await records.user(person.user_id)
        login = await records.find_login(person.user_id)
        if not self._live(user) or login is None:
            return  # somebody ended this user ID, and it stays so
        if login.password_hash is None:
            hashed = HASHED[person.password]
            await records.set_password(person.user_id, hashed, BY, now, alone=True, before_commit=self._tell)
        if person.totp_secret is not None and login.totp_secret is None:
            secret = parse_secret(person.totp_secret)
            await records.set_totp(person.user_id, secret, BY, now, before_commit=self._tell)
        if person.code_card and not login.has_code_card:
            stored = await asyncio.to_thread(_hashed_card, records.pepper, person)
            await records.set_code_card(person.user_id, stored, BY, now, self._tell)
        if person.activation_code and (login.activation is None or login.activation_until <= now):
            hashed = await asyncio.to_thread(_hashed_letter, records.pepper, person)
            await records.set_activation(person.user_id, hashed, BY, now, self._tell)
        for role in person.roles:
            if role not in user.roles:
                await records.add_role(person.user_id, role, BY, now, before_commit=self._tell)
        if person.office in INSTITUTION_OFFICES and not await records.entries(
            "office", user_id=person.user_id, ended=True
        ):
            await records.grant_office(person.user_id, person.office, GRANTED, now, before_commit=self._tell)
        regulation = self._snapshot.regulation(now)
        if person.accepted and regulation is not None and not _accepted(user, regulation):
            details = {"version": regulation.version, "sha256": regulation.sha256}
            self._tell(Change("acceptance add", now, BY, person.user_id, person.insz, person.institution, details))
            await records.accept_regulation(person.user_id, regulation.version, regulation.sha256, now)

    async def _designate(self, person: Person, authorisation: Authorisation) -> None:
        records, now = self._records, self._now
        mandate, administrator = await self._mandate(person.institution), _administrator(person.institution)
        # Nobody names themself: an administrator was named by the head official in person.
        by = By(ACTOR, "a story of the demo", None if person.user_id == administrator else mandate, ACT)
        limits = authorisation.validity
        # One whose authorisation is over was designated while it lasted.
        validity = None if limits.end > now else limits
        made = await records.add_designation(
            person.user_id, authorisation, (grant.use for grant in authorisation.uses), by, now, validity, self._tell
        )
        if authorisation.reference in person.ended:
            await records.end_designation(made, by, now, self._tell)

    async def _mandate(self, institution: str) -> int | None:
        """The administrator's mandate, given when it is first needed; None where the head official designates in person."""
        administrator = _administrator(institution)
        if administrator is None:
            return None
        for person in stories.PEOPLE:
            user = await self._records.user(person.user_id) if person.institution == institution else None
            for designations in () if user is None else user.designations.values():
                for designation in designations:
                    if designation.mandate is not None and designation.mandate.validity.holds(self._now):
                        return designation.mandate.id
        by = By(ACTOR, "the head official's mandate", act=ACT)
        validity = Validity.of_days(DELIBERATED, None)
        return await self._records.add_mandate(administrator, by, self._now, validity, self._tell)

    def _tell(self, change: Change) -> None:
        """The line before the commit (clause T1)."""
        person = None
        if change.user_id is not None or change.insz is not None:
            person = self._ledger.sealer.person(change.user_id, change.insz)
        self._ledger.write(
            administration_record(
                self._ledger.references(),
                act=change.act,
                actor=change.by.actor,
                person=person,
                institution=change.institution,
                on_behalf_of=change.by.mandate,
                reason=change.by.reason,
                objects=change.objects,
            )
        )


def _administrator(institution: str) -> str | None:
    return next(one.administrator for one in stories.INSTITUTIONS if one.kbo == institution)


def _hashed_card(pepper: Pepper, person: Person) -> bytes:
    """At the least cost: a demo is to be ready soon, and its codes are on the screen."""
    salts = [os.urandom(SALT_BYTES) for _ in code_card.NUMBERS]
    return code_card.hash_card(pepper.at_least_cost(), person.user_id, person.code_card, salts)


def _hashed_letter(pepper: Pepper, person: Person) -> str:
    code = activation.normalise(person.activation_code)
    return activation.hash_code(pepper.at_least_cost(), person.user_id, code, os.urandom(SALT_BYTES))


def _accepted(user: UserRecords, regulation: Regulation) -> bool:
    acceptance = user.acceptances.get(regulation.version)
    return acceptance is not None and acceptance.sha256 == regulation.sha256
