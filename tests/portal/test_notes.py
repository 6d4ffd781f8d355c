"""A note that a browser carries between our hosts: ours, whole, and soon too old."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.portal.forms import Notes

NOTES = Notes(b"s" * 32)
WORDS = st.lists(st.text(max_size=20), max_size=5)


@given(WORDS, st.floats(0, 60))
def test_a_note_comes_back_as_it_was(words: list[str], later: float) -> None:
    assert NOTES.open(NOTES.seal(words, 1000.0), 1000.0 + later, 60) == words


@given(WORDS)
def test_an_old_one_or_one_of_the_future_says_nothing(words: list[str]) -> None:
    note = NOTES.seal(words, 1000.0)
    assert NOTES.open(note, 1060.1, 60) is None
    assert NOTES.open(note, 999.9, 60) is None


@given(WORDS, st.data())
def test_one_changed_character_makes_it_nobodys(words: list[str], data: st.DataObject) -> None:
    note = NOTES.seal(words, 1000.0)
    place = data.draw(st.integers(0, len(note) - 1))
    other = data.draw(st.characters(exclude_characters=note[place]))
    assert NOTES.open(note[:place] + other + note[place + 1 :], 1000.0, 60) is None


@given(st.text())
def test_hostile_text_says_nothing(text: str) -> None:
    assert NOTES.open(text, 1000.0, 60) is None


def test_another_gateway_does_not_read_it() -> None:
    assert Notes(b"t" * 32).open(NOTES.seal(["x"], 1000.0), 1000.0, 60) is None
