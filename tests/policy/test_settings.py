from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError, GatewayError
from gateway.message import DEFAULT_LIMITS, Limits
from gateway.model import Channel
from gateway.outbound.hosts import Place
from gateway.policy.kinds import Address
from gateway.policy.providers import ProviderTable
from gateway.policy.sections import CertificatePair
from gateway.policy.settings import SettingsError, load_settings, read_settings, settings_from

MINIMAL = """
[portal]
host = "portal.example.org"
help_desk = "x"
privacy_url = "x"
accessibility_url = "x"
fault_report = "x"
[[listener]]
channel = "user"
address = "127.0.0.1:0"
names = ["portal.example.org"]
certificate = ["a.pem", "/etc/b.pem"]
"""


def _from(text: str) -> tuple[Any, list[tuple[str, str]]]:
    settings, faults = settings_from(tomllib.loads(text), Path("/c"))
    return settings, [(fault.where, fault.what) for fault in faults]


def test_defaults_and_relative_paths() -> None:
    settings, faults = _from(MINIMAL)
    assert faults == []
    assert settings.state == Path("/c/state")
    assert settings.table.directory == Path("/c")
    assert settings.table.releases == Path("/c/state/releases")
    assert not settings.table.unsafe_unsigned
    assert settings.levels == (1, 1, 2, 2, 4)
    assert (settings.sessions.idle, settings.sessions.absolute, settings.sessions.warn_before) == (1800, 36000, 120)
    assert settings.mandates.review == 30 * 86400
    assert settings.keys.assertion == Path("/c/keys/assertion.pem")
    assert settings.records_settings.database == Path("/c/state/records.sqlite")
    assert settings.ledger_settings.directory == Path("/c/state/ledger")
    assert settings.pid_file == Path("/c/state/gateway.pid")
    limits = settings.limits
    assert Limits(limits.header_bytes, limits.field_count, limits.target_bytes) == DEFAULT_LIMITS
    (listener,) = settings.listeners
    assert listener.kind is Channel.USER
    assert listener.addresses == (Address("127.0.0.1", 0),)
    assert listener.public_port == 0
    assert listener.certificates == (
        CertificatePair(Path("/c/a.pem"), Path("/c/a.key")),
        CertificatePair(Path("/etc/b.pem"), Path("/etc/b.key")),
    )
    assert settings.names_of(Channel.USER) == {"portal.example.org"}
    assert settings.names_of(Channel.EID) == frozenset()


def test_what_changes_while_it_runs_follows_the_state_directory() -> None:
    settings, faults = _from('state = "/var/lib/gateway"\n' + MINIMAL)
    assert faults == []
    assert settings.ledger.directory == Path("/var/lib/gateway/ledger")
    assert settings.table.releases == Path("/var/lib/gateway/releases")
    assert settings.portal_socket(0) == Path("/var/lib/gateway/portal-0.sock")


def test_what_the_gateway_asks_others() -> None:
    settings, faults = _from(f"{MINIMAL}\n[outbound]\nproxy = 'http://Proxy.example.:3128'\nca = 'ca.pem'")
    assert faults == []
    assert settings.outbound_settings.proxy == Place("http", "proxy.example", 3128)
    assert settings.outbound_settings.ca == Path("/c/ca.pem")
    assert Place("http", "crl.eid.belgium.be", 80) in settings.revocation_settings.hosts
    assert settings.revocation_settings.directory == Path("/c/state/revocation")


