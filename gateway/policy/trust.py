"""Whether a release is what the KSZ's signers signed: python-tuf's metadata, root and targets, checked as its specification says.

The trusted root comes with the configuration, by a way of its own. From it every newer root in the release is taken in turn, each
signed by enough signers of the one before and by enough of its own (TUF specification section 5.3). The newest one says who signs
releases. Of TUF's other roles, snapshot and timestamp, nothing is used: a release is whole in itself.

What is checked here needs no clock and no memory; those are `memory.admit`'s.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.exceptions import Error as SigningError
from securesystemslib.signer import Key, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization import DeserializationError, SerializationError

from gateway.policy.container import TARGETS, Container, root_name, root_versions, table_files
from gateway.policy.faults import printable
from gateway.policy.refusals import ReleaseRefused

NAME_FIELD = "x-name"
"""Of a key in a root: whose it is, signed with it."""
LEAST_THRESHOLD = 2
"""DESIGN section 5: at least two people sign. One signer of roots could name whomever they like."""
LEAST_RSA_BITS = 3072
"""NIST SP 800-57 part 1: a security strength of 128 bits."""
MAX_NAME = 100
HASH = "sha256"
NEWEST = 2**31 - 1
"""The highest number of a release, and version of a root."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signed, and whose it is by the root's word."""

    keyid: str
    name: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A release whose signatures are good. Moments are Unix seconds; hashes are hex SHA-256.

    `expires` is the release's end or its root's, whichever comes first, and `root_expires` the root's own; `table` is the hash of the
    table's files, `signed` of what its signers signed, `root` of what the root's signers signed. `files` are the table's.
    """

    number: int
    starts: float
    expires: float
    root_expires: float
    table: str
    signed: str
    root_version: int
    root: str
    signers: tuple[Signer, ...]
    files: Mapping[str, bytes]
    roots: Mapping[int, str]


Kind = TypeVar("Kind", Root, Targets)


def verify(container: Container, trusted_root: bytes, *, taken: bool = False) -> Verified:
    """The release in `container`, by the signers that follow from `trusted_root` (a root's JSON). One that was `taken` before may be older
    than that root: enough of its signers must have signed it. Raises ReleaseRefused.
    """
    try:
        return _verified(container, trusted_root, taken=taken)
    except _ODD as error:
        # Values of other types than TUF's reader looks for: whatever they do, they refuse the release and never end a reload.
        raise ReleaseRefused("malformed", "", type(error).__name__) from error


_ODD = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)


def _verified(container: Container, trusted_root: bytes, *, taken: bool) -> Verified:
    trusted = read_trusted_root(trusted_root)
    roots = _chain(container, trusted, taken=taken)
    root = roots[-1].signed
    if TARGETS not in container:
        raise ReleaseRefused("missing_file", TARGETS)
    targets = read_metadata(Targets, TARGETS, container[TARGETS])
    signers = _signers(targets, root, container)
    number, starts, table = terms(targets.signed)
    files = table_files(container)
    check_files(targets.signed, files)
    if content_hash(files) != table:
        raise ReleaseRefused("altered_file", TARGETS, "the table's hash is another")
    return Verified(
        number=number,
        starts=starts,
        expires=min(targets.signed.expires.timestamp(), root.expires.timestamp()),
        root_expires=root.expires.timestamp(),
        table=table,
        signed=signed_hash(targets),
        root_version=root.version,
        root=signed_hash(roots[-1]),
        signers=signers,
        files=files,
        roots={one.signed.version: signed_hash(one) for one in roots},
    )


# --- metadata ----------------------------------------------------------------------------------------------------------


def read_metadata(kind: type[Kind], name: str, content: bytes) -> Metadata[Kind]:
    """Metadata of this kind. Raises ReleaseRefused."""
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(content)
        metadata.signed_bytes  # noqa: B018 - that it can be signed at all: TUF's canonical form has no fractions
    except (DeserializationError, SerializationError) as error:
        raise ReleaseRefused("malformed", name, printable(str(error.__cause__ or error))) from None
    if not isinstance(metadata.signed, kind):
        raise ReleaseRefused("wrong_type", name, f"it is {metadata.signed.type}")
    if type(metadata.signed.version) is not int or metadata.signed.version > NEWEST:
        raise ReleaseRefused("malformed", name, "its version is no number")
    if not all(type(keyid) is str for keyid in metadata.signatures):
        raise ReleaseRefused("malformed", name, "a signature is nobody's")
    return metadata


def signed_hash(metadata: Metadata[Any]) -> str:
    """Of what its signers signed, whoever they are: one more signature makes no other release."""
    return hashlib.sha256(metadata.signed_bytes).hexdigest()


def content_hash(files: Mapping[str, bytes]) -> str:
    """Of a table's files: what two signers compare over the telephone. Names and hashes, sorted, as canonical JSON."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return hashlib.sha256(orjson.dumps(hashes, option=orjson.OPT_SORT_KEYS)).hexdigest()


def terms(targets: Targets) -> tuple[int, float, str]:
    """The release's number, from when it is in force (Unix seconds), and the hash of its table. Raises ReleaseRefused."""
    custom = targets.unrecognized_fields.get("custom")
    match custom:
        case {"release": int(number), "from": str(begins), "table": str(table), **rest} if not rest:
            if number != targets.version:
                raise ReleaseRefused("malformed", TARGETS, "its number is not its version")
            try:
                starts = dt.datetime.strptime(begins, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
            except ValueError:
                raise ReleaseRefused("malformed", TARGETS, "from is no moment like 2026-12-01T00:00:00Z") from None
            if targets.delegations is None:
                return targets.version, starts.timestamp(), table
            raise ReleaseRefused("malformed", TARGETS, "it delegates, which nothing here does")
    raise ReleaseRefused("malformed", TARGETS, "custom must have exactly release, from and table")


# --- roots -------------------------------------------------------------------------------------------------------------


def read_trusted_root(content: bytes) -> Metadata[Root]:
    """A root that is trusted because it lies with the configuration: fit, and signed by its own signers. Raises ReleaseRefused."""
    try:
        root = read_metadata(Root, "", content)
        check_own(root, "")
    except ReleaseRefused as refused:
        raise ReleaseRefused("no_trusted_root", "", refused.faults[0].what) from None
    return root


def check_own(root: Metadata[Root], name: str) -> None:
    """Raises ReleaseRefused unless the root in the file `name` is fit, and signed by enough of its own signers."""
    _fit(root.signed, name)
    if not _enough(root.signed, Root.type, root):
        raise ReleaseRefused("root_under_threshold", name)


def _chain(container: Container, trusted: Metadata[Root], *, taken: bool) -> list[Metadata[Root]]:
    """The trusted root and every newer one."""
    versions = root_versions(container)
    first = trusted.signed.version
    if versions and versions[-1] < first and not taken:
        raise ReleaseRefused("root_older", root_name(versions[-1]), f"this gateway trusts version {first}")
    if first in versions:
        same = read_metadata(Root, root_name(first), container[root_name(first)])
        if signed_hash(same) != signed_hash(trusted):
            raise ReleaseRefused("root_differs", root_name(first))
    chain = [trusted]
    for version in range(first + 1, (versions[-1] if versions else first) + 1):
        name = root_name(version)
        if name not in container:
            raise ReleaseRefused("root_missing", name)
        root = read_metadata(Root, name, container[name])
        check_successor(chain[-1].signed, root, name)
        chain.append(root)
    return chain


def check_successor(previous: Root, root: Metadata[Root], name: str) -> None:
    """Raises ReleaseRefused unless `root` rightly follows `previous`."""
    if root.signed.version != previous.version + 1 or name != root_name(root.signed.version):
        raise ReleaseRefused("root_version", name, f"it says {root.signed.version}")
    _fit(root.signed, name)
    if not _enough(previous, Root.type, root):
        raise ReleaseRefused("root_not_signed_by_old", name)
    check_own(root, name)


def _fit(root: Root, name: str) -> None:
    for role in (Root.type, Targets.type):
        threshold = root.roles[role].threshold
        if type(threshold) is not int or threshold < LEAST_THRESHOLD:
            raise ReleaseRefused("root_unfit", name, f"{role}: threshold {printable(str(threshold))}")
    for keyid, key in root.keys.items():
        if why := unfit(key):
            raise ReleaseRefused("root_unfit", name, f"key {printable(keyid)}: {why}")


def unfit(key: Key) -> str | None:
    """Why a key may not be in a root; None when it may.

    Its id must be the one that follows from it: one key under two ids would count for two people.
    """
    try:
        public: Any = (
            ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
            if key.keytype == "ed25519"
            else load_pem_public_key(key.keyval["public"].encode())
        )
        expected = SSlibKey.from_crypto(public)
    except (ValueError, KeyError, TypeError, AttributeError, UnsupportedAlgorithm):
        return "it cannot be read"
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < LEAST_RSA_BITS:
        return f"RSA of {public.key_size} bits"
    if not isinstance(public, (rsa.RSAPublicKey, ed25519.Ed25519PublicKey, ec.EllipticCurvePublicKey)):
        return "a kind of key that is not used here"
    same = (expected.keyid, expected.keytype, expected.scheme, expected.keyval)
    if (key.keyid, key.keytype, key.scheme, key.keyval) != same:
        return "its id does not follow from it"
    name = key.unrecognized_fields.get(NAME_FIELD, "")
    if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
        return "its name cannot be shown"
    return None


def name_of(key: Key) -> str:
    return str(key.unrecognized_fields.get(NAME_FIELD, ""))


# --- signatures --------------------------------------------------------------------------------------------------------


def _enough(delegator: Root, role: str, metadata: Metadata[Any]) -> bool:
    held = delegator.roles[role]
    return len(good_signers(delegator, role, metadata)) >= held.threshold


def good_signers(delegator: Root, role: str, metadata: Metadata[Any]) -> dict[str, Key]:
    """Who, of those that `delegator` names for `role`, signed: each once, by the id of the key."""
    try:
        return delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures).signed
    except (SigningError, RepositoryError, ValueError, TypeError, AttributeError):
        # A signature that is not even one: then each is tried alone.
        return {
            keyid: delegator.keys[keyid]
            for keyid in delegator.roles[role].keyids
            if keyid in delegator.keys and _verifies(delegator.keys[keyid], metadata, keyid)
        }


def _verifies(key: Key, metadata: Metadata[Any], keyid: str) -> bool:
    try:
        key.verify_signature(metadata.signatures[keyid], metadata.signed_bytes)
    except (SigningError, KeyError, ValueError, TypeError, AttributeError):
        return False
    return True


def _signers(targets: Metadata[Targets], root: Root, container: Container) -> tuple[Signer, ...]:
    """Who signed the release; enough of them. Raises ReleaseRefused with the most telling of what is wrong."""
    role = root.roles[Targets.type]
    good = good_signers(root, Targets.type, targets)
    if len(good) >= role.threshold:
        return tuple(Signer(keyid, name_of(key)) for keyid, key in sorted(good.items()))
    there = set(targets.signatures)
    if not there:
        raise ReleaseRefused("unsigned", TARGETS)
    if bad := sorted(there & set(role.keyids) - set(good)):
        raise ReleaseRefused("bad_signature", TARGETS, f"key {printable(bad[0])}")
    strange = sorted(there - set(role.keyids))
    if retired := [keyid for keyid in strange if keyid in _ever_named(container)]:
        raise ReleaseRefused("retired_key", TARGETS, f"key {printable(retired[0])}")
    if strange:
        raise ReleaseRefused("wrong_key", TARGETS, f"key {printable(strange[0])}")
    raise ReleaseRefused("under_threshold", TARGETS, f"{len(good)} of {role.threshold}")


def _ever_named(container: Container) -> set[str]:
    """The keys of every root in the release, for a more telling word alone."""
    named: set[str] = set()
    for version in root_versions(container):
        try:
            named |= set(read_metadata(Root, "", container[root_name(version)]).signed.roles[Targets.type].keyids)
        except ReleaseRefused:
            continue
    return named


# --- files -------------------------------------------------------------------------------------------------------------


def check_files(targets: Targets, files: Mapping[str, bytes]) -> None:
    """The table's files are those that the release names, byte for byte. Raises ReleaseRefused."""
    for code, names in (
        ("missing_file", targets.targets.keys() - files.keys()),
        ("extra_file", files.keys() - targets.targets.keys()),
        ("altered_file", set(_altered(targets, files))),
    ):
        if names:
            first, *others = sorted(map(printable, names))
            raise ReleaseRefused(code, first, f"and {len(others)} more" if others else "")


def _altered(targets: Targets, files: Mapping[str, bytes]) -> Iterator[str]:
    """Of the files that are there."""
    for name in targets.targets.keys() & files.keys():
        target = targets.targets[name]
        if set(target.hashes) != {HASH}:
            raise ReleaseRefused("malformed", TARGETS, f"{printable(name)}: the hash must be {HASH}")
        try:
            target.verify_length_and_hashes(files[name])
        except RepositoryError:
            yield name
