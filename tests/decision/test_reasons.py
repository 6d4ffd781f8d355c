"""A case for every reason that the decision can give: the permitted world with one thing changed."""

from __future__ import annotations

import dataclasses as dc
import datetime as dt
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.decision import (
    NOT_FOR_YOU,
    PERMITTED,
    REASONS,
    Agent,
    ClientEvidence,
    Kind,
    PageOrigin,
    PathPattern,
    Reason,
    Signal,
)
from gateway.decision.checks import MESSAGE_FAULTS
from gateway.decision.criteria import CRITERIA
from gateway.decision.suspensions import UNREADABLE, Scope, Suspended, Suspensions
from gateway.model import Acceptance, Channel, Context, Means, Operation, Opinion, Role, Use, Validity
from tests.decision.world import (
    AUTHORISATION,
    COMMUNICATION,
    DAY,
    DESIGNATION,
    HOUR,
    MANDATE,
    MINUTE,
    NOW,
    REGULATION,
    SHA,
    USER,
    WORLD,
    YEAR,
    Change,
    World,
)

ELSEWHERE = "0884303369"
PAST, FUTURE = Validity(NOW - 9 * DAY, NOW), Validity(NOW + 1, NOW + 9 * DAY)
OVER = dc.replace(MANDATE, validity=Validity(YEAR.start, NOW - 31 * DAY))


def post(world: World) -> World:
    """A permitted POST: a search, from our own page."""
    return world.request(method="POST", path="/dossier/search")


def websocket(world: World) -> World:
    """A permitted websocket."""
    return world.request(
        path="/dossier/live", websocket=True, fetch_site=None, page_origin=PageOrigin.OURS, navigation=False
    )


def communication(world: World) -> World:
    """A permitted communication, with an eID and fresh."""
    return (
        world.request(method="PUT", path="/dossier/dossiers/85073003328")
        .session(means=Means.EID, auth_time=NOW - MINUTE)
    )  # fmt: skip


def portal(path: str) -> Change:
    return lambda w: w.request(host="portal.localhost", path=path).connection(sni="portal.localhost")


def suspended(scope: Scope, subject: str = "", person: int | None = None) -> Suspensions:
    return Suspensions([Suspended("20260615-0123abcd", scope, subject, person)])


def evidence(**members: Any) -> Change:
    """Evidence of the session's last authentication."""
    found = ClientEvidence(**({"since": NOW - 10 * MINUTE} | members))
    return lambda w: w.request(evidence=found)


def outside(world: World, known_at: float | None = NOW) -> World:
    """Roles are those of an outside source, which spoke at `known_at`."""
    return world.user(roles={}, outside_roles=USER.roles, roles_known_at=known_at).table(roles_stale_seconds=HOUR)


