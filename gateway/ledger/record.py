"""Builds the records of requests, connections, sign-ins and administration. Pure; the order of keys is part of the format.

Who a line is about stands in it only as an `Identity`. The query, bodies, cookies, tokens and passwords are never handed to these
functions. A decision's record holds every fact that the decision read, so that it can be made again later (`gateway replay`):
moments as Unix seconds just as they were compared, records by id with their validity, the table by its hash.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Final, TypeVar

import orjson

from gateway.decision import ClientEvidence, Decision, Facts, Hello, PageOrigin, Reason, Snapshot
from gateway.decision.context import network_of, outside
from gateway.decision.suspensions import Scope, Suspensions
from gateway.identifiers import mask_insz
from gateway.ledger.flood import Tally
from gateway.ledger.line import Record, fragment, harmless_text, moment
from gateway.ledger.pseudonym import Identity
from gateway.model import (
    Authorisation,
    Context,
    Designation,
    Regulation,
    Session,
    Transaction,
    UseGrant,
    UserRecords,
    Validity,
)

MAX_RECORDS: Final = 8
"""Designations or roles of one person for one thing that a line lists; the newest ones."""
_PURPOSE_CHARACTERS: Final = 256
MILLI: Final = 1_000
MICRO: Final = 1_000_000
REMEMBERED: Final = 4096
"""Fragments of sessions and of users' records that are kept, each under 1 KiB."""


def decision_record(
    reference: str,
    facts: Facts,
    decision: Decision,
    snapshot: Snapshot,
    *,
    client: Identity,
    user: Identity | None = None,
    subject: Identity | None = None,
    user_agent: str | None = None,
    status: int | None = None,
    detail: str | None = None,
    excerpt: str | None = None,
    form_kept: bool = False,
) -> Record:
    """The line that is on the disk before anything happens. `status` is the answer's, when it is not the reason's own; `form_kept` that
    the request was a form, which waits for its person; nothing of it is here.

    Of a message that could not be read, `detail` says which rule it broke, and `excerpt` is the printable beginning of its request
    line, cut before anything that could be a secret.
    """
    reason, connection = decision.reason, facts.connection
    record: dict[str, object] = {
        "kind": "decision",
        "id": reference,
        "verdict": reason.kind,
        "reason": reason.code,
        "clause": reason.clause,
        "status": reason.status if status is None else status,
        "place": decision.place,
        "now": facts.now,
        "table": snapshot.hash,
        "channel": connection.channel,
        "tls_version": connection.tls_version,
        "tls_cipher": connection.tls_cipher,
        "sni": connection.sni,
        "client": client.fragment,
        "method": facts.method,
        "host": facts.host,
        "path": mask_insz(facts.path, decision.subject),
        "agent": facts.agent,
        "user_agent": user_agent,
    }
    _add_exceptions(record, facts, decision)
    if detail is not None:
        record["detail"] = detail
    if excerpt is not None:
        record["excerpt"] = mask_insz(excerpt)
    if form_kept:
        record["form_kept"] = True
    session, records = facts.session, facts.user
    if session is not None:
        record["means"] = session.means
        record["auth_time"] = session.auth_time
        record["last_seen"] = facts.last_seen
        record["session"] = _session(session)
        if session.certificate is not None:
            record["certificate"] = _certificate(session.certificate_good_at, stale=card_is_stale(facts, snapshot))
    if records is not None:
        record["user"] = None if user is None else user.fragment
        record["institution"] = records.institution
    transaction, operation, grant = decision.transaction, decision.operation, decision.grant
    if transaction is not None:
        record["transaction"] = transaction.id
        record["authorisation"] = None if decision.authorisation is None else decision.authorisation.reference
    if operation is not None:
        record["use"] = operation.use
        record["operation"] = operation.path.text
    if grant is not None:
        record["purpose"] = _purpose(grant, "nl" if records is None else records.language)
        if grant.context is not None:
            record["context"] = _context(grant.context, facts, snapshot)
    if subject is not None:
        record["subject"] = subject.fragment
    if records is not None:
        grants = () if transaction is None else snapshot.authorisations.get((records.institution, transaction.id), ())
        outside = snapshot.roles_stale_seconds is not None
        record["records"] = _records(records, decision.authorisation, grants, transaction, decision.regulation, outside)
    return record


