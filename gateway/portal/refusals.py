"""Refusal and failure pages, for the proxy: whole answers, made without awaiting anything, on any host and port.

A page is rendered once at start for every text and language, and cut where requests differ; what comes from a request is put in
escaped. So a flood of refusals costs joins of bytes. Nothing of the query, of fields or of a body is ever repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import orjson
from markupsafe import Markup, escape

from gateway.decision import NOT_FOR_YOU, REASONS, Decision, Facts, Kind, Place, Snapshot
from gateway.decision.context import clock
from gateway.decision.facts import SAFE_METHODS
from gateway.ledger.reference import format_reference, trace_id
from gateway.model import LANGUAGES, Language, Means, UseGrant
from gateway.portal import catalogue
from gateway.portal.assets import sheet, style_hash
from gateway.portal.catalogue import N_
from gateway.portal.language import NAMES, choose
from gateway.portal.refusal_words import WORDS, words_of
from gateway.portal.render import Frame, switches, template
from gateway.portal.settings import PortalSettings
from gateway.portal.words import MEANS, WHERE, Act, Words

STYLE: Final = sheet()

FIELDS: Final[tuple[tuple[str, str], ...]] = (
    (
        "Content-Security-Policy",
        f"default-src 'none'; style-src {style_hash(STYLE)}; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("X-Robots-Tag", "noindex"),
)
"""The fields that every refusal, page or problem, is sent with; its type, status, length and HSTS are the proxy's to say."""

PAGE_TYPE: Final = "text/html; charset=utf-8"
PROBLEM_TYPE: Final = "application/problem+json"

_PROBLEMS: Final[dict[int, str]] = {
    401: "invalidAccessToken",
    403: "missingPermission",
    413: "payloadTooLarge",
    502: "badGateway",
    503: "serviceUnavailable",
    504: "badGateway",
}
"""Problem types of Belgif's REST guide by status; what is not listed is a bad request. It has none for 504 alone."""
_PROBLEM_OF: Final[dict[str, str]] = {"sign_in_required": "noAccessToken", "session_expired": "expiredAccessToken"}

_MARK: Final = re.compile("\ue000([a-z_]+)\ue001")
"""Private-use characters, which no template or catalogue holds, around the name of what a request puts in."""
_STRANGER_CLAUSE: Final = "P1"
"""The one clause for everybody who may not be told the reason."""


class _Marks:
    """Stands in for what a request puts in."""

    def __getattr__(self, name: str) -> Markup:
        return Markup(f"\ue000{name}\ue001")  # noqa: S704 - a name of ours, from a template


class _Mould:
    """A page cut at its marks: `pieces` are alternately bytes that stay and names of what is put in."""

    __slots__ = ("pieces",)

    def __init__(self, page: str) -> None:
        self.pieces = [part if odd % 2 else part.encode("utf-8") for odd, part in enumerate(_MARK.split(page))]

    def fill(self, parts: dict[str, bytes]) -> bytes:
        return b"".join([piece if isinstance(piece, bytes) else parts[piece] for piece in self.pieces])


