"""The demo's configuration directory: `gateway.toml` and the table, written from the stories; the regulation says that it is a demo's.

What is written depends on the stories, the ports, the origin and the year alone, so that writing it again changes nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.demo import stories
from gateway.demo.stories import Authorisation, Institution, Person, Transaction
from gateway.demo.toml import Value, dump
from gateway.model import KSZ, LANGUAGES, Text, Use

PORTAL: Final = "portal.localhost"
LOOPBACK: Final = "127.0.0.1"

USER, PLAIN, OPERATOR, ORIGIN, GUIDE, PROVIDER = 8443, 8080, 9090, 9001, 8088, 9002
EID, REVOCATION = 8444, 8446

EID_NAMES: Final = ("eid.localhost", "eid2.localhost", "eid3.localhost")
"""Several, since a browser remembers for each which card was chosen, or that none was."""
CARD_AUTHORITIES: Final = "certs/eid"
PKCS12_PASSWORD: Final = "demo"  # noqa: S105 - of the demo's cards, shown on its guide

PROVIDER_ID: Final = "fas"
CLIENT: Final = "gateway"
"""The gateway's name at the provider."""
ITSME: Final = "urn:be:fedict:iam:fas:Level450"
"""How the federal authentication service says that somebody used itsme (DOMAIN section 3)."""

REGULATION_VERSION: Final = "demo-1"
REGULATION_FROM: Final = dt.date(2025, 1, 1)

DELIBERATED, FIRST = dt.date(2024, 6, 4), dt.date(2024, 7, 1)
EXPIRED_DELIBERATED, EXPIRED_FIRST, EXPIRED_LAST = dt.date(2022, 3, 1), dt.date(2022, 4, 1), dt.date(2024, 3, 31)


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port of the demo, all shifted by the same offset."""

    offset: int = 0

    @property
    def user(self) -> int:
        return USER + self.offset

    @property
    def plain(self) -> int:
        return PLAIN + self.offset

    @property
    def operator(self) -> int:
        return OPERATOR + self.offset

    @property
    def origin(self) -> int:
        return ORIGIN + self.offset

    @property
    def guide(self) -> int:
        return GUIDE + self.offset

    @property
    def eid(self) -> int:
        return EID + self.offset

    @property
    def revocation(self) -> int:
        return REVOCATION + self.offset

    @property
    def eid_url(self) -> str:
        return f"https://{EID_NAMES[0]}:{self.eid}"

    @property
    def revocation_url(self) -> str:
        return f"http://{LOOPBACK}:{self.revocation}"

    @property
    def provider(self) -> int:
        return PROVIDER + self.offset

    @property
    def provider_url(self) -> str:
        return f"http://{LOOPBACK}:{self.provider}"

    @property
    def portal_url(self) -> str:
        return f"https://{PORTAL}:{self.user}"

    @property
    def origin_url(self) -> str:
        return f"http://{LOOPBACK}:{self.origin}"

    @property
    def jwks_url(self) -> str:
        return f"http://{LOOPBACK}:{self.operator}/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a demo is to be: its ports, somebody's own origin in place of the first transaction, the year it is made in, and whether
    there is a provider of the federation."""

    ports: Ports
    origin: str | None
    year: int
    provider: bool = False

    @property
    def people(self) -> tuple[Person, ...]:
        """Whom the demo tells of: whose story needs the provider is left out where there is none."""
        return tuple(person for person in stories.PEOPLE if self.provider or not person.by_provider)

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        return stories.TRANSACTIONS if self.origin is None else (stories.APP, *stories.TRANSACTIONS[1:])

    @property
    def authorisations(self) -> tuple[Authorisation, ...]:
        if self.origin is None:
            return stories.AUTHORISATIONS
        kept = tuple(one for one in stories.AUTHORISATIONS if one.transaction != stories.TRANSACTIONS[0].id)
        return (stories.APP_AUTHORISATION, *kept)

    @property
    def names(self) -> tuple[str, ...]:
        """Every host name of the user listener."""
        return (PORTAL, *dict.fromkeys(transaction.host for transaction in self.transactions))

    def url(self, transaction: Transaction) -> str:
        return f"https://{transaction.host}:{self.ports.user}{transaction.path}"


CERTIFICATE_NAMES: Final = (
    PORTAL,
    *EID_NAMES,
    *dict.fromkeys(transaction.host for transaction in (*stories.TRANSACTIONS, stories.APP)),
)
"""What the demo's certificate covers, with `--origin` or without, so that a browser need not learn another one."""