def _add_exceptions(record: dict[str, object], facts: Facts, decision: Decision) -> None:
    """Facts that nearly always have one value are in the line when they have another (the schema's defaults)."""
    if not facts.port_is_ours:
        record["port_is_ours"] = False
    if facts.fault is not None:
        record["fault"] = facts.fault
    if facts.fetch_site is not None:
        record["fetch_site"] = facts.fetch_site
    if facts.page_origin is not PageOrigin.NONE:
        record["page_origin"] = facts.page_origin
    if facts.signature_agent:
        record["signature_agent"] = True
    if facts.authorization:
        record["authorization"] = True
    if facts.credential is not None:
        record["credential"] = facts.credential
    if facts.websocket:
        record["websocket"] = True
    if facts.navigation:
        record["navigation"] = True
    if facts.activity:
        record["activity"] = True
    if not facts.records_current:
        record["records_current"] = False
    if facts.records_age is not None:
        record["records_age"] = rounded(facts.records_age, MILLI)
    if facts.session is not None and facts.user is not None and facts.session.user_id != facts.user.user_id:
        record["records_of_another"] = True
    if not decision.disclosed:
        record["disclosed"] = False
    if facts.connection.hello is not None:
        record["client_hello"] = facts.connection.hello.fingerprint
    if facts.evidence is not None:
        record["evidence"] = _evidence(facts.evidence)
    if facts.too_fast:
        record["too_fast"] = list(facts.too_fast)
    if facts.suspensions:
        record["suspensions"] = _suspensions(facts.suspensions, facts.user)
        if decision.suspension is not None:
            record["suspended_by"] = decision.suspension.key


# --- what stands in many lines: made once ----------------------------------------------------------------------------------

_Made = TypeVar("_Made")


def _remembered(make: Callable[..., _Made]) -> Callable[..., _Made]:
    """Remembers what was made of the very same objects. Equal ones need not be found, so that nothing is hashed or compared;
    the objects are kept with the result, so that none of their ids can come to mean another.
    """
    made: dict[tuple[int, ...], tuple[tuple[object, ...], _Made]] = {}

    @wraps(make)
    def remembering(*arguments: object) -> _Made:
        key = tuple(map(id, arguments))
        found = made.get(key)
        if found is not None:
            return found[1]
        if len(made) >= REMEMBERED:
            made.clear()
        result = make(*arguments)
        made[key] = (arguments, result)
        return result

    return remembering


@_remembered
def _purpose(grant: UseGrant, language: str) -> str | dict[str, str | int] | None:
    """The purpose in ASCII letters, for readers (DOMAIN section 4); its exact words are in the table of the line's hash."""
    if grant.purpose is None:
        return None
    letters = unicodedata.normalize("NFKD", grant.purpose.in_(language)).encode("ascii", "ignore").decode("ascii")
    return harmless_text(letters, _PURPOSE_CHARACTERS)


@_remembered
def _evidence(evidence: ClientEvidence) -> orjson.Fragment:
    """The score and its parts; what has its usual value is left out."""
    found: dict[str, object] = {
        "score": evidence.score,
        "parts": {signal.value: points for signal, points in evidence.parts},
        "since": evidence.since,
    }
    if evidence.reported:
        found["reported"] = {signal.value: points for signal, points in evidence.reported}
    if evidence.moved:
        found["moved"] = True
    if evidence.moved_reported:
        found["moved_reported"] = True
    if evidence.answered:
        found["answered"] = True
    return fragment(found)


@_remembered
def _suspensions(suspensions: Suspensions, user: UserRecords | None) -> list[dict[str, str]]:
    """All that the decision can have read, of other persons' none; whose a person's own is, the line says as `user`."""
    return [
        {"key": entry.key, "scope": entry.scope.value}
        | ({} if entry.scope is Scope.PERSON else {"subject": entry.subject})
        for entry in suspensions.concerning(user)
    ]


@_remembered
def _session(session: Session) -> orjson.Fragment:
    ended = {} if session.ended_at is None else {"ended_at": session.ended_at, "ended_reason": session.ended_reason}
    return fragment({"id": session.id, "created_at": session.created_at, "expires_at": session.expires_at, **ended})


