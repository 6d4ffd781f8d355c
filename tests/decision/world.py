"""One world in which a request is permitted; each test changes one thing of it."""

from __future__ import annotations

import dataclasses as dc
import datetime as dt
from collections.abc import Callable
from typing import Any

from gateway.decision import (
    Agent,
    Connection,
    Decision,
    Facts,
    PageOrigin,
    PathPattern,
    Snapshot,
    Step,
    decide,
    explain,
)
from gateway.model import (
    BRUSSELS,
    Acceptance,
    Authorisation,
    Channel,
    Designation,
    Institution,
    Mandate,
    Match,
    Means,
    Operation,
    Opinion,
    Origin,
    Regulation,
    Role,
    Session,
    Subjects,
    Text,
    Transaction,
    Use,
    UseGrant,
    UserRecords,
    Validity,
)

NOW = dt.datetime(2026, 6, 15, 10, 0, tzinfo=BRUSSELS).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = Validity.of_days(dt.date(2026, 1, 1), dt.date(2026, 12, 31))
KBO = "0403019261"
SHA = "ab" * 32


def text(word: str) -> Text:
    return Text(word, word, word, word)


CONSULTATION = UseGrant(Use.CONSULTATION, text("checking a right"), frozenset({Means.TOKEN, Means.EID}), True, 8 * HOUR)
COMMUNICATION = UseGrant(Use.COMMUNICATION, None, frozenset({Means.EID}), False, 30 * MINUTE)

TRANSACTION = Transaction(
    id="dossier",
    title=text("Dossier"),
    channel=Channel.USER,
    sensitivity=2,
    social_personal_data=True,
    role="DossierReader",
    matches=(Match("dossier.localhost", "/dossier/"),),
    origin=Origin("http://127.0.0.1:9001/app/"),
    operations=(
        Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"GET", "HEAD"})),
        Operation(Use.CONSULTATION, PathPattern("/search"), frozenset({"POST"})),
        Operation(Use.COMMUNICATION, PathPattern("/dossiers/*"), frozenset({"POST", "PUT"})),
        Operation(Use.CONSULTATION, PathPattern("/live"), frozenset({"GET"}), websocket=True),
    ),
    subjects=Subjects(path=PathPattern("/dossiers/{insz}")),
)
AUTHORISATION = Authorisation(
    reference="24/123",
    transaction="dossier",
    institution=KBO,
    validity=YEAR,
    status="active",
    opinion=Opinion(True, dt.date(2025, 12, 18)),
    uses=(CONSULTATION, COMMUNICATION),
)
MANDATE = Mandate(1, YEAR)
DESIGNATION = Designation(
    id=1,
    authorisation="24/123",
    uses=frozenset(Use),
    validity=YEAR,
    made_at=YEAR.start + DAY,
    mandate=MANDATE,
    confirmed=True,
)
USER = UserRecords(
    user_id="jansen01",
    person=1,
    insz="85073003328",
    name="An Jansen",
    institution=KBO,
    language="nl",
    validity=YEAR,
    blocked=False,
    designations={"24/123": (DESIGNATION,)},
    roles={"DossierReader": (Role(1, "DossierReader", YEAR),)},
    acceptances={"2026": Acceptance(1, "2026", SHA, YEAR.start)},
)
SESSION = Session("s1", "jansen01", Means.TOKEN, NOW - 10 * MINUTE, NOW - 10 * MINUTE, NOW + 9 * HOUR)
INSTITUTION = Institution(
    KBO, text("Hulpkas"), "nl", "help@hulpkas.example", "ciso@hulpkas.example", "dpo@hulpkas.example"
)
REGULATION = Regulation("2026", YEAR.start, "https://example.test/regulation", text("Regulation"), SHA)
CONNECTION = Connection(Channel.USER, "TLSv1.3", "TLS_AES_256_GCM_SHA384", "dossier.localhost", address="192.0.2.7")
REQUEST = Facts(
    now=NOW,
    connection=CONNECTION,
    method="GET",
    host="dossier.localhost",
    port_is_ours=True,
    path="/dossier/list",
    agent=Agent.BROWSER,
    fetch_site="same-origin",
    page_origin=PageOrigin.NONE,
    navigation=True,
    activity=True,
    last_seen=NOW - MINUTE,
)


