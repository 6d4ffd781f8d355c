"""A good configuration to break: made once by `gateway init`'s own code, copied for each test."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.init import make_configuration

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC).timestamp()
"""All authorisations of the example are in force then, and none ends soon."""


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("policy") / "config"
    make_configuration(directory, NOW)
    return directory


@pytest.fixture
def config(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "config")


@pytest.fixture
def edit(config: Path) -> Callable[[str, str, str], None]:
    """edit(file, old, new): `old` must be there, once."""

    def change(file: str, old: str, new: str) -> None:
        path = config / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new))

    return change