CASES: list[tuple[str, str, Change]] = [
    # HTTPS, one reading, the right host (B3)
    ("plain_http", "the plain port", lambda w: w.connection(channel=Channel.PLAIN, tls_version=None, sni=None)),
    ("plain_http", "the plain port, whatever is claimed of TLS", lambda w: w.connection(channel=Channel.PLAIN)),
    ("plain_http", "plain HTTP on the TLS port", lambda w: w.connection(tls_version=None)),
    *[(code, f"the reader said {code}", lambda w, code=code: w.request(fault=code)) for code in MESSAGE_FAULTS],
    ("malformed", "a fault that the table does not know", lambda w: w.request(fault="gremlins")),
    ("malformed", "a fault that is called like the permit", lambda w: w.request(fault="permitted")),
    ("malformed", "a message whose Host cannot be read", lambda w: w.request(fault="malformed", host=None)),
    ("misdirected", "SNI is another name of ours", lambda w: w.connection(sni="portal.localhost")),
    ("misdirected", "Host is another name of ours", lambda w: w.request(host="pension.localhost")),
    ("misdirected", "Host is strange, SNI is ours", lambda w: w.request(host="evil.example")),
    ("misdirected", "no Host", lambda w: w.request(host=None)),
    ("permitted", "no SNI: the Host alone is checked", lambda w: w.connection(sni=None)),
    ("unknown_host", "no SNI, and Host is an address", lambda w: w.connection(sni=None).request(host="127.0.0.1")),
    ("unknown_host", "SNI and Host agree on a name not ours", lambda w: w.connection(sni="x.test").request(host="x.test")),
    ("unknown_host", "a port in Host that is not the public one", lambda w: w.request(port_is_ours=False)),
    # not a program (B1)
    ("machine_client", "it names itself a program", lambda w: w.request(agent=Agent.PROGRAM)),
    ("user_agent_missing", "it names itself nothing", lambda w: w.request(agent=Agent.ABSENT)),
    ("automated_browser", "it says that a program drives it", lambda w: w.request(agent=Agent.AUTOMATION)),
    ("signed_agent", "Signature-Agent", lambda w: w.request(signature_agent=True)),
    ("machine_client", "an own page is not exempt", lambda w: portal("/sign-in")(w).request(agent=Agent.PROGRAM)),
    ("user_agent_missing", "a static file is not exempt", lambda w: w.request(path="/.gateway/static/x.css", agent=Agent.ABSENT)),
    ("inbound_credential", "Authorization, no session", lambda w: w.anonymous().request(authorization=True)),
    ("inbound_credential", "an API key, no session", lambda w: w.anonymous().request(credential="x-api-key")),
    ("inbound_credential", "a credential on an open page of ours", lambda w: portal("/sign-in")(w.anonymous()).request(credential="dpop")),
    ("inbound_credential", "a credential from Office", lambda w: w.anonymous().request(agent=Agent.OFFICE, authorization=True)),
    ("permitted", "an API key of the application's own, within a session", lambda w: w.request(credential="x-api-key")),
    ("session_expired", "Authorization beside an ended session", lambda w: w.session(expires_at=NOW).request(authorization=True)),
    ("permitted", "Authorization within a session", lambda w: w.request(authorization=True)),
    ("permitted", "Microsoft Office with a session", lambda w: w.request(agent=Agent.OFFICE)),
    *[
        ("office_link", f"Microsoft Office fetches a link: {method} {host}{path}", lambda w, method=method, host=host, path=path:
            w.anonymous().request(agent=Agent.OFFICE, method=method, host=host, path=path).connection(sni=host))
        for method in ("GET", "HEAD", "OPTIONS")
        for host, path in (
            ("dossier.localhost", "/dossier/list"), ("dossier.localhost", "/nowhere"), ("dossier.localhost", "/.gateway/enter"),
            ("portal.localhost", "/sign-in"), ("portal.localhost", "/applications"), ("portal.localhost", "/static/x.css"),
        )
    ],
    ("office_link", "whether or not there is a table", lambda w: w.anonymous().request(agent=Agent.OFFICE).table(usable=False)),
    ("machine_client", "Office writes", lambda w: w.anonymous().request(agent=Agent.OFFICE, method="PROPFIND")),
    ("machine_client", "Office posts to sign in", lambda w: portal("/sign-in")(w.anonymous()).request(agent=Agent.OFFICE, method="POST")),
    ("machine_client", "Office opens a websocket", lambda w: websocket(w.anonymous()).request(agent=Agent.OFFICE)),
    ("unknown_host", "Office on a host that is not ours", lambda w: w.anonymous().request(agent=Agent.OFFICE, host="x.test").connection(sni="x.test")),
    ("sign_in_required", "a websocket of our own page, nobody signed in", lambda w: websocket(w.anonymous())),
    ("permitted", "a websocket of our own page", websocket),
    ("permitted", "a websocket: Origin decides, Chromium sends no metadata", lambda w: websocket(w).request(fetch_site="cross-site")),
    *[
        ("foreign_websocket", f"a websocket whose Origin is {origin}", lambda w, origin=origin: websocket(w).request(page_origin=origin))
        for origin in (PageOrigin.FOREIGN, PageOrigin.NONE, PageOrigin.NULL)
    ],
    ("permitted", "a form of our own page", post),
    ("permitted", "a form under no-referrer", lambda w: post(w).request(page_origin=PageOrigin.NULL)),
    ("permitted", "a form, with our Origin too", lambda w: post(w).request(page_origin=PageOrigin.OURS)),
    ("permitted", "a form sent again by hand", lambda w: post(w).request(fetch_site="none")),
    ("permitted", "no metadata, our Origin", lambda w: post(w).request(fetch_site=None, page_origin=PageOrigin.OURS)),
    ("permitted", "a link on another site: GET is safe", lambda w: w.request(fetch_site="cross-site")),
    ("cross_site", "another site's form", lambda w: post(w).request(fetch_site="cross-site")),
    ("cross_site", "a sibling host's form", lambda w: post(w).request(fetch_site="same-site")),
    ("cross_site", "metadata decides over our Origin", lambda w: post(w).request(fetch_site="cross-site", page_origin=PageOrigin.OURS)),
    ("cross_site", "a word that is no metadata", lambda w: post(w).request(fetch_site="Same-Origin")),
    ("cross_site", "`none` on a script's request", lambda w: post(w).request(fetch_site="none", navigation=False)),
    ("cross_site", "`none` beside a foreign Origin", lambda w: post(w).request(fetch_site="none", page_origin=PageOrigin.FOREIGN)),
    ("cross_site", "`same-origin` beside a foreign Origin", lambda w: post(w).request(page_origin=PageOrigin.FOREIGN)),
    *[
        ("cross_site", f"no metadata, Origin {origin}", lambda w, origin=origin: post(w).request(fetch_site=None, page_origin=origin))
        for origin in (PageOrigin.FOREIGN, PageOrigin.NONE, PageOrigin.NULL)
    ],
    ("cross_site", "TRACE is no safe method here", lambda w: w.request(method="TRACE", fetch_site="cross-site")),
    ("cross_site", "an own page's form from elsewhere", lambda w: portal("/sign-in")(post(w)).request(path="/sign-in", fetch_site="cross-site")),
    # the gateway's own trouble
    ("table_unavailable", "no table", lambda w: w.table(usable=False)),
    ("table_unavailable", "no table: own pages neither", lambda w: portal("/sign-in")(w).table(usable=False)),
    ("table_expired", "the release expired, and its grace is over", lambda w: w.table(expires=NOW - 100, refused_from=NOW)),
    ("table_expired", "our own pages neither", lambda w: portal("/sign-in")(w).table(expires=NOW - 100, refused_from=NOW)),
    ("permitted", "the release expired, and its grace runs", lambda w: w.table(expires=NOW - 100, refused_from=NOW + 1)),
    ("records_unavailable", "records too old", lambda w: w.request(records_current=False)),
    ("permitted", "an open page needs no records", lambda w: portal("/help")(w).request(records_current=False)),
    # who it is (I4, I1)
    ("sign_in_required", "nobody", lambda w: w.anonymous()),
    ("session_expired", "at the last moment", lambda w: w.session(expires_at=NOW)),
    ("permitted", "just before the last moment", lambda w: w.session(expires_at=NOW + 0.001)),
    ("session_expired", "idle for as long as allowed", lambda w: w.request(last_seen=NOW - 1800)),
    ("permitted", "idle for a little less", lambda w: w.request(last_seen=NOW - 1799.9)),
    ("session_expired", "begun in the future", lambda w: w.session(created_at=NOW + 1)),
    ("session_expired", "ended by time", lambda w: w.session(ended_at=NOW - 1, ended_reason="expired")),
    ("session_revoked", "ended by sign-out", lambda w: w.session(ended_at=NOW - 1, ended_reason="signed_out")),
    ("session_revoked", "ended, nobody knows why", lambda w: w.session(ended_at=NOW - 1)),
    ("session_revoked", "the user ID is unknown", lambda w: dc.replace(w, the_user=None)),
    ("session_revoked", "the records of another", lambda w: w.user(user_id="peeters01")),
    ("regulation_not_accepted", "never", lambda w: w.user(acceptances={})),
    ("regulation_not_accepted", "an older version", lambda w: w.user(acceptances={"2025": Acceptance(1, "2025", SHA, NOW)})),
    ("regulation_not_accepted", "other words", lambda w: w.user(acceptances={"2026": Acceptance(1, "2026", "00" * 32, NOW)})),
    ("regulation_not_accepted", "none is in force", lambda w: w.table(regulations=(dc.replace(REGULATION, effective=NOW + 1),))),
    # the client of the session, and what speaks for a program (I4, B1)
    ("session_moved", "another client's TLS", evidence(moved=True)),
    ("permitted", "another client's TLS, only reported", evidence(moved_reported=True)),
    ("permitted", "moved, and authenticated since", evidence(moved=True, since=NOW - 11 * MINUTE)),
    ("session_moved", "moved within the time that an authentication answers", evidence(moved=True, answered=True)),
    ("session_moved", "another client's session on an own page", lambda w: portal("/applications")(evidence(moved=True)(w))),
    ("permitted", "the page that mends it", lambda w: portal("/step-up")(evidence(moved=True, score=900.0)(w))),
    ("permitted", "signing out", lambda w: w.request(path="/.gateway/sign-out", evidence=ClientEvidence(moved=True))),
    ("session_expired", "the session's end comes first", lambda w: evidence(moved=True)(w).session(expires_at=NOW)),
    ("doubtful_client", "enough evidence", evidence(score=100.0)),
    ("doubtful_client", "enough evidence on a form", lambda w: evidence(score=100.0)(post(w))),
    ("permitted", "a little less", evidence(score=99.9)),
    ("permitted", "enough, in signals that are only reported", evidence(reported=((Signal.NO_ACCEPT_LANGUAGE, 500.0),))),
    ("permitted", "enough, soon after an authentication", evidence(score=500.0, answered=True)),
    ("permitted", "enough, and authenticated since", evidence(score=500.0, since=NOW - 11 * MINUTE)),
    ("doubtful_client", "a lower threshold", lambda w: evidence(score=10.0)(w).table(doubtful_score=10.0)),
    ("doubtful_client", "my applications", lambda w: portal("/applications")(evidence(score=100.0)(w))),
    ("too_fast", "this transaction", lambda w: w.request(too_fast=("pension", "dossier"))),
    ("permitted", "another transaction", lambda w: w.request(too_fast=("pension",))),
    ("permitted", "an own page", lambda w: portal("/applications")(w).request(too_fast=("dossier",))),
    # the transaction and its authorisation (P1, I3, E1)
    ("no_transaction", "a path of none", lambda w: w.request(path="/elsewhere")),
    ("no_transaction", "a host without any", lambda w: w.request(host="pension.localhost").connection(sni="pension.localhost")),
    ("no_transaction", "one of another channel", lambda w: w.transaction(channel=Channel.FILE_TRANSFER)),
    ("no_transaction", "the asterisk target", lambda w: w.request(method="OPTIONS", path="*")),
    *[
        ("no_transaction", f"the {channel} channel serves nothing yet", lambda w, channel=channel: w.connection(channel=channel))
        for channel in (Channel.FILE_TRANSFER, Channel.OPERATOR)
    ],
    ("unknown_host", "a transaction's host at the eID door", lambda w: w.connection(channel=Channel.EID)),
    ("unknown_host", "the portal at the eID door", lambda w: portal("/.well-known/jwks.json")(w).connection(channel=Channel.EID)),
    ("not_authorised", "no authorisation", lambda w: w.authorised()),
    ("not_authorised", "another institution's", lambda w: w.authorisation(institution=ELSEWHERE)),
    ("not_authorised", "another transaction's", lambda w: w.authorisation(transaction="pension")),
    ("not_authorised", "the institution is not in the table", lambda w: w.table(institutions={})),
    ("not_authorised", "two that supersede each other", lambda w: w.authorised(
        dc.replace(AUTHORISATION, supersedes=("24/124",)),
        dc.replace(AUTHORISATION, reference="24/124", supersedes=("24/123",)),
    )),
    ("not_activated", "no opinion yet", lambda w: w.authorisation(opinion=None)),
    ("not_activated", "an unfavourable one", lambda w: w.authorisation(opinion=Opinion(False, AUTHORISATION.opinion.on))),
    ("not_yet_valid", "tomorrow", lambda w: w.authorisation(validity=FUTURE)),
    ("expired", "this very moment", lambda w: w.authorisation(validity=PAST)),
    ("suspended", "by the KSZ", lambda w: w.authorisation(status="suspended")),
    ("revoked", "by the KSZ", lambda w: w.authorisation(status="revoked")),
    # in an emergency (I3)
    ("suspended_by_ksz", "everything, whoever asks", lambda w: w.request(suspensions=suspended(Scope.ALL)).anonymous()),
    ("suspended_by_ksz", "the transaction", lambda w: w.request(suspensions=suspended(Scope.TRANSACTION, "dossier"))),
    ("suspended_by_ksz", "the institution", lambda w: w.request(suspensions=suspended(Scope.INSTITUTION, w.the_user.institution))),
    ("suspended_by_ksz", "the authorisation", lambda w: w.request(suspensions=suspended(Scope.AUTHORISATION, "24/123"))),
    ("suspended_by_ksz", "the person", lambda w: w.request(suspensions=suspended(Scope.PERSON, w.the_user.user_id))),
    ("suspended_by_ksz", "the person, by another user ID", lambda w: w.request(suspensions=suspended(Scope.PERSON, "els.elsewhere", w.the_user.person))),
    ("suspended_by_ksz", "our own pages too, for that person", lambda w: portal("/applications")(w.request(suspensions=suspended(Scope.PERSON, w.the_user.user_id)))),
    ("suspended_by_ksz", "and for that institution", lambda w: portal("/administration")(w.request(suspensions=suspended(Scope.INSTITUTION, w.the_user.institution)))),
    ("permitted", "our own pages stay open when everything is", lambda w: portal("/applications")(w.request(suspensions=suspended(Scope.ALL)))),
    ("permitted", "signing in and out stays open", lambda w: portal("/sign-out")(w.request(suspensions=suspended(Scope.PERSON, w.the_user.user_id)))),
    ("permitted", "another's suspension", lambda w: w.request(suspensions=suspended(Scope.PERSON, "jan.janssens", 4711))),
    ("permitted", "another transaction's", lambda w: w.request(suspensions=suspended(Scope.TRANSACTION, "pension"))),
    ("not_designated", "who is not designated learns nothing of it", lambda w: w.designated().request(suspensions=suspended(Scope.TRANSACTION, "dossier"))),
    # the designation (P4, P5)
    ("person_blocked", "blocked", lambda w: w.user(blocked=True)),
    ("person_blocked", "the user ID has ended", lambda w: w.user(validity=PAST)),
    ("person_blocked", "the user ID begins later", lambda w: w.user(validity=FUTURE)),
    ("not_designated", "never", lambda w: w.designated()),
    ("not_designated", "for another authorisation", lambda w: w.designation(authorisation="99/001")),
    ("not_designated", "not confirmed", lambda w: w.designation(confirmed=False)),
    ("not_designated", "begins later", lambda w: w.designation(validity=FUTURE)),
    ("designation_ended", "ended", lambda w: w.designation(validity=PAST)),
    ("designation_ended", "ended, another waits", lambda w: w.designated(
        dc.replace(DESIGNATION, validity=PAST), dc.replace(DESIGNATION, id=2, made_at=NOW - 1, confirmed=False)
    )),
    ("mandate_ended", "gone for the review time", lambda w: w.mandate(validity=Validity(YEAR.start, NOW - 30 * DAY))),
    ("permitted", "gone for less", lambda w: w.mandate(validity=Validity(YEAR.start, NOW - 30 * DAY + 1))),
    ("mandate_ended", "made before the mandate", lambda w: w.designation(made_at=YEAR.start - 1)),
    ("mandate_ended", "made after the mandate", lambda w: w.designation(made_at=NOW - 1, mandate=dc.replace(MANDATE, validity=PAST))
        .mandate(validity=Validity(YEAR.start, YEAR.start + DAY))),
    ("mandate_ended", "the newest that ever named the person tells why", lambda w: w.designated(
        dc.replace(DESIGNATION, validity=PAST), dc.replace(DESIGNATION, id=2, made_at=NOW - 40 * DAY, mandate=OVER)
    )),
    ("permitted", "by the head official in person", lambda w: w.designation(mandate=None)),
    ("permitted", "an older designation still holds", lambda w: w.designated(
        DESIGNATION, dc.replace(DESIGNATION, id=2, made_at=NOW - 1, validity=PAST)
    )),
    # the role (P3)
    ("role_missing", "no role", lambda w: w.user(roles={})),
    ("role_missing", "another role", lambda w: w.transaction(role="PensionReader")),
    ("role_missing", "it has ended", lambda w: w.user(roles={"DossierReader": (Role(1, "DossierReader", PAST),)})),
    ("role_missing", "social data without a role: nobody", lambda w: w.transaction(role=None)),
    ("permitted", "by an outside source", outside),
    ("permitted", "by an outside source, as long ago as may be", lambda w: outside(w, NOW - HOUR)),
    ("role_source_unavailable", "longer ago", lambda w: outside(w, NOW - HOUR - 0.001)),
    ("role_source_unavailable", "never", lambda w: outside(w, None)),
    ("permitted", "asked by a machine whose clock is ahead", lambda w: outside(w, NOW + 5)),
    ("role_source_unavailable", "asked in the future", lambda w: outside(w, NOW + 5.001)),
    ("role_missing", "the outside source names no such role", lambda w: outside(w).user(outside_roles={})),
    ("role_missing", "it has ended there", lambda w: outside(w).user(outside_roles={"DossierReader": (Role(0, "DossierReader", PAST),)})),
    ("role_missing", "what the administration gave does not count beside an outside source",
        lambda w: outside(w).user(roles=USER.roles, outside_roles={})),
    ("role_missing", "what an outside source said does not count without it", lambda w: outside(w).table(roles_stale_seconds=None)),
    ("permitted", "no role asked for, no question", lambda w: outside(w, None).transaction(role=None, social_personal_data=False)),
    ("permitted", "other data need none", lambda w: w.transaction(role=None, social_personal_data=False).user(roles={})),
    # the use (P2)
    ("use_not_covered", "an operation nobody declared", lambda w: w.request(method="DELETE")),
    ("use_not_covered", "a websocket where none is declared", lambda w: websocket(w).request(path="/dossier/list")),
    ("use_not_covered", "no websocket where only one is declared", lambda w: w.transaction(
        operations=(Operation(Use.CONSULTATION, PathPattern("/**"), frozenset({"GET"}), websocket=True),)
    )),
    ("use_not_covered", "the authorisation does not grant it", lambda w: w.authorisation(uses=(COMMUNICATION,))),
    ("use_not_covered", "the person is not designated for it", lambda w: w.designation(uses=frozenset({Use.COMMUNICATION}))),
    ("permitted", "designated for it, and apart for the other", lambda w: w.designated(
        dc.replace(DESIGNATION, uses=frozenset({Use.CONSULTATION})),
        dc.replace(DESIGNATION, id=2, made_at=NOW - 1, uses=frozenset({Use.COMMUNICATION})),
    )),
    ("permitted", "a communication", communication),
    ("purpose_missing", "a consultation without one", lambda w: w.grant(purpose=None)),
    ("permitted", "other data need none stated", lambda w: w.grant(purpose=None).transaction(social_personal_data=False)),
    # the place and the time: I2
    ("outside_context", "from elsewhere", lambda w: w.grant(context=Context((ip_network("198.51.100.0/24"), ip_network("2001:db8::/32"))))),
    ("outside_context", "from an address that nobody can read", lambda w: w.grant(context=Context((ip_network("0.0.0.0/0"),))).connection(address="")),
    ("permitted", "from one of its networks", lambda w: w.grant(context=Context((ip_network("2001:db8::/32"), ip_network("192.0.2.0/24"))))),
    ("permitted", "by a socket of both families", lambda w: w.grant(context=Context((ip_network("192.0.2.0/24"),))).connection(address="::ffff:192.0.2.7")),
    ("permitted", "at the first minute of its hours", lambda w: w.grant(context=Context(hours=(600, 601)))),
    ("outside_context", "a minute before", lambda w: w.grant(context=Context(hours=(601, 1440)))),
    ("outside_context", "at the minute that ends them", lambda w: w.grant(context=Context(hours=(0, 600)))),
    ("permitted", "on its day: 15 June 2026 is a Monday", lambda w: w.grant(context=Context(days=frozenset({0})))),
    ("outside_context", "on another", lambda w: w.grant(context=Context(days=frozenset(range(1, 7))))),
    ("outside_context", "a Monday that is a public holiday", lambda w: w.grant(context=Context(days=frozenset(range(5)), working=True))
        .table(holidays=frozenset({dt.date(2026, 6, 15)}))),
    ("permitted", "a public holiday, where days are named and not working days", lambda w: w.grant(context=Context(days=frozenset(range(5))))
        .table(holidays=frozenset({dt.date(2026, 6, 15)}))),
    ("outside_context", "nobody is led to a stronger means in vain", lambda w: w.grant(context=Context(hours=(0, 600))).session(means=Means.PASSWORD)),
    # the means (I2, I5)
    ("means_too_weak", "a password", lambda w: w.session(means=Means.PASSWORD)),
    ("means_too_weak", "weaker than the data demand, whatever the deliberation says",
        lambda w: w.grant(means=frozenset(Means)).transaction(sensitivity=4)),
    ("means_too_weak", "weaker than all that are named", lambda w: w.grant(means=frozenset({Means.EID})).session(means=Means.ITSME)),
    ("means_too_weak", "the deliberation names none", lambda w: w.grant(means=frozenset()).session(means=Means.EID)),
    ("means_not_agreed", "itsme, not named", lambda w: w.session(means=Means.ITSME)),
    ("permitted", "itsme, named", lambda w: w.grant(means=frozenset({Means.ITSME})).session(means=Means.ITSME)),
    ("permitted", "stronger than named", lambda w: w.grant(means=frozenset({Means.TOKEN})).session(means=Means.EID)),
    ("means_not_agreed", "stronger than named, where that does not do",
        lambda w: w.grant(means=frozenset({Means.TOKEN}), stronger_satisfies=False).session(means=Means.EID)),
    ("permitted", "between two that are named", lambda w: w.grant(means=frozenset({Means.PASSWORD, Means.EID}))),
    ("permitted", "as old as allowed", lambda w: w.session(auth_time=NOW - 8 * HOUR)),
    ("authentication_too_old", "older", lambda w: w.session(auth_time=NOW - 8 * HOUR - 0.001)),
    ("authentication_too_old", "in the future", lambda w: w.session(auth_time=NOW + 1)),
    ("authentication_too_old", "each use has its own age", lambda w: communication(w).session(auth_time=NOW - 31 * MINUTE)),
    # the card (I5)
    ("permitted", "a card that was just asked about", lambda w: w.session(means=Means.EID, certificate="ab" * 32, certificate_good_at=NOW)),
    ("permitted", "as long ago as two checks may lie apart", lambda w: w.session(certificate="ab" * 32, certificate_good_at=NOW - 900)),
    ("revocation_unknown", "longer ago", lambda w: w.session(certificate="ab" * 32, certificate_good_at=NOW - 900.001)),
    ("revocation_unknown", "never", lambda w: w.session(certificate="ab" * 32)),
    ("revocation_unknown", "never, wherever an old answer does", lambda w: w.session(certificate="ab" * 32).transaction(soft_revocation=DAY)),
    ("revocation_unknown", "in the future", lambda w: w.session(certificate="ab" * 32, certificate_good_at=NOW + 1)),
    ("permitted", "longer ago, where an old answer does", lambda w: w.session(certificate="ab" * 32, certificate_good_at=NOW - HOUR).transaction(soft_revocation=HOUR)),
    ("revocation_unknown", "too long ago for that, too", lambda w: w.session(certificate="ab" * 32, certificate_good_at=NOW - HOUR - 0.001).transaction(soft_revocation=HOUR)),
    ("session_revoked", "the card is revoked: its session ended", lambda w: w.session(certificate="ab" * 32, certificate_good_at=NOW, ended_at=NOW, ended_reason="card_revoked")),
    ("permitted", "no card, no question", lambda w: w.session(certificate_good_at=None)),
    ("permitted", "our own pages need none", lambda w: portal("/applications")(w.session(certificate="ab" * 32))),
    ("permitted", "nothing changed", lambda w: w),
]  # fmt: skip