@_remembered
def _records(
    user: UserRecords,
    authorisation: Authorisation | None,
    grants: tuple[Authorisation, ...],
    transaction: Transaction | None,
    regulation: Regulation | None,
    outside: bool,
) -> orjson.Fragment:
    """Every record of the user that a decision on this transaction reads. `outside`: it goes by the roles of an outside source."""
    members: dict[str, object] = {"validity": _validity(user.validity), "blocked": user.blocked}
    if regulation is not None:
        accepted = user.acceptances.get(regulation.version)
        members["regulation"] = {"version": regulation.version, "sha256": regulation.sha256}
        members["acceptance"] = None if accepted is None else accepted.id
        if accepted is not None and accepted.sha256 != regulation.sha256:
            members["accepted_sha256"] = accepted.sha256
    if authorisation is not None:
        _add_designations(members, user, authorisation, grants)
    if transaction is not None and transaction.role is not None:
        members["role"] = transaction.role
        roles = (user.outside_roles if outside else user.roles).get(transaction.role, ())
        members["roles"] = [{"id": entry.id, "validity": _validity(entry.validity)} for entry in roles[-MAX_RECORDS:]]
        if len(roles) > MAX_RECORDS:
            members["roles_left_out"] = True
        if outside:
            members["roles_known_at"] = user.roles_known_at
    return fragment(members)


def _add_designations(
    members: dict[str, object], user: UserRecords, authorisation: Authorisation, grants: tuple[Authorisation, ...]
) -> None:
    """Those for the line's authorisation; where the institution has several for the transaction, those for each: which one a person is
    under hangs on them (`decision.ruling`)."""
    references = [authorisation.reference]
    if len(grants) > 1:
        references = members["references"] = sorted(grant.reference for grant in grants)
    listed: list[dict[str, object]] = []
    for reference in references:
        named = user.designations.get(reference, ())
        whose = {} if reference == authorisation.reference else {"authorisation": reference}
        listed += [_designation(entry) | whose for entry in named[-MAX_RECORDS:]]
        if len(named) > MAX_RECORDS:
            members["designations_left_out"] = True
    members["designations"] = listed


def card_is_stale(facts: Facts, snapshot: Snapshot) -> bool:
    """Whether the card that the session was opened with was not known to be good for too long."""
    session = facts.session
    if session is None or session.certificate is None:
        return False
    good_at = session.certificate_good_at
    return good_at is None or facts.now - good_at > snapshot.card_fresh_seconds


def _certificate(good_at: float | None, *, stale: bool) -> dict[str, object]:
    """When the card was last known to be good; that it is long ago, where the transaction goes on all the same. Not which card it is."""
    return {"good_at": good_at, "stale": True} if stale else {"good_at": good_at}


def _context(context: Context, facts: Facts, snapshot: Snapshot) -> dict[str, object]:
    """Which of the networks the client is in, since its address stands here only sealed; and what does not hold."""
    found: dict[str, object] = {}
    address = facts.connection.address
    if context.networks:
        network = network_of(address, context.networks)
        found["network"] = None if network is None else str(network)
    missed = outside(context, address, facts.now, snapshot.holidays)
    if missed:
        found["outside"] = missed
    return found


def _validity(validity: Validity) -> list[float]:
    return [validity.start, validity.end]


def _designation(entry: Designation) -> dict[str, object]:
    mandate = entry.mandate
    return {
        "id": entry.id,
        "validity": _validity(entry.validity),
        "made_at": entry.made_at,
        "confirmed": entry.confirmed,
        "uses": sorted(entry.uses),
        "mandate": None if mandate is None else {"id": mandate.id, "validity": _validity(mandate.validity)},
    }


def rounded(seconds: float, parts: int) -> float:
    """A duration (not negative) to so many parts of a second. `round` prints the number and reads it again, which takes longer than
    to write it."""
    return int(seconds * parts + 0.5) / parts


def completion_record(
    reference: str,
    reason: Reason,
    *,
    client: Identity,
    user: Identity | None,
    status: int,
    request_bytes: int,
    response_bytes: int,
    seconds: float,
    first_byte_seconds: float | None = None,
    detail: str | None = None,
    subject: Identity | None = None,
) -> Record:
    """How a forwarded request ended (clause B2): `status` as the client saw it, bytes of the bodies, durations in seconds.

    `reference` is the decision's. `first_byte_seconds` is until the head of the origin's answer, None when there was none.
    """
    record: dict[str, object] = {
        "kind": "completion",
        "id": reference,
        "outcome": reason.code,
        "clause": reason.clause,
        "status": status,
        "client": client.fragment,
        "user": None if user is None else user.fragment,
        "request_bytes": request_bytes,
        "response_bytes": response_bytes,
        "seconds": rounded(seconds, MICRO),
        "first_byte_seconds": None if first_byte_seconds is None else rounded(first_byte_seconds, MICRO),
        "detail": detail,
    }
    if subject is not None:
        record["subject"] = subject.fragment
    return record