class Refusals:
    """Makes the pages and the problem details. `page` and `problem` never raise, whatever the facts hold."""

    def __init__(self, settings: PortalSettings, snapshot: Callable[[], Snapshot]) -> None:
        self._settings = settings
        self._snapshot = snapshot
        self._moulds = {(shown, language): self._mould(shown, language) for shown in WORDS for language in LANGUAGES}
        self._made = _Made()
        self._second = -1
        self._times: dict[Language, bytes] = {}

    fields = FIELDS

    def language(self, accept_language: str | None, cookie: str | None, facts: Facts) -> Language:
        """The language for this request: `cookie` is the value of the language cookie; the default is the person's own."""
        return choose(
            accept_language, cookie, self._settings.default_language if facts.user is None else facts.user.language
        )

    def page(self, decision: Decision, facts: Facts, reference: str, language: Language) -> bytes:
        """The whole HTML page, UTF-8."""
        words = words_of(decision.shown)
        key = decision.shown if decision.shown in WORDS else "gateway_error"
        unsent = _unsent(decision, facts)
        parts = {
            "reference": _bytes(format_reference(reference)),
            "time": self._time(facts.now, language),
            "act": self._act(words.act, decision, facts, language, unsent),
            "contact": self._contact(facts, language),
            "details": _details(decision, facts, language),
            "not_sent": self._not_sent(words, language) if unsent else b"",
            "switch": self._switch(facts),
        }
        return self._moulds[key, language].fill(parts)

    def problem(self, decision: Decision, facts: Facts, reference: str, language: Language) -> bytes:
        """The problem details (RFC 9457), JSON."""
        reason = decision.reason
        words = words_of(decision.shown)
        status = reason.status if decision.disclosed else REASONS["no_transaction"].status
        kind = _PROBLEM_OF.get(decision.shown) or _PROBLEMS.get(status, "badRequest")
        happened = catalogue.translate(language, words.happened)
        problem: dict[str, object] = {
            "type": f"urn:problem-type:belgif:{kind}",
            "title": catalogue.translate(language, words.title),
            "status": status,
            "detail": f"{happened} {catalogue.translate(language, words.do[0])}",
            "instance": f"urn:uuid:{_uuid(trace_id(reference))}",
            "reference": format_reference(reference),
        }
        if decision.disclosed:
            problem["reason"] = reason.code
            address, _ = self._address(words.act, decision, facts)
            if reason.kind is Kind.CHALLENGE and address:
                # A script cannot meet a challenge: it sends its person there, beside the page or instead of it.
                problem["address"] = address
        return orjson.dumps(problem)

    # --- what a request puts in ---------------------------------------------------------------------------------------

    def _time(self, now: float, language: Language) -> bytes:
        second = int(now)
        if second != self._second:
            self._second, self._times = second, {}
        text = self._times.get(language)
        if text is None:
            text = self._times[language] = _bytes(catalogue.day_and_time(language, second))
        return text

    def _not_sent(self, words: Words, language: Language) -> bytes:
        keep = words.act in (Act.SIGN_IN, Act.STEP_UP)
        return self._made.keep((keep, language), lambda: _bytes(_part(language, "not_sent")(keep)))

    def _act(self, act: Act, decision: Decision, facts: Facts, language: Language, unsent: bool) -> bytes:
        address, new_tab = self._address(act, decision, facts)

        def make() -> bytes:
            return _bytes(_part(language, "act")(act.value, address, unsent and new_tab))

        # A path is a stranger's to choose: nothing is kept of it.
        return make() if act is Act.SIGN_IN else self._made.keep((act, address, language, unsent and new_tab), make)

    def _address(self, act: Act, decision: Decision, facts: Facts) -> tuple[str, bool]:
        """Where the one link of the page leads, always to a host of ours, and whether it goes beside a form that was not sent."""
        ours = facts.host is not None and facts.host in self._snapshot().names
        here = self._settings.address_of(facts.host or "")
        applications = f"{self._settings.address}/applications"
        match act:
            case Act.NONE:
                return "", False
            case Act.HTTPS:
                return f"{here}/" if ours else "", False
            case Act.SIGN_IN if ours and decision.place is Place.TRANSACTION:
                # The same path again, so that this very host gets its session; whether anything is there is not said.
                return here + quote(facts.path, safe="/", errors="replace"), True
            case Act.SIGN_IN:
                return applications, True
            case Act.STEP_UP if decision.transaction is not None and decision.operation is not None:
                query = f"transaction={quote(decision.transaction.id)}&use={decision.operation.use.value}"
                return f"{self._settings.address}/step-up?{query}", True
        return applications, False

    def _contact(self, facts: Facts, language: Language) -> bytes:
        institution = None if facts.user is None else self._snapshot().institutions.get(facts.user.institution)
        name, helpdesk = ("", "") if institution is None else (institution.name.in_(language), institution.helpdesk)
        key = (name, helpdesk, language)
        return self._made.keep(
            key, lambda: _bytes(_part(language, "helpers")(name, helpdesk, self._settings.help_desk))
        )

    def _switch(self, facts: Facts) -> bytes:
        """The language page of the host that was asked, and the path (never the query) to come back to."""
        path = "/language" if facts.host == self._settings.host else "/.gateway/language"
        return f"{path}?back={quote(facts.path, safe='/', errors='replace')}&amp;to=".encode("ascii")

    # --- at start -----------------------------------------------------------------------------------------------------

    def _mould(self, shown: str, language: Language) -> _Mould:
        words = WORDS[shown]
        marks = _Marks()
        frame = Frame(
            language,
            self._settings.address,
            "",
            switches(language, marks.switch) if words.linked else (),
            style=Markup(STYLE),  # noqa: S704 - our own file
        )
        return _Mould(
            template(language, "refusal.html").render(
                page=frame,
                words=words,
                where=WHERE,
                marks=marks,
                clause=_STRANGER_CLAUSE if shown == NOT_FOR_YOU else REASONS[shown].clause,
                code=None if shown == NOT_FOR_YOU else shown,
                others=() if words.linked else [_Other(words, each) for each in NAMES if each != language],
            )
        )


