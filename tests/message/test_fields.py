"""Header sections as values."""

from gateway.message import Fields

PAIRS = [("Host", "a"), ("X-One", "1"), ("x-one", "2"), ("Accept", ""), ("X-ONE", "3, 4,")]


def test_lookup_is_case_insensitive_and_gives_the_first() -> None:
    fields = Fields.of(PAIRS)
    assert fields.get("x-one") == "1"
    assert fields.get("accept") == ""
    assert fields.get("absent") is None
    assert "host" in fields
    assert "absent" not in fields


def test_order_and_spelling_are_kept() -> None:
    fields = Fields.of(iter(PAIRS))
    assert list(fields) == PAIRS
    assert len(fields) == 5


def test_all_and_tokens_join_lines_of_one_name() -> None:
    fields = Fields.of(PAIRS)
    assert fields.all("x-one") == ["1", "2", "3, 4,"]
    assert fields.all("host") == ["a"]
    assert fields.all("absent") == []
    assert fields.tokens("x-one") == ["1", "2", "3", "4"]
    assert fields.tokens("absent") == []
    alone = Fields.of([("Connection", "Keep-Alive , \tUpgrade,,")])
    assert alone.all("connection") == ["Keep-Alive , \tUpgrade,,"]
    assert alone.tokens("connection") == ["keep-alive", "upgrade"]


def test_repeated_names() -> None:
    assert Fields.of(PAIRS).repeated() == {"x-one"}
    assert Fields.of(PAIRS[:2]).repeated() == set()


def test_of_copies() -> None:
    pairs = [("A", "1")]
    fields = Fields.of(pairs)
    pairs.append(("B", "2"))
    assert list(fields) == [("A", "1")]


def test_equality_and_a_repr_without_values() -> None:
    assert Fields.of(PAIRS) == Fields.of(PAIRS)
    assert Fields.of(PAIRS) != Fields.of(PAIRS[:1])
    assert Fields.of(PAIRS) != PAIRS
    assert repr(Fields.of([("Cookie", "secret"), ("Host", "a")])) == "Fields(Cookie, Host)"