def connection_record(
    reference: str,
    reason: Reason,
    *,
    channel: str,
    client: Identity,
    tls_version: str | None = None,
    tls_cipher: str | None = None,
    sni: str | None = None,
    hello: Hello | None = None,
    status: int | None = None,
    seconds: float | None = None,
    detail: str | None = None,
) -> Record:
    """A connection that brought no request: plain HTTP, a handshake that failed, or nothing at all (clause B3).

    `hello` is what the client's TLS said first; `status` the answer's, when it is not the reason's own.
    """
    return {
        "kind": "connection",
        "id": reference,
        "verdict": reason.kind,
        "reason": reason.code,
        "clause": reason.clause,
        "status": reason.status if status is None else status,
        "channel": channel,
        "tls_version": tls_version,
        "tls_cipher": tls_cipher,
        "sni": sni,
        **({} if hello is None else {"hello": hello._asdict()}),
        "client": client.fragment,
        "seconds": seconds,
        "detail": detail,
    }


def refusals_record(tally: Tally, network: Identity | None) -> Record:
    """The counted line of the flood rule; its id is the reference that every counted client was shown."""
    return {
        "kind": "refusals",
        "id": tally.reference,
        "from": moment(tally.since),
        "to": moment(tally.until),
        "client": None if network is None else network.fragment,
        "count": tally.reasons.total(),
        "reasons": dict(tally.reasons),
    }


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """The certificate that somebody showed to sign in. `identity` is its number with its issuer's name, pseudonymised and sealed: both
    may tell who it is. `issuer` is that name in clear, only where an authority for cards has signed it; `policy` its policies.

    `step` is the step of the verification that failed, None when none did. `revoked` is what was known of its revocation ("no",
    "yes", "unknown"; None when nobody asked), `good_at` when it was last known not to be revoked (Unix seconds).
    """

    identity: Identity
    issuer: str | None
    policy: str
    step: str | None = None
    revoked: str | None = None
    good_at: float | None = None


def sign_in_record(
    reference: str,
    *,
    verdict: str,
    reason: str,
    clause: str,
    client: Identity,
    user: Identity | None,
    institution: str | None,
    means: str,
    session: str | None,
    step_up: bool = False,
    user_agent: str | None = None,
    detail: str | None = None,
    certificate: ShownCertificate | None = None,
) -> Record:
    """An attempt to sign in or step up: `verdict` permit or deny; `session` is the id (not the secret) of what it opened."""
    record: dict[str, object] = {
        "kind": "sign-in",
        "id": reference,
        "verdict": verdict,
        "reason": reason,
        "clause": clause,
        "client": client.fragment,
        "user": None if user is None else user.fragment,
        "institution": institution,
        "means": means,
        "session": session,
        "step_up": step_up,
        "user_agent": user_agent,
        "detail": detail,
    }
    if certificate is not None:
        record["certificate"] = {
            "identity": certificate.identity.fragment,
            "issuer": certificate.issuer,
            "policy": certificate.policy,
            "step": certificate.step,
            "revoked": certificate.revoked,
            "good_at": certificate.good_at,
        }
    return record


def sign_out_record(
    reference: str, *, cause: str, client: Identity | None, user: Identity | None, session: str
) -> Record:
    """A session ended: by the person, by time, or revoked (`cause`)."""
    return {
        "kind": "sign-out",
        "id": reference,
        "cause": cause,
        "client": None if client is None else client.fragment,
        "user": None if user is None else user.fragment,
        "session": session,
    }


def administration_record(
    reference: str,
    *,
    act: str,
    actor: str,
    person: Identity | None = None,
    by: Identity | None = None,
    institution: str | None = None,
    on_behalf_of: int | None = None,
    reason: str | None = None,
    objects: Mapping[str, object] | None = None,
) -> Record:
    """An act on records, written before it is committed.

    `act` is a noun and a verb (`designation end`), `actor` where it came from (`shell`, `portal`), `by` who did it, `person` whom it
    concerns, `on_behalf_of` a mandate's id, `objects` the ids and values of what changes (never an INSZ or a secret), with what stood `before`
    and what stands `after`.
    """
    return {
        "kind": "administration",
        "id": reference,
        "act": act,
        "actor": actor,
        "by": None if by is None else by.fragment,
        "person": None if person is None else person.fragment,
        "institution": institution,
        "on_behalf_of": on_behalf_of,
        "reason": reason,
        "objects": {} if objects is None else dict(objects),
    }
