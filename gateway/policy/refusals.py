"""Why a signed release is refused: one table of codes. The ledger, the metrics, the commands and docs/releases.md read it.

A code is stable: others script against it. A refused release changes nothing: the gateway goes on with the one it runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Fault, TableError


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row: what is wrong with the release, how it comes about, and what to do."""

    code: str
    meaning: str
    cause: str
    mend: str


_PUBLISH = "Publish again what was signed and merged: gateway table merge"
_SIGN = "Have it signed by those whom the root names: gateway table sign, then merge"
_ROOT = "Make the new root from the last one: gateway table rotate-keys; the old signers and the new ones sign it"
_SIGN_ROOT = "Have it signed by enough of those whom the root before and this one name: gateway table sign, then merge"
_NEWER = "Publish a release with a higher number: gateway table new"
_STATE = 'See docs/releases.md, "What the gateway remembers"'

_ROWS = (
    # what lies there
    Refusal("not_named", "the configuration names no release", "The configuration was written before releases were signed, or a line was lost.", "Name it by table.release; or, on a machine whose files nobody else can write, set table.unsafe_unsigned = true"),
    Refusal("unreadable", "there is no release, or it cannot be read", "A wrong path, rights of the file, or it was moved instead of replaced.", "Put it where table.release says, and let the service's user read it"),
    Refusal("too_large", "it is larger than any release may be", "Something else was put there; or somebody wants the gateway out of memory. Nothing more than the bound was read.", _PUBLISH),
    Refusal("malformed", "it is no release, or its metadata has no single reading", "A copy that broke off, an archive made by another program, or metadata that was edited.", _PUBLISH),
    Refusal("unsafe_name", "it holds a link, a device, or a name that leads elsewhere", "No release that gateway table made holds one: somebody made this by hand. Nothing was followed or unpacked.", _PUBLISH),
    Refusal("wrong_type", "metadata of another kind stands under this name", "Files were renamed by hand.", _PUBLISH),
    Refusal("extra_file", "it holds a file that was not signed", "A note or a back-up file that was left in the directory; or a file that somebody wants to slip in.", _PUBLISH),
    Refusal("missing_file", "a file that was signed is missing", "A copy that was not whole; or somebody took a file out, an authorisation's suspension for instance.", _PUBLISH),
    Refusal("altered_file", "a file is not the one that was signed", "An edit after signing, a line end that a transfer changed; or somebody who wants other words under good signatures.", _PUBLISH),
    # whom the gateway trusts
    Refusal("no_trusted_root", "the trusted root is missing or unfit", "The file was never put there, or is a release's root that nobody signed yet.", "Put the KSZ's root where table.root says, or name it by --root; it comes by a way of its own, not with the release"),
    Refusal("root_missing", "there is a gap between the trusted root and the newest one", "Only the newest root was published, and this gateway still trusts an old one.", "Publish every N.root.json since the trusted root"),
    Refusal("root_version", "a root has another version than its name says", "A root was renamed, or made twice.", _ROOT),
    Refusal("root_not_signed_by_old", "too few signers of the last root signed the new one", "The rotation was signed by the new signers alone; or by somebody who made themself a root.", _SIGN_ROOT),
    Refusal("root_under_threshold", "too few of its own signers signed a root", "The rotation was signed by the old signers alone, or the new root asks for more signatures than it got; of the first root, a copy was used before it was merged.", _SIGN_ROOT),
    Refusal("root_unfit", "a root asks for fewer than two signatures, or names a key that is weak, twice there, or not what its id says", "It was not made by gateway table rotate-keys.", _ROOT),
    Refusal("root_expired", "the newest root has expired", "Nobody renewed the root in time. The release that runs has ended with it, and its grace runs.", _ROOT),
    Refusal("root_older", "its newest root is older than one that this gateway has seen", "An old release, or one that was made from an old copy of the roots. Signers that were removed could sign it.", "Publish every root, the newest included"),
    Refusal("root_differs", "it holds another root of a version that this gateway trusts", "Two rotations were made at once from one root; or the keys of a former root are in wrong hands.", "Treat it as an incident: somebody may have made a root of their own"),
    # who signed it
    Refusal("unsigned", "nobody signed it", "A draft was published.", _SIGN),
    Refusal("wrong_key", "somebody signed it whom no root names", "Somebody signed who is not a signer yet: the root with their key is missing; or never was one.", _SIGN),
    Refusal("retired_key", "a key signed it that the newest root does not name any more", "Somebody signed with a key that was replaced; or a key that was taken from its owner is in use.", _SIGN),
    Refusal("bad_signature", "what is there is not what was signed", "The metadata was changed after it was signed, or a signature belongs to something else.", _PUBLISH),
    Refusal("under_threshold", "too few signers signed it", "One signer's copy was published before it was merged with the other's; or one signer acts alone.", _SIGN),
    # when
    Refusal("older_release", "its number is lower than that of one that this gateway has seen", "An old file was restored; or somebody wants an authorisation back that has ended.", _NEWER),
    Refusal("release_differs", "another release of the same number was seen before", "Two releases were prepared with the same number; or a signed release was prepared anew.", _NEWER),
    Refusal("expired", "it has expired", "It lay too long before it was published; or somebody offers an old one to a new machine.", _NEWER),
    Refusal("not_begun", "it begins later, and there is none to serve until then", "The first release of this machine has a date in the future.", "Publish one that is in force by now, or wait"),
    Refusal("serving_refused", "it begins later, and the release that serves until then would be refused by now", "The trusted root of the configuration was replaced by one that ends a signer of the serving release; or it is not in state/releases any more. What lies there is good.", "Put the former root back where table.root says until the new release has begun: its roots are followed; or publish a release that is in force by now"),
    Refusal("memory_damaged", "what the gateway remembers of releases cannot be read", "A disk that failed, a file that was edited, or rights that were changed.", _STATE),
    # what stands in it
    Refusal("table_faulty", "it is signed, and its table has faults", "It was made without --config, or settings of this gateway changed since; each fault is named with its file.", "Correct the files and publish a new release: gateway table new checks them"),
)  # fmt: skip

