"""Persons, credentials, mandates, designations, roles, acceptances and sessions: what local administrators manage, with history."""

from gateway.records.backup import Backup
from gateway.records.code_cards import CardChallenge
from gateway.records.forms import KeptForm
from gateway.records.index import Index
from gateway.records.means import MeansChange
from gateway.records.records import Records, RecordsDesk
from gateway.records.restoring import Restoring, restore
from gateway.records.settings import RecordsSettings
from gateway.records.upgrade import downgrade_schema, upgrade_schema
from gateway.records.values import UNBOUND, Act, BeforeCommit, Bound, By, Change, EntryCode, Login, SessionEntry

__all__ = [
    "UNBOUND", "Act", "Backup", "BeforeCommit", "Bound", "By", "CardChallenge", "Change", "EntryCode", "Index", "KeptForm", "Login", "MeansChange", "Records", "RecordsDesk", "RecordsSettings", "Restoring", "SessionEntry",
    "downgrade_schema", "restore", "upgrade_schema",
]  # fmt: skip
