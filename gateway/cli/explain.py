"""`gateway explain`: would this person get this, and why (not)? By the gateway's own checks, every one shown."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.text import Text

from gateway.cli.answering import Known, answered, unknown
from gateway.cli.output import ANSWER_IS_NO, WRONG_USE, moment_of
from gateway.decision import ClientEvidence, Decision, Facts, Reason, Signal, Snapshot, Step, decide, explain
from gateway.decision.context import clock, outside
from gateway.decision.supposing import coming_from, suppose
from gateway.errors import RequestError
from gateway.ledger.reading import find
from gateway.ledger.reference import BadReference, format_reference, parse_reference
from gateway.message.target import canonical_path
from gateway.model import BRUSSELS, Means, Session, Transaction, UserRecords
from gateway.policy.kinds import DAYS_OF_THE_WEEK
from gateway.policy.settings import load_settings
from gateway.records import RecordsDesk


def register(app: typer.Typer) -> None:
    app.command("explain")(explain_command)


def explain_command(
    person: Annotated[str, typer.Option("--person", metavar="USER_ID", help="Whose request.")],
    transaction: Annotated[str, typer.Option("--transaction", metavar="ID", help="To which transaction.")],
    method: Annotated[str, typer.Option("--method", help="The HTTP method.")] = "GET",
    path: Annotated[
        str, typer.Option("--path", help="The path below the transaction's first match, as its operations say it.")
    ] = "/",
    means: Annotated[Means, typer.Option("--means", help="How the person authenticated, just now.")] = Means.EID,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="2026-06-15 or 2026-06-15T10:00, Europe/Brussels; default: now."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="IP",
            help="From where, if the authorisation names networks; default: from one of them.",
        ),
    ] = None,
    websocket: Annotated[bool, typer.Option("--websocket", help="A websocket handshake of our own page.")] = False,
    evidence: Annotated[
        str | None,
        typer.Option(
            "--evidence",
            metavar="REF",
            help="With what spoke for a program in the ledger line that this reference names.",
        ),
    ] = None,
    config: Annotated[Path, typer.Option("--config", metavar="DIR", help="The configuration directory.")] = Path(
        "config"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell whether a person may, by every check: met, not met, or not reached.

    A fresh session in a normal browser is supposed, for which nothing speaks for a program (or, with --evidence, what did at a
    request of the past: the score, its parts, and whether the session had moved to another client). With --at in the past it is by the
    records as they were known then, what was suspended then, and the table that ran then, as far as the ledger and the releases that are
    kept tell; where that cannot be known, it is said. Each check tells what it goes by, and who can mend what is wrong.

    Exit 0: permitted. 1: the answer is no. 2: wrong use.

    Examples:
      gateway explain --person jansen01 --transaction dossier
      gateway explain --person jansen01 --transaction dossier --method POST --path /search --means token
      gateway explain --person jansen01 --transaction dossier --at 2027-12-31T23:59 --json
      gateway explain --person jansen01 --transaction dossier --address 192.0.2.17
      gateway explain --person jansen01 --transaction dossier --evidence 3TWA-90BT-VBXT-95SA-V
    """
    settings = load_settings(config)

    async def read(known: Known, records: RecordsDesk) -> tuple[Known, list[UserRecords], str]:
        users = await records.users_known([person], known.known_at)
        return known, users, "" if users else await unknown(person, known, records)

    known, users, nobody = answered(read, settings, None if at is None else moment_of(at))
    snapshot = known.snapshot
    asked = snapshot.transactions.get(transaction)
    if asked is None:
        _fail(
            f"there is no transaction {transaction!r}. There are: {', '.join(sorted(snapshot.transactions)) or 'none'}"
        )
    if not users:
        _fail(nobody)
    facts = suppose(
        asked,
        users[0],
        _canonical(path),
        method.upper(),
        means,
        known.at,
        websocket=websocket,
        suspensions=known.suspensions,
    )
    facts = coming_from(facts, _address(address), snapshot)
    if evidence is not None:
        facts = _with_evidence(facts, settings.ledger.directory, evidence)
    decision, steps = explain(facts, snapshot)
    others = {str(other): _with_means(facts, other, snapshot) for other in Means}
    if as_json:
        told = as_object(facts, asked, decision, steps, others, snapshot) | {"notes": list(known.notes)}
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
    else:
        _print(facts, asked, decision, steps, others, snapshot)
        for note in known.notes:
            print(f"Note: {note}.", file=sys.stderr)
    if not decision.permitted:
        raise typer.Exit(ANSWER_IS_NO)


