"""gateway.toml: how this machine runs (DESIGN section 5). What the KSZ grants stands in the table's own files, never here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError, Fault
from gateway.model import Channel
from gateway.policy.faults import UNREAD, read_model, read_toml, readable, run_checks
from gateway.policy.providers import check_providers
from gateway.policy.sections import MAX_WORKERS, CertificatePair, Listener, Settings

__all__ = [
    "MAX_WORKERS",
    "SETTINGS_FILE",
    "CertificatePair",
    "Listener",
    "Settings",
    "SettingsError",
    "load_settings",
    "read_settings",
    "settings_from",
]

SETTINGS_FILE = "gateway.toml"
MAX_SOCKET_PATH_BYTES = 107
"""What `sun_path` of a UNIX socket holds on Linux, less its closing zero."""
TLS_CHANNELS = frozenset({Channel.USER, Channel.EID, Channel.FILE_TRANSFER})


class SettingsError(ConfigurationError):
    """Settings, keys or certificates that stop the start, with every fault found."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


SECTIONS = (
    "levels",
    "table",
    "records",
    "sessions",
    "mandates",
    "administration",
    "ledger",
    "sign_in",
    "keys",
    "eid",
    "outbound",
    "revocation",
    "roles",
    "origins",
    "connections",
    "limits",
    "evidence",
)
"""Tables of gateway.toml that may be left out: their defaults hold."""


def load_settings(config_dir: Path) -> Settings:
    """The settings of a configuration directory. Raises SettingsError (a ConfigurationError) with every fault."""
    settings, faults = read_settings(config_dir)
    if settings is None or faults:
        raise SettingsError(faults)
    return settings


def read_settings(config_dir: Path) -> tuple[Settings | None, list[Fault]]:
    """The settings and their faults. With faults, settings may hold UNREAD and are only good for further checks."""
    path = config_dir / SETTINGS_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        what = f"the settings cannot be read ({error.strerror})"
        return None, [
            Fault(SETTINGS_FILE, "", what, f"Run: gateway init {config_dir}, or name another directory by --config")
        ]
    raw, faults = read_toml(SETTINGS_FILE, content)
    if raw is None:
        return None, faults
    return settings_from(raw, config_dir.absolute())


def settings_from(raw: dict[str, Any], directory: Path) -> tuple[Settings | None, list[Fault]]:
    """As `read_settings`, from the tables `raw`; relative paths start at `directory`."""
    if "directory" in raw:
        return None, [Fault(SETTINGS_FILE, "directory", "this key is unknown", "Correct the spelling or remove it")]
    _fill_in(raw)
    raw["directory"] = directory
    settings, faults = read_model(Settings, SETTINGS_FILE, raw, {"directory": directory})
    if settings is not None:
        faults = [*faults, *run_checks(CHECKS, settings)]
    return settings, faults


def _fill_in(raw: dict[str, Any]) -> None:
    """Defaults that depend on `state`: what changes while the gateway runs lies there, whatever it is called."""
    state = raw.setdefault("state", "state")
    for name in SECTIONS:
        raw.setdefault(name, {})
    usable = isinstance(state, str) and state and state.isprintable()
    for section, key, name in (
        ("table", "releases", "releases"),
        ("records", "database", "records.sqlite"),
        ("ledger", "directory", "ledger"),
    ):
        if isinstance(raw[section], dict):
            raw[section].setdefault(key, f"{state}/{name}" if usable else UNREAD)


# --- what one key alone cannot tell ---------------------------------------------------------------------------------------


def _fault(where: str, what: str, mend: str) -> Fault:
    return Fault(SETTINGS_FILE, where, what, mend)


def _numbered(settings: Settings) -> Iterator[tuple[str, Listener]]:
    if readable(settings.listeners):
        for number, listener in enumerate(settings.listeners, 1):
            yield f"listener[{number}]", listener


