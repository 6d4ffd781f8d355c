"""Prefixes and patterns of paths, as the table writes them. They match canonical paths (`target.canonical_path`) only.

Matching is by whole segments and case-sensitive: `/prod` is a prefix of `/prod/x`, never of `/prod2` or `/PROD`.
"""

from __future__ import annotations

import re

from gateway.errors import ConfigurationError, RequestError
from gateway.message.target import canonical_path

_CAPTURE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def matches_prefix(path: str, prefix: str) -> bool:
    """Whether the segments of `prefix` are the first of `path`. A trailing slash of the prefix changes nothing."""
    base = prefix.rstrip("/")
    return path.startswith(base) and (len(path) == len(base) or path[len(base)] == "/")


class PathPattern:
    """A pattern of an operation: literal segments, `*` and `{name}` for one segment, `/**` at the end for all below.

    `/a/**` matches `/a`, `/a/` and everything below; `/a/*` matches `/a/b` but neither `/a/` nor `/a/b/`.
    """

    __slots__ = ("_regex", "text")

    def __init__(self, text: str, regex: re.Pattern[str]) -> None:
        self.text = text
        self._regex = regex

    @classmethod
    def compile(cls, text: str) -> PathPattern:
        """Compile to an expression without backtracking: matching takes time in the length of the path, no more.

        Raises ConfigurationError with what is wrong and what to do.
        """
        if not text.startswith("/"):
            raise ConfigurationError(f"the pattern {text!r} does not begin with /: write it as a path")
        if "//" in text:
            raise ConfigurationError(f"the pattern {text!r} has an empty segment (//): no accepted path has one")
        body, below = (text[:-3], r"(?:/.*+)?+") if text.endswith("/**") else (text, "")
        names: set[str] = set()
        parts = [cls._segment(text, segment, names) for segment in body.split("/")[1:]]
        return cls(text, re.compile("".join(f"/{part}" for part in parts) + below, re.DOTALL))

    @staticmethod
    def _segment(text: str, segment: str, names: set[str]) -> str:
        if segment == "*":
            return "[^/]++"
        capture = _CAPTURE.fullmatch(segment)
        if capture is not None:
            if capture[1] in names:
                raise ConfigurationError(f"the pattern {text!r} names {segment} twice: give each segment its own name")
            names.add(capture[1])
            return f"(?P<{capture[1]}>[^/]++)"
        if "*" in segment or "{" in segment or "}" in segment:
            raise ConfigurationError(
                f"the pattern {text!r} has {segment!r}: * and {{name}} stand for a whole segment, ** for the last ones"
            )
        try:
            canonical = canonical_path(f"/{segment}")
        except RequestError as error:
            raise ConfigurationError(f"the pattern {text!r} can never match, since {error.detail}") from None
        if canonical != f"/{segment}":
            raise ConfigurationError(f"the pattern {text!r} has {segment!r}: write it as {canonical[1:]!r}")
        return re.escape(segment)

    def match(self, path: str) -> dict[str, str] | None:
        """The captured segments, still percent-encoded, or None when the whole path does not match."""
        found = self._regex.fullmatch(path)
        return None if found is None else found.groupdict()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathPattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"PathPattern({self.text!r})"
