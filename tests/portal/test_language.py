from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import LANGUAGES
from gateway.portal.language import choose


@pytest.mark.parametrize(
    ("accept", "cookie", "expected"),
    [
        (None, None, "nl"),
        ("", None, "nl"),
        ("fr-BE,fr;q=0.9,en;q=0.8", None, "fr"),
        ("en-US,en;q=0.5", None, "en"),
        ("es,de;q=0.1,en;q=0.2", None, "en"),
        ("DE-be", None, "de"),
        ("fr;q=0,de;q=0.1", None, "de"),
        ("fr;q=0", None, "nl"),
        ("de;q=0.5,fr;q=0.5", None, "de"),
        ("*", None, "nl"),
        ("es, it", None, "nl"),
        ("fr;q=1.5,de", None, "de"),
        ("fr;q=banana", None, "nl"),
        ("fr\x00,de", None, "de"),
        ("en", "fr", "fr"),
        ("en", "xx", "en"),
        ("en", "fr; Path=/", "en"),
        ("x" * 600 + ",fr", None, "nl"),
    ],
)
def test_the_choice_counts_first_then_the_browser_then_the_default(
    accept: str | None, cookie: str | None, expected: str
) -> None:
    assert choose(accept, cookie, "nl") == expected


@given(st.text() | st.none(), st.text() | st.none())
def test_hostile_fields_give_one_of_the_four(accept: str | None, cookie: str | None) -> None:
    assert choose(accept, cookie, "de") in LANGUAGES