@pytest.mark.parametrize(("code", "change"), [pytest.param(c, f, id=f"{c}: {n}") for c, n, f in CASES])
def test_case(code: str, change: Change) -> None:
    decision = change(WORLD).decide()
    assert decision.reason is REASONS[code]
    assert decision.permitted is (code == "permitted")
    assert decision.kind is REASONS[code].kind


def test_every_reason_of_the_criteria_has_a_case() -> None:
    given = {code for row in CRITERIA for code in row.reasons}
    assert {code for code, _, _ in CASES} == given | {"permitted"}


NOT_OF_THE_DECISION = {
    "tls_failed", "no_request", "too_many_connections",                          # no message came
    "ledger_unavailable", "gateway_error", "draining",                                       # found while carrying it out
    "completed", "client_closed", "access_ended",                                            # how a permitted one ended
    "origin_refused", "origin_timeout", "origin_broken", "origin_malformed",
}  # fmt: skip


def test_reasons_and_criteria_hold_the_same_codes() -> None:
    given = {code for row in CRITERIA for code in row.reasons}
    assert set(REASONS) == given | {"permitted"} | NOT_OF_THE_DECISION
    assert not given & NOT_OF_THE_DECISION


@pytest.mark.parametrize("reason", REASONS.values(), ids=str)
def test_a_row_agrees_with_itself(reason: Reason) -> None:
    assert REASONS[reason.code] is reason
    assert str(reason) == reason.code == reason.text
    assert reason.meaning
    assert reason.clause in {"E1", "P1", "P2", "P3", "P4", "P5", "I1", "I2", "I3", "I4", "I5", "T1", "B1", "B2", "B3"}
    statuses = {
        Kind.PERMIT: {200},
        Kind.CHALLENGE: {200} if reason.code == "office_link" else {401},
        Kind.DENY: {403} if reason.personal else {0, 400, 403, 408, 413, 421, 429},
        Kind.FAILURE: {499, 502, 503, 504},
    }
    assert reason.status in statuses[reason.kind]


