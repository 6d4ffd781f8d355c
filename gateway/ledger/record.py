"""Builds the records of requests, connections, sign-ins and administration. Pure; the order of keys is part of the format.

Who a line is about stands in it only as an `Identity`. The query, bodies, cookies, tokens and passwords are never handed to these
functions. A decision's record holds every fact that the decision read, so that it can be made again later (`gateway replay`):
moments as Unix seconds just as they were compared, records by id with their validity, the table by its hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from gateway.decision import Decision, Facts, Reason, Snapshot
from gateway.ledger.flood import Tally
from gateway.ledger.line import Record, harmless_text, moment
from gateway.ledger.pseudonym import Identity
from gateway.model import Designation, Role, Session, UserRecords, Validity

MAX_RECORDS = 8
"""Designations or roles of one person for one thing that a line lists; the newest ones."""
_PURPOSE_CHARACTERS = 256

_DIGIT = r"(?:[0-9]|%3[0-9])"
_INSZ = re.compile(
    rf"(?<![0-9])(?:{_DIGIT}{{2}}\.?){{2}}{_DIGIT}{{2}}(?:\.|-|%2[dD])?{_DIGIT}{{3}}\.?{_DIGIT}{{2}}(?![0-9])"
)
MASK = "{insz}"


def mask_insz(path: str) -> str:
    """The path with everything that has the form of an INSZ (DOMAIN section 2) masked, whatever its check digits."""
    return _INSZ.sub(MASK, path)


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
) -> Record:
    """The line that is on the disk before anything happens. `status` is the answer's, when it is not the reason's own."""
    reason, connection = decision.reason, facts.connection
    record: dict[str, object] = {
        "kind": "decision",
        "id": reference,
        "verdict": reason.kind,
        "reason": reason.code,
        "clause": reason.clause,
        "status": reason.status if status is None else status,
        "disclosed": decision.disclosed,
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
        "port_is_ours": facts.port_is_ours,
        "path": mask_insz(facts.path),
        "fault": facts.fault,
        "agent": facts.agent,
        "user_agent": user_agent,
        "signature_agent": facts.signature_agent,
        "authorization": facts.authorization,
        "websocket": facts.websocket,
        "fetch_site": facts.fetch_site,
        "page_origin": facts.page_origin,
        "navigation": facts.navigation,
        "activity": facts.activity,
        "records_current": facts.records_current,
    }
    if facts.session is not None:
        _add_session(record, facts.session, facts.last_seen)
    if facts.user is not None:
        _add_user(record, facts.user, decision, user)
    if decision.transaction is not None:
        _add_transaction(record, facts.user, decision, subject)
    return record


def _add_session(record: dict[str, object], session: Session, last_seen: float) -> None:
    record["means"] = session.means
    record["auth_time"] = session.auth_time
    record["session"] = {
        "id": session.id,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "last_seen": last_seen,
        "ended_at": session.ended_at,
        "ended_reason": session.ended_reason,
    }


def _add_user(record: dict[str, object], user: UserRecords, decision: Decision, identity: Identity | None) -> None:
    record["user"] = None if identity is None else identity.fragment
    record["institution"] = user.institution
    record["user_validity"] = _validity(user.validity)
    record["blocked"] = user.blocked
    regulation = decision.regulation
    if regulation is not None:
        accepted = user.acceptances.get(regulation.version)
        record["regulation"] = {"version": regulation.version, "sha256": regulation.sha256}
        record["acceptance"] = None if accepted is None else {"id": accepted.id, "sha256": accepted.sha256}


def _add_transaction(
    record: dict[str, object], user: UserRecords | None, decision: Decision, subject: Identity | None
) -> None:
    transaction, authorisation = decision.transaction, decision.authorisation
    operation, grant = decision.operation, decision.grant
    record["transaction"] = None if transaction is None else transaction.id
    record["authorisation"] = None if authorisation is None else authorisation.reference
    if user is not None and authorisation is not None:
        record["designations"] = [
            _designation(entry) for entry in user.designations.get(authorisation.reference, ())[-MAX_RECORDS:]
        ]
    if user is not None and transaction is not None and transaction.role is not None:
        record["role"] = transaction.role
        record["roles"] = [_role(entry) for entry in user.roles.get(transaction.role, ())[-MAX_RECORDS:]]
    if operation is not None:
        record["use"] = operation.use
        record["operation"] = operation.path.text
        record["background"] = operation.background
    if grant is not None:
        purpose = grant.purpose
        record["purpose"] = None if purpose is None else _purpose(purpose.in_("nl" if user is None else user.language))
    if subject is not None:
        record["subject"] = subject.fragment


@lru_cache(1024)
def _purpose(text: str) -> str | dict[str, str | int]:
    # Made printable once, so that an accent does not cost every line the careful way of `serialise`.
    return harmless_text(text, _PURPOSE_CHARACTERS)


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


def _role(entry: Role) -> dict[str, object]:
    return {"id": entry.id, "validity": _validity(entry.validity)}


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
        "seconds": round(seconds, 6),
        "first_byte_seconds": None if first_byte_seconds is None else round(first_byte_seconds, 6),
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
    seconds: float | None = None,
    detail: str | None = None,
) -> Record:
    """A connection that brought no request: plain HTTP, a handshake that failed, or nothing at all (clause B3)."""
    return {
        "kind": "connection",
        "id": reference,
        "verdict": reason.kind,
        "reason": reason.code,
        "clause": reason.clause,
        "status": reason.status,
        "channel": channel,
        "tls_version": tls_version,
        "tls_cipher": tls_cipher,
        "sni": sni,
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
) -> Record:
    """An attempt to sign in or step up: `verdict` permit or deny; `session` is the id (not the secret) of what it opened."""
    return {
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
    objects: Mapping[str, str | int | float | bool | Sequence[str] | None] | None = None,
) -> Record:
    """An act on records, written before it is committed.

    `act` is a noun and a verb (`designation end`), `actor` where it came from (`shell`, `portal`), `by` who did it, `person` whom it
    concerns, `on_behalf_of` a mandate's id, `objects` the ids and values of what changes (never an INSZ or a secret).
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
