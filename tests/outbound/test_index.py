"""A revocation list on disk: found is what was written, and a damaged file is none."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OutboundError
from gateway.outbound.index import SERIAL_BYTES, ListHeader, ListIndex, renew_header, write_index

HEADER = ListHeader("http://crl.example/1.crl", 1.0, 2.0, 1.5, "ab" * 32, '"etag"', "", 0)
MOST = (1 << 8 * SERIAL_BYTES) - 1

serials = st.integers(0, MOST) | st.integers(0, 20)


@given(on_it=st.sets(serials, max_size=30), asked=st.sets(serials, max_size=10))
def test_what_is_on_it_is_found_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, on_it: set[int], asked: set[int]
) -> None:
    path = tmp_path_factory.mktemp("list") / "a.index"
    assert write_index(path, HEADER, on_it) == replace(HEADER, count=len(on_it))
    index = ListIndex(path)
    assert index.header.count == len(on_it)
    for serial in on_it | asked:
        assert (serial in index) == (serial in on_it)
    index.close()


@pytest.mark.parametrize("serial", [-1, MOST + 1])
def test_a_number_that_cannot_be_kept_refuses_the_list(tmp_path: Path, serial: int) -> None:
    path = tmp_path / "a.index"
    write_index(path, HEADER, [1])
    with pytest.raises(OutboundError, match="serial_out_of_bounds"):
        write_index(path, HEADER, [2, serial])
    index = ListIndex(path)
    assert 1 in index
    with pytest.raises(OutboundError, match="serial_out_of_bounds"):
        assert serial in index
    index.close()


def test_a_list_that_is_seen_again_keeps_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.index"
    header = write_index(path, HEADER, [3, 1, 2])
    before = ListIndex(path)
    renew_header(path, replace(header, fetched_at=9.0))
    index = ListIndex(path)
    assert index.header == replace(header, fetched_at=9.0)
    assert [serial in index for serial in range(5)] == [False, True, True, True, False]
    assert before.header.fetched_at == 1.5
    assert 2 in before  # whoever has it open goes on with what it was
    before.close()
    index.close()


def test_every_shorter_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.index"
    write_index(path, HEADER, [3, 1, 2])
    whole = path.read_bytes()
    for content in (*(whole[:length] for length in range(len(whole))), whole + b"x"):
        path.write_bytes(content)
        with pytest.raises(OutboundError, match="list_damaged"):
            ListIndex(path)


def test_another_version_of_the_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.index"
    path.write_bytes(b'revocation list 1\n{"url": "x"}\n')
    with pytest.raises(OutboundError, match="list_damaged"):
        ListIndex(path)
    path.write_bytes(b"revocation list 2\n" + repr(asdict(HEADER)).encode())
    with pytest.raises(OutboundError, match="list_damaged"):
        ListIndex(path)
    with pytest.raises(FileNotFoundError):
        ListIndex(tmp_path / "b.index")