def test_a_criterion_has_the_clause_of_a_reason_it_gives() -> None:
    for row in CRITERIA:
        assert row.reasons
        if row.name == "the person is designated for this use":  # named for it (P4), refused as use (P2)
            continue
        assert row.clause in {REASONS[code].clause for code in row.reasons}, row.name


# --- who is told what (DESIGN section 4) ----------------------------------------------------------------------------------

STRANGER = WORLD.designated()
PERSONAL: list[tuple[str, Change]] = [
    ("no_transaction", lambda w: w.request(path="/elsewhere")),
    ("not_authorised", lambda w: w.authorised()),
    ("not_authorised", lambda w: w.table(institutions={})),
    ("not_activated", lambda w: w.authorisation(opinion=None)),
    ("not_yet_valid", lambda w: w.authorisation(validity=FUTURE)),
    ("expired", lambda w: w.authorisation(validity=PAST)),
    ("suspended", lambda w: w.authorisation(status="suspended")),
    ("revoked", lambda w: w.authorisation(status="revoked")),
    ("person_blocked", lambda w: w.user(blocked=True)),
    ("not_designated", lambda w: w),
]


@pytest.mark.parametrize(("code", "change"), PERSONAL)
def test_a_stranger_sees_one_page_for_all(code: str, change: Change) -> None:
    decision = change(STRANGER).decide()
    assert decision.reason.code == code
    assert (decision.disclosed, decision.shown, decision.reason.status, decision.kind) == (
        False,
        NOT_FOR_YOU,
        403,
        Kind.DENY,
    )