def as_object(
    facts: Facts,
    transaction: Transaction,
    decision: Decision,
    steps: tuple[Step, ...],
    others: dict[str, str],
    snapshot: Snapshot,
) -> dict[str, Any]:
    """What `--json` prints."""
    reason = decision.reason
    return {
        "permitted": decision.permitted,
        "kind": decision.kind,
        "reason": reason.code,
        "clause": reason.clause,
        "meaning": reason.meaning,
        "mender": _mender(steps, reason),
        "suspended_by": None if decision.suspension is None else decision.suspension.key,
        "shown": decision.shown,
        "user_id": facts.user.user_id if facts.user is not None else None,
        "transaction": transaction.id,
        "authorisation": decision.authorisation.reference if decision.authorisation is not None else None,
        "designation": decision.designation.id if decision.designation is not None else None,
        "use": decision.operation.use if decision.operation is not None else None,
        "method": facts.method,
        "host": facts.host,
        "path": facts.path,
        "websocket": facts.websocket,
        "means": facts.session.means if facts.session is not None else None,
        "address": facts.connection.address or None,
        "at": dt.datetime.fromtimestamp(facts.now, dt.UTC).isoformat(),
        "table": snapshot.hash,
        "steps": [
            {
                "check": step.criterion.name,
                "clause": step.criterion.clause,
                "met": step.met,
                "reason": step.reason.code if step.reason is not None else None,
                "by": [str(source) for source in step.sources],
                "mender": step.mender,
            }
            for step in steps
        ],
        "by_means": others,
        "context": _context_object(facts, decision, snapshot),
        "evidence": _evidence_object(facts.evidence, snapshot),
    }


def _mender(steps: tuple[Step, ...], reason: Reason) -> str:
    """Of the decision's own reason: the first check that is not met gave it."""
    return next((step.mender for step in steps if step.mender is not None), reason.mender)


def _context_object(facts: Facts, decision: Decision, snapshot: Snapshot) -> dict[str, Any] | None:
    """What the authorisation names for this use, and which of it is not met."""
    context = None if decision.grant is None else decision.grant.context
    if context is None:
        return None
    return {
        "networks": [str(network) for network in context.networks],
        "hours": None if context.hours is None else "-".join(map(clock, context.hours)),
        "days": None if context.days is None else [DAYS_OF_THE_WEEK[day] for day in sorted(context.days)],
        "public_holidays": not context.working,
        "outside": list(outside(context, facts.connection.address, facts.now, snapshot.holidays)),
    }


def _evidence_object(evidence: ClientEvidence | None, snapshot: Snapshot) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {
        "score": evidence.score,
        "threshold": snapshot.doubtful_score,
        "parts": {signal.value: points for signal, points in evidence.parts},
        "reported": {signal.value: points for signal, points in evidence.reported},
        "moved": evidence.moved,
        "moved_reported": evidence.moved_reported,
        "answered": evidence.answered,
    }


