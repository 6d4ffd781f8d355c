"""Lines that say what the connection's last one said, but for a few values. Pure.

The requests of one connection mostly have the same client, session, permit and records; another id, moment and path. What stays the
same makes up nine tenths of a line, and to make and serialise it again was a quarter of a small request's work. So it is kept as
text with gaps for the few values: a `Template`. Two things keep that honest. Whatever else a line is made of must be the same text or
the very same object as before: nothing else is taken to be equal (tests/ledger/test_repeated.py goes through all fields). And a template
is only used when, with its own values, it gave back to the letter the line that it was made of.
"""

from __future__ import annotations

from typing import Final

import orjson

from gateway.decision import Decision, Facts, Reason, Snapshot
from gateway.identifiers import mask_insz
from gateway.ledger.line import UNCUT_BYTES, Record, Text, serialise
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import MICRO, MILLI, card_is_stale, completion_record, decision_record, rounded

DECISION_GAPS: Final = ("id", "now", "method", "path", "records_age", "last_seen", "subject")
_COMPLETION_GAPS: Final = ("id", "request_bytes", "response_bytes", "seconds", "first_byte_seconds", "subject")
KEPT_TEXTS: Final = 4096
_texts: Final[dict[float, str]] = {}
"""Durations as they stand in JSON, at most KEPT_TEXTS of them: the loop's clock counts milliseconds, of which an answer takes few."""


class Template:
    """The text of a record around the values of some of its keys."""

    __slots__ = ("_length", "_pieces")

    def __init__(self, record: Record, gaps: tuple[str, ...]) -> None:
        """Gaps for those of the keys that the record has, in its own order."""
        self._pieces: list[str] = []
        piece = ""
        for key, value in record.items():
            if key in gaps:
                quote = '"' if isinstance(value, str) else ""
                self._pieces.append(f'{piece},"{key}":{quote}')
                piece = quote
            else:
                piece += f",{orjson.dumps({key: value})[1:-1].decode()}"
        self._pieces.append(piece)
        self._pieces[0] = self._pieces[0][1:]
        self._length = len("".join(self._pieces))

    def fill(self, values: list[str]) -> list[str]:
        """The text with a value in each gap, as it stands in JSON (texts without their quotes)."""
        pieces = self._pieces
        parts = [pieces[0]]
        for place, value in enumerate(values):
            parts.append(value)
            parts.append(pieces[place + 1])
        return parts

    def length_with(self, values: list[str]) -> int:
        """Characters of the text with these values."""
        length = self._length
        for value in values:
            length += len(value)
        return length


class _Last:
    """What the last line of its kind was made of besides the values in its gaps, and its template once it has come twice."""

    __slots__ = ("_parts", "_status", "template")

    def __init__(self) -> None:
        self._parts: tuple[object, ...] = ()
        self._status: int | None = None
        self.template: Template | None = None

    def comes_again(self, parts: tuple[object, ...], status: int | None, *, besides: bool = True) -> bool:
        """Whether a line is made of the same again, `besides` whatever else it is made of; if it is not, it is the last one from now on."""
        if besides and status == self._status and _same(parts, self._parts):
            return True
        self._parts, self._status, self.template = parts, status, None
        return False


def _same(parts: tuple[object, ...], last: tuple[object, ...]) -> bool:
    if len(parts) != len(last):
        return False
    for place in range(len(parts)):
        one, other = parts[place], last[place]
        if one is not other and not (isinstance(one, str) and isinstance(other, str) and one == other):
            return False
    return True


def same_facts(one: Facts, other: Facts) -> bool:
    """Whether these make the same line, but for the gaps. Texts may have been read anew."""
    return (
        one.connection is other.connection
        and one.session is other.session
        and one.user is other.user
        and one.evidence is other.evidence
        and one.too_fast is other.too_fast
        and one.suspensions is other.suspensions
        and one.agent is other.agent
        and one.page_origin is other.page_origin
        and one.port_is_ours is other.port_is_ours
        and one.signature_agent is other.signature_agent
        and one.authorization is other.authorization
        and one.websocket is other.websocket
        and one.navigation is other.navigation
        and one.activity is other.activity
        and one.records_current is other.records_current
        and one.host == other.host
        and one.fault == other.fault
        and one.credential == other.credential
        and one.fetch_site == other.fetch_site
    )


def same_found(one: Decision, other: Decision) -> bool:
    """The same for what was decided. What was located holds the path; of it, a line has the transaction."""
    return (
        one.reason is other.reason
        and one.place is other.place
        and one.disclosed is other.disclosed
        and one.transaction is other.transaction
        and one.authorisation is other.authorisation
        and one.grant is other.grant
        and one.operation is other.operation
        and one.designation is other.designation
        and one.role is other.role
        and one.regulation is other.regulation
        and one.suspension is other.suspension
    )


