"""How a release comes about: roots and releases that nobody signed yet, signatures that are added apart, and what was signed apart put
together again. The gateway itself never signs: these are the commands of the KSZ's people (`gateway table`), each on a machine of
their own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from gateway.errors import ConfigurationError
from gateway.policy.container import TABLE, TARGETS, Container, root_files, root_name, root_versions, table_files
from gateway.policy.refusals import ReleaseRefused
from gateway.policy.sealed_keys import LABEL, seal
from gateway.policy.trust import (
    HASH,
    LEAST_THRESHOLD,
    NAME_FIELD,
    check_files,
    check_own,
    check_successor,
    content_hash,
    good_signers,
    read_metadata,
    signed_hash,
    unfit,
)

RELEASE_DAYS: Final = 180
"""How long a release is good for by default (DESIGN section 5)."""
ROOT_DAYS: Final = 730
"""Roots change seldom, and their signers are hard to bring together."""
LEAST_PASSPHRASE: Final = 12
"""Characters; a key file that was stolen is tried without any limit."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing in a release that is signed: its file, what it is in words, and whose signatures it has and still needs (key ids)."""

    file: str
    signed: tuple[str, ...]
    missing: int
    may_sign: tuple[str, ...]


# --- keys ----------------------------------------------------------------------------------------------------------------


def make_key(name: str, passphrase: str) -> tuple[bytes, bytes]:
    """A new Ed25519 key of somebody called `name`: the private half as PEM under the passphrase, the public one as `write_public` does.

    Raises ConfigurationError.
    """
    if len(passphrase) < LEAST_PASSPHRASE:
        raise ConfigurationError(f"a passphrase has at least {LEAST_PASSPHRASE} characters: take several words")
    private = Ed25519PrivateKey.generate()
    return seal(private, passphrase), write_public(SSlibKey.from_crypto(private.public_key()), name)


def write_public(key: SSlibKey, name: str) -> bytes:
    """A public key and whose it is, as JSON: what a signer hands over, and compares by its id. Raises ConfigurationError."""
    key.unrecognized_fields[NAME_FIELD] = name
    if not name.strip() or (why := unfit(key)):
        raise ConfigurationError(f"the key cannot be used: {why if name.strip() else 'it needs a name'}")
    return orjson.dumps({"keyid": key.keyid, **key.to_dict()}, option=orjson.OPT_INDENT_2) + b"\n"


def read_public(content: bytes) -> Key:
    """Raises ConfigurationError."""
    try:
        raw = orjson.loads(content)
        key = Key.from_dict(raw.pop("keyid"), raw)
        why = unfit(key)
    except (ValueError, KeyError, TypeError, AttributeError):
        why = "it cannot be read"
        raise ConfigurationError(f"this is no public key of a signer: {why}") from None
    if why:
        raise ConfigurationError(f"this is no public key of a signer: {why}")
    return key


def open_key(pem: bytes, passphrase: str) -> Signer:
    """The signer of a private key under a passphrase. Raises ConfigurationError, which repeats nothing of either."""
    if LABEL.encode() not in pem:
        raise ConfigurationError(
            "this is no private key under a passphrase (PEM, PKCS#8). Make one by gateway table new-key"
        )
    try:
        return CryptoSigner(load_pem_private_key(pem, passphrase.encode()))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError("the passphrase is wrong, or this is no key that can be used here") from None


# --- what is signed ------------------------------------------------------------------------------------------------------


def new_root(
    previous: Metadata[Root] | None,
    *,
    releases: Iterable[Key] = (),
    roots: Iterable[Key] = (),
    remove: Iterable[str] = (),
    threshold: int | None = None,
    root_threshold: int | None = None,
    expires: float,
) -> Metadata[Root]:
    """The root after `previous` (None: the first), which nobody has signed yet.

    `releases` and `roots` are keys that may sign the one and the other from now on, `remove` ids of keys that may sign nothing more. What
    is None stays as it was. `expires` is Unix seconds. Raises ConfigurationError when it could not be used.
    """
    root = Root() if previous is None else Root.from_dict(previous.signed.to_dict())
    if previous is not None:
        root.version += 1
    root.consistent_snapshot = False
    root.expires = _moment(expires)
    for role, keys in ((Targets.type, releases), (Root.type, roots)):
        for key in keys:
            root.add_key(key, role)
    for keyid in remove:
        held = [role for role in (Root.type, Targets.type) if keyid in root.roles[role].keyids]
        if not held:
            raise ConfigurationError(f"the root names no key {keyid}")
        for role in held:
            root.revoke_key(keyid, role)
    for role, wanted in ((Targets.type, threshold), (Root.type, root_threshold)):
        if wanted is not None or previous is None:
            root.roles[role].threshold = LEAST_THRESHOLD if wanted is None else wanted
        least, there = root.roles[role].threshold, len(root.roles[role].keyids)
        if least < LEAST_THRESHOLD:
            raise ConfigurationError(f"at least {LEAST_THRESHOLD} people sign: the threshold cannot be {least}")
        if there < least:
            what = "releases" if role == Targets.type else "roots (--root-key)"
            raise ConfigurationError(f"{least} must sign and only {there} may: name more keys for {what}")
    return Metadata(root)