@dc.dataclass(frozen=True)
class World:
    """Facts and a table, in parts. Every method gives a new world with one part changed."""

    the_request: Facts = dc.field(default_factory=lambda: REQUEST)
    the_user: UserRecords | None = USER
    the_session: Session | None = SESSION
    transactions: tuple[Transaction, ...] = (TRANSACTION,)
    authorisations: tuple[Authorisation, ...] = (AUTHORISATION,)
    settings: dict[str, Any] = dc.field(default_factory=dict)

    def request(self, **changes: Any) -> World:
        return dc.replace(self, the_request=dc.replace(self.the_request, **changes))

    def connection(self, **changes: Any) -> World:
        return self.request(connection=self.the_request.connection._replace(**changes))

    def at(self, now: float) -> World:
        """The same request at another moment, its session as fresh as before."""
        later = now - self.the_request.now
        world = self.request(now=now, last_seen=self.the_request.last_seen + later)
        if self.the_session is None:
            return world
        of = self.the_session
        return world.session(
            auth_time=of.auth_time + later, created_at=of.created_at + later, expires_at=of.expires_at + later
        )

    def session(self, **changes: Any) -> World:
        assert self.the_session is not None
        return dc.replace(self, the_session=dc.replace(self.the_session, **changes))

    def anonymous(self) -> World:
        return dc.replace(self, the_session=None, the_user=None)

    def user(self, **changes: Any) -> World:
        assert self.the_user is not None
        return dc.replace(self, the_user=dc.replace(self.the_user, **changes))

    def designated(self, *designations: Designation) -> World:
        """Exactly these designations."""
        by_reference: dict[str, tuple[Designation, ...]] = {}
        for one in designations:
            by_reference[one.authorisation] = (*by_reference.get(one.authorisation, ()), one)
        return self.user(designations=by_reference)

    def designation(self, **changes: Any) -> World:
        return self.designated(dc.replace(DESIGNATION, **changes))

    def mandate(self, **changes: Any) -> World:
        return self.designation(mandate=dc.replace(MANDATE, **changes))

    def transaction(self, **changes: Any) -> World:
        return dc.replace(self, transactions=(dc.replace(self.transactions[0], **changes), *self.transactions[1:]))

    def authorisation(self, **changes: Any) -> World:
        return self.authorised(dc.replace(AUTHORISATION, **changes))

    def authorised(self, *authorisations: Authorisation) -> World:
        """Exactly these authorisations."""
        return dc.replace(self, authorisations=authorisations)

    def grant(self, **changes: Any) -> World:
        """The grant for consultation, changed; the one for communication as it was."""
        return self.authorisation(uses=(dc.replace(CONSULTATION, **changes), COMMUNICATION))

    def table(self, **changes: Any) -> World:
        return dc.replace(self, settings={**self.settings, **changes})

    @property
    def facts(self) -> Facts:
        return dc.replace(self.the_request, user=self.the_user, session=self.the_session)

    @property
    def snapshot(self) -> Snapshot:
        return build_snapshot(self.transactions, self.authorisations, **self.settings)

    def decide(self) -> Decision:
        return decide(self.facts, self.snapshot)

    def explain(self) -> tuple[Decision, tuple[Step, ...]]:
        return explain(self.facts, self.snapshot)

    @property
    def code(self) -> str:
        return self.decide().reason.code


WORLD = World()
Change = Callable[[World], World]


def build_snapshot(
    transactions: tuple[Transaction, ...], authorisations: tuple[Authorisation, ...], **settings: Any
) -> Snapshot:
    """A snapshot as `policy/` indexes it."""
    hosts: dict[str, dict[str, tuple[Transaction, Match]]] = {}
    for transaction in transactions:
        for match in transaction.matches:
            hosts.setdefault(match.host, {})[match.path] = (transaction, match)
    by_pair: dict[tuple[str, str], tuple[Authorisation, ...]] = {}
    for one in authorisations:
        pair = (one.institution, one.transaction)
        by_pair[pair] = (*by_pair.get(pair, ()), one)
    values: dict[str, Any] = {
        "hash": "cd" * 32,
        "portal_host": "portal.localhost",
        "names": frozenset({"portal.localhost", "dossier.localhost", "pension.localhost"}),
        "transactions": {one.id: one for one in transactions},
        "institutions": {KBO: INSTITUTION},
        "authorisations": by_pair,
        "by_reference": {one.reference: one for one in authorisations},
        "regulations": (REGULATION,),
        "hosts": hosts,
        "levels": (1, 1, 2, 2, 4),
    }
    return Snapshot(**(values | settings))
