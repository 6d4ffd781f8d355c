"""The table against itself, the settings and the policy: what one file alone cannot tell (DESIGN section 5, at its end).

Each check is a generator of faults about one subject. Those that get one file at a time end, when they touch an unread value
(see `faults`), for that file only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from gateway.errors import Fault
from gateway.model import KSZ, Validity
from gateway.policy.check_authorisations import PER_AUTHORISATION, one_authorisation_at_a_time
from gateway.policy.check_transactions import PER_TRANSACTION
from gateway.policy.faults import readable, run_checks
from gateway.policy.ground import Ground
from gateway.policy.schema import InstitutionFile
from gateway.policy.table import REGULATION, DecisionSettings, Table


def check_table(table: Table, settings: DecisionSettings, now: float) -> list[Fault]:
    """Every fault of a table that its files do not show one by one."""
    ground = Ground(table, settings, now)
    faults: list[Fault] = []
    for name, institution in table.institutions.items():
        faults += run_checks((_not_on_the_extranet,), name, institution, ground)
    for name, transaction in table.transactions.items():
        faults += run_checks(PER_TRANSACTION, name, transaction, ground)
    for name, authorisation in table.authorisations.items():
        faults += run_checks(PER_AUTHORISATION, name, authorisation, ground)
    return faults + run_checks(WHOLE, ground)


def _not_on_the_extranet(file: str, institution: InstitutionFile, ground: Ground) -> Iterator[Fault]:
    """E1: access over the internet is the exception, for those who cannot join the Extranet."""
    if institution.extranet_connected:
        mend = "It uses the Extranet: take its file and its authorisations out. If it is not connected, say false"
        yield Fault(file, "extranet_connected", "the policy does not apply to an institution on the Extranet", mend)


def _nothing_twice(ground: Ground) -> Iterator[Fault]:
    table = ground.table
    kinds: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("kbo", table.institutions),
        ("id", table.transactions),
        ("reference", table.authorisations),
    )
    for key, files in kinds:
        seen: dict[str, str] = {}
        for file, model in files.items():
            value = getattr(model, key)
            if readable(value):
                first = seen.setdefault(value, file)
                if first != file:
                    yield Fault(
                        file, key, f"{value} stands in {first} too", "Keep one of the two files, or correct the number"
                    )


def _nothing_overlaps(ground: Ground) -> Iterator[Fault]:
    """One address belongs to one transaction, whatever the order of files. Sorted, a prefix stands before what it holds."""
    places = sorted(
        (match.host, match.path, file, number)
        for file, transaction in ground.table.transactions.items()
        if readable(transaction.match)
        for number, match in enumerate(transaction.match, 1)
        if readable(match.host) and readable(match.path)
    )
    open_: list[tuple[str, str, str, int]] = []
    for host, path, file, number in places:
        while open_ and not (open_[-1][0] == host and path.startswith(open_[-1][1])):
            open_.pop()
        if open_:
            _, outer, other, _ = open_[-1]
            owner = "this transaction" if other == file else other
            what = f"{host}{path} overlaps {host}{outer} of {owner}"
            yield Fault(file, f"match[{number}].path", what, "Give each a path that holds no other")
        open_.append((host, path, file, number))


def _roles_have_their_scope(ground: Ground) -> Iterator[Fault]:
    """A head official is of an institution in the table; every other role here is of the KSZ's own people."""
    for file, roles in ground.table.roles.items():
        for number, role in enumerate(roles.role, 1):
            where = f"role[{number}]"
            if readable(role.first) and readable(role.until) and role.first > role.until:
                yield Fault(file, f"{where}.from", "it is after until", "Correct one of the two dates")
            if not readable(role.institution) or not readable(role.role):
                continue
            if role.role != "head_official" and role.institution != KSZ:
                what = f"a {role.role} is one of the KSZ's own people"
                yield Fault(file, f"{where}.institution", what, f'Write "{KSZ}"')
            elif role.role == "head_official" and not ground.knows_institution(role.institution):
                what = f"there is no institution {role.institution}"
                yield Fault(file, f"{where}.institution", what, "Correct the number, or add its file to institutions/")


def _roles_once(ground: Ground) -> Iterator[Fault]:
    for file, roles in ground.table.roles.items():
        seen: dict[tuple[str, str, str], list[tuple[dt.date, dt.date, int]]] = {}
        for number, role in enumerate(roles.role, 1):
            if not all(map(readable, (role.role, role.insz, role.institution, role.first, role.until))):
                continue
            others = seen.setdefault((role.role, role.insz, role.institution), [])
            for first, until, other in others:
                if role.first <= until and first <= role.until:
                    what = f"the same role stands in role[{other}], at the same time"
                    yield Fault(file, f"role[{number}]", what, "Keep one, or part their dates")
            others.append((role.first, role.until, number))


def _auditors_do_nothing_else(ground: Ground) -> Iterator[Fault]:
    """Who reads the log and reveals persons does not also act in the KSZ's name (DESIGN section 1)."""
    for file, roles in ground.table.roles.items():
        auditors = {role.insz for role in roles.role if role.role == "auditor"}
        for number, role in enumerate(roles.role, 1):
            if role.role == "duty_officer" and role.insz in auditors:
                mend = "Give one of the two roles to somebody else"
                yield Fault(file, f"role[{number}].insz", "an auditor cannot also be duty officer", mend)


def _a_regulation_is_in_force(ground: Ground) -> Iterator[Fault]:
    """I1: without one nobody can accept it, so nobody gets in."""
    seen: dict[dt.date, str] = {}
    for version, regulation in sorted(ground.table.regulations.items()):
        if regulation.about is None or not readable(regulation.about.effective):
            return
        file = f"{REGULATION}/{version}/about.toml"
        first = seen.setdefault(regulation.about.effective, version)
        if first != version:
            yield Fault(
                file, "effective", f"version {first} takes effect on the same day", "Correct one of the two dates"
            )
    if not any(Validity.of_days(day, None).start <= ground.now for day in seen):
        mend = "Add a version in four languages, with about.toml and an effective date that has come"
        yield Fault(
            f"{REGULATION}/", "", "no version of the user regulation is in force, so nobody could be let in", mend
        )


WHOLE = (
    _nothing_twice,
    _nothing_overlaps,
    one_authorisation_at_a_time,
    _roles_have_their_scope,
    _roles_once,
    _auditors_do_nothing_else,
    _a_regulation_is_in_force,
)
