"""The tables of gateway.toml and their bounds. The defaults are given here once; `config/gateway.toml` shows each of them with its
unit and the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, ConfigDict, Field

# Two rooms of the same floor: what a card is taken for by default stands where cards are verified, and gateway.toml is read here alone.
from gateway.credentials.certificate_profile import POLICIES, ROOTS, CardKind
from gateway.decision import DEFAULT_RULES, Mode, Rule, Rules, Signal

# As before: each room gets its part of gateway.toml as its own value.
from gateway.ledger.settings import LedgerSettings
from gateway.model import Channel, Language
from gateway.outbound.hosts import parse_place
from gateway.outbound.settings import OutboundSettings, RevocationSettings, RoleSettings
from gateway.policy.faults import FileModel
from gateway.policy.kinds import (
    Address,
    AddressText,
    AttributeName,
    DatabasePlace,
    Duration,
    FilePath,
    HostName,
    KeyFingerprint,
    LdapServerText,
    Many,
    NetworkText,
    ObjectIdentifier,
    OneOrMany,
    OptionalFilePath,
    OptionalPlaceText,
    PlaceText,
    Port,
    QuestionText,
    Words,
    empty_is_none,
)
from gateway.policy.providers import ProviderTable
from gateway.records.server import Server
from gateway.records.settings import RecordsSettings
from gateway.records.standing import HALF_A_YEAR, MONTH
from gateway.records.standing import Rules as DesignationRules

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MIB = 1024 * 1024
BELGIAN_HOSTS = (
    "http://ocsp.eid.belgium.be",
    "http://crl.eid.belgium.be",
    "http://ocsp.eidpki.belgium.be",
    "http://crl.eidpki.belgium.be",
)
"""Where the certificates of Belgian cards send whoever asks (DOMAIN section 3). Answers are signed: plain HTTP is what they name."""
MAX_WORKERS = 64
"""More cores than that in one machine are two machines; each worker is some 20 threads and a copy of the index of records."""


class CertificatePair(NamedTuple):
    """A certificate chain and its private key, both in PEM."""

    pem: Path
    key: Path


class Section(FileModel):
    """One table of gateway.toml."""

    model_config = ConfigDict(validate_default=True)


class Portal(Section):
    """The host of sign-in and administration, and what its footer says."""

    host: HostName
    help_desk: Words
    privacy_url: Words
    accessibility_url: Words
    fault_report: Words
    default_language: Language = "nl"


class Listener(Section):
    """One set of addresses. The channel comes from here, never from a port number (DESIGN section 6)."""

    channel: Literal["user", "eid", "file-transfer", "plain", "operator"]
    address: Annotated[tuple[AddressText, ...], OneOrMany, Field(min_length=1)]
    configured_port: Annotated[Port | None, Field(alias="public_port")] = None
    names: Annotated[tuple[HostName, ...], Many] = ()
    certificate: Annotated[tuple[FilePath, ...], OneOrMany] = ()
    proxy_protocol_from: Annotated[tuple[NetworkText, ...], OneOrMany] = ()
    unsafe_beyond_loopback: bool = False

    @property
    def kind(self) -> Channel:
        return Channel(self.channel)

    @property
    def addresses(self) -> tuple[Address, ...]:
        return self.address

    @property
    def public_port(self) -> int:
        """The port that browsers type; 0 when the system picks the port."""
        return self.configured_port or self.address[0].port

    @property
    def certificates(self) -> tuple[CertificatePair, ...]:
        """The key stands beside its certificate: `server.pem`, `server.key`."""
        return tuple(CertificatePair(pem, pem.with_suffix(".key")) for pem in self.certificate)


class Table(Section):
    """Where the granted table is: a signed release, by the signers that follow from a root; or a directory that nobody signed. And where
    each release that was in force is kept by its hash."""

    release: OptionalFilePath = None
    root: FilePath = Path("root.json")
    grace: Annotated[Duration, Field(ge=0, le=90 * DAY)] = 14 * DAY
    directory: FilePath = Path()
    releases: FilePath
    unsafe_unsigned: bool = False


class Records(Section):
    """The database of persons, designations and sessions: an SQLite file or a PostgreSQL server, and the key of the secrets in it.

    Of a server alone: the file of the password, and the certificates of the authorities that vouch for it."""

    database: DatabasePlace
    password_file: OptionalFilePath = None
    ca: OptionalFilePath = None
    key: FilePath = Path("keys/records.key")
    stale_limit: Annotated[Duration, Field(ge=0, le=5 * MINUTE)] = 30.0


class Sessions(Section):
    """Ends of a session; the upper bounds are those of NIST SP 800-63B-4 section 2.2.3 (AAL2)."""

    idle: Annotated[Duration, Field(ge=MINUTE, le=HOUR)] = 30 * MINUTE
    absolute: Annotated[Duration, Field(ge=5 * MINUTE, le=24 * HOUR)] = 10 * HOUR
    warn_before: Annotated[Duration, Field(ge=20, le=30 * MINUTE)] = 2 * MINUTE


class Mandates(Section):
    """How long designations outlive the mandate they were made under, so that the head official can review them (P5)."""

    review: Annotated[Duration, Field(ge=0, le=90 * DAY)] = 30 * DAY


class Administration(Section):
    """What the head official and the local administrators are asked (P4, P5): see `records.standing.Rules`."""

    confirm_designations: bool = True
    recertify: Annotated[Duration, Field(ge=DAY, le=366 * DAY)] = HALF_A_YEAR
    warn_before: Annotated[Duration, Field(ge=0, le=183 * DAY)] = MONTH


class Ledger(Section):
    """The security log (T1)."""

    directory: FilePath
    auditor_public_key: FilePath = Path("keys/auditor.pub")
    pseudonym_key: FilePath = Path("keys/pseudonym.key")
    write_deadline: Annotated[Duration, Field(ge=0.1, le=30)] = 5.0
    segment_bytes: Annotated[int, Field(ge=MIB, le=4096 * MIB)] = 64 * MIB
    reserve_bytes: Annotated[int, Field(ge=0, le=1024 * 1024 * MIB)] = 256 * MIB
    flood_rate: Annotated[int, Field(ge=1, le=10_000)] = 100


class SignIn(Section):
    """How passwords are checked beside the traffic."""

    hashing_threads: Annotated[int, Field(ge=1, le=64)] = 2


class Keys(Section):
    """The gateway's own secrets: the assertion's signing key, and the secret that every other key is derived from."""

    assertion: FilePath = Path("keys/assertion.pem")
    gateway: FilePath = Path("keys/gateway.key")


def _policies_of(kind: CardKind) -> tuple[str, ...]:
    return tuple(policy for policy, its_kind in POLICIES.items() if its_kind == kind)


class Eid(Section):
    """Which certificates are taken for a card's. `roots` are fingerprints of keys, and so are `unsafe_test_roots`, whose cards anybody
    can make; `authorities` holds the certificates."""

    authorities: FilePath = Path("certs/eid")
    roots: Annotated[tuple[KeyFingerprint, ...], OneOrMany] = tuple(ROOTS)
    citizen_policies: Annotated[tuple[ObjectIdentifier, ...], OneOrMany] = _policies_of("citizen")
    foreigner_policies: Annotated[tuple[ObjectIdentifier, ...], OneOrMany] = _policies_of("foreigner")
    unsafe_test_roots: Annotated[tuple[KeyFingerprint, ...], OneOrMany] = ()

    @property
    def all_roots(self) -> frozenset[str]:
        return frozenset((*self.roots, *self.unsafe_test_roots))

    @property
    def policies(self) -> dict[str, CardKind]:
        return {
            **dict.fromkeys(self.citizen_policies, "citizen"),
            **dict.fromkeys(self.foreigner_policies, "foreigner"),
        }


class Outbound(Section):
    """How the gateway reaches others by itself. Whom it may reach stands where it is needed: `revocation.hosts`, a provider's table."""

    proxy: OptionalPlaceText = None
    ca: OptionalFilePath = None
    connect: Annotated[Duration, Field(ge=0.1, le=MINUTE)] = 3.0
    per_host: Annotated[int, Field(ge=1, le=1000)] = 8


