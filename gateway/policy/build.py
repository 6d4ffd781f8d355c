"""From a table without faults to the immutable, indexed Snapshot. Pure: the same files give the same snapshot."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

import orjson

from gateway.decision import PathPattern, Snapshot
from gateway.model import (
    Authorisation,
    Channel,
    Context,
    GrantedRole,
    Institution,
    Match,
    Means,
    Operation,
    Opinion,
    Origin,
    Regulation,
    Subjects,
    Text,
    Transaction,
    Use,
    UseGrant,
    Validity,
)
from gateway.policy.schema import (
    AuthorisationFile,
    ContextTable,
    InstitutionFile,
    Languages,
    OperationTable,
    OriginTable,
    RoleTable,
    TransactionFile,
    UseTable,
)
from gateway.policy.table import REGULATION, DecisionSettings, RegulationFiles, Table

WEBSOCKET_METHODS = frozenset({"GET"})
"""A websocket begins with a GET (RFC 6455 section 4.1)."""

_MEANS: dict[str, Means] = {means.value: means for means in Means}


def build_snapshot(table: Table, settings: DecisionSettings, digest: str) -> Snapshot:
    """The snapshot of a table that has no faults; `digest` is the hex SHA-256 of its release."""
    transactions = [_transaction(file) for file in table.transactions.values()]
    authorisations = [_authorisation(file) for file in table.authorisations.values()]
    roles = [] if not table.roles else [_role(role) for file in table.roles.values() for role in file.role]
    return Snapshot(
        hash=digest,
        portal_host=settings.portal_host,
        names=settings.own_names,
        transactions=_frozen({transaction.id: transaction for transaction in transactions}),
        institutions=_frozen({file.kbo: _institution(file) for file in table.institutions.values()}),
        authorisations=_grouped(((grant.institution, grant.transaction), grant) for grant in authorisations),
        by_reference=_frozen({grant.reference: grant for grant in authorisations}),
        regulations=tuple(_regulation(version, files) for version, files in sorted(table.regulations.items())),
        roles=_grouped((role.insz, role) for role in roles),
        hosts=_hosts(transactions),
        levels=tuple(settings.levels),
        idle_seconds=settings.idle_seconds,
        mandate_review_seconds=settings.mandate_review_seconds,
        doubtful_score=settings.doubtful_score,
        holidays=frozenset(map(dt.date.fromisoformat, settings.holidays)),
        card_fresh_seconds=settings.card_fresh_seconds,
        roles_stale_seconds=settings.roles_stale_seconds,
        eid_names=settings.eid_names,
        files=_files(table),
    )


def _files(table: Table) -> Mapping[tuple[str, str], str]:
    found = {("transaction", file.id): name for name, file in table.transactions.items()}
    found |= {("authorisation", file.reference): name for name, file in table.authorisations.items()}
    found |= {("institution", file.kbo): name for name, file in table.institutions.items()}
    found |= {("regulation", version): f"{REGULATION}/{version}/about.toml" for version in table.regulations}
    return _frozen(found)


Key = TypeVar("Key")
Value = TypeVar("Value")


def _frozen(mapping: dict[Key, Value]) -> Mapping[Key, Value]:
    return MappingProxyType(mapping)


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> Mapping[Key, tuple[Value, ...]]:
    groups: dict[Key, list[Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return _frozen({key: tuple(values) for key, values in groups.items()})


def _hosts(transactions: Iterable[Transaction]) -> Mapping[str, Mapping[str, tuple[Transaction, Match]]]:
    hosts: dict[str, dict[str, tuple[Transaction, Match]]] = {}
    for transaction in transactions:
        for match in transaction.matches:
            hosts.setdefault(match.host, {})[match.path] = (transaction, match)
    return _frozen({host: _frozen(prefixes) for host, prefixes in hosts.items()})


def _text(text: Languages) -> Text:
    return Text(text.nl, text.fr, text.de, text.en)


def _institution(file: InstitutionFile) -> Institution:
    contact = file.contact
    return Institution(file.kbo, _text(file.name), file.language, contact.helpdesk, contact.ciso, contact.dpo)


def _transaction(file: TransactionFile) -> Transaction:
    subjects = file.subjects
    return Transaction(
        id=file.id,
        title=_text(file.title),
        channel=Channel(file.channel),
        sensitivity=file.sensitivity,
        social_personal_data=file.social_personal_data,
        role=file.role,
        matches=tuple(Match(match.host, match.path) for match in file.match),
        origin=_origin(file.origin),
        operations=tuple(_operation(operation) for operation in file.operation),
        subjects=None
        if subjects is None
        else Subjects(subjects.origin_field, None if subjects.path is None else PathPattern(subjects.path)),
        inbound_authorization=file.inbound_authorization,
        max_body_bytes=file.max_body_bytes,
        soft_revocation=file.revocation.within,
    )


def _origin(table: OriginTable) -> Origin:
    return Origin(
        url=table.url,
        host=table.host,
        cookies=table.cookies,
        ca=None if table.ca is None else str(table.ca),
        client_certificate=None if table.client_certificate is None else str(table.client_certificate),
        client_key=None if table.client_key is None else str(table.client_key),
        connect_timeout=table.connect_timeout,
        response_timeout=table.response_timeout,
        idle_timeout=table.idle_timeout,
    )


def _operation(table: OperationTable) -> Operation:
    return Operation(
        use=Use(table.use),
        path=PathPattern(table.path),
        methods=WEBSOCKET_METHODS if table.websocket else frozenset(table.methods),
        websocket=table.websocket,
        background=table.background,
        cache=table.cache,
    )


def _authorisation(file: AuthorisationFile) -> Authorisation:
    opinion = file.opinion
    return Authorisation(
        reference=file.reference,
        transaction=file.transaction,
        institution=file.institution,
        validity=Validity.of_days(file.valid_from, file.valid_until),
        status=file.status,
        opinion=None if opinion is None else Opinion(opinion.outcome == "favourable", opinion.on),
        uses=tuple(_grant(use) for use in file.use),
        supersedes=tuple(file.supersedes),
        review_until=None if file.review_until is None else Validity.of_days(file.review_until, file.review_until).end,
    )


def _grant(table: UseTable) -> UseGrant:
    return UseGrant(
        use=Use(table.use),
        purpose=None if table.purpose is None else _text(table.purpose),
        means=frozenset(_MEANS[means] for means in table.means),
        stronger_satisfies=table.stronger_satisfies,
        max_authentication_age=table.max_authentication_age,
        context=None if table.context is None else _context(table.context),
    )


def _context(table: ContextTable) -> Context:
    days = table.days
    return Context(
        networks=tuple(table.networks or ()),
        hours=table.hours,
        days=None if days is None else days.days,
        working=days is not None and days.working,
    )


def _role(table: RoleTable) -> GrantedRole:
    validity = Validity.of_days(table.first, table.until)
    return GrantedRole(table.role, table.insz, table.institution, validity, table.act)


def _regulation(version: str, files: RegulationFiles) -> Regulation:
    if files.about is None:
        raise ValueError("a regulation without about.toml is a fault, and a table with faults is not built")
    texts = dict(files.texts)
    return Regulation(
        version=version,
        effective=Validity.of_days(files.about.effective, None).start,
        source=files.about.source,
        texts=Text(**texts),
        sha256=hashlib.sha256(orjson.dumps(texts, option=orjson.OPT_SORT_KEYS)).hexdigest(),
    )
