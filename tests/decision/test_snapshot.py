"""Where a path belongs, and which regulation is in force."""

from __future__ import annotations

import dataclasses as dc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Match, Regulation
from tests.decision import oracle
from tests.decision.world import NOW, REGULATION, SHA, TRANSACTION, build_snapshot, text

HOSTS = ["a.test", "b.test"]
prefixes = st.builds(
    lambda segments: "/".join(["", *segments, ""]), st.lists(st.sampled_from(["prod", "prod2", "x"]), max_size=3)
)
matches = st.builds(Match, st.sampled_from(HOSTS), prefixes)
paths = st.builds(
    lambda segments, end: "/" + "/".join([*segments, *end]),
    st.lists(st.sampled_from(["prod", "prod2", "x", "PROD", "pro"]), max_size=5),
    st.sampled_from([[], [""]]),
)


@given(st.lists(matches, max_size=6, unique=True), st.sampled_from([*HOSTS, "c.test"]), paths)
def test_it_agrees_with_a_naive_longest_prefix(where: list[Match], host: str, path: str) -> None:
    transactions = [dc.replace(TRANSACTION, id=f"t{number}", matches=(one,)) for number, one in enumerate(where)]
    located = build_snapshot(tuple(transactions), ()).locate(host, path)
    assert (located and (located.transaction, located.match, located.rest)) == oracle.locate(transactions, host, path)


@pytest.mark.parametrize(("path", "found"), [
    ("/prod", ("/prod/", "/")),
    ("/prod/", ("/prod/", "/")),
    ("/prod/x", ("/prod/", "/x")),
    ("/prod/x/", ("/prod/", "/x/")),
    ("/prod/deep", ("/prod/deep/", "/")),
    ("/prod/deep/x", ("/prod/deep/", "/x")),
    ("/prod/deeper", ("/prod/", "/deeper")),
    ("/prod2", None),
    ("/Prod/x", None),
    ("/", None),
    ("*", None),
    ("", None),
])  # fmt: skip
def test_table(path: str, found: tuple[str, str] | None) -> None:
    transaction = dc.replace(TRANSACTION, matches=(Match("a.test", "/prod/"), Match("a.test", "/prod/deep/")))
    located = build_snapshot((transaction,), ()).locate("a.test", path)
    assert (located and (located.match.path, located.rest)) == found


def test_a_host_of_its_own() -> None:
    located = build_snapshot((dc.replace(TRANSACTION, matches=(Match("a.test", "/"),)),), ()).locate("a.test", "/x/y")
    assert located is not None
    assert located.rest == "/x/y"


class Counting(dict[str, object]):
    """Counts look-ups."""

    asked = 0

    def get(self, key: str, default: object = None) -> object:
        self.asked += 1
        return super().get(key, default)


def test_a_path_of_thousands_of_segments_costs_no_more_than_the_longest_prefix() -> None:
    prefixes = Counting({"/prod/": (TRANSACTION, TRANSACTION.matches[0])})
    snapshot = build_snapshot((), (), hosts={"a.test": prefixes})
    assert snapshot.locate("a.test", "/a" * 4000) is None
    assert prefixes.asked < 10


def test_a_host_without_any_transaction_left() -> None:
    assert build_snapshot((), (), hosts={"a.test": {}}).locate("a.test", "/x") is None


def test_the_regulation_in_force() -> None:
    def version(name: str, effective: float) -> Regulation:
        return Regulation(name, effective, "source", text(name), SHA)

    old, new, later = version("2025", NOW - 9), version("2026", NOW), version("2027", NOW + 1)
    for order in ((old, new, later), (later, new, old), (new, later, old)):
        snapshot = build_snapshot((), (), regulations=order)
        assert snapshot.regulation(NOW - 10) is None
        assert snapshot.regulation(NOW - 1) == old
        assert snapshot.regulation(NOW) == new
        assert snapshot.regulation(NOW + 1) == later
    assert build_snapshot((), ()).regulation(NOW) == REGULATION


def test_of_two_regulations_of_one_moment_the_later_version_counts_in_any_order() -> None:
    one, two = REGULATION, dc.replace(REGULATION, version="2026b")
    for order in ((one, two), (two, one)):
        assert build_snapshot((), (), regulations=order).regulation(NOW) == two
