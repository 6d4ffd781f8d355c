"""Bytes that came and were not read yet. The only mutable place between a feed and an event."""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import MessageError

# RFC 9112 section 2.2: a CR belongs to a CRLF; section 5: no other control but HTAB. A CR at the very end may still get its LF.
STRAY_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?![\n]|\Z)|(?<!\r)\n")
_STRAY: Final = "a control byte, a bare CR or a bare LF in the start line or the fields"


class Buffer:
    """A byte string and a position in it. What one `append` brought is handed out uncopied when it is asked for whole."""

    __slots__ = ("_data", "_position", "_scanned", "ended")

    def __init__(self) -> None:
        self._data = b""
        self._position = 0
        self._scanned = 0  # up to here the unfinished block was searched: feeding byte by byte stays linear
        self.ended = False

    def __len__(self) -> int:
        return len(self._data) - self._position

    @property
    def unread(self) -> int:
        """How many bytes are unread."""
        return len(self._data) - self._position

    def append(self, data: bytes) -> None:
        """Add what came. Unread bytes are moved to the front: there are few, except when nobody reads."""
        if self._position == len(self._data):
            self._data = data
            self._scanned = 0
        else:
            self._data = self._data[self._position :] + data
            self._scanned = max(0, self._scanned - self._position)
        self._position = 0

    def clear(self) -> None:
        """Forget everything unread."""
        self._data = b""
        self._position = self._scanned = 0

    def peek(self, size: int) -> bytes:
        """The next bytes, at most `size`, without taking them."""
        return self._data[self._position : self._position + size]

    def skip(self, size: int) -> None:
        """Drop `size` bytes that `peek` has shown."""
        self._position += size

    def skip_same(self, block: bytes) -> bool:
        """Take the next bytes if they are `block`; whether they were."""
        same = self._data.startswith(block, self._position)
        if same:
            self._position += len(block)
        return same

    def take(self, size: int) -> bytes:
        """The next bytes, at most `size`."""
        start, data = self._position, self._data
        if start == 0 and size >= len(data):
            self._data = b""
            return data
        self._position = min(len(data), start + size)
        return data[start : self._position]

    def peek_line(self, limit: int) -> bytes | None:
        """Everything through the next LF, when it stands within `limit` bytes; nothing is taken."""
        start = self._position
        end = self._data.find(b"\n", start, start + limit)
        return None if end < 0 else self._data[start : end + 1]

    def take_line(self, limit: int) -> bytes | None:
        """Everything through the next LF, at most `limit` bytes; None while it has not come.

        Raises MessageError `malformed` when `limit` bytes hold no LF.
        """
        start = self._position
        end = self._data.find(b"\n", start, start + limit)
        if end < 0:
            if len(self) >= limit:
                raise MessageError("malformed", f"a chunk-size line is longer than {limit} bytes")
            return None
        self._position = end + 1
        return self._data[start : end + 1]

    def take_block(self, limit: int) -> bytes | None:
        """Everything through the first empty line, at most `limit` bytes; None while it has not come.

        An unfinished block is searched for stray controls, so that a bare LF is refused at once and not when time runs
        out. Raises MessageError `malformed` for those, and `too_large` when `limit` bytes hold no empty line.
        """
        start, data = self._position, self._data
        end = data.find(b"\r\n\r\n", max(start, self._scanned - 3), start + limit)
        if end >= 0:
            self._position = end + 4
            return data[start : end + 4]
        bound = min(len(data), start + limit)
        if STRAY_CONTROL.search(data, max(start, self._scanned - 1), bound):
            raise MessageError("malformed", _STRAY)
        self._scanned = bound
        if len(data) - start >= limit:
            raise MessageError("too_large", f"the field section is longer than {limit} bytes")
        return None


def blame(block: bytes, error: MessageError) -> MessageError:
    """The fault to report for a refused block: a stray control goes before `error`, whichever way the block came in."""
    return MessageError("malformed", _STRAY) if STRAY_CONTROL.search(block) else error