class Revocation(Section):
    """How it is asked whether a card was revoked: OCSP first (RFC 6960), then the issuer's list (RFC 5280 section 5)."""

    hosts: Annotated[tuple[PlaceText, ...], OneOrMany] = tuple(map(parse_place, BELGIAN_HOSTS))
    check_every: Annotated[Duration, Field(ge=10, le=DAY)] = 15 * MINUTE
    ocsp: Annotated[Duration, Field(ge=0.1, le=30)] = 3.0
    ocsp_kept: Annotated[Duration, Field(ge=0, le=HOUR)] = 5 * MINUTE
    list_every: Annotated[Duration, Field(ge=MINUTE, le=DAY)] = HOUR
    list_download: Annotated[Duration, Field(ge=1, le=10 * MINUTE)] = 2 * MINUTE
    list_bytes: Annotated[int, Field(ge=1024, le=1024 * MIB)] = 128 * MIB
    skew: Annotated[Duration, Field(ge=0, le=10 * MINUTE)] = 2 * MINUTE


class Roles(Section):
    """Where user-management roles come from (P3): the administration, or a directory that is asked by LDAP (`outbound.roles`)."""

    source: Literal["built-in", "ldap"] = "built-in"
    server: Annotated[tuple[LdapServerText, ...], OneOrMany] = ()
    ca: OptionalFilePath = None
    bind_dn: Annotated[Words | None, BeforeValidator(empty_is_none)] = None
    password_file: OptionalFilePath = None
    base: Annotated[Words | None, BeforeValidator(empty_is_none)] = None
    filter: Annotated[QuestionText | None, BeforeValidator(empty_is_none)] = None
    attribute: Annotated[AttributeName | None, BeforeValidator(empty_is_none)] = None
    valid_from: Annotated[AttributeName | None, BeforeValidator(empty_is_none)] = None
    valid_until: Annotated[AttributeName | None, BeforeValidator(empty_is_none)] = None
    refresh: Annotated[Duration, Field(ge=10, le=DAY)] = 15 * MINUTE
    stale_limit: Annotated[Duration, Field(ge=10, le=7 * DAY)] = HOUR
    timeout: Annotated[Duration, Field(ge=0.1, le=30)] = 3.0
    connections: Annotated[int, Field(ge=1, le=64)] = 4

    @property
    def outside(self) -> bool:
        return self.source == "ldap"

    @property
    def stale_seconds(self) -> float | None:
        """How old the directory's last word on a person may be; None: there is no directory."""
        return self.stale_limit if self.outside else None


