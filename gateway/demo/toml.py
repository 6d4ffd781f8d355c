"""Writes TOML 1.0 for the demo's files: the standard library reads it and does not write it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence

Value = str | int | float | bool | dt.date | Sequence["Value"] | Mapping[str, "Value"]
Tables = Mapping[str, Mapping[str, Value] | Sequence[Mapping[str, Value]]]


def dump(comment: str, keys: Mapping[str, Value], tables: Tables) -> str:
    """A file: a comment, keys, then `[name]` for each table and `[[name]]` for each list of tables."""
    parts = [f"# {comment}\n" + _lines(keys)]
    for name, content in tables.items():
        if isinstance(content, Mapping):
            parts.append(f"[{name}]\n" + _lines(content))
        else:
            parts += [f"[[{name}]]\n" + _lines(table) for table in content]
    return "\n".join(parts)


def _lines(table: Mapping[str, Value]) -> str:
    return "".join(f"{key} = {_inline(value)}\n" for key, value in table.items())


def _inline(value: Value) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    # Strings, numbers and booleans are written as JSON writes them (TOML 1.0, "Basic strings").
    return json.dumps(value, ensure_ascii=False)


def _key(text: str) -> str:
    """Bare where it can be (TOML 1.0, "Keys")."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else json.dumps(text, ensure_ascii=False)