def new_release(
    roots: Container, files: Mapping[str, bytes], *, number: int, starts: float, expires: float
) -> dict[str, bytes]:
    """A release of these files of the table, which nobody has signed yet, under the newest of `roots`. Moments are Unix seconds."""
    targets = Targets(version=number, expires=_moment(expires))
    for name in sorted(files):
        targets.targets[name] = TargetFile.from_data(name, files[name], [HASH])
    targets.unrecognized_fields["custom"] = {
        "release": number,
        "from": f"{_moment(starts):%Y-%m-%dT%H:%M:%SZ}",
        "table": content_hash(files),
    }
    container = root_files(roots)
    container[TARGETS] = Metadata(targets).to_bytes()
    return container | {f"{TABLE}{name}": content for name, content in files.items()}


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)


def sign(container: Container, signer: Signer) -> tuple[dict[str, bytes], list[str]]:
    """The same with this signer's signature on everything that it may sign and has not signed yet; and which files those are.

    Raises ReleaseRefused when it cannot be read, or its files are not those that would be signed.
    """
    signed = dict(container)
    names: list[str] = []
    keyid = signer.public_key.keyid
    if TARGETS in container:
        check_files(read_metadata(Targets, TARGETS, container[TARGETS]).signed, table_files(container))
    newest = newest_root(container).signed.version
    for piece in pieces(container):
        if piece.file not in (root_name(newest), TARGETS):
            continue
        if keyid in piece.may_sign and keyid not in piece.signed:
            metadata = _metadata(piece.file, container)
            metadata.sign(signer, append=True)
            signed[piece.file] = metadata.to_bytes()
            names.append(piece.file)
    return signed, names


def merge(containers: Sequence[Container]) -> dict[str, bytes]:
    """What was signed apart, put together. Raises ReleaseRefused when they are not the same release."""
    first, *others = containers
    together = dict(first)
    for other in others:
        if table_files(other) != table_files(together):
            raise ReleaseRefused("altered_file", TABLE, "these are two different tables")
        for name in other.keys() - together.keys():
            together[name] = other[name]  # a root that only one of them has
        for name in other:
            if not name.startswith(TABLE) and other[name] != together[name]:
                together[name] = _merged(name, together, other)
    return together


def _merged(name: str, one: Container, other: Container) -> bytes:
    mine, theirs = _metadata(name, one), _metadata(name, other)
    if signed_hash(mine) != signed_hash(theirs):
        raise ReleaseRefused("malformed", name, "these are two different ones, not one that was signed twice")
    return Metadata(mine.signed, dict(sorted({**theirs.signatures, **mine.signatures}.items()))).to_bytes()


def pieces(container: Container) -> list[Piece]:
    """What is to be signed: each root and the release, and who has signed and may. Only the newest root can still be unsigned.

    Raises ReleaseRefused when something cannot be read.
    """
    found: list[Piece] = []
    previous: Root | None = None
    for version in root_versions(container):
        root = read_metadata(Root, root_name(version), container[root_name(version)])
        needs = [root.signed] if previous is None else [previous, root.signed]
        found.append(_piece(root_name(version), Root.type, needs, root))
        previous = root.signed
    if TARGETS in container:
        if previous is None:
            raise ReleaseRefused("root_missing", root_name(1))
        found.append(_piece(TARGETS, Targets.type, [previous], read_metadata(Targets, TARGETS, container[TARGETS])))
    return found


def _piece(file: str, role: str, delegators: list[Root], metadata: Metadata[Any]) -> Piece:
    """Of a root that follows another, those who sign are both's: enough of each."""
    good = [set(good_signers(delegator, role, metadata)) for delegator in delegators]
    missing = max(
        delegator.roles[role].threshold - len(theirs) for delegator, theirs in zip(delegators, good, strict=True)
    )
    may = {keyid for delegator in delegators for keyid in delegator.roles[role].keyids}
    return Piece(file, tuple(sorted(set().union(*good))), max(missing, 0), tuple(sorted(may)))


def number_of(container: Container) -> int:
    """The number of the release in it. Raises ReleaseRefused."""
    return read_metadata(Targets, TARGETS, container[TARGETS]).signed.version


def newest_root(container: Container) -> Metadata[Root]:
    """The newest root, which need not be signed yet. Raises ReleaseRefused."""
    versions = root_versions(container)
    if not versions:
        raise ReleaseRefused("root_missing", root_name(1))
    return read_metadata(Root, root_name(versions[-1]), container[root_name(versions[-1])])


def check_roots(container: Container) -> None:
    """Every root is signed by enough of the one before and of its own, from the first that is there. Raises ReleaseRefused."""
    previous: Metadata[Root] | None = None
    for version in root_versions(container):
        name = root_name(version)
        root = read_metadata(Root, name, container[name])
        if previous is None:
            check_own(root, name)
        else:
            check_successor(previous.signed, root, name)
        previous = root


def _metadata(name: str, container: Container) -> Metadata[Any]:
    return (
        read_metadata(Targets, name, container[name]) if name == TARGETS else read_metadata(Root, name, container[name])
    )