@pytest.mark.parametrize(("code", "change"), [case for case in PERSONAL if case[0] in (
    "not_activated", "not_yet_valid", "expired", "suspended", "revoked", "person_blocked"
)])  # fmt: skip
def test_who_was_designated_is_told(code: str, change: Change) -> None:
    for world in (WORLD, WORLD.designation(validity=PAST), WORLD.designation(mandate=OVER)):
        decision = change(world).decide()
        assert (decision.reason.code, decision.disclosed, decision.shown) == (code, True, code)


@pytest.mark.parametrize("change", [
    lambda w: w.designation(confirmed=False),
    lambda w: w.designation(validity=FUTURE),
    lambda w: w.designation(authorisation="99/001"),
])  # fmt: skip
def test_who_was_not_named_yet_is_a_stranger(change: Change) -> None:
    decision = change(WORLD.authorisation(status="suspended")).decide()
    assert (decision.reason.code, decision.disclosed) == ("suspended", False)


def test_who_was_designated_under_the_superseded_authorisation_is_told() -> None:
    world = WORLD.authorised(dc.replace(AUTHORISATION, reference="26/007", supersedes=("24/123",)))
    decision = world.decide()
    assert (decision.reason.code, decision.disclosed) == ("not_designated", True)


def test_reasons_that_tell_nothing_of_the_person_are_shown_to_anybody() -> None:
    for change in (
        lambda w: w.anonymous(),
        lambda w: w.request(agent=Agent.PROGRAM),
        lambda w: w.request(fault="malformed"),
    ):
        decision = change(STRANGER).decide()
        assert decision.disclosed
        assert decision.shown == decision.reason.code


