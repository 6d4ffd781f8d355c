"""What the proxy hands over with a request for a page of ours: values, found by the request's id, never fields of the request."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.decision import Decision, Facts
from gateway.ledger.pseudonym import Identity


@dataclass(frozen=True, slots=True)
class Handed:
    """One permitted request for a page of ours. `address` is the client's address as the ledger may hold it."""

    reference: str
    facts: Facts
    decision: Decision
    address: Identity
