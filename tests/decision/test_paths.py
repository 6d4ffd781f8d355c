"""Path patterns against a naive segment matcher, and what a pattern may not be (THREATS rows 6 and 9)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.decision import PathPattern, PatternError
from tests.decision import oracle

SEGMENTS = ["a", "b", "prod", "prod2", "PROD", "a.b", "a%20b", "*", "{insz}", "{nr}", "85073003328"]
patterns = st.builds(
    lambda segments, end: "/" + "/".join([*dict.fromkeys(segments), *end]),
    st.lists(st.sampled_from(SEGMENTS), max_size=4),
    st.sampled_from([[], ["**"], [""]]),
)
paths = st.builds(
    lambda segments, end: "/" + "/".join([*segments, *end]),
    st.lists(st.sampled_from([one for one in SEGMENTS if one[0] not in "*{"]), max_size=5),
    st.sampled_from([[], [""]]),
)


@given(patterns, paths)
@example("/**", "/")
@example("/a/**", "/a")
@example("/a/**", "/a/")
@example("/a/**", "/ab")
@example("/a/*", "/a/")
@example("/", "/")
def test_it_agrees_with_a_naive_matcher(pattern: str, path: str) -> None:
    assert PathPattern(pattern).match(path) == oracle.matches(pattern, path)


@pytest.mark.parametrize(("pattern", "path", "names"), [
    ("/search", "/search", {}),
    ("/search", "/search/", None),
    ("/search", "/Search", None),
    ("/search", "/search2", None),
    ("/search", "/a/search", None),
    ("/search/", "/search/", {}),
    ("/dossiers/*", "/dossiers/1", {}),
    ("/dossiers/*", "/dossiers/", None),
    ("/dossiers/*", "/dossiers/1/2", None),
    ("/dossiers/{insz}", "/dossiers/85073003328", {"insz": "85073003328"}),
    ("/{nr}/x/{insz}", "/7/x/85073003328", {"nr": "7", "insz": "85073003328"}),
    ("/files/**", "/files", {}),
    ("/files/**", "/files/", {}),
    ("/files/**", "/files/a/b/", {}),
    ("/files/**", "/files2", None),
    ("/{nr}/**", "/7/x", {"nr": "7"}),
    ("/**", "/", {}),
    ("/**", "/a", {}),
    ("/**", "a", None),
    ("/a.b", "/axb", None),
    ("/a", "/a\n", None),
    ("/(a)", "/(a)", {}),
])  # fmt: skip
def test_table(pattern: str, path: str, names: dict[str, str] | None) -> None:
    assert PathPattern(pattern).match(path) == names


@pytest.mark.parametrize(("pattern", "words"), [
    ("", "does not start with '/'"),
    ("search", "does not start with '/'"),
    ("/**/x", "only at the end"),
    ("/a//b", "empty segment"),
    ("/a/../b", "dot segment"),
    ("/./b", "dot segment"),
    ("/{insz}/{insz}", "twice"),
    ("/a*", "no canonical path"),
    ("/a?b=1", "no canonical path"),
    ("/a b", "no canonical path"),
    ("/a%2", "no canonical path"),
    ("/a%c3", "no canonical path"),
    ("/é", "no canonical path"),
    ("/{INSZ}", "no canonical path"),
    ("/{}", "no canonical path"),
    ("/a\\b", "no canonical path"),
    ("/a;v=1", "no canonical path"),
    ("/a\n", "no canonical path"),
])  # fmt: skip
def test_a_pattern_that_cannot_be_read_says_why(pattern: str, words: str) -> None:
    with pytest.raises(PatternError, match=words.replace("*", r"\*")):
        PathPattern(pattern)


@given(st.text(max_size=20))
def test_any_text_gives_a_pattern_or_our_error(text: str) -> None:
    with contextlib.suppress(PatternError):
        assert PathPattern("/" + text).text == "/" + text


def test_patterns_are_values() -> None:
    assert PathPattern("/a/*") == PathPattern("/a/*") != PathPattern("/a/**")
    assert PathPattern("/a") != "/a"
    assert len({PathPattern("/a"), PathPattern("/a")}) == 1
    assert repr(PathPattern("/a")) == "PathPattern('/a')"
