"""The demo's world: a state directory with configuration, keys, certificates, database and ledger of its own.

    STATE/config/    gateway.toml, the table, keys/, certs/
    STATE/ledger/    the security log
    STATE/run/       database, kept releases, socket
    STATE/cards/     cards like the eID's, and their authorities
    STATE/auditor/   the auditor's private keys, which a real gateway's machine never has
    STATE/demo.json  what was written, so that a second start goes on with it

A file that the demo wrote and somebody changed since stays as it is, until the demo itself has something else to write
(another port, another origin, another year).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.demo import card_office
from gateway.demo.files import CARD_AUTHORITIES, CERTIFICATE_NAMES, Plan, configuration
from gateway.demo.write import write_whole
from gateway.errors import ConfigurationError
from gateway.ledger.keys import make_keys
from gateway.policy.certificates import inspect_server_certificate, make_dev_authority
from gateway.policy.settings import Settings, load_settings
from gateway.records.upgrade import upgrade_schema

SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Home:
    """Where a demo keeps what; `state` is absolute."""

    state: Path

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger"

    @property
    def ca(self) -> Path:
        return self.config / "certs" / "ca.pem"

    @property
    def cards(self) -> Path:
        """The demo's authorities for cards, and the cards."""
        return self.state / "cards"

    @property
    def guide(self) -> Path:
        return self.state / "guide.json"


@contextlib.contextmanager
def held(home: Home) -> Iterator[None]:
    """Holds the state directory, which is made when it is missing: two demos in one would write over each other.

    Raises ConfigurationError when another demo runs there, or the directory cannot be made.
    """
    try:
        home.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(home.state / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"{home.state}: the demo's state cannot be kept there ({error.strerror}). Name another directory by --state"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"{home.state}: a demo runs there already. Stop it, or name another directory by --state"
            ) from None
        yield
    finally:
        os.close(descriptor)


def build(home: Home, plan: Plan, now: float) -> Settings:
    """Makes what is missing of the world but its people, and gives its settings. `now` is Unix seconds.

    Raises ConfigurationError or RecordsError, each with what to do.
    """
    try:
        root = _make_cards(home, plan, now)
        _write_configuration(home, plan, root)
        _make_certificates(home, dt.datetime.fromtimestamp(now, dt.UTC))
        settings = load_settings(home.config)
        _make_keys(home, settings)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename}: the demo cannot write it ({error.strerror}). Name another directory by --state"
        ) from None
    upgrade_schema(settings.records_settings)
    return settings


def _make_cards(home: Home, plan: Plan, now: float) -> str:
    """Gives the fingerprint of the root that the demo's cards hang on."""
    tree = card_office.open_tree(home.cards, plan.ports.revocation_url, now)
    card_office.publish(tree, home.config / CARD_AUTHORITIES)
    for person in plan.people:
        if person.card:
            card_office.issue(home.cards, tree, person, now)
    return tree.root.fingerprint


def _write_configuration(home: Home, plan: Plan, card_root: str) -> None:
    files = configuration(plan, card_root)
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    marker = home.state / "demo.json"
    known: dict[str, Any] = json.loads(marker.read_bytes()) if marker.exists() else {"files": [], "digest": ""}
    if known["digest"] == digest:
        return
    for name in set(known["files"]) - set(files):
        (home.config / name).unlink(missing_ok=True)
    for name, text in files.items():
        write_whole(home.config / name, text.encode())
    write_whole(marker, json.dumps({"digest": digest, "files": sorted(files)}).encode())


def _make_certificates(home: Home, now: dt.datetime) -> None:
    """Certificates that hold are kept: a browser was told to trust them."""
    certs = home.ca.parent
    if not home.ca.exists() or inspect_server_certificate(
        certs / "server.pem", certs / "server.key", CERTIFICATE_NAMES, now
    ):
        certs.mkdir(parents=True, exist_ok=True)
        make_dev_authority(certs, CERTIFICATE_NAMES, now)


def _make_keys(home: Home, settings: Settings) -> None:
    keys, ledger = settings.keys, settings.ledger
    if not keys.assertion.exists():
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_whole(keys.assertion, pem)
    if not keys.gateway.exists():
        write_whole(keys.gateway, f"{os.urandom(SECRET_BYTES).hex()}\n".encode())
    for provider in settings.providers:
        if provider.client_secret is not None and not provider.client_secret.exists():
            write_whole(provider.client_secret, f"{os.urandom(SECRET_BYTES).hex()}\n".encode())
    if not settings.records.key.exists():
        write_whole(settings.records.key, os.urandom(SECRET_BYTES))
    if not ledger.pseudonym_key.exists():
        make_keys(ledger.auditor_public_key, ledger.pseudonym_key, home.state / "auditor")
