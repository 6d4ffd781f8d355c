"""Slow hashes at their least cost, for tests of what is built upon them: what a hash costs is tested in tests/credentials, and for real in
the browser and end to end. A whole suite of sign-ins would else be hashing for five minutes."""

from __future__ import annotations

import pytest

from gateway.credentials import password, peppered
from gateway.credentials.argon import LEAST as CHEAP


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (password, peppered):
        monkeypatch.setattr(module, "HASHER", CHEAP)