class Origins(Section):
    """Connections to origins. Time-outs of one origin stand in its transaction's file."""

    keep_alive: Annotated[Duration, Field(ge=1, le=10 * MINUTE)] = 30.0


class Connections(Section):
    """Bounds of one worker on connections of clients, from accepting them on. `first_bytes` and `handshake` are seconds; those of
    `card_…` are for handshakes that ask for a certificate, in which a person looks for a card."""

    total: Annotated[int, Field(ge=10, le=1_000_000)] = 5000
    per_network: Annotated[int, Field(ge=1, le=1_000_000)] = 3000
    large_networks: Annotated[tuple[NetworkText, ...], OneOrMany] = ()
    per_large_network: Annotated[int, Field(ge=1, le=1_000_000)] = 4000
    waiting: Annotated[int, Field(ge=1, le=100_000)] = 1000
    handshakes: Annotated[int, Field(ge=1, le=100_000)] = 500
    first_bytes: Annotated[Duration, Field(ge=0.5, le=MINUTE)] = 5.0
    handshake: Annotated[Duration, Field(ge=1, le=MINUTE)] = 10.0
    card_handshakes: Annotated[int, Field(ge=1, le=100_000)] = 1000
    card_handshake: Annotated[Duration, Field(ge=1, le=10 * MINUTE)] = 2 * MINUTE


