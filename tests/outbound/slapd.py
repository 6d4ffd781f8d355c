"""A real OpenLDAP server of Debian, for the tests alone: its own directory, on loopback, with TLS by an authority made here."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.outbound.role_question import LdapServer, parse_question
from gateway.outbound.settings import RoleSettings
from tests.outbound.conftest import free_port

SLAPD = "/usr/sbin/slapd"
WITHOUT = "slapd or bonsai is not installed: run scripts/ldap as root"
START_SECONDS = 20.0
BASE = "ou=people,dc=example,dc=org"
BIND_DN = "cn=gateway,dc=example,dc=org"
PASSWORD = "geheim-é"
FILTER = "(&(objectClass=inetOrgPerson)(uid={user_id}))"

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {pem}
TLSCertificateKeyFile {key}
TLSCACertificateFile {ca}
security tls=1
sizelimit size.soft=1000 size.hard=1000 size.pr=2000 size.prtotal=unlimited
attributetype ( 1.3.6.1.4.1.99999.1 NAME 'roleFrom' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
attributetype ( 1.3.6.1.4.1.99999.2 NAME 'roleUntil' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
objectclass ( 1.3.6.1.4.1.99999.3 NAME 'timed' AUXILIARY MAY ( roleFrom $ roleUntil ) )
database mdb
maxsize 104857600
suffix "dc=example,dc=org"
directory {db}
dbnosync
index uid eq
rootdn "cn=admin,dc=example,dc=org"
access to dn.subtree="{base}" by dn.exact="{bind}" read by * none
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""
TREE = f"""\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: {BASE}
objectClass: organizationalUnit
ou: people

dn: {BIND_DN}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: gateway
userPassword:: Z2VoZWltLcOp
"""


def person(user_id: str, *roles: str, dn: str | None = None, **more: str) -> str:
    """An entry in LDIF: somebody with these roles."""
    lines = [f"dn: {dn or f'uid={user_id},{BASE}'}", "objectClass: inetOrgPerson", "objectClass: timed"]
    lines += [f"uid: {user_id}", "cn: x", "sn: x", *(f"employeeType: {role}" for role in roles)]
    return "\n".join(lines + [f"{name}: {value}" for name, value in more.items()]) + "\n"


class Slapd:
    """The server. `entries` (LDIF) can be changed by stopping it and starting it again with others: `serve`."""

    def __init__(self, directory: Path) -> None:
        if not Path(SLAPD).exists() or importlib.util.find_spec("bonsai") is None:
            pytest.skip(WITHOUT)
        self.directory = directory
        self.tls, self.plain = free_port(), free_port()
        self.ca = directory / "ca.pem"
        self.other_ca = directory / "other-ca.pem"
        self.password = directory / "password"
        self.password.write_text(f"{PASSWORD}\n")
        _make_certificates(directory)
        self._process: subprocess.Popen[bytes] | None = None

    def settings(self, *servers: str, **changed: Any) -> RoleSettings:
        """Of a gateway that asks this server."""
        names = servers or (f"ldaps://127.0.0.1:{self.tls}",)
        places = tuple(LdapServer(*name.replace("://", ":").split(":")[:2], int(name.rsplit(":", 1)[1])) for name in names)  # fmt: skip
        values: dict[str, Any] = {
            "servers": places,
            "ca": self.ca,
            "bind_dn": BIND_DN,
            "password_file": self.password,
            "base": BASE,
            "question": parse_question(FILTER),
            "attribute": "employeeType",
            "valid_from": "roleFrom",
            "valid_until": "roleUntil",
            "refresh": 900.0,
            "timeout": 2.0,
        }
        return RoleSettings(**(values | changed))

    def serve(self, *entries: str) -> None:
        """Serves exactly these entries, whatever it did before."""
        self.stop()
        shutil.rmtree(self.directory / "db", ignore_errors=True)
        (self.directory / "db").mkdir()
        names = {name: self.directory / name for name in ("pem", "key", "db")}
        config = self.directory / "slapd.conf"
        config.write_text(CONFIG.format(**names, ca=self.ca, base=BASE, bind=BIND_DN))
        ldif = "\n".join((TREE, *entries)).encode()
        subprocess.run(["/usr/sbin/slapadd", "-q", "-f", config], input=ldif, check=True, capture_output=True)
        self.start()

    def start(self) -> None:
        urls = f"ldaps://127.0.0.1:{self.tls} ldap://127.0.0.1:{self.plain}"
        command = [SLAPD, "-f", str(self.directory / "slapd.conf"), "-h", urls, "-d", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.tls), 1):
                return
            assert self._process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)

    def hang(self) -> None:
        """It takes connections, since the kernel does, and says nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(START_SECONDS)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
        if number is signal.SIGSTOP:
            stat = Path(f"/proc/{self._process.pid}/stat")
            while stat.read_text().rsplit(")", 1)[1].split()[0] != "T":
                time.sleep(0.005)


def _make_certificates(directory: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    key, ca_key, other_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    span = (now - dt.timedelta(hours=1), now + dt.timedelta(days=1))

    def name(common: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    for file, one in (("ca.pem", ca_key), ("other-ca.pem", other_key)):
        built = x509.CertificateBuilder().subject_name(name(file)).issuer_name(name(file)).public_key(one.public_key())
        built = built.serial_number(x509.random_serial_number()).not_valid_before(span[0]).not_valid_after(span[1])
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        (directory / file).write_bytes(built.sign(one, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    leaf = x509.CertificateBuilder().subject_name(name("directory")).issuer_name(name("ca.pem"))
    leaf = leaf.public_key(key.public_key()).serial_number(x509.random_serial_number())
    leaf = leaf.not_valid_before(span[0]).not_valid_after(span[1])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = leaf.add_extension(address, critical=False)
    (directory / "pem").write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (directory / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
