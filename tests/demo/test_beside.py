"""What the demo runs beside the gateway: a process that is silent or gone ends the start with a word, and holds nothing up."""

from __future__ import annotations

import os

import pytest

from gateway.demo import beside
from gateway.demo.beside import NotStarted, wait_for


@pytest.mark.parametrize(("gone", "words"), [(False, "said nothing"), (True, "did not start")])
def test_one_that_does_not_begin(monkeypatch: pytest.MonkeyPatch, gone: bool, words: str) -> None:
    monkeypatch.setattr(beside, "READY_SECONDS", 0.1)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as output:
        if gone:
            os.close(writing)
        with pytest.raises(NotStarted, match=f"the demo's provider {words}"):
            wait_for(output, "provider")
        if not gone:
            os.write(writing, b"{}\n")
            wait_for(output, "provider")
            os.close(writing)
    wait_for(None, "provider")