@pytest.mark.parametrize("path", ["/dossier/list", "/elsewhere", "/dossier/search"])
@pytest.mark.parametrize("change", [
    lambda w: w.anonymous(),
    lambda w: w.session(expires_at=NOW),
    lambda w: w.session(ended_at=NOW, ended_reason="signed_out"),
])  # fmt: skip
def test_without_a_live_session_nobody_learns_whether_a_transaction_exists(path: str, change: Change) -> None:
    world = change(WORLD.request(path=path))
    assert world.decide() == dc.replace(world, transactions=(), authorisations=()).decide()


# --- what a decision carries ----------------------------------------------------------------------------------------------


def test_a_permit_carries_everything_it_rests_on() -> None:
    decision = communication(WORLD).decide()
    assert decision.reason is PERMITTED
    assert decision.transaction is not None
    assert decision.transaction.id == "dossier"
    assert decision.located is not None
    assert decision.located.rest == "/dossiers/85073003328"
    assert decision.authorisation == AUTHORISATION
    assert decision.grant == COMMUNICATION
    assert decision.operation is not None
    assert decision.operation.use is Use.COMMUNICATION
    assert decision.designation == DESIGNATION
    assert decision.role == Role(1, "DossierReader", YEAR)
    assert decision.regulation == REGULATION
    assert decision.subject == "85073003328"


