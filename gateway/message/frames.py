"""Where the frames of a websocket begin and end (RFC 6455 section 5), so that a Close can be put between two of them.

A follower sees the bytes of one direction as they pass. It reads the heads of the frames, counts their payloads down, and keeps neither:

    HEAD (2 to 14 bytes) ──► PAYLOAD (0 to 2^63 - 1 bytes) ──► boundary = HEAD of the next

A boundary may lie within a fragmented message: a control frame may stand there (section 5.4), so a Close may as well.

A stream that breaks the rules is passed on all the same: the follower is `lost` from there on, and nothing is put into that direction any
more. Both ends must fail such a connection themselves (section 5.1 and 5.2), with the status and words that they have for it. To end
it here would add a second judge of websockets, whose disagreements with the two that matter would be faults, and would protect nothing:
no payload is looked at, so that whatever could be said in a broken frame can be said in a good one. What counts is that the stream
still ends when the access does; it is then broken off, without a Close that somebody might take for payload.
"""

from __future__ import annotations

import struct

CLOSE = 8
POLICY, GOING_AWAY = 1008, 1001
"""Why a stream is closed: the access ended; the gateway stops (section 7.4.1)."""
MAX_REASON_BYTES = 123
"""Of a Close: a control frame carries 125 bytes, two of them the status."""

_FINAL, _MASKED, _CONTROL, _OPCODE, _LENGTH = 0x80, 0x80, 0x08, 0x0F, 0x7F
_KNOWN = frozenset({0, 1, 2, 8, 9, 10})
"""Opcodes that have a meaning; a peer must fail the connection on any other."""
_HEAD_BYTES = 14
_SHORT, _LONG = 126, 127
_MAX_LENGTH = 2**63 - 1


class FrameFollower:
    """One direction of one websocket. `masked` says that it comes from the client, whose frames bear a mask (section 5.3).

    `lost` is True once the stream broke the rules; `closed` once a Close has passed whole.
    """

    __slots__ = ("_closing", "_head", "_left", "_masked", "closed", "lost")

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked
        self._head = b""
        self._left = 0
        self._closing = False
        self.closed = False
        self.lost = False

    @property
    def at_boundary(self) -> bool:
        """Whether the next byte begins a frame."""
        return not (self._left or self._head or self.lost)

    def follow(self, data: bytes) -> None:
        """Take note of what passes."""
        position, end = 0, len(data)
        while position < end and not self.lost:
            position = self._advance(data, position, end)

    def rest_of_frame(self, data: bytes) -> int:
        """How many bytes of `data` belong to the frame that is under way; afterwards the follower stands behind them."""
        position, end = 0, len(data)
        while position < end and not self.at_boundary and not self.lost:
            position = self._advance(data, position, end)
        return position

    def _advance(self, data: bytes, position: int, end: int) -> int:
        """One step: through a payload, or through a head. Gives the new position."""
        if self._left:
            taken = min(self._left, end - position)
            self._left -= taken
            if not self._left:
                self.closed = self.closed or self._closing
            return position + taken
        known = len(self._head)
        head = self._head + data[position : position + _HEAD_BYTES - known]
        size = self._read(head)
        if size is None:
            self._head = head
            return end
        self._head = b""
        return position + size - known

    def _read(self, head: bytes) -> int | None:
        """The size of a head, when it is there whole; its payload's length is noted."""
        if len(head) < 2:
            return None
        first, second = head[0], head[1]
        length = second & _LENGTH
        size = 2
        if length == _SHORT:
            size = 4
        elif length == _LONG:
            size = 10
        whole = size + 4 if second & _MASKED else size
        if self._broken(first, second):
            self.lost = True
            return len(head)
        if len(head) < whole:
            return None
        if size > 2:
            length = int.from_bytes(head[2:size], "big")
            if length > _MAX_LENGTH:
                self.lost = True
                return len(head)
        self._left = length
        self._closing = first & _OPCODE == CLOSE
        if not length:
            self.closed = self.closed or self._closing
        return whole

    def _broken(self, first: int, second: int) -> bool:
        """What a peer must fail the connection for, as far as a head shows it. Reserved bits belong to what both ends agreed on."""
        opcode = first & _OPCODE
        return (
            opcode not in _KNOWN
            or bool(second & _MASKED) is not self._masked
            or (opcode & _CONTROL != 0 and (not first & _FINAL or second & _LENGTH > MAX_REASON_BYTES + 2))
        )


def close_frame(status: int, reason: str, mask: bytes | None = None) -> bytes:
    """A Close, ready to be written; `mask` (4 random bytes) is for the direction of the origin. A long reason is cut."""
    words = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore").encode()
    payload = struct.pack("!H", status) + words
    head = bytes([_FINAL | CLOSE])
    if mask is None:
        return head + bytes([len(payload)]) + payload
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return head + bytes([_MASKED | len(payload)]) + mask + masked
