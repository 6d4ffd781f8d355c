"""One record of each kind, always the same: the golden files are made of them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from ipaddress import ip_network

from gateway.decision import (
    REASONS,
    Agent,
    ClientEvidence,
    Connection,
    Decision,
    Facts,
    Hello,
    Located,
    PageOrigin,
    PathPattern,
    Place,
    Signal,
    Snapshot,
)
from gateway.ledger.flood import Tally
from gateway.ledger.lifecycle import alarm_record, gap_record, reload_record, start_record, stop_record
from gateway.ledger.line import Record
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import (
    ShownCertificate,
    administration_record,
    completion_record,
    connection_record,
    decision_record,
    refusals_record,
    sign_in_record,
    sign_out_record,
)
from gateway.ledger.segments import Cause, Fence, Head
from gateway.model import (
    Acceptance,
    Authorisation,
    Channel,
    Context,
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
    Text,
    Transaction,
    Use,
    UseGrant,
    UserRecords,
    Validity,
)

REFERENCE = "000G40R40M30E2099"
NOW = 1_795_521_600.25

_SEAL = {"sealed": "c2VhbGVk" * 16, "sealed_to": "0b19a492"}
CLIENT = Identity.of({"pseudonym": f"41e8.{'a' * 26}", "network": f"41e8.{'b' * 26}", **_SEAL})
NETWORK = Identity.of({"network": f"41e8.{'b' * 26}", **_SEAL})
USER = Identity.of({"user_id": f"d446.{'c' * 26}", "insz": f"d446.{'d' * 26}", **_SEAL})
SUBJECT = Identity.of({"insz": f"d446.{'e' * 26}", **_SEAL})

_TEXT = Text("Behandeling van dossiers, één voor één", "Traitement", "Bearbeitung", "Handling of files")
INSTITUTION = Institution("0403019261", _TEXT, "nl", "", "", "")
OPERATION = Operation(Use.CONSULTATION, PathPattern("/dossiers/{insz}"), frozenset({"GET"}))
GRANT = UseGrant(Use.CONSULTATION, _TEXT, frozenset({Means.TOKEN, Means.EID}), True, 28_800.0)
AUTHORISATION = Authorisation(
    "24/123",
    "dossier",
    INSTITUTION.kbo,
    Validity(1.7e9, 1.9e9),
    "active",
    Opinion(True, dt.date(2024, 6, 18)),
    (GRANT,),
)
DESIGNATIONS = (
    Designation(12, "24/123", frozenset({Use.CONSULTATION}), Validity(1.6e9, 1.7e9), 1.6e9, None, True),
    Designation(
        17,
        "24/123",
        frozenset({Use.COMMUNICATION, Use.CONSULTATION}),
        Validity(1.7e9),
        1.7e9,
        Mandate(3, Validity(1.6e9)),
        True,
    ),
)
TRANSACTION = Transaction(
    "dossier",
    _TEXT,
    Channel.USER,
    3,
    True,
    "DossierReader",
    (Match("dossier.localhost", "/dossier/"),),
    Origin("http://127.0.0.1:9001/"),
    (OPERATION,),
)
REGULATION = Regulation("2026-1", 0.0, "", _TEXT, "ab" * 32)
SESSION = Session("s-8812", "jan.peeters", Means.EID, NOW - 600, NOW - 600, NOW + 35_400)
RECORDS = UserRecords(
    "jan.peeters",
    4,
    "85073003328",
    "Jan Peeters",
    INSTITUTION.kbo,
    "nl",
    Validity(1.6e9),
    False,
    {"24/123": DESIGNATIONS},
    {"DossierReader": (Role(9, "DossierReader", Validity(1.6e9)),)},
    {"2026-1": Acceptance(5, "2026-1", "ab" * 32, 1.7e9)},
)
CONNECTION = Connection(Channel.USER, "TLSv1.3", "TLS_AES_256_GCM_SHA384", "dossier.localhost")
HELLO = Hello("1.3-8daaf6152771-02713d6af862", "TLSv1.3", "http/1.1", "dossier.localhost", False)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
SNAPSHOT = Snapshot("cd" * 32, "portal.localhost", frozenset({"dossier.localhost"}))

FACTS = Facts(
    NOW,
    CONNECTION,
    "GET",
    "dossier.localhost",
    True,
    "/dossier/dossiers/85073003328",
    agent=Agent.BROWSER,
    fetch_site="same-origin",
    page_origin=PageOrigin.NONE,
    navigation=True,
    activity=True,
    session=SESSION,
    last_seen=NOW - 5,
    user=RECORDS,
)
PERMIT = Decision(
    REASONS["permitted"],
    Place.TRANSACTION,
    True,
    Located(TRANSACTION, TRANSACTION.matches[0], "/dossiers/85073003328"),
    AUTHORISATION,
    GRANT,
    OPERATION,
    DESIGNATIONS[1],
    RECORDS.roles["DossierReader"][0],
    REGULATION,
    "85073003328",
)
STRANGER = Facts(NOW, CONNECTION, "GET", None, False, "/", fault="malformed", websocket=True, authorization=True)
REFUSAL = Decision(REASONS["malformed"], Place.TRANSACTION, False)

FENCE = Fence(f"user-0-{41:020}.jsonl", 5120, 87, 48, "ef" * 32, Cause.TORN)

SAMPLES: dict[str, Record] = {
    "decision-permit": decision_record(
        REFERENCE, FACTS, PERMIT, SNAPSHOT, client=CLIENT, user=USER, subject=SUBJECT, user_agent=BROWSER
    ),
    "decision-deny": decision_record(REFERENCE, STRANGER, REFUSAL, SNAPSHOT, client=CLIENT, user_agent=None),
    "decision-malformed": decision_record(
        REFERENCE,
        replace(STRANGER, port_is_ours=False, websocket=False, authorization=False),
        REFUSAL,
        SNAPSHOT,
        client=CLIENT,
        detail="more than one host field",
        excerpt="GET /dossiers/85073003328 HTTP/1.1",
    ),
    "decision-challenge": decision_record(
        REFERENCE,
        replace(FACTS, session=None, user=None),
        Decision(REASONS["sign_in_required"], Place.TRANSACTION, True),
        SNAPSHOT,
        client=CLIENT,
        user_agent=BROWSER,
        status=303,
    ),
    "decision-evidence": decision_record(
        REFERENCE,
        replace(
            FACTS,
            connection=CONNECTION._replace(hello=HELLO),
            evidence=ClientEvidence(
                100.0,
                ((Signal.NO_FETCH_METADATA, 100.0),),
                ((Signal.POST_HANDSHAKE_AUTH, 12.5),),
                moved=True,
                moved_reported=True,
                answered=True,
                since=NOW - 600,
            ),
            too_fast=("dossier",),
            credential="x-api-key",
        ),
        Decision(REASONS["doubtful_client"], Place.TRANSACTION, True),
        SNAPSHOT,
        client=CLIENT,
        user=USER,
        user_agent=BROWSER,
    ),
    "decision-context": decision_record(
        REFERENCE,
        replace(
            FACTS,
            connection=CONNECTION._replace(address="198.51.100.9"),
            session=replace(SESSION, certificate="ab" * 32, certificate_good_at=NOW - 3600),
        ),
        replace(
            PERMIT,
            reason=REASONS["outside_context"],
            grant=replace(GRANT, context=Context((ip_network("198.51.100.0/24"),), (0, 60), frozenset(), True)),
        ),
        SNAPSHOT,
        client=CLIENT,
        user=USER,
        subject=SUBJECT,
        user_agent=BROWSER,
    ),
    "completion": completion_record(
        REFERENCE,
        REASONS["completed"],
        client=CLIENT,
        user=USER,
        status=200,
        request_bytes=0,
        response_bytes=1234,
        seconds=0.0123456789,
        first_byte_seconds=0.01,
        subject=SUBJECT,
    ),
    "connection": connection_record(
        REFERENCE, REASONS["tls_failed"], channel="user", client=CLIENT, detail="no shared cipher"
    ),
    "connection-hello": connection_record(
        REFERENCE,
        REASONS["no_request"],
        channel="user",
        client=CLIENT,
        tls_version="TLSv1.3",
        tls_cipher="TLS_AES_256_GCM_SHA384",
        sni="dossier.localhost",
        hello=HELLO,
    ),
    "refusals": refusals_record(
        Tally(ip_network("192.0.2.0/24"), NOW, NOW + 1, REFERENCE, Counter({"machine_client": 7, "plain_http": 2})),
        NETWORK,
    ),
    "sign-in": sign_in_record(
        REFERENCE,
        verdict="permit",
        reason="signed_in",
        clause="I5",
        client=CLIENT,
        user=USER,
        institution=INSTITUTION.kbo,
        means="password",
        session="s-8812",
        user_agent=BROWSER,
    ),
    "sign-in-card": sign_in_record(
        REFERENCE,
        verdict="deny",
        reason="certificate_revoked",
        clause="I5",
        client=CLIENT,
        user=USER,
        institution=INSTITUTION.kbo,
        means="eid",
        session=None,
        step_up=True,
        detail="the responder says so",
        certificate=ShownCertificate(
            Identity.of({"certificate": f"d446.{'f' * 26}", **_SEAL}),
            "serialNumber=202012,CN=Citizen CA,C=BE",
            "2.16.56.13.6.1.1.1000",
            "revocation",
            "yes",
            NOW - 3600,
        ),
    ),
    "sign-out": sign_out_record(REFERENCE, cause="by the person", client=CLIENT, user=USER, session="s-8812"),
    "administration": administration_record(
        REFERENCE,
        act="designation end",
        actor="shell",
        person=USER,
        institution=INSTITUTION.kbo,
        on_behalf_of=3,
        reason="left the service",
        objects={"designation": 17, "authorisation": "24/123"},
    ),
    "reload": reload_record(REFERENCE, outcome="refused", before="cd" * 32, after=None, faults=2, cause="SIGHUP"),
    "reload-signed": reload_record(
        REFERENCE,
        outcome="refused",
        before="cd" * 32,
        after=None,
        faults=1,
        cause="watch",
        code="retired_key",
        release=12,
    ),
    "start": start_record(
        REFERENCE,
        version="0.1.0",
        pid=4242,
        streams=["user-0", "admin-0", "conn-0"],
        heads={"admin-0": Head(7, "12" * 32), "conn-0": Head()},
        fences=[FENCE],
    ),
    "stop": stop_record(REFERENCE, cause="stopped", heads={"admin-0": Head(7, "12" * 32)}),
    "gap": gap_record(
        REFERENCE,
        since=NOW,
        until=NOW + 5,
        cause="No space left on device",
        refused={"decision": 3},
        late=(5, 6),
        rewritten=0,
        fences=[FENCE],
    ),
    "alarm": alarm_record(REFERENCE, alarm="space", text="the disk fills up", values={"free_bytes": 17}),
}
