"""What the checks of the table stand on: the table, indexed as far as it could be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from gateway.policy.faults import readable
from gateway.policy.schema import AuthorisationFile, TransactionFile
from gateway.policy.table import DecisionSettings, Table

Model = TypeVar("Model")


class Ground:
    """The table, the settings that the decision reads, and the time (Unix seconds)."""

    def __init__(self, table: Table, settings: DecisionSettings, now: float) -> None:
        self.table = table
        self.settings = settings
        self.now = now
        self.authorisations: Mapping[str, AuthorisationFile] = _index(
            table.authorisations.values(), lambda file: file.reference
        )
        self._transactions: Mapping[str, TransactionFile] = _index(table.transactions.values(), lambda file: file.id)
        self._institutions = _index(table.institutions.values(), lambda file: file.kbo)
        self._indexed = {
            "authorisations": len(self.authorisations) == len(table.authorisations),
            "transactions": len(self._transactions) == len(table.transactions),
            "institutions": len(self._institutions) == len(table.institutions),
        }

    def transaction(self, identifier: str) -> TransactionFile | None:
        return self._transactions.get(identifier)

    def knows_institution(self, kbo: str) -> bool:
        """Whether its file is there, or may be: in a file that could not be read."""
        return kbo in self._institutions or not self.complete("institutions")

    def complete(self, directory: str) -> bool:
        """Whether everything in `directory` could be read, so that what is not found does not exist."""
        return self._indexed[directory] and not any(name.startswith(f"{directory}/") for name in self.table.unread)


def _index(models: Iterable[Model], key: Callable[[Model], str]) -> dict[str, Model]:
    return {key(model): model for model in models if readable(key(model))}