def _tls_listeners_are_whole(where: str, listener: Listener) -> Iterator[Fault]:
    if listener.kind in TLS_CHANNELS:
        if readable(listener.names) and not listener.names:
            yield _fault(f"{where}.names", "a TLS listener answers to no name", "Name its hosts")
        if readable(listener.certificate) and not listener.certificate:
            yield _fault(
                f"{where}.certificate", "a TLS listener has no certificate", "Name its PEM file, the key beside it"
            )
    else:
        if readable(listener.names) and listener.names:
            yield _fault(f"{where}.names", f"a {listener.channel} listener has no names", "Remove the key")
        if readable(listener.certificate) and listener.certificate:
            yield _fault(f"{where}.certificate", f"a {listener.channel} listener has no certificate", "Remove the key")


def _ports_agree(where: str, listener: Listener) -> Iterator[Fault]:
    ports = {address.port for address in listener.address}
    if listener.configured_port is None and len(ports) > 1:
        yield _fault(
            f"{where}.public_port", "the addresses have several ports", "Say which one browsers type: public_port"
        )


def _operator_stays_inside(where: str, listener: Listener) -> Iterator[Fault]:
    """Metrics and health tell how the gateway is doing: to this machine only (DESIGN section 6, THREATS row 16)."""
    if listener.unsafe_beyond_loopback:
        if listener.kind is not Channel.OPERATOR:
            yield _fault(f"{where}.unsafe_beyond_loopback", "this key is for the operator's listener", "Remove it")
        return
    if listener.kind is Channel.OPERATOR:
        for address in listener.address:
            if not address.loopback:
                mend = "Listen on 127.0.0.1 or [::1]; or set unsafe_beyond_loopback = true behind a network of your own"
                yield _fault(f"{where}.address", f"the operator's port is open to others ({address})", mend)


def _balancer_is_before_clients(where: str, listener: Listener) -> Iterator[Fault]:
    """The PROXY protocol says whose a connection is, and on the operator's port that is nobody's to say (THREATS row 1)."""
    if readable(listener.proxy_protocol_from) and listener.proxy_protocol_from and listener.kind is Channel.OPERATOR:
        yield _fault(
            f"{where}.proxy_protocol_from", "the operator's listener has no load balancer before it", "Remove it"
        )


def _listeners(settings: Settings) -> Iterator[Fault]:
    checks = (_tls_listeners_are_whole, _ports_agree, _operator_stays_inside, _balancer_is_before_clients)
    for where, listener in _numbered(settings):
        yield from run_checks(checks, where, listener)


def _addresses_once(settings: Settings) -> Iterator[Fault]:
    seen: dict[tuple[str, int], str] = {}
    for where, listener in _numbered(settings):
        if not readable(listener.address):
            continue
        for address in listener.address:
            first = seen.setdefault(address, where)
            if address.port and (first != where or listener.address.count(address) > 1):
                yield _fault(
                    f"{where}.address", f"{address} is listed twice, first by {first}", "Give each its own port"
                )
                break


def _names_have_one_channel(settings: Settings) -> Iterator[Fault]:
    """A browser keeps cookies by name, not by port: one name on two channels would mix them."""
    seen: dict[str, tuple[object, str]] = {}
    for where, listener in _numbered(settings):
        if not readable(listener.names) or not readable(listener.channel):
            continue
        for name in listener.names:
            channel, first = seen.setdefault(name, (listener.channel, where))
            if channel != listener.channel:
                yield _fault(
                    f"{where}.names", f"{name} is also a name of {first}, another channel", "Give each its own names"
                )


def _portal_is_reachable(settings: Settings) -> Iterator[Fault]:
    if settings.portal.host not in settings.names_of(Channel.USER):
        mend = "Add it to the names of a listener with channel user"
        yield _fault("portal.host", f"no user listener answers to {settings.portal.host}", mend)


def _unsigned_stands_in_for_nothing(settings: Settings) -> Iterator[Fault]:
    """What nobody signed must never be served in the place of a signed release that was refused."""
    table = settings.table
    if not readable(table.release) or not readable(table.unsafe_unsigned):
        return
    if table.release is not None and table.unsafe_unsigned:
        yield _fault("table.unsafe_unsigned", "table.release names a signed release", "Take one of the two away")