class Limits(Section):
    """Bounds on the client's side. `max_body_bytes` holds where a transaction has none of its own, `kept_form_bytes` for a form that
    meets a challenge."""

    header: Annotated[Duration, Field(ge=1, le=2 * MINUTE)] = 15.0
    keep_alive: Annotated[Duration, Field(ge=1, le=10 * MINUTE)] = 75.0
    body_idle: Annotated[Duration, Field(ge=1, le=10 * MINUTE)] = 60.0
    min_body_rate: Annotated[int, Field(ge=1, le=MIB)] = 500
    min_read_rate: Annotated[int, Field(ge=1, le=MIB)] = 500
    requests_per_connection: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    drain: Annotated[Duration, Field(ge=0, le=10 * MINUTE)] = 30.0
    max_body_bytes: Annotated[int, Field(ge=1, le=1024 * 1024 * MIB)] = 2048 * MIB
    kept_form_bytes: Annotated[int, Field(ge=0, le=MIB)] = MIB // 4
    header_bytes: Annotated[int, Field(ge=1024, le=MIB)] = 32 * 1024
    field_count: Annotated[int, Field(ge=10, le=10_000)] = 100
    target_bytes: Annotated[int, Field(ge=256, le=MIB)] = 16 * 1024


class SignalRule(Section):
    """How one signal counts: points when it is seen, how soon they are half (seconds), and what is done about it."""

    weight: Annotated[float, Field(ge=0, le=10_000)]
    half_life: Annotated[Duration, Field(ge=1, le=DAY)]
    mode: Literal["off", "report", "enforce"]

    @property
    def rule(self) -> Rule:
        return Rule(self.weight, self.half_life, Mode(self.mode))


def _default(signal: Signal) -> SignalRule:
    rule = DEFAULT_RULES[signal]
    return SignalRule(weight=rule.weight, half_life=rule.half_life, mode=rule.mode.value)


class Evidence(Section):
    """What speaks for a program, how much, and what is done about it (B1). A key for each signal, by its name."""

    threshold: Annotated[float, Field(ge=1, le=100_000)] = 100.0
    answered: Annotated[Duration, Field(ge=0, le=DAY)] = 15 * MINUTE
    session_moved: Literal["off", "report", "enforce"] = "enforce"
    pace: Annotated[float, Field(ge=1, le=1_000_000)] = 100.0
    burst: Annotated[int, Field(ge=1, le=10_000_000)] = 2000
    no_fetch_metadata: SignalRule = _default(Signal.NO_FETCH_METADATA)
    no_accept_language: SignalRule = _default(Signal.NO_ACCEPT_LANGUAGE)
    post_handshake_auth: SignalRule = _default(Signal.POST_HANDSHAKE_AUTH)
    steady_navigations: SignalRule = _default(Signal.STEADY_NAVIGATIONS)
    many_connections: SignalRule = _default(Signal.MANY_CONNECTIONS)
    user_agent_changed: SignalRule = _default(Signal.USER_AGENT_CHANGED)

    @property
    def rules(self) -> Rules:
        """As evidence is gathered by."""
        signals = {signal: getattr(self, signal.value).rule for signal in Signal}
        return Rules(signals, self.answered, Mode(self.session_moved), self.pace, self.burst)


_Level = Annotated[int, Field(ge=1, le=4)]


class Levels(Section):
    """Sensitivity -> least level of means."""

    l0: Annotated[_Level, Field(alias="0")] = 1
    l1: Annotated[_Level, Field(alias="1")] = 1
    l2: Annotated[_Level, Field(alias="2")] = 2
    l3: Annotated[_Level, Field(alias="3")] = 2
    l4: Annotated[_Level, Field(alias="4")] = 4


