"""A release as one file or one directory: read strictly, written in one way."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import container as containers
from gateway.policy.container import archive, parse_archive, read_container, write_container, write_signatures
from gateway.policy.refusals import ReleaseRefused
from tests.policy.signers import DAY, first_root, release

NOW = 1_780_000_000.0
GOOD = release(first_root("ab", NOW + 700 * DAY), "ab", NOW)
Make = Callable[[tarfile.TarFile], None]


def code(act: Callable[[], object]) -> str:
    with pytest.raises(ReleaseRefused) as error:
        act()
    return error.value.code


@pytest.mark.parametrize("name", ["release.tar", "release"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_container(GOOD, path)
    assert read_container(path) == GOOD
    with pytest.raises(FileExistsError) as error:
        write_container(GOOD, path)  # nothing is written over
    assert error.value.filename == str(path)  # and not what is written beside it
    with pytest.raises(FileNotFoundError) as error:
        write_container(GOOD, tmp_path / "nowhere" / name)
    assert error.value.filename == str(tmp_path / "nowhere" / name)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_the_same_release_gives_the_same_bytes(tmp_path: Path) -> None:
    assert archive(dict(reversed(GOOD.items()))) == archive(GOOD)
    path = tmp_path / "release.tar"
    path.write_bytes(archive(GOOD))
    with tarfile.open(path) as known:  # anybody can look into it
        assert known.getnames() == sorted(GOOD)
    changed = {**GOOD, "targets.json": b"{}"}
    write_signatures(changed, path)
    assert read_container(path) == changed


def test_signatures_are_put_into_a_directory(tmp_path: Path) -> None:
    path = tmp_path / "release"
    write_container(GOOD, path)
    before = (path / "table/roles.toml").stat().st_mtime_ns
    write_signatures({**GOOD, "targets.json": b"{}"}, path)
    assert read_container(path) == {**GOOD, "targets.json": b"{}"}
    assert (path / "table/roles.toml").stat().st_mtime_ns == before


def _link(directory: Path) -> None:
    (directory / "table/roles.toml").unlink()
    (directory / "table/roles.toml").symlink_to("/etc/hostname")


def _pipe(directory: Path) -> None:
    os.mkfifo(directory / "table/institutions/0000000196.toml")


def _linked_directory(directory: Path) -> None:
    (directory / "table/transactions").symlink_to("/etc")


def _directory(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).mkdir(parents=True)


def _write(name: str, content: bytes = b"") -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)

    return write


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (_link, "unsafe_name"),
        (_pipe, "unsafe_name"),
        (_linked_directory, "unsafe_name"),
        (_write("table/institutions/a b.toml"), "unsafe_name"),
        (_write("table/institutions/é.toml"), "unsafe_name"),
        (_write("table/institutions/a\nb.toml"), "unsafe_name"),
        (_write(".hidden"), "extra_file"),
        (_write("01.root.json"), "extra_file"),
        (_write("0.root.json"), "extra_file"),
        (_write("snapshot.json"), "extra_file"),
        (_write("table/README.md"), "extra_file"),
        (_write("table/gateway.toml"), "extra_file"),
        (_write("table/institutions/deeper/a.toml"), "extra_file"),
        (_directory("extra"), "extra_file"),
        (_directory("institutions"), "extra_file"),
        (_directory("table/extra"), "extra_file"),
        (_directory("table/institutions/deeper"), "extra_file"),
        (_directory("table/regulation/1/deeper"), "extra_file"),
        (_directory("table/regulation/é"), "unsafe_name"),
        (_directory("table/regulation/-1"), "extra_file"),
        (_write("roles.toml"), "extra_file"),
        (_write("2.root.json", bytes(containers.MAX_ROOT_BYTES + 1)), "too_large"),
        (_write("table/institutions/a.toml", bytes(containers.MAX_FILE_BYTES + 1)), "too_large"),
    ],
)
def test_what_does_not_belong_in_a_directory(tmp_path: Path, damage: Callable[[Path], None], expected: str) -> None:
    path = tmp_path / "release"
    write_container(GOOD, path)
    damage(path)
    assert code(lambda: read_container(path)) == expected


def test_a_directory_may_be_there_without_files(tmp_path: Path) -> None:
    path = tmp_path / "release"
    write_container(GOOD, path)
    (path / "table/transactions").mkdir()
    (path / "table/regulation/2").mkdir()
    assert read_container(path) == GOOD


def test_directories_that_are_deep_are_not_entered(tmp_path: Path) -> None:
    (tmp_path / "release" / "/".join(["table"] * 50)).mkdir(parents=True)
    assert code(lambda: read_container(tmp_path / "release")) == "extra_file"


@pytest.mark.parametrize("bound", ["MAX_FILES", "MAX_DIRECTORIES"])
def test_entries_are_counted_and_not_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    for number in range(20):
        (tmp_path / f"release/table/regulation/{number}").mkdir(parents=True)
    read_container(tmp_path / "release")
    monkeypatch.setattr(containers, bound, 19)
    assert code(lambda: read_container(tmp_path / "release")) == "too_large"


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), _loop, _socket])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "release.tar"
    make(path)
    assert code(lambda: read_container(path)) == "unsafe_name"


def test_a_link_may_name_the_release_that_is_published(tmp_path: Path) -> None:
    (tmp_path / "release-12.tar").write_bytes(archive(GOOD))
    (tmp_path / "release.tar").symlink_to("release-12.tar")
    assert read_container(tmp_path / "release.tar") == GOOD


def _tar(
    *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, to: str = "", form: int = tarfile.USTAR_FORMAT
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as made:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, to
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


WHOLE = archive(GOOD)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "malformed"),
        (b"{}", "malformed"),
        (b"\x1f\x8b" + bytes(1000), "malformed"),
        (WHOLE[:-1], "malformed"),
        (WHOLE[:700], "malformed"),
        (WHOLE + bytes(512), "malformed"),
        (WHOLE + b"x", "malformed"),
        (WHOLE + WHOLE, "malformed"),
        (_tar(("targets.json", b"{}")), "malformed"),  # another tar wrote it
        (_tar(("targets.json", b"{}"), ("targets.json", b"{}")), "malformed"),
        (_tar(("../targets.json", b"{}")), "unsafe_name"),
        (_tar(("/etc/cron.d/x", b"")), "unsafe_name"),
        (_tar(("table/../../x", b"")), "unsafe_name"),
        (_tar(("table/./roles.toml", b"")), "unsafe_name"),
        (_tar(("table//roles.toml", b"")), "unsafe_name"),
        (_tar(("table\\roles.toml", b"")), "unsafe_name"),
        (_tar(("table/roles.toml\x1b", b"")), "unsafe_name"),
        (_tar(("table/roles.toml", b""), kind=tarfile.SYMTYPE, to="/etc/passwd"), "unsafe_name"),
        (_tar(("table/roles.toml", b""), kind=tarfile.LNKTYPE, to="1.root.json"), "unsafe_name"),
        (_tar(("table", b""), kind=tarfile.DIRTYPE), "unsafe_name"),
        (_tar(("table/roles.toml", b""), kind=tarfile.CHRTYPE), "unsafe_name"),
        (_tar((f"table/institutions/{'a' * 300}.toml", b""), form=tarfile.PAX_FORMAT), "unsafe_name"),
        (_tar((f"table/institutions/{'a' * 300}.toml", b""), form=tarfile.GNU_FORMAT), "malformed"),
        (_tar(("extra.json", b"")), "extra_file"),
        (_tar(("1.root.json", bytes(containers.MAX_ROOT_BYTES + 1))), "too_large"),
    ],
)
def test_archives_that_are_none(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "release.tar"
    path.write_bytes(data)
    assert code(lambda: read_container(path)) == expected


def test_what_is_not_there(tmp_path: Path) -> None:
    assert code(lambda: read_container(tmp_path / "release.tar")) == "unreadable"
    (tmp_path / "empty").mkdir()
    assert read_container(tmp_path / "empty") == {}  # nothing in it is a matter of what was signed


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_BYTES", len(WHOLE) - 1)
    assert code(lambda: parse_archive(WHOLE)) == "too_large"
    monkeypatch.setattr(containers, "MAX_BYTES", len(WHOLE))
    monkeypatch.setattr(containers, "MAX_FILES", len(GOOD) - 1)
    assert code(lambda: parse_archive(WHOLE)) == "too_large"


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_byte_of_an_archive_can_be_changed_unseen(position: int, change: int) -> None:
    data = bytearray(WHOLE)
    data[position] ^= change
    try:
        container = parse_archive(bytes(data))
    except ReleaseRefused:
        return
    assert container != GOOD


@given(st.binary(max_size=2000))
def test_junk_is_refused(data: bytes) -> None:
    with pytest.raises(ReleaseRefused):
        parse_archive(data)


def test_an_empty_archive_holds_nothing() -> None:
    assert parse_archive(archive({})) == {}
