"""Slow hashes at their least cost, for tests of what is built upon them: what a hash costs is tested in tests/credentials, and for real in
the browser and end to end. A whole suite of sign-ins would else be hashing for five minutes."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from gateway.credentials import password, peppered

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (password, peppered):
        monkeypatch.setattr(module, "HASHER", CHEAP)
