"""A revocation list as it is kept on disk: who it is from, how long it holds, and the numbers on it, sorted.

A lookup is some twenty steps in a file that all workers share through the system's cache: a list of millions costs no memory and no
start. The file is written whole, then renamed, by the process that verified the list; it lies in the gateway's own directory.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.errors import OutboundError

SERIAL_BYTES = 20
"""The longest serial number (RFC 5280 section 4.1.2.2)."""
_MAGIC = b"revocation list 1\n"
_MAX_HEADER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ListHeader:
    """What is known of a list. Moments are Unix seconds: the list's own, and when it was last seen to be the newest. `sha256` is of its
    DER; `etag` and `modified` are what its server said of it, for asking whether there is a newer one.
    """

    url: str
    this_update: float
    next_update: float
    fetched_at: float
    sha256: str
    etag: str
    modified: str
    count: int


class ListIndex:
    """A list, open. Raises OutboundError `list_damaged` when the file is not what was written."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when there is no such file."""
        with path.open("rb") as file:
            if file.readline(len(_MAGIC)) != _MAGIC:
                raise OutboundError("list_damaged")
            try:
                self.header = ListHeader(**json.loads(file.readline(_MAX_HEADER_BYTES)))
            except (ValueError, TypeError):
                raise OutboundError("list_damaged") from None
            self._start = file.tell()
            expected = self._start + self.header.count * SERIAL_BYTES
            if os.fstat(file.fileno()).st_size != expected:
                raise OutboundError("list_damaged")
            self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __contains__(self, serial: int) -> bool:
        """Whether the list names this certificate. Raises OutboundError for a number that no certificate may have."""
        wanted = _key(serial)
        low, high = 0, self.header.count
        while low < high:
            middle = (low + high) // 2
            at = self._start + middle * SERIAL_BYTES
            found = self._content[at : at + SERIAL_BYTES]
            if found == wanted:
                return True
            if found < wanted:
                low = middle + 1
            else:
                high = middle
        return False

    def close(self) -> None:
        self._content.close()


def write_index(path: Path, header: ListHeader, serials: Iterable[int]) -> ListHeader:
    """Writes a list whole, durably, in place of the one that was there; `header.count` is counted here. Raises OSError, or OutboundError when a number on
    it cannot be kept: then the list is not taken, since whoever it named would be missing."""
    rows = sorted(map(_key, serials))
    counted = ListHeader(**{**asdict(header), "count": len(rows)})
    _replace(path, counted, b"".join(rows))
    return counted


def renew_header(path: Path, header: ListHeader) -> None:
    """The same list, seen again: its numbers stay. Raises OSError, or OutboundError `list_damaged`."""
    content = path.read_bytes()
    _replace(path, header, content[len(content) - header.count * SERIAL_BYTES :])


def _replace(path: Path, header: ListHeader, rows: bytes) -> None:
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        file.write(_MAGIC + json.dumps(asdict(header)).encode() + b"\n")
        file.write(rows)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _key(serial: int) -> bytes:
    """Big-endian, so that bytes sort as numbers do. Raises OutboundError `serial_out_of_bounds`."""
    if not 0 <= serial < 1 << 8 * SERIAL_BYTES:
        raise OutboundError("serial_out_of_bounds")
    return serial.to_bytes(SERIAL_BYTES, "big")