class _Made:
    """Rendered parts, kept by what they depend on: the table's names and hosts. Bounded all the same."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], bytes] = {}

    def keep(self, key: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
        made = self._kept.get(key)
        if made is None:
            if len(self._kept) >= MAX_KEPT_PARTS:
                self._kept.clear()
            made = self._kept[key] = make()
        return made


MAX_KEPT_PARTS: Final = 1024
"""Of less than 1 kB each: the contacts of 256 institutions in four languages."""


class _Other:
    """The same words in another language, for pages whose links lead nowhere."""

    __slots__ = ("do", "happened", "language", "name", "title")

    def __init__(self, words: Words, language: Language) -> None:
        self.language = language
        self.name = NAMES[language]
        self.title = catalogue.translate(language, words.title)
        self.happened = catalogue.translate(language, words.happened)
        self.do = [catalogue.translate(language, step) for step in words.do]


def _part(language: Language, name: str) -> Callable[..., Markup]:
    macro: Callable[..., Markup] = getattr(template(language, "parts.html").module, name)
    return macro


def _bytes(text: str) -> bytes:
    return escape(text).encode("utf-8", "replace")


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _unsent(decision: Decision, facts: Facts) -> bool:
    """Whether a form was being sent, and certainly was not passed on: all but what went wrong at or after the origin."""
    forwarded = decision.shown in ("client_closed", "access_ended") or decision.shown.startswith("origin_")
    return facts.method not in SAFE_METHODS and not forwarded and decision.shown != "gateway_error"


def _where_and_when(granted: UseGrant | None, language: Language) -> list[tuple[str, str]]:
    """What an authorisation names of networks, hours and days, each with its name."""
    context = None if granted is None else granted.context
    if context is None:
        return []
    named: list[tuple[str, str]] = []
    if context.networks:
        named.append((N_("From these networks"), ", ".join(map(str, context.networks))))
    if context.hours is not None:
        first, last = map(clock, context.hours)
        named.append(
            (
                N_("At these hours"),
                catalogue.translate(language, N_("%(first)s to %(last)s, Belgian time"))
                % {"first": first, "last": last},
            )
        )
    if context.days is not None:
        days = (
            catalogue.translate(language, N_("Monday to Friday, except on public holidays"))
            if context.working
            else catalogue.weekdays(language, context.days)
        )
        named.append((N_("On these days"), days))
    return [(catalogue.translate(language, name), value) for name, value in named]


def _details(decision: Decision, facts: Facts, language: Language) -> bytes:
    """What is known of the transaction, for a person who may be told."""
    if not decision.disclosed or decision.place is not Place.TRANSACTION or decision.transaction is None:
        return b""
    grant, granted = decision.authorisation, decision.grant
    validity = None if grant is None else grant.validity
    means: list[str] = []
    if granted is not None and decision.reason.code in ("means_too_weak", "means_not_agreed"):
        means = [catalogue.translate(language, MEANS[each.value]) for each in Means if each in granted.means]
    return _bytes(
        _part(language, "details")(
            decision.transaction.title.in_(language),
            None if grant is None else grant.reference,
            catalogue.day(language, validity.start) if validity and decision.reason.code == "not_yet_valid" else None,
            catalogue.last_day(language, validity.end) if validity and decision.reason.code == "expired" else None,
            _where_and_when(granted, language) if decision.reason.code == "outside_context" else [],
            means,
            "" if facts.session is None else catalogue.translate(language, MEANS[facts.session.means.value]),
        )
    )
