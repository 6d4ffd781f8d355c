"""Field lines of one message: ordered, immutable, found by name in O(1) (RFC 9110 section 5).

Names keep the spelling they came with, so that what is forwarded looks like what was sent; they are looked up in lower
case. Values are str decoded as latin-1: each character is one octet of the wire, so nothing is lost or reinterpreted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Pair = tuple[str, str]


class Fields:
    """The (name, value) pairs of a header section. Every name given to a method is lower case."""

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: list[Pair]) -> None:
        """Take over `pairs`: the caller keeps no reference to the list (`Fields.of` copies)."""
        first = {name.lower(): value for name, value in pairs}
        if len(first) != len(pairs):  # a repeated name: the first line is the one that `get` gives
            first = {name.lower(): value for name, value in reversed(pairs)}
        self._pairs = pairs
        self._first = first

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> Fields:
        """Fields of any iterable of pairs."""
        return cls(list(pairs))

    def get(self, lower: str) -> str | None:
        """The value of the first line of that name, or None."""
        return self._first.get(lower)

    def all(self, lower: str) -> list[str]:
        """The values of all lines of that name, in order."""
        first = self._first.get(lower)
        if first is None:
            return []
        if len(self._first) == len(self._pairs):  # no name is repeated
            return [first]
        return [value for name, value in self._pairs if name.lower() == lower]

    def tokens(self, lower: str) -> list[str]:
        """The elements of a comma-separated list over all lines of that name, lower case, empty ones left out."""
        listed = ",".join(self.all(lower)).lower().split(",")
        return [element for item in listed if (element := item.strip(" \t"))]

    def repeated(self) -> set[str]:
        """The lower-case names that more than one line bears."""
        if len(self._first) == len(self._pairs):
            return set()
        seen: set[str] = set()
        again: set[str] = set()
        for name, _ in self._pairs:
            lower = name.lower()
            (again if lower in seen else seen).add(lower)
        return again

    def __contains__(self, lower: object) -> bool:
        return lower in self._first

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self._pairs == other._pairs

    __hash__ = None  # type: ignore[assignment]  # equality by value, and nobody keys a table by a header section

    def __repr__(self) -> str:
        return f"Fields({', '.join(name for name, _ in self._pairs)})"  # names only: values hold cookies and tokens
