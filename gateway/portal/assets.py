"""Static files of our pages: read once, named by the hash of their content, so that a browser may keep them for a year."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Final

STATIC_DIRECTORY: Final = Path(__file__).with_name("static")
HASH_CHARACTERS: Final = 16
"""64 bits of the SHA-256: names differ when contents do; nobody chooses the contents but us."""
_TYPES: Final = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".ico": "image/x-icon"}
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_SPACE: Final = re.compile(r"\s+")
_AROUND: Final = re.compile(r"\s*([{};,])\s*")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served, `name` with the hash in it."""

    name: str
    content: bytes
    content_type: str


def sheet() -> str:
    """The style sheet without comments and idle space."""
    text = (STATIC_DIRECTORY / "portal.css").read_text(encoding="utf-8")
    return _AROUND.sub(r"\1", _SPACE.sub(" ", _COMMENT.sub("", text))).strip()


def style_hash(style: str) -> str:
    """The source by which a Content-Security-Policy allows this inline style (CSP 3 section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(style.encode('utf-8')).digest()).decode('ascii')}'"


def _countdowns(idle_seconds: float, warn_before_seconds: float) -> str:
    """The classes `ends-N`: a page shown N minutes before its session ends warns so long before, and says when it is over."""
    rules = []
    for minutes in range(ceil(idle_seconds / 60) + 1):
        end = minutes * 60
        # The last minute is a part of one: the warning may come early, never late.
        rules.append(f".ends-{minutes}{{--soon:{max(0, end - 60 - ceil(warn_before_seconds))}s;--over:{end}s}}")
    return "".join(rules)


class Assets:
    """All static files, by the names that pages use and by the names that are served. Raises `OSError` when one is missing."""

    def __init__(self, idle_seconds: float, warn_before_seconds: float) -> None:
        style = sheet() + _countdowns(idle_seconds, warn_before_seconds)
        files = {path.name: path.read_bytes() for path in sorted(STATIC_DIRECTORY.iterdir()) if path.suffix in _TYPES}
        files["portal.css"] = style.encode("utf-8")
        self.longest_countdown = ceil(idle_seconds / 60)
        """Minutes: the greatest N of a class `ends-N`."""
        self._by_source = {name: self._asset(name, content) for name, content in files.items()}
        self._by_name = {asset.name: asset for asset in self._by_source.values()}

    @staticmethod
    def _asset(name: str, content: bytes) -> Asset:
        path = Path(name)
        digest = sha256(content).hexdigest()[:HASH_CHARACTERS]
        return Asset(f"{path.stem}.{digest}{path.suffix}", content, _TYPES[path.suffix])

    def named(self, source: str) -> Asset:
        """The file that stands as `source` in our directory."""
        return self._by_source[source]

    def served(self, name: str) -> Asset | None:
        """The file that is served as `name`; None when there is none."""
        return self._by_name.get(name)
