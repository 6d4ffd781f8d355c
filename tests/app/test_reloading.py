"""What a reload takes, what waits for a start, and one answer from several workers."""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from pathlib import Path

import pytest

from gateway.app.prepared import Prepared
from gateway.app.reloading import (
    Outcome,
    as_taken,
    merged,
    outcome_of,
    read_anew,
    renew_prepared,
    waiting_for_a_start,
    write_outcome,
)
from gateway.cli.init import make_configuration
from gateway.errors import Fault, TableError
from gateway.policy.settings import Settings, SettingsError, load_settings, settings_from

CONFIG = Path(__file__).parents[2] / "config"
FAULT = Fault("roles.toml", "role[1]", "wrong", "Mend it")


def settings(change: tuple[str, str] = ("", "")) -> Settings:
    text = (CONFIG / "gateway.toml").read_text()
    assert change[0] in text
    found, faults = settings_from(tomllib.loads(text.replace(*change, 1) if change[0] else text), CONFIG)
    assert found is not None
    assert faults == []
    return found


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        (("", ""), []),
        (("3 = 2\n", "3 = 3\n"), []),
        (("# threshold = 100", "threshold = 90"), []),
        (("unsafe_unsigned = true", 'release = "release.tar"'), ["table.release", "table.unsafe_unsigned"]),
        (('# directory = "."', 'directory = "elsewhere"'), ["table.directory"]),
        (("# drain = ", "drain = '31s' # "), ["limits.drain"]),
        (('"127.0.0.1:9090"', '"127.0.0.1:9091"'), ["listener[3].address"]),
        (("help_desk = ", 'help_desk = "elsewhere" # '), ["portal.help_desk"]),
        (('# idle = "30min"', 'idle = "20min"'), []),
        (('# review = "30d"', 'review = "20d"'), []),
        (('"dossier.localhost", ', '"dossier.localhost", "other.localhost", '), []),
    ],
)
def test_changes_that_wait_for_a_start_are_named(change: tuple[str, str], waits: list[str]) -> None:
    assert waiting_for_a_start(settings(), settings(change)) == waits


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("reloading") / "config"
    make_configuration(directory, time.time())
    return directory


class Machine:
    """A gateway that was started with a configuration, which is edited while it runs."""

    def __init__(self, config: Path) -> None:
        self.file = config / "gateway.toml"
        self.prepared = Prepared(config, load_settings(config), 1, [], [], b"", b"", 1, None, None, {})

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert text.count(old) == 1
        self.file.write_text(text.replace(old, new))


@pytest.fixture
def machine(pristine: Path, tmp_path: Path) -> Machine:
    return Machine(shutil.copytree(pristine, tmp_path / "config"))


def test_what_nobody_signed_is_not_served_by_a_reload_that_says_it_waits(machine: Machine) -> None:
    machine.edit("unsafe_unsigned = true", 'release = "release.tar"')
    signed = machine.prepared.settings = load_settings(machine.prepared.config)
    machine.edit('release = "release.tar"', "unsafe_unsigned = true")
    machine.edit('# state = "state"', 'state = "another"')
    unsigned = load_settings(machine.prepared.config)
    waits = waiting_for_a_start(signed, unsigned)
    assert {"table.unsafe_unsigned", "table.release", "table.releases", "state"} <= set(waits)
    taken = as_taken(signed, unsigned)
    assert (taken.table, taken.state, taken.table_memory) == (signed.table, signed.state, signed.table_memory)
    with pytest.raises(TableError, match="no_trusted_root"):  # it is still a signed one that is asked for
        read_anew(machine.prepared)


def test_a_table_elsewhere_waits_for_a_start(machine: Machine) -> None:
    before = read_anew(machine.prepared)
    (machine.file.parent / "elsewhere").mkdir()
    machine.edit('# directory = "."', 'directory = "elsewhere"')
    machine.edit('host = "portal.localhost"', 'host = "dossier.localhost"')
    after = read_anew(machine.prepared)
    assert after.restart_for == ["portal.host", "table.directory"]
    assert after.release.hash == before.release.hash


def test_settings_that_only_fit_what_waits_are_refused(machine: Machine) -> None:
    machine.edit('# idle = "30min"', 'idle = "50min"')
    machine.edit('# absolute = "10h"', 'absolute = "55min"')
    machine.prepared.settings = load_settings(machine.prepared.config)
    machine.edit('idle = "50min"', 'idle = "1h"')
    machine.edit('absolute = "55min"', 'absolute = "2h"')
    with pytest.raises(SettingsError, match=r"sessions\.absolute waits for a start") as refused:
        read_anew(machine.prepared)
    assert [fault.where for fault in refused.value.faults] == ["sessions.idle"]


def test_whoever_is_forked_after_a_reload_has_what_the_others_took(machine: Machine) -> None:
    started = machine.prepared.settings
    machine.edit('# refresh = "15min"', 'refresh = "10min"')
    machine.edit("# body_idle = ", 'body_idle = "50s" # ')
    machine.edit('"dossier.localhost", ', "")
    renew_prepared(machine.prepared)
    has = machine.prepared.settings
    assert (has.roles.refresh, has.limits) == (600.0, started.limits)
    assert "dossier.localhost" in started.listeners[0].names
    assert "dossier.localhost" not in has.listeners[0].names
    assert waiting_for_a_start(has, load_settings(machine.prepared.config)) == ["limits.body_idle"]
    machine.file.write_text("half edited")
    with pytest.raises(SettingsError):
        renew_prepared(machine.prepared)
    assert machine.prepared.settings is has


@pytest.mark.parametrize(
    ("outcomes", "ok", "table", "faults"),
    [
        ([outcome_of("a", []), outcome_of("a", [])], True, "a", 0),
        ([outcome_of("a", [FAULT]), outcome_of("a", [FAULT])], False, "a", 1),
        ([outcome_of("b", []), outcome_of("a", [FAULT])], False, "b", 1),
        ([outcome_of("b", []), outcome_of("a", [])], False, "b", 1),
    ],
)
def test_one_answer_of_all_workers(outcomes: list[Outcome], ok: bool, table: str, faults: int) -> None:
    told = merged(outcomes)
    assert (told["ok"], told["hash"], len(told["faults"])) == (ok, table, faults)


def test_what_the_command_reads(tmp_path: Path) -> None:
    file = tmp_path / "reload.json"
    write_outcome(file, outcome_of("a", []))
    assert set(json.loads(file.read_text())) == {"at", "ok", "hash", "faults"}
    write_outcome(file, merged([outcome_of("a", [], ["limits.drain"]), outcome_of("a", [], ["limits.drain"])]))
    assert json.loads(file.read_text())["restart_for"] == ["limits.drain"]
    assert [one.name for one in tmp_path.iterdir()] == ["reload.json"]