def test_no_subject_where_the_path_names_none() -> None:
    assert WORLD.decide().subject is None
    assert WORLD.transaction(subjects=None).request(path="/dossier/dossiers/85073003328").decide().subject is None


def test_the_designation_for_this_use_is_the_one_carried() -> None:
    older = dc.replace(DESIGNATION, uses=frozenset({Use.CONSULTATION}))
    newer = dc.replace(DESIGNATION, id=2, made_at=NOW - 1, uses=frozenset({Use.COMMUNICATION}))
    for world in (WORLD.designated(older, newer), WORLD.designated(newer, older)):
        assert world.decide().designation == older
        assert communication(world).decide().designation == newer


def test_a_decision_has_no_truth_value() -> None:
    for decision in (WORLD.decide(), WORLD.anonymous().decide()):
        with pytest.raises(TypeError, match="permitted"):
            bool(decision)
    assert WORLD.anonymous().decide().transaction is None


# --- several authorisations -----------------------------------------------------------------------------------------------

OLD = AUTHORISATION
NEW = dc.replace(AUTHORISATION, reference="26/007", supersedes=("24/123",), validity=Validity(NOW - 9 * DAY, YEAR.end))
ON_BOTH = (DESIGNATION, dc.replace(DESIGNATION, id=2, authorisation="26/007"))


