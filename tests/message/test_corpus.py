"""The kept corpus of the fuzzing, against the same invariants: what was once new stays tried (docs/fuzzing.md)."""

from __future__ import annotations

import pytest

from fuzz.checks import CHECKS
from fuzz.corpus import load


@pytest.mark.parametrize("name", CHECKS)
def test_the_corpus_breaks_no_invariant(name: str) -> None:
    corpus = load(name)
    assert len(corpus) >= 20
    for data in corpus:
        CHECKS[name](data)
