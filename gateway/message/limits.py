"""How much of a message is read before it is refused. Bodies have no limit here: they pass in constant memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one message. All are inclusive."""

    header_bytes: int = 32 * 1024
    """Start line and fields together, in bytes: what nginx reads by default (4 buffers of 8 KiB)."""
    field_count: int = 100
    """Field lines: Apache's LimitRequestFields. Browsers send about 15 to 25."""
    target_bytes: int = 16 * 1024
    """Request target in bytes: IIS's default. RFC 9112 section 3 recommends to support 8000 octets at least, and applications that were
    written behind nginx or Apache fill their line of 8 KiB, which with a prefix before it is more."""
    chunk_line_bytes: int = 256
    """One chunk-size line with its extensions, in bytes. 15 digits are enough; no browser and no framework sends extensions."""
    chunk_extension_bytes: int = 4096
    """All chunk extensions of one message, in bytes: else they are a body that no limit counts (CVE-2023-39326)."""
    trailer_bytes: int = 4096
    """The trailer section in bytes. It is dropped, so there is no reason to read more of it."""
    informational_count: int = 8
    """1xx responses before the final one: 100, a 103 or two, some 102; more is a flood."""


DEFAULT_LIMITS = Limits()
