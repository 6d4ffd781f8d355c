"""Cards and letters on paper: whole, in four languages, as text and as PDF."""

from __future__ import annotations

import re
import zlib

import pytest

from gateway.credentials.activation import CODE_BYTES, LIFETIME_SECONDS, grouped, make_code
from gateway.credentials.code_card import CARD_BYTES, make_codes
from gateway.model import LANGUAGES, Language
from gateway.portal.papers import Addressee, Paper, card_paper, letter_paper
from gateway.portal.printing import as_pdf, shown
from tests.portal.conftest import NOW

CARD = make_codes(bytes(range(CARD_BYTES)))
CODE = make_code(bytes(range(CODE_BYTES)))
PORTAL = "https://portal.example:8443"


def addressee(language: Language, name: str = "Zoë Müller") -> Addressee:
    return Addressee(language, "muller01", name, "Hulpkas van Aalter")


def card(language: Language) -> Paper:
    return card_paper(addressee(language), CARD, NOW)


def letter(language: Language) -> Paper:
    return letter_paper(addressee(language), CODE, NOW + LIFETIME_SECONDS, PORTAL)


def texts_of(pdf: bytes) -> str:
    """What stands on the page, from its drawing operations (ISO 32000-1 section 9.4.3)."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    drawn = b"".join(zlib.decompress(stream) for stream in streams if stream[:1] == b"\x78")
    pieces = re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", drawn)
    return " ".join(re.sub(rb"\\(.)", rb"\1", piece).decode("cp1252") for piece in pieces)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_has_every_number_and_every_word(language: Language) -> None:
    paper = card(language)
    printed = dict(pair for row in paper.rows for pair in row)
    assert printed == dict(enumerate(CARD, start=1))
    assert [row[0][0] for row in paper.rows] == [1, 2, 3, 4, 5, 6]  # the numbers go down a column
    for shown_text in (paper.as_text(), texts_of(as_pdf(paper, NOW))):
        assert all(code in shown_text for code in CARD)
        for part in ("muller01", "Zoë Müller", "Hulpkas van Aalter", "2026"):
            assert part in " ".join(shown_text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_says_where_until_when_and_the_code(language: Language) -> None:
    paper = letter(language)
    for shown_text in (paper.as_text(), texts_of(as_pdf(paper, NOW))):
        for part in (grouped(CODE), f"{PORTAL}/activation", "29", "2026", "10:00", "muller01"):
            assert part in " ".join(shown_text.split())


def test_each_language_has_words_of_its_own() -> None:
    for paper_of in (card, letter):
        papers = [paper_of(language) for language in LANGUAGES]
        assert len({(*paper.before, *paper.after) for paper in papers}) == len(LANGUAGES)
        assert not any("%(" in text for paper in papers for text in (*paper.before, *paper.after, paper.to))


@pytest.mark.parametrize("paper", [card("nl"), card("de"), letter("fr")], ids=["card nl", "card de", "letter fr"])
def test_the_pdf_is_one_page_and_the_same_each_time(paper: Paper) -> None:
    pdf = as_pdf(paper, NOW)
    assert pdf == as_pdf(paper, NOW)
    assert re.findall(rb"/Count (\d+)", pdf) == [b"1"]
    assert f"/Lang ({paper.language}-BE)".encode() in pdf
    assert b"JavaScript" not in pdf


def test_a_line_is_read_on_a_narrow_terminal() -> None:
    for paper in (card("de"), letter("nl")):
        assert max(map(len, paper.as_text().splitlines())) <= 78


@pytest.mark.parametrize(
    ("name", "on_paper"),
    [
        ("Zoë Müller-Ångström", "Zoë Müller-Ångström"),
        ("Łukasz Đorđević", "Lukasz Dordevic"),
        ("Ștefan Çelik Ağaoğlu", "Stefan Çelik Agaoglu"),
        ("O’Brien – “x” €", "O’Brien – “x” €"),
        ("王芳", "??"),
    ],
)
def test_names_that_the_fonts_do_not_have(name: str, on_paper: str) -> None:
    assert shown(name) == on_paper
    pdf = as_pdf(card_paper(addressee("en", name), CARD, NOW), NOW)
    assert on_paper in texts_of(pdf)
