"""What root's command line makes belongs to whom the ledger belongs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.ledger.disk import Disk
from gateway.ledger.writer import Writer
from tests.ledger.conftest import opening

NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_makes_belongs_to_the_owner_of_the_ledger(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    writer = Writer(tmp_path, "user-0", 1 << 20)
    writer.begin(opening())
    made = [tmp_path / "request", *(tmp_path / "request").iterdir()]
    assert len(made) == 3
    assert {path.stat().st_uid for path in made} == {NOBODY}


def test_a_lock_belongs_to_one(tmp_path: Path) -> None:
    disk = Disk()
    held = disk.lock(tmp_path / "lock")
    assert held is not None
    assert disk.lock(tmp_path / "lock") is None
    disk.close(held)
    again = disk.lock(tmp_path / "lock")
    assert again is not None
    disk.close(again)


def test_a_lock_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Disk().lock(tmp_path / "none" / "lock")
