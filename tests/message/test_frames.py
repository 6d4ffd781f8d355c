"""The follower of websocket frames, against frames made by hand and at random, in any pieces."""

from __future__ import annotations

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message.frames import GOING_AWAY, POLICY, FrameFollower, close_frame

MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = False, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    first = (0x80 if final else 0) | opcode
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, mask_bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    return head + (MASK if masked else b"") + payload


sizes = st.sampled_from([0, 1, 125, 126, 127, 300, 65535, 65536, 70_000])
opcodes = st.sampled_from([0, 1, 2])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bool, list[bytes]]:
    """Data frames and fragments, with control frames in between."""
    masked = draw(st.booleans())
    frames = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            frames.append(frame(draw(st.sampled_from([9, 10])), b"p" * draw(st.sampled_from([0, 125])), masked=masked))
        frames.append(frame(draw(opcodes), b"x" * draw(sizes), final=draw(st.booleans()), masked=masked))
    return masked, frames


@given(streams(), st.data())
def test_boundaries_are_where_frames_end_whatever_the_pieces(
    stream: tuple[bool, list[bytes]], data: st.DataObject
) -> None:
    masked, frames = stream
    whole = b"".join(frames)
    ends, at = {0}, 0
    for one in frames:
        at += len(one)
        ends.add(at)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)) + [*ends] + [end + 1 for end in ends])
    follower, position = FrameFollower(masked=masked), 0
    for cut in cuts:
        follower.follow(whole[position:cut])
        position = max(position, min(cut, len(whole)))
        assert follower.at_boundary is (position in ends), position
    assert not follower.lost
    assert not follower.closed


@given(streams(), st.data())
def test_the_rest_of_a_frame_ends_where_the_frame_does(stream: tuple[bool, list[bytes]], data: st.DataObject) -> None:
    masked, frames = stream
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    end, at = 0, 0
    for one in frames:
        at += len(one)
        if end < cut:
            end = at
    follower = FrameFollower(masked=masked)
    follower.follow(whole[:cut])
    assert follower.rest_of_frame(whole[cut:]) == end - cut
    assert follower.at_boundary


def test_byte_by_byte_it_keeps_no_more_than_a_head() -> None:
    follower = FrameFollower(masked=True)
    for byte in frame(2, b"x" * 70_000, masked=True):
        follower.follow(bytes([byte]))
        assert sys.getsizeof(follower._head) < 64
    assert follower.at_boundary


def test_a_frame_longer_than_memory_is_counted_not_kept() -> None:
    follower = FrameFollower(masked=False)
    follower.follow(frame(2, b"", length=2**62))
    assert not follower.at_boundary
    assert not follower.lost
    follower.follow(bytes(1000))
    assert not follower.at_boundary


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe8" + b"x" * 123])
def test_a_close_that_passed_whole_is_known(masked: bool, payload: bytes) -> None:
    follower = FrameFollower(masked=masked)
    data = frame(8, payload, masked=masked)
    follower.follow(frame(1, b"x", masked=masked) + data[:-1])
    assert not follower.closed
    follower.follow(data[-1:])
    assert follower.closed
    assert follower.at_boundary


BROKEN = [
    (False, frame(1, b"x", masked=True), "a mask from the origin"),
    (True, frame(1, b"x"), "no mask from the client"),
    (False, frame(3, b"x"), "an opcode that is reserved"),
    (False, frame(11, b""), "a control opcode that is reserved"),
    (False, frame(9, b"", final=False), "a control frame in fragments"),
    (False, frame(9, b"x" * 126), "a control frame that is too long"),
    (False, b"\x82\x7f" + b"\xff" * 8, "a length of 64 bits"),
    (False, b"HTTP/1.1 200 OK\r\n", "no websocket at all"),
]


@pytest.mark.parametrize(("masked", "data", "what"), BROKEN)
def test_what_breaks_the_rules_is_lost_for_good(masked: bool, data: bytes, what: str) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        follower = FrameFollower(masked=masked)
        for piece in pieces:
            follower.follow(piece)
        assert follower.lost, what
        assert not follower.at_boundary
        assert follower.rest_of_frame(b"anything") == 0
        follower.follow(frame(8, b"", masked=masked))
        assert not follower.closed


@given(st.booleans(), st.lists(st.binary(max_size=40), max_size=10))
def test_hostile_bytes_raise_nothing(masked: bool, pieces: list[bytes]) -> None:
    follower = FrameFollower(masked=masked)
    for piece in pieces:
        follower.follow(piece)
    assert follower.at_boundary in (True, False)


def test_our_own_close_is_one_that_a_follower_knows() -> None:
    plain = close_frame(POLICY, "access ended")
    assert plain == b"\x88\x0e\x03\xf0access ended"
    masked = close_frame(GOING_AWAY, "", MASK)
    assert masked == b"\x88\x82" + MASK + bytes([0x03 ^ 1, 0xE9 ^ 2])
    for data, from_client in ((plain, False), (masked, True), (close_frame(POLICY, "é" * 100), False)):
        follower = FrameFollower(masked=from_client)
        follower.follow(data)
        assert follower.closed
        assert follower.at_boundary
    assert close_frame(POLICY, "é" * 100)[4:].decode() == "é" * 61
