"""Prefixes and patterns match whole segments of canonical paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError
from gateway.message import PathPattern, matches_prefix


@pytest.mark.parametrize(
    ("path", "prefix", "matches"),
    [
        ("/prod", "/prod", True),
        ("/prod/", "/prod", True),
        ("/prod/x", "/prod", True),
        ("/prod/x", "/prod/", True),
        ("/prod", "/prod/", True),
        ("/prod2", "/prod", False),
        ("/prod2/x", "/prod/", False),
        ("/PROD/x", "/prod/", False),
        ("/pro", "/prod", False),
        ("/", "/prod", False),
        ("/", "/", True),
        ("/a", "/", True),
        ("/a/b/c", "/a/b", True),
        ("/a/bc", "/a/b", False),
        ("*", "/", False),
    ],
)
def test_prefix(path: str, prefix: str, matches: bool) -> None:
    assert matches_prefix(path, prefix) is matches


@pytest.mark.parametrize(
    ("pattern", "path", "captures"),
    [
        ("/**", "/", {}),
        ("/**", "/a/b/c/", {}),
        ("/a/**", "/a", {}),
        ("/a/**", "/a/", {}),
        ("/a/**", "/a/b/c", {}),
        ("/a/**", "/ab", None),
        ("/a/**", "/", None),
        ("/dossiers/*", "/dossiers/1", {}),
        ("/dossiers/*", "/dossiers/", None),
        ("/dossiers/*", "/dossiers", None),
        ("/dossiers/*", "/dossiers/1/", None),
        ("/dossiers/*", "/dossiers/1/2", None),
        ("/search", "/search", {}),
        ("/search", "/search/", None),
        ("/search", "/SEARCH", None),
        ("/search", "/search2", None),
        ("/", "/", {}),
        ("/", "/a", None),
        ("/a.b", "/axb", None),
        ("/dossiers/{insz}", "/dossiers/85073003328", {"insz": "85073003328"}),
        ("/{a}/x/{b}/**", "/1/x/2/3/4", {"a": "1", "b": "2"}),
        ("/{a}", "/%C3%A9", {"a": "%C3%A9"}),
        ("/caf%C3%A9/*", "/caf%C3%A9/x", {}),
    ],
)
def test_match(pattern: str, path: str, captures: dict[str, str] | None) -> None:
    assert PathPattern.compile(pattern).match(path) == captures


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("a", "begin with /"),
        ("", "begin with /"),
        ("/a//b", "empty segment"),
        ("/**/a", "whole segment"),
        ("/a*", "whole segment"),
        ("/a/***", "whole segment"),
        ("/{A}", "whole segment"),
        ("/{a", "whole segment"),
        ("/a}", "whole segment"),
        ("/x{a}", "whole segment"),
        ("/{a}/{a}", "twice"),
        ("/../a", "never match"),
        ("/a b", "never match"),
        ("/a;b", "never match"),
        ("/%2f", "never match"),
        ("/caf\u00e9", "never match"),
        ("/%41", "write it as 'A'"),
        ("/a[1]", "write it as 'a%5B1%5D'"),
    ],
)
def test_what_cannot_be_meant_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says.replace("*", r"\*")):
        PathPattern.compile(pattern)


def test_is_a_value() -> None:
    assert PathPattern.compile("/a/*") == PathPattern.compile("/a/*")
    assert PathPattern.compile("/a/*") != PathPattern.compile("/a")
    assert PathPattern.compile("/a") != "/a"
    assert hash(PathPattern.compile("/a")) == hash(PathPattern.compile("/a"))
    assert repr(PathPattern.compile("/a")) == "PathPattern('/a')"
    assert PathPattern.compile("/a").text == "/a"


SEGMENTS = st.lists(st.text(alphabet="ab", max_size=3), min_size=1, max_size=4)


@given(SEGMENTS, SEGMENTS)
def test_prefix_is_a_prefix_of_segments(path: list[str], prefix: list[str]) -> None:
    prefix = [segment for segment in prefix if segment]
    expected = path[: len(prefix)] == prefix
    assert matches_prefix("/" + "/".join(path), "/" + "/".join(prefix)) is expected


@given(st.text(alphabet="ab/", max_size=30))
def test_below_agrees_with_prefix(rest: str) -> None:
    path = f"/{rest}"
    assert (PathPattern.compile("/a/**").match(path) is not None) is matches_prefix(path, "/a")
