"""Why a signed release is refused: one table of codes. The ledger, the metrics, the commands and docs/releases.md read it.

A code is stable: others script against it. A refused release changes nothing: the gateway goes on with the one it runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Fault, TableError


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row: what is wrong with the release, and what to do."""

    code: str
    meaning: str
    mend: str


_PUBLISH = "Publish again what was signed and merged: gateway table merge"
_SIGN = "Have it signed by those whom the root names: gateway table sign, then merge"
_ROOT = "Make the new root from the last one: gateway table rotate-keys; the old signers and the new ones sign it"
_NEWER = "Publish a release with a higher number: gateway table new"
_STATE = 'See docs/releases.md, "What the gateway remembers"'

_ROWS = (
    # what lies there
    Refusal("not_named", "the configuration names no release", "Name it by table.release; or, on a machine whose files nobody else can write, set table.unsafe_unsigned = true"),
    Refusal("unreadable", "there is no release, or it cannot be read", "Put it where table.release says, and let the service's user read it"),
    Refusal("too_large", "it is larger than any release may be", _PUBLISH),
    Refusal("malformed", "it is no release, or its metadata has no single reading", _PUBLISH),
    Refusal("unsafe_name", "it holds a link, a device, or a name that leads elsewhere", _PUBLISH),
    Refusal("wrong_type", "metadata of another kind stands under this name", _PUBLISH),
    Refusal("extra_file", "it holds a file that was not signed", _PUBLISH),
    Refusal("missing_file", "a file that was signed is missing", _PUBLISH),
    Refusal("altered_file", "a file is not the one that was signed", _PUBLISH),
    # whom the gateway trusts
    Refusal("no_trusted_root", "the trusted root of the configuration is missing or unfit", "Put the KSZ's root where table.root says; it comes by a way of its own, not with the release"),
    Refusal("root_missing", "there is a gap between the trusted root and the newest one", "Publish every N.root.json since the trusted root"),
    Refusal("root_version", "a root has another version than its name says", _ROOT),
    Refusal("root_not_signed_by_old", "too few signers of the last root signed the new one", _ROOT),
    Refusal("root_under_threshold", "too few of its own signers signed a root", _ROOT),
    Refusal("root_unfit", "a root asks for fewer than two signatures, or names a key that is weak, twice there, or not what its id says", _ROOT),
    Refusal("root_expired", "the newest root has expired", _ROOT),
    Refusal("root_older", "its newest root is older than one that this gateway has seen", "Publish every root, the newest included"),
    Refusal("root_differs", "it holds another root of a version that this gateway trusts", "Treat it as an incident: somebody may have made a root of their own"),
    # who signed it
    Refusal("unsigned", "nobody signed it", _SIGN),
    Refusal("wrong_key", "somebody signed it whom no root names", _SIGN),
    Refusal("retired_key", "a key signed it that the newest root does not name any more", _SIGN),
    Refusal("bad_signature", "what is there is not what was signed", _PUBLISH),
    Refusal("under_threshold", "too few signers signed it", _SIGN),
    # when
    Refusal("older_release", "its number is lower than that of one that this gateway has seen", _NEWER),
    Refusal("release_differs", "another release of the same number was seen before", _NEWER),
    Refusal("expired", "it has expired", _NEWER),
    Refusal("not_begun", "it begins later, and there is none to serve until then", "Publish one that is in force by now, or wait"),
    Refusal("memory_damaged", "what the gateway remembers of releases cannot be read", _STATE),
    # what stands in it
    Refusal("table_faulty", "it is signed, and its table has faults", "Correct the files and publish a new release: gateway table new checks them"),
)  # fmt: skip

REFUSALS: dict[str, Refusal] = {row.code: row for row in _ROWS}


class ReleaseRefused(TableError):
    """A release that is not taken. `code` is a row of REFUSALS; `file` is the file of the release that it is about."""

    def __init__(self, code: str, file: str, what: str = "") -> None:
        row = REFUSALS[code]
        super().__init__([Fault(file, code, f"{row.meaning} ({what})" if what else row.meaning, row.mend)])
        self.code = code


class ReleaseFaulty(TableError):
    """A release whose signatures are good and whose table is not: every fault of its files."""

    code = "table_faulty"


def code_of(error: TableError) -> str | None:
    """The code of a refusal; None where the table was not a signed release."""
    return error.code if isinstance(error, (ReleaseRefused, ReleaseFaulty)) else None