def test_settings_cannot_be_changed() -> None:
    settings, _ = _from(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        settings.portal = None


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[portals]", "portals", "unknown"),
        ('directory = "x"', "directory", "unknown"),
        ("[portal]\nx = 1", "portal.x", "unknown"),
        ("limits = 3", "limits", "table"),
        ('state = ""', "state", "path"),
        (f'state = "/{"x" * 100}"', "state", "107 bytes"),
        ("[sessions]\nidle = '10s'", "sessions.idle", "greater than or equal to 60"),
        ("[sessions]\nidle = '2h'", "sessions.idle", "less than or equal to 3600"),
        ("[sessions]\nidle = '1.5h'", "sessions.idle", "duration"),
        ("[sessions]\nidle = true", "sessions.idle", "duration"),
        ("[sessions]\nidle = nan", "sessions.idle", "duration"),
        ("[sessions]\nidle = '1h'\nabsolute = '30min'", "sessions.idle", "longer than sessions.absolute"),
        ("[sessions]\nidle = '1min'", "sessions.warn_before", "before the page"),
        ("[revocation]\ncheck_every = '5min'", "revocation.ocsp_kept", "as long as revocation.check_every"),
        ("[roles]\nbase = 'dc=org'", "roles.base", "for roles.source"),
        ("[roles]\nvalid_from = 'x'", "roles.valid_from", "for roles.source"),
        ("[roles]\nsource = 'umaf'", "roles.source", "not known"),
        ("[roles]\nserver = 'ldap.example.org'", "roles.server[1]", "not a server"),
        ("[roles]\nfilter = '(uid={name})'", "roles.filter", "not known"),
        ("[roles]\nfilter = '(cn=x)'", "roles.filter", "of others"),
        ("[roles]\nattribute = 'a b'", "roles.attribute", "no attribute"),
        ("[roles]\nstale_limit = '15min'", "roles.stale_limit", "not longer than roles.refresh"),
        ("[revocation]\nhosts = ['http://a.example/crl']", "revocation.hosts[1]", "place"),
        ("[revocation]\nhosts = ['http://a.example', 'a.example']", "revocation.hosts[2]", "place"),
        ("[outbound]\nproxy = 'proxy.example:3128'", "outbound.proxy", "place"),
        ("[outbound]\nca = 3", "outbound.ca", "path"),
        ("[eid]\nroots = ['Belgium Root CA4']", "eid.roots[1]", "SHA-256"),
        ("[eid]\ncitizen_policies = ['2.16.056']", "eid.citizen_policies[1]", "object identifier"),
        ("[eid]\ncitizen_policies = ['2.16.56.1.1.1.7.2']", "eid.foreigner_policies", "also one of citizens"),
        ("[levels]\n4 = 5", "levels.4", "less than or equal to 4"),
        ("[levels]\n1 = 3", "levels.2", "weaker"),
        ("[levels]\n5 = 4", "levels.5", "unknown"),
        ("[records]\ndatabase = 'mysql://gateway@db/gateway'", "records.database", "neither a file nor a PostgreSQL"),
        ("[records]\ndatabase = 'postgresql://gateway:secret@db/gateway'", "records.database", "a password stands in"),
        ("[records]\npassword_file = 'keys/db'", "records.password_file", "for a PostgreSQL server"),
        ("[records]\nca = 'certs/db.pem'", "records.ca", "for a PostgreSQL server"),
        ("[records]\nstale_limit = '6min'", "records.stale_limit", "less than or equal to"),
        ("[ledger]\nsegment_bytes = '1'", "ledger.segment_bytes", "whole number"),
        ("[limits]\nmax_body_bytes = 0", "limits.max_body_bytes", "greater than or equal to 1"),
    ],
)
def test_one_fault_of_the_settings(text: str, where: str, what: str) -> None:
    raw = tomllib.loads(MINIMAL)
    for key, value in tomllib.loads(text).items():
        raw[key] = {**raw.get(key, {}), **value} if isinstance(value, dict) else value
    _, faults = settings_from(raw, Path("/c"))
    assert [fault.where for fault in faults] == [where], [str(fault) for fault in faults]
    assert what in faults[0].what


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ('channel = "user"', 'channel = "web"', "listener[1].channel", "not known"),
        ('channel = "user"', 'channel = "eid"', "portal.host", "no user listener"),
        ('names = ["portal.example.org"]', "names = []", "listener[1].names", "answers to no name"),
        (
            'names = ["portal.example.org"]',
            'names = ["portal.example.org", "A.example"]',
            "listener[1].names[2]",
            "host name",
        ),
        (
            'names = ["portal.example.org"]',
            'names = ["portal.example.org", "a.example:443"]',
            "listener[1].names[2]",
            "host name",
        ),
        ('certificate = ["a.pem", "/etc/b.pem"]', "", "listener[1].certificate", "no certificate"),
        ('address = "127.0.0.1:0"', 'address = "localhost:8443"', "listener[1].address[1]", "address with a port"),
        ('address = "127.0.0.1:0"', 'address = "::1:8443"', "listener[1].address[1]", "address with a port"),
        ('address = "127.0.0.1:0"', 'address = "[127.0.0.1]:8443"', "listener[1].address[1]", "address with a port"),
        ('address = "127.0.0.1:0"', 'address = "127.0.0.1:65536"', "listener[1].address[1]", "address with a port"),
        ('address = "127.0.0.1:0"', 'address = ["127.0.0.1:1", "[::1]:2"]', "listener[1].public_port", "several ports"),
        ('address = "127.0.0.1:0"', 'address = ["127.0.0.1:1", "127.0.0.1:1"]', "listener[1].address", "twice"),
        ('host = "portal.example.org"', 'host = "other.example.org"', "portal.host", "no user listener"),
        ('host = "portal.example.org"', "", "portal.host", "missing"),
    ],
)
def test_one_fault_of_portal_or_listener(old: str, new: str, where: str, what: str) -> None:
    assert MINIMAL.count(old) == 1
    _, faults = _from(MINIMAL.replace(old, new))
    expected = [where] if where != "listener[1].names" else [where, "portal.host"]
    assert [place for place, _ in faults] == expected, faults
    assert what in faults[0][1]