def _print(
    facts: Facts,
    transaction: Transaction,
    decision: Decision,
    steps: tuple[Step, ...],
    others: dict[str, str],
    snapshot: Snapshot,
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    user, session, reason = facts.user, facts.session, decision.reason
    moment = dt.datetime.fromtimestamp(facts.now, BRUSSELS)
    what = f"{'websocket' if facts.websocket else facts.method} {facts.host}{facts.path} ({transaction.id})"
    who = f"{user.user_id if user else ''}, just signed in with {session.means if session else ''}"
    console.print(Text(f"{who}: {what}, {moment:%Y-%m-%d %H:%M:%S} Europe/Brussels\n"))
    for step in steps:
        word, style = {True: ("met", "green"), False: ("NOT MET", "bold red"), None: ("not reached", "dim")}[step.met]
        line = Text(f"  {word:<13}", style=style)
        line.append(f"{step.criterion.clause:<4}{step.criterion.name}", style="" if step.met is not None else "dim")
        if step.reason is not None:
            line.append(f": {step.reason.code}, {step.reason.meaning}")
        if step.sources:
            line.append(f"  [{', '.join(map(str, step.sources))}]", style="dim")
        console.print(line)
        if step.mender is not None:
            console.print(Text(f"{'':<19}can be mended by: {step.mender}"))
    verdict = Text("\nPermitted" if decision.permitted else "\nNot permitted", style="bold")
    if not decision.permitted:
        verdict.append(f": {reason.code} ({reason.clause}), {reason.meaning}.", style="not bold")
        verdict.append(f"\nWho can mend it: {_mender(steps, reason)}.", style="not bold")
        if not decision.disclosed:
            verdict.append(" The person is not told the reason: they never were designated for it.", style="not bold")
    console.print(verdict)
    context = _context_object(facts, decision, snapshot)
    if context is not None:
        console.print(Text(_context_text(context, facts.connection.address)))
    if facts.evidence is not None:
        console.print(Text(_evidence_text(facts.evidence, snapshot)))
    console.print(Text("By means: " + ", ".join(f"{name} {code}" for name, code in others.items())))
    console.print(Text(f"Table: {snapshot.hash}", style="dim"))


def _context_text(context: dict[str, Any], address: str) -> str:
    told = [f"from {', '.join(context['networks'])} (supposed: from {address})"] if context["networks"] else []
    told += [f"{context['hours']}, the time in Brussels"] if context["hours"] is not None else []
    if context["days"] is not None:
        told.append(", ".join(context["days"]) + ("" if context["public_holidays"] else ", no public holidays"))
    outside = f". Outside its {' and its '.join(context['outside'])}" if context["outside"] else ""
    return f"Context: {'; '.join(told)}{outside}."


def _evidence_text(evidence: ClientEvidence, snapshot: Snapshot) -> str:
    def listed(parts: tuple[tuple[Signal, float], ...]) -> str:
        return ", ".join(f"{signal} {points:g}" for signal, points in parts) or "nothing"

    text = f"Evidence: {evidence.score:g} of the {snapshot.doubtful_score:g} points that ask who is there ({listed(evidence.parts)})"
    text += f"; only reported: {listed(evidence.reported)}" if evidence.reported else ""
    text += "; answered by an authentication shortly before" if evidence.answered else ""
    text += "; the session moved to another client" if evidence.moved else ""
    return text + ("; the session moved to another client (only reported)" if evidence.moved_reported else "")


def _with_evidence(facts: Facts, ledger: Path, reference: str) -> Facts:
    """With the evidence of a line, as if it came after the supposed authentication: else that would answer it."""
    try:
        wanted = parse_reference(reference)
        lines = [event.record for event in find(ledger, wanted) if event.record.get("kind") == "decision"]
    except BadReference as error:
        _fail(f"--evidence: {error}")
    except OSError as error:
        _fail(f"--evidence: the ledger in {ledger} cannot be read ({error.strerror})")
    if not lines:
        _fail(f"--evidence: no decision in {ledger} has the reference {format_reference(wanted)}")
    told = lines[0].get("evidence") or {}
    parts, reported = (
        tuple((Signal(name), float(points)) for name, points in told.get(key, {}).items())
        for key in ("parts", "reported")
    )
    found = ClientEvidence(
        float(told.get("score", 0.0)),
        parts,
        reported,
        told.get("moved", False),
        told.get("moved_reported", False),
        told.get("answered", False),
        facts.now,
    )
    return replace(facts, evidence=found, too_fast=tuple(lines[0].get("too_fast", ())))


def _with_means(facts: Facts, means: Means, snapshot: Snapshot) -> str:
    """The reason code that the same request gets with another means."""
    if facts.session is None:
        return decide(facts, snapshot).reason.code
    session = facts.session
    other = Session(session.id, session.user_id, means, session.auth_time, session.created_at, session.expires_at)
    return decide(replace(facts, session=other), snapshot).reason.code


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return str(ip_address(text))
    except ValueError:
        _fail(f"--address {text!r} is no address. Write it like 192.0.2.17 or 2001:db8::17")


def _canonical(path: str) -> str:
    if not path.startswith("/"):
        _fail(f"--path {path!r} does not begin with '/'")
    try:
        return canonical_path(path.partition("?")[0])
    except RequestError as error:
        _fail(f"--path {path!r}: {error.detail}; such a request is refused before any check")


def _fail(message: str) -> NoReturn:
    print(f"gateway explain: {message}", file=sys.stderr)
    raise typer.Exit(WRONG_USE)
