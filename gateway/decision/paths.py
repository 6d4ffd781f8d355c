"""Path patterns of the table: anchored, whole segments, case-sensitive (THREATS rows 6 and 9).

    /search          that path
    /dossiers/*      one segment there
    /dossiers/{insz} one segment there, handed back by name
    /files/**        anything below /files/, and /files itself; only at the end

Patterns meet canonical paths only (`message.target`): no dot segment, no encoded slash, no empty segment within.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import GatewayError

_NAME: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}\Z")
_LITERAL: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()+,=:@]|%[0-9A-F]{2})*\Z")


class PatternError(GatewayError):
    """A pattern of the table that cannot be read; the message says why."""


class PathPattern:
    """One compiled pattern; `text` is what the table says."""

    __slots__ = ("_regex", "_simple", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._regex = re.compile(_translate(text))
        # The everyday pattern of a read-only transaction matches everything: spare it the regex.
        self._simple = text == "/**"

    def match(self, path: str) -> dict[str, str] | None:
        """The named segments (empty when the pattern names none), or None when `path` does not match."""
        if self._simple:
            return {} if path.startswith("/") else None
        found = self._regex.match(path)
        return None if found is None else found.groupdict()

    def __repr__(self) -> str:
        return f"PathPattern({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathPattern) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def _translate(text: str) -> str:
    if not text.startswith("/"):
        raise PatternError(f"{text!r} does not start with '/'")
    segments = text[1:].split("/")
    parts: list[str] = []
    names: set[str] = set()
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if segment == "**":
            if not last:
                raise PatternError(f"{text!r}: '**' stands only at the end")
            return "".join(parts) + r"(?:/.*)?\Z" if parts else r"/.*\Z"
        if segment == "*":
            parts.append("/[^/]+")
        elif named := _NAME.match(segment):
            if named[1] in names:
                raise PatternError(f"{text!r} names {{{named[1]}}} twice")
            names.add(named[1])
            parts.append(f"/(?P<{named[1]}>[^/]+)")
        elif segment in (".", ".."):
            raise PatternError(f"{text!r} holds a dot segment")
        elif segment == "" and not last:
            raise PatternError(f"{text!r} holds an empty segment")
        elif not _LITERAL.match(segment):
            raise PatternError(f"{text!r}: segment {segment!r} holds a character that no canonical path has")
        else:
            parts.append("/" + re.escape(segment))
    return "".join(parts) + r"\Z"
