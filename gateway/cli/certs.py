"""`gateway certs`: make server certificates for a laptop, show those of a configuration and what is wrong with them; try a card's."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from rich.table import Table

from gateway.cli.output import ANSWER_IS_NO, WRONG_USE, console, done, fail, moment_of
from gateway.credentials.certificate import verify
from gateway.errors import CertificateRefused, ConfigurationError, Fault
from gateway.policy.cards import profile_of
from gateway.policy.certificates import (
    CertificateDescription,
    describe,
    inspect_server_certificate,
    is_dev_certificate,
    make_dev_certificates,
)
from gateway.policy.settings import CertificatePair, Settings, load_settings

app = typer.Typer(help="Certificates: make them for a laptop, show them, try a card's.", no_args_is_help=True)

ConfigOption = Annotated[Path, typer.Option("--config", metavar="DIR", help="The configuration directory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AtOption = typer.Option("--at", metavar="TIME", help="2026-06-15 or 2026-06-15T10:00, Europe/Brussels; default: now.")
MAX_CARD_FILE_BYTES = 65_536
"""Of a card's certificate with its authority's; they have some 4 KiB."""


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="certs")


@app.command("dev")
def dev(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Make a certificate for every TLS listener, and the authority that signs them, for a laptop only.

    The authority's own key is thrown away: trust its ca.pem in your browser without fear, and again after the next `certs dev`.
    A certificate that this command did not make is never replaced.

    Example: gateway certs dev --config config
    """
    pairs = _servers(_settings(config))
    servers = {pair.pem: names for pair, names in pairs.items()}
    for pair in pairs:
        for path in pair:  # a key alone may be waiting for its certificate
            if path.exists() and not is_dev_certificate(pair.pem):
                _fail(Fault(str(path), "", "it was not made by this command and is kept", "Move it away first"))
    ca_pem = next(iter(servers)).with_name("ca.pem")
    try:
        make_dev_certificates(ca_pem, servers, datetime.now(UTC))
    except OSError as error:
        what = f"it cannot be written ({error.strerror})"
        _fail(Fault(str(error.filename2 or error.filename), "", what, "Give this user the right to write there"))
    if as_json:
        print(json.dumps({"ca": str(ca_pem), "certificates": [str(pem) for pem in servers]}))
        return
    for pem, names in servers.items():
        print(f"made {pem} and its key, for {', '.join(names)}")
    print(f"made {ca_pem}: let your browser trust it, and no other machine")


@app.command("show")
def show(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Show every certificate of the listeners, until when it is good, and what is wrong with it; exit 1 when something is.

    Example: gateway certs show --config config
    """
    now = datetime.now(UTC)
    faults: list[Fault] = []
    shown: list[CertificateDescription] = []
    for pair, names in _servers(_settings(config)).items():
        faults += inspect_server_certificate(pair.pem, pair.key, names, now)
        try:
            shown.append(describe(pair.pem, now))
        except (OSError, ValueError, UnsupportedAlgorithm):
            continue  # its fault is among the others
    if as_json:
        said = {"certificates": [one.as_dict() for one in shown], "faults": [fault.as_dict() for fault in faults]}
        print(json.dumps(said, ensure_ascii=False))
    else:
        for one in shown:
            print(one.file)
            console().print(_card(one))
        for fault in faults:
            print(f"fault: {fault}", file=sys.stderr)
    if faults:
        raise typer.Exit(1)


@app.command("verify")
def verify_card(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A card's certificate, alone or with its authority's: PEM or DER.")
    ],
    at: Annotated[str | None, AtOption] = None,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Say whether the eID door takes a certificate for a card's, or which step refuses it; exit 1 when it does.

    By the same steps as the door (docs/eid.md), also where no listener asks for cards yet. Whose card it is, and whether it was revoked, is asked at the door alone.

    Example: gateway certs verify card.pem --at 2026-06-15
    """
    now = moment_of(at)
    try:
        chain = _chain(file.read_bytes()[:MAX_CARD_FILE_BYTES])
    except (OSError, ValueError) as error:
        fail(
            f"{file}: no certificate can be read from it ({error}). Name a PEM or DER file", WRONG_USE, as_json=as_json
        )
    try:
        profile = profile_of(_settings(config))
    except ConfigurationError as error:
        fail(str(error), WRONG_USE, as_json=as_json)
    try:
        found = verify(chain, profile, now)
    except CertificateRefused as error:
        refused = {"accepted": False, "reason": error.reason, "step": str(error.step), "detail": error.detail}
        told = {**refused, "issuer": error.issuer, "policy": error.policy}
        done(f'refused at the step "{error.step}": {error.detail} ({error.reason})', told, as_json=as_json)
        raise typer.Exit(ANSWER_IS_NO) from None
    told = {"accepted": True, "kind": found.kind, "issuer": found.issuer, "policy": found.policy}
    done(
        f"accepted: the card of a {found.kind}, policy {found.policy}, issued by {found.issuer}", told, as_json=as_json
    )


def _chain(content: bytes) -> list[bytes]:
    if b"-----BEGIN CERTIFICATE-----" not in content:
        return [content]
    return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(content)]


def _card(one: CertificateDescription) -> Table:
    card = Table(box=None, show_header=False)
    card.add_row("names", ", ".join(one.names))
    card.add_row("good", f"{one.not_before:%Y-%m-%d} to {one.not_after:%Y-%m-%d}, {one.days_left} days left")
    card.add_row("issuer", one.issuer)
    card.add_row("key", one.key)
    card.add_row("SHA-256", one.fingerprint)
    return card


def _servers(settings: Settings) -> dict[CertificatePair, list[str]]:
    """Each certificate of a TLS listener, with the names it must cover; several listeners may share one."""
    servers: dict[CertificatePair, list[str]] = {}
    for listener in settings.listeners:
        for pair in listener.certificates:
            servers.setdefault(pair, []).extend(listener.names)
    return {pair: list(dict.fromkeys(names)) for pair, names in servers.items()}


def _settings(config: Path) -> Settings:
    try:
        return load_settings(config)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None


def _fail(fault: Fault) -> NoReturn:
    print(fault, file=sys.stderr)
    raise typer.Exit(1)