@pytest.mark.parametrize(("code", "reference", "grants"), [
    ("permitted", "26/007", (OLD, NEW)),
    # A successor that was activated and has begun rules for good, also when it is suspended, revoked or over.
    ("suspended", "26/007", (OLD, dc.replace(NEW, status="suspended"))),
    ("revoked", "26/007", (OLD, dc.replace(NEW, status="revoked"))),
    ("expired", "26/007", (OLD, dc.replace(NEW, validity=PAST))),
    # One that is not activated, or begins later, leaves the old one as it is.
    ("permitted", "24/123", (OLD, dc.replace(NEW, opinion=None))),
    ("permitted", "24/123", (OLD, dc.replace(NEW, validity=FUTURE))),
    # Without supersession: what is in force, else what lies nearest.
    ("permitted", "24/123", (OLD, dc.replace(NEW, supersedes=(), validity=PAST))),
    ("permitted", "26/007", (dc.replace(OLD, status="revoked"), dc.replace(NEW, supersedes=()))),
    ("permitted", "26/007", (dc.replace(OLD, opinion=None), dc.replace(NEW, supersedes=()))),
    ("expired", "24/123", (dc.replace(OLD, validity=Validity(NOW - 9 * DAY, NOW - DAY)),
                           dc.replace(NEW, supersedes=(), validity=Validity(NOW + 2 * DAY, NOW + 9 * DAY)))),
    ("not_yet_valid", "26/007", (dc.replace(OLD, validity=Validity(NOW - 9 * DAY, NOW - 3 * DAY)),
                                 dc.replace(NEW, supersedes=(), validity=Validity(NOW + 2 * DAY, NOW + 9 * DAY)))),
])  # fmt: skip
def test_the_authorisation_that_rules(code: str, reference: str, grants: tuple[object, ...]) -> None:
    for order in (grants, grants[::-1]):
        decision = WORLD.designated(*ON_BOTH).authorised(*order).decide()  # type: ignore[arg-type]
        assert decision.authorisation is not None
        assert (decision.reason.code, decision.authorisation.reference) == (code, reference)


def test_a_designation_for_the_old_authorisation_does_not_carry_over_by_itself() -> None:
    assert WORLD.authorised(OLD, NEW).code == "not_designated"


def test_grants_of_other_institutions_never_matter() -> None:
    other = dc.replace(AUTHORISATION, reference="26/008", institution=ELSEWHERE, supersedes=("24/123",))
    assert WORLD.authorised(AUTHORISATION, other).code == "permitted"


# --- until the head official has reviewed who is carried over --------------------------------------------------------------

REVIEWED = dc.replace(NEW, review_until=NOW + 1)


@pytest.mark.parametrize(("code", "reference", "grants", "designations"), [
    # Nobody's word yet on the successor: the predecessor's terms, until the date.
    ("permitted", "24/123", (OLD, REVIEWED), ON_BOTH[:1]),
    ("not_designated", "26/007", (OLD, dc.replace(REVIEWED, review_until=NOW)), ON_BOTH[:1]),
    ("not_designated", "26/007", (OLD, NEW), ON_BOTH[:1]),
    # The word, whatever it says: carried over, or not any more.
    ("permitted", "26/007", (OLD, REVIEWED), ON_BOTH),
    ("designation_ended", "26/007", (OLD, REVIEWED), (ON_BOTH[0], dc.replace(ON_BOTH[1], validity=PAST))),
    ("not_designated", "26/007", (OLD, REVIEWED), (dc.replace(ON_BOTH[0], validity=PAST),)),
    # Never back to life: neither the predecessor's own end, nor a successor that is stopped.
    ("not_designated", "26/007", (dc.replace(OLD, validity=PAST), REVIEWED), ON_BOTH[:1]),
    ("not_designated", "26/007", (dc.replace(OLD, status="suspended"), REVIEWED), ON_BOTH[:1]),
    ("suspended", "26/007", (OLD, dc.replace(REVIEWED, status="suspended")), ON_BOTH[:1]),
])  # fmt: skip
def test_who_is_not_reviewed_stays_under_the_predecessor_until_the_date(
    code: str, reference: str, grants: tuple[Any, ...], designations: tuple[Any, ...]
) -> None:
    for order in (grants, grants[::-1]):
        decision = WORLD.designated(*designations).authorised(*order).decide()
        assert decision.authorisation is not None
        assert (decision.reason.code, decision.authorisation.reference) == (code, reference)


@pytest.mark.parametrize("reference", ["24/123", "26/007"])
def test_who_waits_under_the_predecessor_is_stopped_by_a_suspension_of_either(reference: str) -> None:
    world = WORLD.designated(*ON_BOTH[:1]).authorised(OLD, REVIEWED)
    assert world.code == "permitted"
    assert world.request(suspensions=suspended(Scope.AUTHORISATION, reference)).code == "suspended_by_ksz"


# --- emergency -------------------------------------------------------------------------------------------------------------


def test_what_suspends_is_carried_and_shown() -> None:
    decision = WORLD.request(suspensions=suspended(Scope.INSTITUTION, WORLD.the_user.institution)).decide()  # type: ignore[union-attr]
    assert (decision.suspension, decision.disclosed) == (
        Suspended("20260615-0123abcd", Scope.INSTITUTION, "0403019261"), True
    )  # fmt: skip


def test_what_cannot_be_read_suspends_everything() -> None:
    assert WORLD.request(suspensions=Suspensions([UNREADABLE])).code == "suspended_by_ksz"


def test_of_suspended_persons_a_line_holds_nobody_but_its_own() -> None:
    mine, other = (
        Suspended("20260615-00000001", Scope.PERSON, "x", WORLD.the_user.person),
        Suspended("20260615-00000002", Scope.PERSON, "y", 99),
    )  # type: ignore[union-attr]
    all_of_it = Suspended("20260615-00000000", Scope.TRANSACTION, "pension")
    suspensions = Suspensions([other, mine, all_of_it])
    assert suspensions.concerning(WORLD.the_user) == [all_of_it, mine]
    assert suspensions.concerning(None) == [all_of_it]
    assert suspensions == Suspensions([mine, other, all_of_it])
    assert suspensions != Suspensions([mine])
    assert suspensions != "these"
    assert hash(suspensions) == hash(Suspensions([all_of_it, other, mine]))
