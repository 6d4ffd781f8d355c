"""One gateway that many tests share; and gateways of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.client import SECRETS
from tests.end_to_end.house import House
from tests.end_to_end.origin import Origin, running_origin


@pytest.fixture(scope="session")
def demo(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running demo with its own origin. Every test signs in for itself, and leaves its people as they were.

    Its flood rule is set aside: each refusal has a line of its own, however quick the tests are.
    """
    state = tmp_path_factory.mktemp("demo") / "state"
    house = House.copied(template, state, settings={"ledger": {"flood_rate": 10_000}})
    with house.demo():
        yield house
    written = house.log.read_bytes() + b"".join(
        file.read_bytes() for file in house.home.ledger.rglob("*") if file.is_file()
    )
    secrets = SECRETS | {person[key] for person in house.facts["people"] for key in ("insz", "password")}
    found = sorted(secret for secret in secrets if secret.encode() in written)
    assert not found, f"secrets in the ledger or on stderr: {found}"


@pytest.fixture
def house(template: Path, tmp_path: Path) -> Callable[..., House]:
    """Makes a gateway for this test alone."""
    return lambda **options: House.copied(template, tmp_path / "state", **options)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    """The tests' own origin, in a process of its own."""
    with running_origin(tmp_path) as origin:
        yield origin
