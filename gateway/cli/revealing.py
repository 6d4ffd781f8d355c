"""What the commands share that tell names on a shell: to whoever has the auditor's key, with a reason, and only behind a line of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.acting import SHELL
from gateway.errors import ConfigurationError
from gateway.ledger import CliLedger
from gateway.ledger.keys import LedgerKeys, load_keys
from gateway.ledger.record import administration_record
from gateway.ledger.unsealing import Auditor
from gateway.policy.settings import Settings

AuditorKeyOption = Annotated[
    Path | None,
    typer.Option("--auditor-key", metavar="FILE", help="The auditor's private key for persons: tells names too."),
]
RevealReasonOption = Annotated[str, typer.Option("--reason", help="Why names are told; it stays in the ledger.")]


def keys_of(settings: Settings) -> LedgerKeys:
    """What this gateway's lines are sealed and pseudonymised with. Raises ConfigurationError."""
    return load_keys(settings.ledger.auditor_public_key, settings.ledger.pseudonym_key)


def reveal(
    settings: Settings,
    key: Path,
    reason: str,
    act: str,
    objects: Mapping[str, str],
    user_id: str | None = None,
) -> Auditor:
    """Whoever has this key, once the line of the reveal is written (DESIGN section 1: an auditor reveals persons with a reason); `user_id`
    is whom it is about, where it is about one. Raises ConfigurationError and LedgerError: then nothing is to be told."""
    auditor = Auditor.read(key, keys_of(settings).person_seal)
    if not reason.strip():
        raise ConfigurationError("--auditor-key needs --reason: why names are told stays in the ledger")
    with CliLedger(settings.ledger_settings) as ledger:
        ledger.write(
            administration_record(
                ledger.references(),
                act=act,
                actor=SHELL,
                person=None if user_id is None else ledger.sealer.person(user_id, None),
                reason=reason.strip(),
                objects=objects,
            )
        )
    return auditor
