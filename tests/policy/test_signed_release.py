"""`load_release` on signed releases: which one serves, which one waits, and what is refused; over time and over restarts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import TableError
from gateway.policy.container import SUFFIX, archive, root_name
from gateway.policy.examine import examine
from gateway.policy.files import read_files
from gateway.policy.refusals import REFUSALS, code_of
from gateway.policy.release import Release, load_kept, load_release, note_release
from gateway.policy.settings import Settings, load_settings
from tests.policy.conftest import NOW
from tests.policy.signers import DAY, first_root, key, keyid, next_root, release

FAR = NOW + 700 * DAY
ROOTS = first_root("ab", FAR)
WITHOUT_A = next_root(ROOTS, "abc", FAR, releases=[key("c")], roots=[key("c")], remove=[keyid("a")])
GRACE = 14 * DAY
Edit = Callable[[str, str, str], None]


class Machine:
    """A gateway's machine: what is published to it, and what it takes."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.files = read_files(config).files
        self.source = config / "release.tar"
        (config / "root.json").write_bytes(ROOTS[root_name(1)])

    @property
    def settings(self) -> Settings:
        return load_settings(self.config)

    def publish(
        self,
        number: int,
        *,
        by: str = "ab",
        roots: dict[str, bytes] | None = None,
        starts: float = NOW,
        expires: float | None = None,
        files: dict[str, bytes] | None = None,
    ) -> None:
        content = self.files if files is None else files
        made = release(roots or ROOTS, by, NOW, number=number, starts=starts, expires=expires, files=content)
        self.source.write_bytes(archive(made))

    def take(self, now: float = NOW, *, kept: bool = False) -> Release:
        """What a start or a reload does."""
        taken = load_release(self.settings, now, kept=kept)
        note_release(taken, self.settings)
        return taken

    def refuses(self, now: float = NOW) -> str | None:
        with pytest.raises(TableError) as error:
            self.take(now)
        return code_of(error.value)


@pytest.fixture
def machine(config: Path, edit: Edit) -> Machine:
    edit("gateway.toml", "unsafe_unsigned = true", 'release = "release.tar"')
    (config / "state").mkdir(exist_ok=True)
    return Machine(config)


def test_a_signed_release_is_the_table(machine: Machine) -> None:
    machine.publish(1)
    taken = machine.take()
    assert taken.signed is not None
    assert taken.waiting is None
    assert taken.warnings == []  # least of all that nobody signed it
    snapshot = taken.snapshot
    assert (snapshot.release, snapshot.expires) == (1, NOW + 180 * DAY)
    assert snapshot.refused_from == NOW + 180 * DAY + GRACE
    assert "24/123" in snapshot.by_reference
    # Whoever has the hash of a line finds the table, until when it served, and what was signed.
    kept = load_kept(machine.settings.table.releases, taken.hash)
    assert (kept.release, kept.refused_from, kept.by_reference) == (1, snapshot.refused_from, snapshot.by_reference)
    as_signed = machine.settings.table.releases / f"{taken.signed.verified.signed}{SUFFIX}"
    assert as_signed.read_bytes() == machine.source.read_bytes()


def test_files_of_the_directory_are_nothing_beside_it(machine: Machine) -> None:
    machine.publish(1)
    before = machine.take().hash
    (machine.config / "authorisations/24-123.toml").write_text("whoever writes here grants nothing")
    assert machine.take().hash == before


def test_numbers_only_rise_also_after_a_restart(machine: Machine) -> None:
    for number in (3, 3, 4, 9):
        machine.publish(number)
        assert machine.take().snapshot.release == number
    for number in (8, 4, 1):
        machine.publish(number)
        assert machine.refuses() == "older_release"
    machine.publish(9, starts=NOW - 1)
    assert machine.refuses() == "release_differs"
    machine.publish(9)
    assert machine.take().snapshot.release == 9


def test_a_lost_memory_is_put_together_from_what_is_kept(machine: Machine) -> None:
    machine.publish(3)
    machine.take()
    machine.publish(4)
    machine.take()
    machine.settings.table_memory.unlink()
    machine.publish(3)
    assert machine.refuses() == "older_release"
    for file in machine.settings.table.releases.glob("*.tar"):
        file.write_bytes(file.read_bytes()[:-600])  # damaged: it says nothing any more
    assert machine.take().snapshot.release == 3  # a machine that lost everything knows no better