REFUSALS: dict[str, Refusal] = {row.code: row for row in _ROWS}


class ReleaseRefused(TableError):
    """A release that is not taken. `code` is a row of REFUSALS; `file` is the file of the release that it is about; `until` (Unix seconds)
    from when it could be, where only the time is missing.
    """

    def __init__(self, code: str, file: str, what: str = "", until: float | None = None) -> None:
        row = REFUSALS[code]
        super().__init__([Fault(file, code, f"{row.meaning} ({what})" if what else row.meaning, row.mend)])
        self.code = code
        self.until = until


class ReleaseFaulty(TableError):
    """A release whose signatures are good and whose table is not: every fault of its files."""

    code = "table_faulty"


def code_of(error: TableError) -> str | None:
    """The code of a refusal; None where the table was not a signed release."""
    return error.code if isinstance(error, (ReleaseRefused, ReleaseFaulty)) else None


def refusals_page() -> str:
    """The page docs/refused-releases.md, as Markdown: `scripts/document.py` writes it, and a test holds the committed one against this."""
    return _INTRODUCTION + "".join(
        f"\n## `{row.code}`\n\nWhat is wrong: {row.meaning}.\n\nHow it comes about: {row.cause}\n\nWhat to do: {row.mend}.\n"
        for row in _ROWS
    )


_INTRODUCTION = """\
# Releases that are refused

<!-- Made by scripts/document.py from gateway/policy/refusals.py: do not edit. -->

For whoever runs a gateway that refused a release of the table; how one is made and signed: [releases.md](releases.md). What is refused
changes nothing: the gateway keeps the release that it runs. At a start without a good one it serves refusals only (`table_unavailable`).

Each refusal is

* a `reload` line in the security log, with `"outcome": "refused"` and the `code`;
* an alarm: `release_refused` in the operational log (critical), with the code and what to do, and one more of
  `gateway_releases_refused_total{code}`;
* the answer of `gateway reload`, `gateway check` and `gateway table verify`, which end with exit status 1.

A refusal that nobody can explain is an incident: keep the file, and ask the signers.
"""