MEASURED: dict[str, Value] = {"session_moved": "report", "pace": 1_000_000, "burst": 10_000_000}
"""Somebody's own application behind the demo is looked at with tools: a load generator takes over the cookie of a browser, and asks
more than a person can. The demo of its own keeps the defaults."""


def configuration(plan: Plan, card_root: str) -> dict[str, str]:
    """Every file of the configuration directory but keys and certificates: name -> text. `card_root` is the fingerprint of the root of
    the demo's cards."""
    files = {"gateway.toml": _gateway(plan, card_root), "roles.toml": _roles()}
    for institution in stories.INSTITUTIONS:
        files[f"institutions/{institution.kbo}.toml"] = _institution(institution)
    for transaction in plan.transactions:
        files[f"transactions/{transaction.id}.toml"] = _transaction(transaction, plan)
    for authorisation in plan.authorisations:
        files[f"authorisations/{authorisation.reference.replace('/', '-')}.toml"] = _authorisation(authorisation, plan)
    texts = Path(__file__).parent / "regulation"
    for language in LANGUAGES:
        files[f"regulation/{REGULATION_VERSION}/{language}.md"] = (texts / f"{language}.md").read_text("utf-8")
    files[f"regulation/{REGULATION_VERSION}/about.toml"] = dump(
        "The regulation of a demo.",
        {"source": "gateway demo", "effective": REGULATION_FROM},
        {},
    )
    return files


def _gateway(plan: Plan, card_root: str) -> str:
    ports = plan.ports
    return dump(
        "The demo's settings, written by `gateway demo`. What they mean: docs/configuration.md",
        {"state": "../run"},
        {
            "portal": {
                "host": PORTAL,
                "help_desk": "helpdesk@demo.example",
                "privacy_url": "https://demo.example/privacy",
                "accessibility_url": "https://demo.example/accessibility",
                "fault_report": "faults@demo.example",
            },
            "listener": [
                {
                    "channel": "user",
                    "address": [f"{LOOPBACK}:{ports.user}", f"[::1]:{ports.user}"],
                    "names": list(plan.names),
                    "certificate": "certs/server.pem",
                },
                {
                    "channel": "eid",
                    "address": [f"{LOOPBACK}:{ports.eid}", f"[::1]:{ports.eid}"],
                    "names": list(EID_NAMES),
                    "certificate": "certs/server.pem",
                },
                {"channel": "plain", "address": [f"{LOOPBACK}:{ports.plain}", f"[::1]:{ports.plain}"]},
                {"channel": "operator", "address": f"{LOOPBACK}:{ports.operator}"},
            ],
            "eid": {"authorities": CARD_AUTHORITIES, "unsafe_test_roots": [card_root]},
            "revocation": {"hosts": [ports.revocation_url]},
            "table": {"unsafe_unsigned": True},
            "ledger": {"directory": "../ledger"},
            **({"provider": [_provider(plan)]} if plan.provider else {}),
            # An open live page does not hold up a Ctrl-C for long.
            "limits": {"drain": "2s"},
            **({} if plan.origin is None else {"evidence": MEASURED}),
        },
    )


def _provider(plan: Plan) -> Mapping[str, Value]:
    name = "itsme (demo)"
    return {
        "id": PROVIDER_ID,
        "title": dict.fromkeys(LANGUAGES, name),
        "issuer": plan.ports.provider_url,
        "client_id": CLIENT,
        "client_secret": f"keys/{PROVIDER_ID}.secret",
        "acr": {ITSME: "itsme"},
    }


def _roles() -> str:
    insz = {person.user_id: person.insz for person in stories.PEOPLE}
    roles: list[dict[str, Value]] = [
        {
            "role": "head_official",
            "insz": insz[institution.head_official],
            "institution": institution.kbo,
            "from": DELIBERATED,
            "until": dt.date(2099, 12, 31),
            "act": "Invented for the demo",
        }
        for institution in stories.INSTITUTIONS
    ]
    roles += [
        {
            "role": person.office,
            "insz": person.insz,
            "institution": KSZ,
            "from": DELIBERATED,
            "until": dt.date(2099, 12, 31),
            "act": "Invented for the demo",
        }
        for person in stories.PEOPLE
        if person.institution == KSZ
    ]
    return dump("Roles by the KSZ's word.", {}, {"role": roles})


def _institution(institution: Institution) -> str:
    return dump(
        "An invented institution.",
        {
            "kbo": institution.kbo,
            "name": _languages(institution.name),
            "language": institution.language,
            "contact": {who: f"{who}@{institution.domain}" for who in ("helpdesk", "ciso", "dpo")},
            "extranet_connected": False,
        },
        {},
    )