class Lines:
    """The lines of one connection's requests, as `serialise` writes their records."""

    __slots__ = ("_completion", "_decision", "_facts", "_found", "_last_seen", "_last_seen_text")

    def __init__(self) -> None:
        self._decision = _Last()
        self._facts: Facts | None = None
        self._found: Decision | None = None
        self._completion = _Last()
        self._last_seen = 0.0
        self._last_seen_text = "0.0"

    def decision(
        self,
        reference: str,
        facts: Facts,
        decision: Decision,
        snapshot: Snapshot,
        *,
        client: Identity,
        user: Identity | None,
        subject: Identity | None,
        user_agent: str | None,
        status: int | None,
    ) -> Text:
        """The text of the `decision_record` of these values."""
        last, before, found = self._decision, self._facts, self._found
        parts = (
            snapshot, client, user, user_agent, card_is_stale(facts, snapshot), subject is None, facts.records_age is None,
        )  # fmt: skip
        besides = before is not None and found is not None and same_facts(facts, before) and same_found(decision, found)
        again = last.comes_again(parts, status, besides=besides)
        if not again:
            self._facts, self._found = facts, decision
        if last.template is not None:
            pieces = self._filled(last.template, reference, facts, decision, subject)
            if pieces is not None:
                return pieces
        record = decision_record(
            reference, facts, decision, snapshot,
            client=client, user=user, subject=subject, user_agent=user_agent, status=status,
        )  # fmt: skip
        text = serialise(record)
        # What comes once is not worth a template; and whether a context holds, hangs on the time as well.
        if again and last.template is None and (decision.grant is None or decision.grant.context is None):
            template = _template_of(record, DECISION_GAPS)
            if template is not None and _is(self._filled(template, reference, facts, decision, subject), text):
                last.template = template
        return text

    def _filled(
        self, template: Template, reference: str, facts: Facts, decision: Decision, subject: Identity | None
    ) -> list[str] | None:
        """The line of a decision, or None where a value cannot stand in it as it is."""
        path = mask_insz(facts.path, decision.subject)
        if not (_stands_as_it_is(facts.method) and _stands_as_it_is(path)):
            return None
        values = [reference, _json(facts.now), facts.method, path]
        if facts.records_age is not None:
            values.append(_duration(rounded(facts.records_age, MILLI)))
        if facts.session is not None:
            if facts.last_seen != self._last_seen:
                self._last_seen, self._last_seen_text = facts.last_seen, _json(facts.last_seen)
            values.append(self._last_seen_text)
        if subject is not None:
            values.append(_json(subject.fragment))
        return template.fill(values) if template.length_with(values) <= UNCUT_BYTES else None

    def completion(
        self,
        reference: str,
        reason: Reason,
        *,
        client: Identity,
        user: Identity | None,
        status: int,
        request_bytes: int,
        response_bytes: int,
        seconds: float,
        first_byte_seconds: float | None,
        detail: str | None,
        subject: Identity | None,
    ) -> Text:
        """The text of the `completion_record` of these values."""
        last = self._completion
        parts = (reason, client, user, detail, first_byte_seconds is None, subject is None)
        again = last.comes_again(parts, status)
        values = [reference, str(request_bytes), str(response_bytes), _duration(rounded(seconds, MICRO))]
        if first_byte_seconds is not None:
            values.append(_duration(rounded(first_byte_seconds, MICRO)))
        if subject is not None:
            values.append(_json(subject.fragment))
        if last.template is not None:
            return last.template.fill(values)
        record = completion_record(
            reference, reason, client=client, user=user, status=status, request_bytes=request_bytes, response_bytes=response_bytes,
            seconds=seconds, first_byte_seconds=first_byte_seconds, detail=detail, subject=subject,
        )  # fmt: skip
        text = serialise(record)
        if again:
            template = _template_of(record, _COMPLETION_GAPS)
            if template is not None and _is(template.fill(values), text):
                last.template = template
        return text


def _template_of(record: Record, gaps: tuple[str, ...]) -> Template | None:
    """None for a record that can only be written with care (`line.serialise`)."""
    try:
        return Template(record, gaps)
    except TypeError:
        return None


def _is(pieces: list[str] | None, text: str) -> bool:
    return pieces is not None and "".join(pieces) == text


def _stands_as_it_is(text: str) -> bool:
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _duration(seconds: float) -> str:
    """A duration as it stands in JSON."""
    text = _texts.get(seconds)
    if text is None:
        text = _json(seconds)
        if len(_texts) < KEPT_TEXTS:
            _texts[seconds] = text
    return text


def _json(value: object) -> str:
    return orjson.dumps(value).decode("ascii")
