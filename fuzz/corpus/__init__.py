"""The kept corpus: `<name>.txt` holds one input a line, as a JSON string whose characters are the bytes (latin-1)."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent


def load(name: str) -> list[bytes]:
    """The inputs of one reader."""
    lines = (HERE / f"{name}.txt").read_text("ascii").splitlines()
    return [json.loads(line).encode("latin-1") for line in lines]


def save(name: str, inputs: list[bytes]) -> None:
    """Keep `inputs`, shortest first, so that a difference can be read."""
    ordered = sorted(set(inputs), key=lambda data: (len(data), data))
    text = "".join(json.dumps(data.decode("latin-1")) + "\n" for data in ordered)
    (HERE / f"{name}.txt").write_text(text, "ascii")
