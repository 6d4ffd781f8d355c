"""From results to the tables of docs/person-or-program.md."""

from __future__ import annotations

from typing import Any


def write(results: dict[str, Any]) -> None:
    pass