@pytest.mark.parametrize(
    ("listener", "where", "what"),
    [
        ('channel = "operator"\naddress = "0.0.0.0:9090"', "listener[2].address", "open to others"),
        ('channel = "operator"\naddress = "0.0.0.0:9090"\nunsafe_beyond_loopback = true', None, ""),
        ('channel = "operator"\naddress = "[::1]:9090"', None, ""),
        ('channel = "plain"\naddress = "0.0.0.0:80"', None, ""),
        ('channel = "plain"\naddress = "0.0.0.0:80"\nnames = ["a.example"]', "listener[2].names", "has no names"),
        ('channel = "plain"\naddress = "0.0.0.0:80"\ncertificate = "a.pem"', "listener[2].certificate", "has no certificate"),
        ('channel = "plain"\naddress = "0.0.0.0:80"\nunsafe_beyond_loopback = true', "listener[2].unsafe_beyond_loopback", "operator"),
        ('channel = "eid"\naddress = "127.0.0.1:1"\nnames = ["portal.example.org"]\ncertificate = "a.pem"', "listener[2].names", "another channel"),
        ('channel = "user"\naddress = "127.0.0.1:1"\nnames = ["portal.example.org"]\ncertificate = "a.pem"', None, ""),
    ],
)  # fmt: skip
def test_a_second_listener(listener: str, where: str | None, what: str) -> None:
    _, faults = _from(f"{MINIMAL}\n[[listener]]\n{listener}")
    assert [place for place, _ in faults] == ([] if where is None else [where])
    assert what in (faults[0][1] if faults else "")


def test_load_settings_raises_with_every_fault(config: Path, edit: Callable[[str, str, str], None]) -> None:
    edit("gateway.toml", 'host = "portal.localhost"', 'host = "portal.elsewhere"')
    edit("gateway.toml", "4 = 4", "4 = 9")
    with pytest.raises(SettingsError) as raised:
        load_settings(config)
    assert isinstance(raised.value, ConfigurationError)
    assert {fault.where for fault in raised.value.faults} == {"portal.host", "levels.4"}
    assert "levels.4" in str(raised.value)


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    settings, faults = read_settings(tmp_path)
    assert settings is None
    assert "gateway init" in faults[0].mend
    with pytest.raises(SettingsError):
        load_settings(tmp_path)