class Settings(Section):
    """All of gateway.toml. Paths are absolute or start at `directory`; durations are seconds."""

    directory: Path
    state: FilePath
    portal: Portal
    listeners: Annotated[tuple[Listener, ...], Many, Field(alias="listener", min_length=1)]
    least_levels: Annotated[Levels, Field(alias="levels")]
    table: Table
    records: Records
    sessions: Sessions
    mandates: Mandates
    administration: Administration
    ledger: Ledger
    sign_in: SignIn
    keys: Keys
    eid: Eid
    outbound: Outbound
    revocation: Revocation
    roles: Roles
    providers: Annotated[tuple[ProviderTable, ...], Many, Field(alias="provider")] = ()
    origins: Origins
    connections: Connections
    limits: Limits
    evidence: Evidence

    @property
    def levels(self) -> tuple[int, int, int, int, int]:
        """The least level of means for each sensitivity, 0 to 4."""
        levels = self.least_levels
        return levels.l0, levels.l1, levels.l2, levels.l3, levels.l4

    @property
    def ledger_settings(self) -> LedgerSettings:
        ledger = self.ledger
        return LedgerSettings(
            directory=ledger.directory,
            auditor_public_key=ledger.auditor_public_key,
            pseudonym_key=ledger.pseudonym_key,
            write_deadline_seconds=ledger.write_deadline,
            segment_bytes=ledger.segment_bytes,
            reserve_bytes=ledger.reserve_bytes,
            flood_rate=ledger.flood_rate,
        )

    @property
    def records_settings(self) -> RecordsSettings:
        records, asked = self.records, self.administration
        rules = DesignationRules(asked.recertify, asked.warn_before, self.mandates.review, asked.confirm_designations)
        place = records.database
        if isinstance(place, Server):
            place = replace(place, password_file=records.password_file, ca=records.ca)
        return RecordsSettings(place, records.key, records.stale_limit, rules)

    @property
    def outbound_settings(self) -> OutboundSettings:
        return OutboundSettings(**dict(self.outbound))

    @property
    def revocation_settings(self) -> RevocationSettings:
        return RevocationSettings(directory=self.state / "revocation", **dict(self.revocation))

    @property
    def role_settings(self) -> RoleSettings | None:
        """Of the directory that says who has which role; None: roles are given in the administration. Settings without faults only."""
        roles = self.roles
        if not roles.outside or roles.ca is None or roles.password_file is None:
            return None
        if roles.bind_dn is None or roles.base is None or roles.filter is None or roles.attribute is None:
            return None
        return RoleSettings(
            roles.server,
            roles.ca,
            roles.bind_dn,
            roles.password_file,
            roles.base,
            roles.filter,
            roles.attribute,
            roles.valid_from,
            roles.valid_until,
            roles.refresh,
            roles.timeout,
            roles.connections,
        )

    @property
    def pid_file(self) -> Path:
        return self.state / "gateway.pid"

    @property
    def reload_file(self) -> Path:
        """Where a running gateway writes how the last reload went: `{"at", "ok", "hash", "faults"}`."""
        return self.state / "reload.json"

    @property
    def table_memory(self) -> Path:
        """Where the gateway remembers the newest release that it has seen (`policy.memory`)."""
        return self.state / "table.json"

    @property
    def switch_directory(self) -> Path:
        """Where an emergency suspension is a file (`records.switch`)."""
        return self.state / "suspensions"

    def portal_socket(self, worker: int) -> Path:
        """Where a worker reaches its own portal."""
        return self.state / f"portal-{worker}.sock"

    def worker_socket(self, worker: int) -> Path:
        """Where the other workers reach this one."""
        return self.state / f"worker-{worker}.sock"

    def listeners_of(self, *channels: Channel) -> tuple[Listener, ...]:
        return tuple(listener for listener in self.listeners if listener.kind in channels)

    def names_of(self, channel: Channel) -> frozenset[str]:
        """The host names that the listeners of a channel answer to."""
        return frozenset(name for listener in self.listeners_of(channel) for name in listener.names)
