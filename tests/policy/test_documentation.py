"""docs/configuration.md names every key of gateway.toml."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.policy import providers, sections

PAGE = Path(__file__).resolve().parents[2] / "docs/configuration.md"
TABLES = {
    "portal": sections.Portal, "listener": sections.Listener, "table": sections.Table, "mandates": sections.Mandates, "administration": sections.Administration,
    "records": sections.Records, "ledger": sections.Ledger, "sessions": sections.Sessions, "sign_in": sections.SignIn,
    "keys": sections.Keys, "eid": sections.Eid, "outbound": sections.Outbound, "revocation": sections.Revocation, "roles": sections.Roles, "provider": providers.ProviderTable, "origins": sections.Origins,
    "connections": sections.Connections, "limits": sections.Limits,
    "evidence": sections.Evidence,
}  # fmt: skip


def test_every_key_is_documented_and_no_other() -> None:
    text = PAGE.read_text().split("## gateway.toml")[1].split("## The table")[0]
    documented = set(re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE))
    named = {key for cell in documented for key in re.findall(r"`([a-z_]+\.[a-z_]+)`", cell)}
    keys = {
        f"{name}.{field.alias or key}" for name, table in TABLES.items() for key, field in table.model_fields.items()
    }
    assert named == keys
