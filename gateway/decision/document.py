"""The page `docs/reasons.md`, from the tables that the decision itself runs on.

`scripts/document.py` writes it; a test holds the committed page against this.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.decision.criteria import CRITERIA, Criterion
from gateway.decision.places import Place
from gateway.decision.reasons import ATTEMPTS, REASONS, Kind, Reason
from gateway.model import Channel

INTRODUCTION = """\
# Reasons

<!-- Made by scripts/document.py from gateway/decision/reasons.py and gateway/decision/criteria.py: do not edit. -->

Every request gets one decision with one reason. The code stands in the ledger line and in the problem detail of a
refused script, and names the text of a refusal page; `gateway explain` shows how it came about. A code is stable:
others script against it.

Clauses are those of the policy: E1 P1–P5 I1–I6 T1 B1–B3 F1–F3 X1 (see README).

## The checks, in order

The first check that is not met gives the reason. A check holds for the targets that it names: a *transaction*, or a
page of our own that is *open* (sign-in, help, style sheets), needs a person *signed in*, or one who *accepted* the
user regulation; *machine* is the list of public keys. An own page that nobody listed needs a session.
"""

CODES = """\
## The codes

*Status* is the HTTP status; a challenge sends a navigating browser on by 303 instead. Codes marked † tell something
of the person's own position: only who is, or was, designated for that transaction is shown them. Everybody else gets
one page, one status (403) and one problem type for all of them; the ledger knows the difference.
"""

ATTEMPTS_TITLE = """\
## Attempts to sign in

Codes of the `sign-in` lines. The page says the same of an unknown and of a known user ID, and of every wrong password or
code: so these codes stand in the ledger alone.
"""

KINDS = {
    Kind.PERMIT: "Permit",
    Kind.CHALLENGE: "Challenge: the person can go on after a step of their own",
    Kind.DENY: "Deny",
    Kind.FAILURE: "Failure: told apart by whose it is (B2)",
}

OUTSIDE = {
    "permitted": "every check above was met",
    "tls_failed": "at the handshake: no message came",
    "too_many_connections": "at the beginning of a connection: no message came",
    "no_request": "at the end of a connection: no message came",
    "ledger_unavailable": "after the checks: the line could not be written, so nothing was forwarded",
    "gateway_error": "anywhere: an error of ours",
    "draining": "before the checks, while the gateway stops",
    "completed": "completion line",
    "client_closed": "completion line",
    "access_ended": "completion line: a grant, session or person was ended meanwhile",
    "origin_refused": "completion line",
    "origin_timeout": "completion line",
    "origin_broken": "completion line",
    "origin_malformed": "completion line",
}
"""Reasons that no check gives: when they come instead."""


def reasons_page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([INTRODUCTION, _checks(), CODES, *(_codes(kind) for kind in Kind), ATTEMPTS_TITLE, _attempts()])


def _checks() -> str:
    rows = [
        (
            str(number),
            row.name,
            row.clause,
            _places(row),
            _channels(row),
            ", ".join(_code(code) for code in row.reasons),
        )
        for number, row in enumerate(CRITERIA, 1)
    ]
    return _table(("", "check", "clause", "targets", "channels", "reasons"), rows)


def _attempts() -> str:
    rows = [(_code(row.code), row.clause, row.kind.value, row.mender.value, row.meaning) for row in ATTEMPTS.values()]
    return _table(("code", "clause", "kind", "who can mend it", "meaning"), rows)


def _places(row: Criterion) -> str:
    return "all" if row.places == frozenset(Place) else ", ".join(place for place in Place if place in row.places)


def _channels(row: Criterion) -> str:
    return "all" if row.channels == frozenset(Channel) else ", ".join(one for one in Channel if one in row.channels)


def _codes(kind: Kind) -> str:
    rows = [
        (
            _code(row.code) + (" †" if row.personal else ""),
            row.clause,
            str(row.status) if row.status else "—",
            row.mender.value,
            row.severity.value,
            row.meaning,
            _given(row),
        )
        for row in REASONS.values()
        if row.kind is kind
    ]
    return f"### {KINDS[kind]}\n\n" + _table(
        ("code", "clause", "status", "who can mend it", "severity", "meaning", "given by"), rows
    )


def _given(reason: Reason) -> str:
    numbers = [str(number) for number, row in enumerate(CRITERIA, 1) if reason.code in row.reasons]
    return "check " + ", ".join(numbers) if numbers else OUTSIDE[reason.code]


def _code(code: str) -> str:
    return f"`{code}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
