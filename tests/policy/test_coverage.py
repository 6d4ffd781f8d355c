from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision import PathPattern
from gateway.policy.coverage import covers


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("/**", "/", True),
        ("/**", "/**", True),
        ("/**", "/a/*/b", True),
        ("/a/**", "/a", True),
        ("/a/**", "/a/", True),
        ("/a/**", "/a/**", True),
        ("/a/**", "/ab", False),
        ("/a/**", "/**", False),
        ("/*", "/{id}", True),
        ("/{id}", "/*", True),
        ("/*", "/", False),
        ("/*", "/**", False),
        ("/*/b", "/a/*", False),
        ("/a", "/a/", False),
        ("/a", "/*", False),
    ],
)
def test_whether_one_pattern_takes_all_of_another(wide: str, narrow: str, covered: bool) -> None:
    assert covers(wide, narrow) is covered


segments = st.lists(st.sampled_from(["a", "b", "*", "{x}"]), max_size=2)
patterns = st.builds(
    lambda parts, end: "/" + "/".join([*parts, *end]) if parts or end else "/",
    segments,
    st.sampled_from([[], ["**"], [""]]),
).filter(lambda text: text.count("{x}") < 2)
PATHS = [
    "/" + "/".join(parts)
    for length in range(1, 5)
    for parts in itertools.product(["a", "b", "other", ""], repeat=length)
]
CANONICAL = [path for path in PATHS if "//" not in path]


@given(patterns, patterns)
def test_it_says_what_matching_every_path_says(wide: str, narrow: str) -> None:
    one, other = PathPattern(wide), PathPattern(narrow)
    everything = all(one.match(path) is not None for path in CANONICAL if other.match(path) is not None)
    assert covers(wide, narrow) is everything