def test_every_key_is_in_the_example_with_its_default(pristine: Path) -> None:
    """The keys behind # in config/gateway.toml, taken in, give the settings that leaving them out gives."""
    text = (pristine / "gateway.toml").read_text()
    lines = [
        line.removeprefix("# ")
        if line.startswith("# [[") or (line.startswith("# ") and " = " in line.split("#")[1][:40])
        else line
        for line in text.splitlines()
    ]
    explicit, faults = settings_from(tomllib.loads("\n".join(lines)), pristine)
    assert faults == []
    settings = load_settings(pristine)
    assert explicit is not None
    assert explicit.listeners_of(Channel.USER)[0].public_port == settings.listeners_of(Channel.USER)[0].public_port
    # There is no provider by default; the one that is shown has the defaults of its own keys.
    alike = {"listeners": (), "providers": ()}
    assert explicit.model_copy(update=alike) == settings.model_copy(update=alike)
    documented = tomllib.loads("\n".join(lines))
    (provider,) = documented["provider"]
    fields = ProviderTable.model_fields
    assert set(provider) == set(fields) - {"client_key"}
    (read,) = explicit.providers
    assert [
        name for name, each in fields.items() if not each.is_required() and getattr(read, name) != each.default
    ] == ["client_secret"]
    for name in (
        "portal",
        "table",
        "mandates",
        "administration",
        "records",
        "ledger",
        "sessions",
        "sign_in",
        "keys",
        "eid",
        "outbound",
        "revocation",
        "roles",
        "origins",
        "limits",
    ):
        assert set(documented[name]) == set(type(getattr(settings, name)).model_fields), name


DIRECTORY = """
[roles]
source = "ldap"
server = ["ldaps://one.example", "ldap://two.example:1389"]
ca = "certs/ca.pem"
bind_dn = "cn=gateway,dc=org"
password_file = "keys/directory.password"
base = "dc=org"
filter = "(uid={user_id})"
attribute = "employeeType"
"""


def test_a_directory_of_roles() -> None:
    settings, faults = _from(MINIMAL + DIRECTORY)
    assert faults == []
    made = settings.role_settings
    assert [str(server) for server in made.servers] == ["ldaps://one.example:636", "ldap://two.example:1389"]
    assert (made.ca, made.password_file) == (Path("/c/certs/ca.pem"), Path("/c/keys/directory.password"))
    assert (made.valid_from, made.valid_until, made.refresh, made.timeout, made.connections) == (None, None, 900, 3, 4)
    assert settings.roles.stale_seconds == 3600
    for key in ("server", "ca", "bind_dn", "password_file", "base", "filter", "attribute"):
        without = "\n".join(line for line in DIRECTORY.splitlines() if not line.startswith(f"{key} "))
        settings, faults = _from(MINIMAL + without)
        assert [where for where, _ in faults] == [f"roles.{key}"]
        assert key == "server" or settings.role_settings is None


def test_without_a_directory_roles_are_given_in_the_administration() -> None:
    settings, _ = _from(MINIMAL)
    assert settings.role_settings is None
    assert settings.roles.stale_seconds is None


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.just("portal.example.org"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["host", "names", "idle", "0", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["state", "portal", "listener", "levels", "table", "sessions", "ledger", "x"]), junk
    )
)
def test_junk_gives_faults_and_never_another_error(raw: dict[str, Any]) -> None:
    base = tomllib.loads(MINIMAL)
    settings, faults = settings_from({**base, **raw}, Path("/c"))
    assert faults or settings is not None
    assert all(str(fault) for fault in faults)


@given(st.text(alphabet='[]"\n=#x1.0-:Tt{},', max_size=60))
def test_a_random_file_gives_faults_and_never_another_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    directory = tmp_path_factory.getbasetemp() / "random"
    directory.mkdir(exist_ok=True)
    (directory / "gateway.toml").write_text(text)
    with pytest.raises(GatewayError):
        load_settings(directory)
