"""The table as the decision reads it: immutable, indexed, with a content hash. `policy/` builds it, whole and checked.

Every look-up is a dictionary's: O(1) in the number of hosts, transactions, institutions, authorisations and persons
(a path costs the number of segments of the longest prefix).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model import FOR_EVER, Authorisation, GrantedRole, Institution, Match, Regulation, Transaction


class Located:
    """A transaction, the match it was found by, and the path below that match (starting with '/')."""

    __slots__ = ("match", "rest", "transaction")

    def __init__(self, transaction: Transaction, match: Match, rest: str) -> None:
        self.transaction = transaction
        self.match = match
        self.rest = rest

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Located)
            and self.transaction == other.transaction
            and self.match == other.match
            and self.rest == other.rest
        )

    __hash__ = None  # type: ignore[assignment]  # equal by value, and nobody keys a table by it


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One checked release.

    `hash` is the hex SHA-256 of the release. `usable` is False for the release that stands in for none: then nothing is
    permitted. `names` are the hosts of every listener but the eID's, which are `eid_names`. `hosts` maps a host to its transactions by path prefix; `authorisations` maps (institution,
    transaction) to all there are, in no order that matters. `levels[sensitivity]` is the least level of means.
    Durations are seconds. `doubtful_score` is how many points of evidence ask a session who is there. `holidays` are the public
    holidays of the years of authorisations that name working days; `card_fresh_seconds` is how old the last good answer on a
    card's revocation may be where no older one does. `roles_stale_seconds` is how old the last word of the outside source of roles may be; None where roles are given in
    the administration. `files` names the file that each subject stands in, by its kind and id (`("authorisation", "24/123")`), for people:
    no decision reads it. `release` is the number of a signed release (0: nobody signed it), which `expires`
    at that moment and serves nobody from `refused_from` on, when its grace is over (Unix seconds).
    """

    hash: str
    portal_host: str
    names: frozenset[str]
    transactions: Mapping[str, Transaction] = field(default_factory=dict)
    institutions: Mapping[str, Institution] = field(default_factory=dict)
    authorisations: Mapping[tuple[str, str], tuple[Authorisation, ...]] = field(default_factory=dict)
    by_reference: Mapping[str, Authorisation] = field(default_factory=dict)
    regulations: tuple[Regulation, ...] = ()
    roles: Mapping[str, tuple[GrantedRole, ...]] = field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, tuple[Transaction, Match]]] = field(default_factory=dict)
    levels: tuple[int, ...] = (4, 4, 4, 4, 4)
    idle_seconds: float = 1800.0
    mandate_review_seconds: float = 30 * 86400.0
    doubtful_score: float = 100.0
    eid_names: frozenset[str] = frozenset()
    holidays: frozenset[dt.date] = frozenset()
    card_fresh_seconds: float = 900.0
    roles_stale_seconds: float | None = None
    release: int = 0
    expires: float = FOR_EVER
    refused_from: float = FOR_EVER
    usable: bool = True
    files: Mapping[tuple[str, str], str] = field(default_factory=dict)
    _longest: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        longest = {host: max(map(len, prefixes), default=0) for host, prefixes in self.hosts.items()}
        object.__setattr__(self, "_longest", longest)

    def locate(self, host: str, path: str) -> Located | None:
        """The transaction at `path` on `host`, by the longest prefix of whole segments. `path` is canonical."""
        prefixes = self.hosts.get(host)
        if prefixes is None:
            return None
        end = self._longest[host]
        if end > 1:
            found = prefixes.get(path + "/")
            if found is not None:
                return Located(found[0], found[1], "/")
            # Nothing longer than the longest prefix can be one: a path of thousands of segments costs no more than it.
            while (end := path.rfind("/", 0, end)) > 0:
                found = prefixes.get(path[: end + 1])
                if found is not None:
                    return Located(found[0], found[1], path[end:])
        # What has the whole host, as most have.
        found = prefixes.get("/")
        return None if found is None or path[:1] != "/" else Located(found[0], found[1], path)

    def regulation(self, now: float) -> Regulation | None:
        """The version in force at `now`: the newest that is effective; of two of one day, the later by name."""
        current: Regulation | None = None
        for regulation in self.regulations:
            if regulation.effective <= now and (
                current is None or (regulation.effective, regulation.version) > (current.effective, current.version)
            ):
                current = regulation
        return current
