"""The security log: lines that are on disk before anything happens (clause T1), chained so that a change is noticed."""

from gateway.ledger.ledger import CliLedger, Ledger
from gateway.ledger.settings import LedgerSettings

__all__ = ["CliLedger", "Ledger", "LedgerSettings"]
