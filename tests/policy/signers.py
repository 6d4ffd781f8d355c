"""Signers of releases, their roots and releases, made quickly: keys without a passphrase, in memory."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import Metadata, Root

from gateway.policy import signing
from gateway.policy.container import TARGETS, Container, root_name
from gateway.policy.trust import NAME_FIELD

DAY = 86400.0
FILES = {
    "roles.toml": b"",
    "institutions/0403019261.toml": b"x = 1\n",
    "regulation/1/nl.md": "één".encode(),
}
"""Of a table, as far as signatures are concerned."""


@functools.cache
def signer(name: str) -> CryptoSigner:
    made = CryptoSigner.generate_ed25519()
    made.public_key.unrecognized_fields[NAME_FIELD] = name
    return made


def key(name: str) -> Key:
    return signer(name).public_key


def keyid(name: str) -> str:
    return str(key(name).keyid)


def signed(metadata: Metadata[Any], by: Iterable[str]) -> bytes:
    """Metadata with the signatures of these, and no others."""
    metadata.signatures.clear()
    for name in by:
        metadata.sign(signer(name), append=True)
    return metadata.to_bytes()


def first_root(
    names: str, expires: float, *, roots: str | None = None, by: str | None = None, threshold: int = 2
) -> dict[str, bytes]:
    """Version 1: `names` are letters, each a signer of releases; `roots` those of roots (by default the same)."""
    metadata = signing.new_root(
        None, releases=map(key, names), roots=map(key, roots or names), threshold=threshold, expires=expires
    )
    return {root_name(1): signed(metadata, roots or names if by is None else by)}


def next_root(before: Container, by: str, expires: float, **changes: Any) -> dict[str, bytes]:
    """The roots with one more, changed by `changes` (of `signing.new_root`) and signed by these."""
    previous: Metadata[Root] = signing.newest_root(before)
    metadata = signing.new_root(previous, expires=expires, **changes)
    roots = {name: content for name, content in before.items() if name.endswith("root.json")}
    return {**roots, root_name(metadata.signed.version): signed(metadata, by)}


def release(
    roots: Container,
    by: str,
    now: float,
    *,
    number: int = 1,
    files: Mapping[str, bytes] = FILES,
    starts: float | None = None,
    expires: float | None = None,
) -> dict[str, bytes]:
    """In force at `now`, for 180 days, signed by these."""
    container = signing.new_release(
        roots,
        files,
        number=number,
        starts=now if starts is None else starts,
        expires=now + 180 * DAY if expires is None else expires,
    )
    container[TARGETS] = signed(Metadata.from_bytes(container[TARGETS]), by)
    return container


def changed(container: Container, name: str, change: Any, by: str) -> dict[str, bytes]:
    """With this metadata changed by `change(signed part)`, and signed anew by these."""
    metadata: Metadata[Any] = Metadata.from_bytes(container[name])
    change(metadata.signed)
    return {**container, name: signed(metadata, by)}
