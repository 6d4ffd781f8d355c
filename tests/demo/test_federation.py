"""The demo's provider: one that is silent or gone ends the start with a word, and holds nothing up."""

from __future__ import annotations

import os

import pytest

from gateway.demo import federation
from gateway.demo.federation import ProviderFailed


@pytest.mark.parametrize(("gone", "words"), [(False, "said nothing"), (True, "did not start")])
def test_a_provider_that_does_not_begin(monkeypatch: pytest.MonkeyPatch, gone: bool, words: str) -> None:
    monkeypatch.setattr(federation, "READY_SECONDS", 0.1)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as output:
        if gone:
            os.close(writing)
        with pytest.raises(ProviderFailed, match=words):
            federation.wait_for(output)
        if not gone:
            os.write(writing, b"{}\n")
            federation.wait_for(output)
            os.close(writing)
    federation.wait_for(None)
