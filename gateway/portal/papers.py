"""What the local administrator hands over on paper, in the language of who gets it: a code card, or a letter with an activation code."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gateway.credentials.activation import grouped
from gateway.model import Language
from gateway.portal import catalogue
from gateway.portal.catalogue import N_

ACTIVATION_PAGE: Final = "/activation"
"""On the portal host: where the code of a letter is filled in."""
COLUMNS: Final = 4
"""Of a card on paper; the numbers go down each."""
_TEXT_WIDTH: Final = 78

SERVICE: Final = N_("CBSS secure access")
CARD: Final = N_("Code card")
LETTER: Final = N_("Your activation code")
TO: Final = N_("For %(name)s, user ID %(user_id)s, at %(institution)s.")
CARD_BEFORE: Final = (
    N_(
        "When you sign in with your user ID and password, you are asked for the code beside one of these numbers. Capitals, spaces and hyphens do not matter."
    ),
)
CARD_AFTER: Final = (
    N_(
        "Keep this card apart from your password and show it to nobody. Nobody who helps you ever asks for a code of it."
    ),
    N_(
        "Is the card lost, or has somebody seen it? Tell the local administrator of your institution at once: with a new card, this one is void."
    ),
    N_("Made on %(day)s. Earlier cards are void."),
)
LETTER_BEFORE: Final = (
    N_("With this code you set a password of your own. It works once, until %(until)s."),
    N_("Type this address in your browser: %(address)s"),
    N_("Fill in your user ID and the code, and choose your password. Then you read the user regulation."),
)
LETTER_AFTER: Final = (
    N_("Show this letter to nobody. Nobody who helps you ever asks for the code."),
    N_(
        "Did you not expect this letter, or does the code not work? Ask the local administrator of your institution, who can make a new one."
    ),
)


class Addressee(NamedTuple):
    """Who gets it. `institution` is its name in their language."""

    language: Language
    user_id: str
    name: str
    institution: str


class Paper(NamedTuple):
    """One sheet, in one language. Either `code` is there, or `rows`: the codes of a card as they stand beside each other."""

    language: Language
    service: str
    title: str
    to: str
    before: tuple[str, ...]
    rows: tuple[tuple[tuple[int, str], ...], ...]
    code: str
    after: tuple[str, ...]

    def as_text(self) -> str:
        """For a terminal, or a printer that knows nothing else."""
        table = "\n".join("    ".join(f"{number:2}  {code}" for number, code in row) for row in self.rows)
        before, after = (f"{self.service} - {self.title}", self.to, *self.before), self.after
        return "\n\n".join((*map(_folded, before), table or f"    {self.code}", *map(_folded, after)))


def _folded(text: str) -> str:
    return textwrap.fill(text, _TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)


def card_paper(to: Addressee, codes: Sequence[str], made_at: float) -> Paper:
    """A code card; `codes` begin with that of number 1, `made_at` is Unix seconds."""
    numbered = list(enumerate(codes, start=1))
    height = -(-len(numbered) // COLUMNS)
    rows = tuple(tuple(numbered[row::height]) for row in range(height))
    return _paper(to, CARD, CARD_BEFORE, CARD_AFTER, {"day": catalogue.day(to.language, made_at)}, rows=rows)


def letter_paper(to: Addressee, code: str, until: float, portal: str) -> Paper:
    """A letter; `portal` is `https://host[:port]`, `until` (Unix seconds) the first moment at which the code is good no more."""
    values = {
        "until": catalogue.day_and_time(to.language, until).rpartition(":")[0],
        "address": f"{portal}{ACTIVATION_PAGE}",
    }
    return _paper(to, LETTER, LETTER_BEFORE, LETTER_AFTER, values, code=grouped(code))


def _paper(
    to: Addressee,
    title: str,
    before: Sequence[str],
    after: Sequence[str],
    values: Mapping[str, str],
    *,
    rows: tuple[tuple[tuple[int, str], ...], ...] = (),
    code: str = "",
) -> Paper:
    def text(message: str, with_values: Mapping[str, str] = values) -> str:
        return catalogue.translate(to.language, message) % with_values

    named = {"name": to.name, "user_id": to.user_id, "institution": to.institution}
    return Paper(
        to.language,
        text(SERVICE),
        text(title),
        text(TO, named),
        tuple(text(message) for message in before),
        rows,
        code,
        tuple(text(message) for message in after),
    )