def _levels_rise(settings: Settings) -> Iterator[Fault]:
    for sensitivity, (lower, higher) in enumerate(zip(settings.levels, settings.levels[1:], strict=False), 1):
        if higher < lower:
            what = f"more sensitive data would need weaker means than sensitivity {sensitivity - 1}"
            yield _fault(f"levels.{sensitivity}", what, f"Make it {lower} or more")


def _session_ends_in_order(settings: Settings) -> Iterator[Fault]:
    sessions = settings.sessions
    if sessions.idle > sessions.absolute:
        yield _fault("sessions.idle", "it is longer than sessions.absolute", "Make it shorter")
    if sessions.warn_before >= sessions.idle:
        yield _fault(
            "sessions.warn_before", "the warning would come before the page", "Make it shorter than sessions.idle"
        )


def _a_policy_is_of_one_kind(settings: Settings) -> Iterator[Fault]:
    for policy in settings.eid.citizen_policies:
        if policy in settings.eid.foreigner_policies:
            yield _fault("eid.foreigner_policies", f"{policy} is also one of citizens", "Take it out of one of the two")


def _cards_are_asked_about_anew(settings: Settings) -> Iterator[Fault]:
    """A check that an earlier answer serves would learn nothing."""
    revocation = settings.revocation
    if revocation.ocsp_kept >= revocation.check_every:
        yield _fault("revocation.ocsp_kept", "it is as long as revocation.check_every, or longer", "Make it shorter")


def _a_directory_is_whole(settings: Settings) -> Iterator[Fault]:
    """Without any of these a directory cannot be asked; without a directory they mean nothing."""
    roles = settings.roles
    if not readable(roles.source):
        return
    needed = ("server", "ca", "bind_dn", "password_file", "base", "filter", "attribute")
    for key in needed if roles.outside else (*needed, "valid_from", "valid_until"):
        value = getattr(roles, key)
        if readable(value) and bool(value) is not roles.outside:
            if roles.outside:
                yield _fault(f"roles.{key}", 'roles.source is "ldap", and this key is missing', "See docs/roles.md")
            else:
                yield _fault(f"roles.{key}", 'this key is for roles.source = "ldap"', "Remove it, or set the source")


def _roles_are_asked_before_they_are_stale(settings: Settings) -> Iterator[Fault]:
    roles = settings.roles
    if roles.stale_limit <= roles.refresh:
        mend = "Make it longer, so that one look-up may fail"
        yield _fault("roles.stale_limit", "it is not longer than roles.refresh", mend)


def _a_file_needs_no_password(settings: Settings) -> Iterator[Fault]:
    records = settings.records
    if isinstance(records.database, Path):
        for key, value in (("password_file", records.password_file), ("ca", records.ca)):
            if readable(value) and value is not None:
                yield _fault(f"records.{key}", "this key is for a PostgreSQL server", "Remove it")


def _stale_limit_is_none_or_a_second(settings: Settings) -> Iterator[Fault]:
    if 0 < settings.records.stale_limit < 1:
        yield _fault("records.stale_limit", "nothing lies between 0s and 1s", "Write 0s, or 1s to 5min")


def _providers(settings: Settings) -> Iterator[Fault]:
    yield from check_providers(settings.providers)


def _socket_path_fits(settings: Settings) -> Iterator[Fault]:
    if len(bytes(settings.portal_socket(MAX_WORKERS - 1))) > MAX_SOCKET_PATH_BYTES:
        what = f"the path of a socket in it would be longer than {MAX_SOCKET_PATH_BYTES} bytes"
        yield _fault("state", what, "Name a directory with a shorter path")


CHECKS = (
    _listeners,
    _addresses_once,
    _names_have_one_channel,
    _portal_is_reachable,
    _unsigned_stands_in_for_nothing,
    _levels_rise,
    _session_ends_in_order,
    _a_policy_is_of_one_kind,
    _cards_are_asked_about_anew,
    _a_directory_is_whole,
    _roles_are_asked_before_they_are_stale,
    _a_file_needs_no_password,
    _stale_limit_is_none_or_a_second,
    _providers,
    _socket_path_fits,
)
