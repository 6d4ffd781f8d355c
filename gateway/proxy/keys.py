"""The keys that an open exchange hangs on: a person, and what its decision looks up in the snapshot, compared between two of them."""

from __future__ import annotations

import dataclasses as dc
from dataclasses import dataclass
from typing import Final

from gateway.decision import Snapshot


@dataclass(frozen=True, slots=True)
class Transactions:
    """A key of the snapshot: the transaction itself. (Keys are data classes: named tuples of one word would all be equal.)"""

    id: str

    def differs(self, old: Snapshot, new: Snapshot) -> bool:
        return old.transactions.get(self.id) != new.transactions.get(self.id)


@dataclass(frozen=True, slots=True)
class Grants:
    """A key of the snapshot: the authorisations of one institution for one transaction, superseded ones too."""

    institution: str
    transaction: str

    def differs(self, old: Snapshot, new: Snapshot) -> bool:
        key = (self.institution, self.transaction)
        return old.authorisations.get(key) != new.authorisations.get(key)


@dataclass(frozen=True, slots=True)
class Institutions:
    """A key of the snapshot: the institution."""

    kbo: str

    def differs(self, old: Snapshot, new: Snapshot) -> bool:
        return old.institutions.get(self.kbo) != new.institutions.get(self.kbo)


@dataclass(frozen=True, slots=True)
class Hosts:
    """A key of the snapshot: which transaction is where on a host. Another one may have come between."""

    name: str

    def differs(self, old: Snapshot, new: Snapshot) -> bool:
        return _places(old, self.name) != _places(new, self.name)


def _places(snapshot: Snapshot, host: str) -> dict[str, str]:
    return {path: transaction.id for path, (transaction, _) in snapshot.hosts.get(host, {}).items()}


TableKey = Transactions | Grants | Institutions | Hosts
BY_KEY: Final = frozenset({"transactions", "authorisations", "by_reference", "institutions", "hosts"})
"""Fields of the snapshot that are looked up by a key that the exchange hangs on (`by_reference` holds the same authorisations)."""
_WITHOUT_MEANING: Final = frozenset({"hash", "_longest"})
"""What follows from the other fields."""
WHOLE: Final = tuple(field.name for field in dc.fields(Snapshot) if field.name not in BY_KEY | _WITHOUT_MEANING)


@dataclass(frozen=True, slots=True)
class User:
    """The person's records."""

    user_id: str
