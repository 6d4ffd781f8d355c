"""Which release serves, whatever lies in its place: over what is published, refused and taken away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import TableError
from gateway.policy.refusals import code_of
from gateway.policy.serving import load_serving
from tests.policy.conftest import NOW
from tests.policy.signers import DAY
from tests.policy.test_signed_release import Machine

Edit = Callable[[str, str, str], None]


@pytest.fixture
def machine(config: Path, edit: Edit) -> Machine:
    edit("gateway.toml", "unsafe_unsigned = true", 'release = "release.tar"')
    (config / "state").mkdir(exist_ok=True)
    made = Machine(config)
    made.publish(11)
    made.take()
    return made


def test_what_lies_there(machine: Machine) -> None:
    serving = load_serving(machine.settings, NOW)
    assert (serving.release.snapshot.release, serving.note) == (11, "")


def test_something_else_lies_in_its_place(machine: Machine) -> None:
    before = machine.take().hash
    for code, publish in (
        ("malformed", lambda: machine.source.write_text("junk")),
        ("under_threshold", lambda: machine.publish(12, by="a")),
        ("older_release", lambda: machine.publish(10)),
        ("table_faulty", lambda: machine.publish(12, files={"roles.toml": b"?"})),
        ("unreadable", machine.source.unlink),
    ):
        publish()
        serving = load_serving(machine.settings, NOW)
        assert (serving.release.hash, serving.release.waiting) == (before, None)
        assert f"refused ({code}; " in serving.note
        assert "release 11" in serving.note


def test_the_one_that_waits_begins_all_the_same(machine: Machine) -> None:
    machine.publish(12, starts=NOW + DAY)
    machine.take()
    machine.source.write_text("junk")
    serving = load_serving(machine.settings, NOW)
    assert (serving.release.snapshot.release, "release 11" in serving.note) == (11, True)
    assert serving.release.waiting is not None
    assert serving.release.waiting.snapshot.release == 12
    assert load_serving(machine.settings, NOW + DAY).release.snapshot.release == 12


def test_with_none_that_is_good_it_says_what_is_wrong_there(machine: Machine) -> None:
    machine.source.write_text("junk")
    for archive in machine.settings.table.releases.glob("*.tar"):
        archive.unlink()
    with pytest.raises(TableError) as raised:
        load_serving(machine.settings, NOW)
    assert code_of(raised.value) == "malformed"


def test_of_what_nobody_signed_there_is_no_other(config: Path) -> None:
    (config / "roles.toml").write_text("?")
    settings = Machine(config).settings
    with pytest.raises(TableError):
        load_serving(settings, NOW)
