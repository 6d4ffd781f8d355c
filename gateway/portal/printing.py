"""A paper as PDF: one page A4, with the fonts that every reader has."""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import TYPE_CHECKING, Final

from gateway.model import BRUSSELS
from gateway.portal.papers import COLUMNS, Paper

if TYPE_CHECKING:
    from fpdf import FPDF

MARGIN_MM: Final = 25.0
LINE_MM: Final = 6.0
ROW_MM: Final = 12.0
GAP_MM: Final = 4.0
_CHARACTERS: Final = "cp1252"
"""What the fonts that every reader has can show: all letters of our four languages."""
_STROKED: Final = str.maketrans("ĐđĦħıŁłŊŋŦŧ", "DdHhiLlNnTt")
"""Letters of other languages of Europe that are not a plain one with a mark."""


def as_pdf(paper: Paper, made_at: float) -> bytes:
    """The file; the same paper of the same moment (Unix seconds) is the same file. Takes a while: not for the loop."""
    from fpdf import FPDF  # most of a second to import, and most commands print nothing

    pdf = FPDF(format="A4")
    pdf.core_fonts_encoding = _CHARACTERS
    pdf.set_creation_date(dt.datetime.fromtimestamp(made_at, BRUSSELS))
    pdf.set_lang(f"{paper.language}-BE")
    pdf.set_title(paper.title)
    pdf.set_margin(MARGIN_MM)
    pdf.add_page()
    _paragraph(pdf, paper.service, size=10)
    _paragraph(pdf, paper.title, size=20, style="B")
    _paragraph(pdf, paper.to, style="B")
    for text in paper.before:
        _paragraph(pdf, text)
    if paper.rows:
        _card(pdf, paper)
    else:
        pdf.ln(GAP_MM)
        pdf.set_font("Courier", "B", 24)
        pdf.cell(0, 2 * ROW_MM, paper.code, border=1, align="C", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(2 * GAP_MM)
    for text in paper.after:
        _paragraph(pdf, text)
    return bytes(pdf.output())


def _paragraph(pdf: FPDF, text: str, size: int = 11, style: str = "") -> None:
    pdf.set_font("Helvetica", style, size)
    pdf.multi_cell(0, LINE_MM * max(1.0, size / 14), shown(text), align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(GAP_MM)


def _card(pdf: FPDF, paper: Paper) -> None:
    width = pdf.epw / COLUMNS
    pdf.ln(GAP_MM)
    for row in paper.rows:
        for number, code in row:
            pdf.set_font("Helvetica", "", 10)
            pdf.cell(width * 0.3, ROW_MM, str(number), border="LTB", align="R")
            pdf.set_font("Courier", "B", 14)
            pdf.cell(width * 0.7, ROW_MM, code, border="RTB", align="C")
        pdf.ln(ROW_MM)
    pdf.ln(2 * GAP_MM)


def shown(text: str) -> str:
    """The text in the characters that the fonts have: of others the plain letter, or a question mark. The user ID always is whole."""
    return "".join(character if _known(character) else _plain(character) for character in text)


def _known(character: str) -> bool:
    return character.encode(_CHARACTERS, "ignore") != b""


def _plain(character: str) -> str:
    letters = unicodedata.normalize("NFKD", character.translate(_STROKED)).encode("ascii", "ignore").decode("ascii")
    return letters or "?"