def test_what_is_kept_is_remembered_by_a_newer_root_too(machine: Machine) -> None:
    machine.publish(3)
    machine.take()
    machine.settings.table_memory.unlink()
    renewed = next_root(ROOTS, "ab", FAR)
    (machine.config / "root.json").write_bytes(renewed[root_name(2)])
    machine.publish(2, roots=renewed)
    assert machine.refuses() == "older_release"


def test_a_damaged_memory_stops_everything(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    machine.settings.table_memory.write_bytes(b"{")
    assert machine.refuses() == "memory_damaged"
    machine.settings.table_memory.unlink()
    machine.settings.table_memory.mkdir()
    assert machine.refuses() == "memory_damaged"


def test_rotation_over_restarts(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    second = WITHOUT_A
    machine.publish(2, roots=second, by="bc")
    machine.take()
    machine.publish(3, roots=second, by="ab")
    assert machine.refuses() == "retired_key"
    machine.publish(3)  # by the old ones, without the new root
    assert machine.refuses() == "root_older"
    forged = next_root(ROOTS, "abd", FAR, releases=[key("d")], roots=[key("d")], remove=[keyid("b")])
    machine.publish(3, roots=forged, by="ad")  # the old signers make another second root
    assert machine.refuses() == "root_differs"
    machine.publish(3, roots=next_root(second, "bc", FAR), by="bc")
    assert machine.take().snapshot.release == 3


# --- from when --------------------------------------------------------------------------------------------------------


def test_one_that_begins_later_waits(machine: Machine) -> None:
    machine.publish(1)
    first = machine.take()
    later = NOW + 5 * DAY
    machine.publish(2, starts=later, files={**machine.files, "roles.toml": b""})
    for now in (NOW, later - 1):  # also after a restart
        taken = machine.take(now)
        assert (taken.snapshot.release, taken.hash) == (1, first.hash)
        assert taken.waiting is not None
        assert taken.waiting.snapshot.release == 2
    taken = machine.take(later)
    assert (taken.snapshot.release, taken.waiting) == (2, None)
    machine.publish(1)
    assert machine.refuses(later) == "older_release"


def test_one_that_waits_begins_whatever_lies_there_by_then(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    later = NOW + 5 * DAY
    machine.publish(2, starts=later)
    machine.take()
    machine.source.write_bytes(b"damaged meanwhile")
    assert machine.refuses(later) == "malformed"
    assert machine.take(later, kept=True).snapshot.release == 2


def test_one_that_waits_begins_under_the_root_that_it_was_signed_again_by(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    later = NOW + 5 * DAY
    machine.publish(2, starts=later)
    machine.take()
    machine.publish(2, starts=later, roots=WITHOUT_A, by="bc")
    assert machine.take().waiting is not None
    machine.source.write_bytes(b"damaged meanwhile")
    assert machine.take(later, kept=True).snapshot.release == 2


def test_what_is_kept_damaged_is_kept_anew(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    (kept,) = machine.settings.table.releases.glob(f"*{SUFFIX}")
    kept.write_bytes(b"damaged")
    machine.take()
    assert kept.read_bytes() == machine.source.read_bytes()


def test_the_trusted_root_may_be_renewed_while_one_waits(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    later = NOW + 5 * DAY
    renewed = next_root(ROOTS, "ab", FAR)
    machine.publish(2, starts=later, roots=renewed)
    machine.take()
    (machine.config / "root.json").write_bytes(renewed[root_name(2)])
    taken = machine.take()
    assert taken.waiting is not None
    assert (taken.snapshot.release, taken.waiting.snapshot.release) == (1, 2)
    (machine.config / "root.json").write_bytes(next_root(renewed, "ab", FAR)[root_name(3)])
    assert machine.refuses(later) == "root_older"  # what lies there has no root that counts here
    assert machine.take(later, kept=True).snapshot.release == 2


def test_a_trusted_root_that_ends_what_serves_is_told_of(machine: Machine) -> None:
    machine.publish(1)
    signed = machine.take().signed
    assert signed is not None
    later = NOW + 5 * DAY
    machine.publish(2, starts=later, roots=WITHOUT_A, by="bc")
    assert machine.take().snapshot.release == 1
    (machine.config / "root.json").write_bytes(WITHOUT_A[root_name(2)])
    with pytest.raises(TableError) as error:
        machine.take()
    assert code_of(error.value) == "serving_refused"
    (fault,) = error.value.faults
    assert fault.file == f"{signed.verified.signed}{SUFFIX}"  # and not the good one that lies there
    assert "release 2 begins on 2026-06-06 14:00, what serves until then: retired_key" in fault.what
    assert machine.take(later).snapshot.release == 2


def test_one_that_waits_is_replaced_by_a_newer_one(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    machine.publish(2, starts=NOW + 5 * DAY)
    machine.take()
    machine.publish(1)
    assert machine.refuses() == "older_release"  # what waits was seen
    machine.publish(3)
    taken = machine.take()
    assert (taken.snapshot.release, taken.waiting) == (3, None)


def test_the_first_release_cannot_wait(machine: Machine) -> None:
    machine.publish(1, starts=NOW + DAY)
    assert machine.refuses() == "not_begun"
    machine.publish(1)
    assert machine.take().snapshot.release == 1


def test_one_that_serves_serves_whatever_the_clock_says(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    assert machine.take(NOW - 60).snapshot.release == 1


# --- until when -------------------------------------------------------------------------------------------------------


def test_an_expired_release_is_gone_on_with_and_never_begun(machine: Machine) -> None:
    machine.publish(1, expires=NOW + DAY)
    assert machine.refuses(NOW + DAY) == "expired"
    taken = machine.take()
    assert re.match(r"release 1 expires on 2026-06-02 14:00: have", taken.warnings[0])
    for now in (NOW + DAY, NOW + DAY + GRACE, NOW + 99 * DAY):  # the decision says from when it serves nobody
        again = machine.take(now)
        assert (again.hash, again.snapshot.refused_from) == (taken.hash, NOW + DAY + GRACE)
        assert again.warnings[0].startswith("release 1 has expired")
    machine.publish(2, expires=NOW + DAY)
    assert machine.refuses(NOW + DAY) == "expired"
    machine.publish(2, expires=NOW + 90 * DAY)
    assert machine.take(NOW + DAY).snapshot.release == 2


def test_the_grace_is_the_configurations(machine: Machine, edit: Edit) -> None:
    machine.publish(1)
    before = machine.take()
    edit("gateway.toml", '# grace = "14d"', 'grace = "1d"')
    after = machine.take()
    assert after.snapshot.refused_from == NOW + 181 * DAY
    assert after.hash != before.hash  # the decision reads it


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_signed_table_with_faults_is_refused_whole(machine: Machine) -> None:
    machine.publish(1)
    machine.take()
    bad = {**machine.files, "authorisations/24-123.toml": b"x = 1\n", "roles.toml": b"[[role]]\n"}
    machine.publish(2, files=bad)
    with pytest.raises(TableError) as error:
        machine.take()
    assert code_of(error.value) == "table_faulty"
    assert {fault.file for fault in error.value.faults} >= {"authorisations/24-123.toml", "roles.toml"}
    found = examine(machine.config, NOW)
    assert [str(fault) for fault in found.faults] == [str(fault) for fault in error.value.faults]
    machine.publish(1)
    assert machine.take().snapshot.release == 1  # what was refused was never seen


def test_check_says_the_code(machine: Machine) -> None:
    machine.publish(1, by="a")
    (fault,) = examine(machine.config, NOW).faults
    assert (fault.file, fault.where) == ("targets.json", "under_threshold")
    assert fault.mend == REFUSALS["under_threshold"].mend


@pytest.mark.parametrize("name", ["release.tar", "root.json"])
def test_what_is_missing(machine: Machine, name: str) -> None:
    machine.publish(1)
    (machine.config / name).unlink()
    assert machine.refuses() == {"release.tar": "unreadable", "root.json": "no_trusted_root"}[name]


def test_a_configuration_that_names_none(config: Path, edit: Edit) -> None:
    edit("gateway.toml", "unsafe_unsigned = true", "unsafe_unsigned = false")
    with pytest.raises(TableError) as error:
        load_release(load_settings(config), NOW)
    assert code_of(error.value) == "not_named"
    assert examine(config, NOW).faults[0].where == "not_named"


def test_an_unsigned_table_has_no_code(config: Path) -> None:
    (config / "roles.toml").write_text("x = 1")
    with pytest.raises(TableError) as error:
        load_release(load_settings(config), NOW)
    assert code_of(error.value) is None