def _transaction(transaction: Transaction, plan: Plan) -> str:
    own = transaction is stories.APP and plan.origin is not None
    keys: dict[str, Value] = {
        "id": transaction.id,
        "title": _languages(transaction.title),
        "channel": "user",
        "sensitivity": transaction.sensitivity,
        "social_personal_data": transaction.social,
    }
    if transaction.role is not None:
        keys["role"] = transaction.role
    subjects: dict[str, Value] = {"origin_field": "X-Subject-INSZ"} if transaction.social else {}
    if transaction.subject_path is not None:
        subjects["path"] = transaction.subject_path
    tables: dict[str, Mapping[str, Value] | Sequence[Mapping[str, Value]]] = {
        "match": [{"host": transaction.host, "path": transaction.path}],
        "origin": {
            "url": plan.origin if own and plan.origin is not None else f"{plan.ports.origin_url}{transaction.base}",
            "cookies": "plain" if transaction.plain_cookies else "per-session",
        },
        "operation": _OF_ANY_APPLICATION if own else _OF_CASE_FILES,
    }
    if subjects:
        tables["subjects"] = subjects
    return dump(transaction.story, keys, tables)


_OF_CASE_FILES: list[dict[str, Value]] = [
    {"use": "consultation", "websocket": True, "background": True, "path": "/live"},
    {"use": "consultation", "methods": ["GET"], "background": True, "path": "/events"},
    {"use": "consultation", "methods": ["GET", "HEAD"], "path": "/**"},
    {"use": "consultation", "methods": ["POST"], "path": "/search"},
    {"use": "communication", "methods": ["POST", "PUT"], "path": "/dossiers/*"},
    {"use": "communication", "methods": ["POST"], "path": "/documents"},
]

_OF_ANY_APPLICATION: list[dict[str, Value]] = [
    {"use": "consultation", "websocket": True, "path": "/**"},
    {"use": "consultation", "methods": ["GET", "HEAD"], "path": "/**"},
    {"use": "communication", "methods": ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "path": "/**"},
]


def _authorisation(authorisation: Authorisation, plan: Plan) -> str:
    expired = authorisation.expired
    deliberated = EXPIRED_DELIBERATED if expired else DELIBERATED
    first = EXPIRED_FIRST if expired else FIRST
    keys: dict[str, Value] = {
        "reference": authorisation.reference,
        "deliberated_on": deliberated,
        "granted_by": "The demo's head official of the KSZ",
        "granted_on": deliberated + dt.timedelta(days=16),
        "derogation": f"Demo {authorisation.reference}: derogation from the rule of the Extranet",
        "request_sha256": hashlib.sha256(f"request {authorisation.reference}".encode()).hexdigest(),
        "transaction": authorisation.transaction,
        "institution": authorisation.institution,
        "extranet_impossible_because": "An invented institution has no line to the Extranet.",
        "measures": ["Access over HTTPS alone, by named persons", "A security log of every attempt"],
    }
    if authorisation.activated:
        keys["opinion"] = {"outcome": "favourable", "on": deliberated + dt.timedelta(days=14)}
    keys |= {
        "valid_from": first,
        "valid_until": EXPIRED_LAST if expired else dt.date(plan.year + 1, 12, 31),
        "status": authorisation.status,
    }
    return dump(
        "An invented authorisation.",
        keys,
        {"use": [_use(authorisation, use) for use in Use if use in authorisation.uses]},
    )


def _use(authorisation: Authorisation, use: Use) -> dict[str, Value]:
    purpose: dict[str, Value] = {"purpose": _languages(_PURPOSE)} if use is Use.CONSULTATION else {}
    context: dict[str, Value] = {}
    if use is Use.COMMUNICATION and authorisation.writes_from:
        context["context"] = {"networks": list(authorisation.writes_from)}
    return {
        "use": use.value,
        **purpose,
        "means": list(authorisation.means),
        "stronger_satisfies": True,
        "max_authentication_age": "8h" if use is Use.CONSULTATION else "2h",
        **context,
    }


_PURPOSE = Text(
    "Opvolging van een sociaal dossier (demo)",
    "Suivi d’un dossier social (démo)",
    "Verfolgung einer Sozialakte (Demo)",
    "Following up a social file (demo)",
)


def _languages(text: Text) -> dict[str, Value]:
    return {language: text.in_(language) for language in LANGUAGES}
