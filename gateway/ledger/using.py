"""Who used what: the permits of a ledger in a span of time, by user ID (its pseudonym), transaction and use. A plain scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gateway.ledger.line import moment
from gateway.ledger.reading import never, read_lines
from gateway.ledger.segments import between, find_segments

_PERMIT = b'"verdict":"permit"'


class Key(NamedTuple):
    """What is counted together. `user` is the pseudonym of the user ID."""

    user: str
    institution: str
    transaction: str
    authorisation: str
    use: str
    means: str


@dataclass(slots=True)
class Usage:
    """How often, from when to when (RFC 3339, UTC), and what the first of the lines holds of the person for the auditor (`sealed`, `sealed_to`)."""

    count: int
    first: str
    last: str
    sealed: str
    sealed_to: str


def usage(
    directory: Path,
    since: float,
    until: float,
    *,
    transaction: str | None = None,
    user: str | None = None,
    institution: str | None = None,
    stop: Callable[[], bool] = never,
) -> dict[Key, Usage]:
    """The permitted requests from `since` to before `until` (Unix seconds), only of this transaction, of this user ID (its pseudonym) or of this
    institution's people where one is named. `stop` is asked every few hundred lines, and ends it. Raises `OSError`."""
    first, last = moment(since), moment(until)
    wanted = _PERMIT if user is None else f'"{user}"'.encode()
    found: dict[Key, Usage] = {}
    for segments in find_segments(directory).values():
        if stop():
            break
        # The one after them says what of the last one counts for nothing.
        for line in read_lines(between(segments, first, last, more=1), wanted, stop):
            if line.get("kind") != "decision" or line.get("verdict") != "permit" or line.get("place") != "transaction":
                continue
            if not first <= line["time"] < last:
                continue
            key = _key(line)
            if (
                key is None
                or transaction not in (None, key.transaction)
                or user not in (None, key.user)
                or institution not in (None, key.institution)
            ):
                continue
            _count(found, key, line)
    return found


def _count(found: dict[Key, Usage], key: Key, line: dict[str, Any]) -> None:
    time, known = line["time"], found.get(key)
    if known is None:
        person = line["user"]
        found[key] = Usage(1, time, time, str(person.get("sealed", "")), str(person.get("sealed_to", "")))
        return
    known.count += 1
    known.first, known.last = min(known.first, time), max(known.last, time)


def _key(line: dict[str, Any]) -> Key | None:
    person = line.get("user")
    if not isinstance(person, dict) or "user_id" not in person:
        return None
    return Key(
        str(person["user_id"]),
        *(str(line.get(name) or "") for name in ("institution", "transaction", "authorisation", "use", "means")),
    )
