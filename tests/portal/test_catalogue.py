"""Every text is there in every language, and what is compiled is what was translated."""

from __future__ import annotations

import datetime as dt
import io
import re
import string
from configparser import ConfigParser
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from gateway.model import BRUSSELS, FOR_EVER
from gateway.portal import catalogue
from gateway.portal.words import MEANS

ROOT = Path(__file__).parents[2]
FOREIGN = ("nl", "fr", "de")
PLACE = re.compile(r"%\(\w+\)[sd]")


def po(language: str) -> Path:
    return catalogue.LOCALE_DIRECTORY / language / "LC_MESSAGES" / "messages.po"


def extracted() -> set[str]:
    """The messages that the code and the templates hold now, plurals by their singular."""
    config = ConfigParser()
    config.read(catalogue.LOCALE_DIRECTORY / "babel.ini")
    found = set()
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
    portal = ROOT / "gateway" / "portal"
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    for _, _, message, _, _ in extract_from_dir(
        portal, methods, {"templates/**.html": {"encoding": "utf-8", "trimmed": "true"}}, keywords
    ):
        found.add(message if isinstance(message, str) else message[0])
    assert set(config) >= {"python: gateway/portal/**.py", "jinja2: gateway/portal/templates/**.html"}
    return found


def messages(language: str) -> list[Message]:
    with po(language).open("rb") as file:
        return [message for message in read_po(file) if message.id]


@pytest.mark.parametrize("language", FOREIGN)
def test_every_message_is_translated_and_none_is_left_over(language: str) -> None:
    found = {message.id if isinstance(message.id, str) else message.id[0]: message for message in messages(language)}
    assert set(found) == extracted(), "run the commands in gateway/portal/catalogue.py"
    for message in found.values():
        texts = [message.string] if isinstance(message.string, str) else list(message.string)
        assert all(texts), f"{language}: {message.id!r} is not translated"
        assert not message.fuzzy


@pytest.mark.parametrize("language", FOREIGN)
def test_translations_keep_places_markup_and_codes(language: str) -> None:
    for message in messages(language):
        pairs = (
            [(message.id, message.string)]
            if isinstance(message.id, str)
            else zip(message.id, message.string, strict=True)
        )
        for source, text in pairs:
            assert sorted(PLACE.findall(source)) == sorted(PLACE.findall(text)), source
            assert re.findall(r"</?\w+>", source) == re.findall(r"</?\w+>", text), source
            assert source.endswith(":") == text.rstrip().endswith(":"), source
            assert source[-1] not in string.punctuation or text[-1] in string.punctuation, source


@pytest.mark.parametrize("language", FOREIGN)
def test_the_compiled_catalogue_is_up_to_date(language: str) -> None:
    with po(language).open("rb") as file:
        compiled = io.BytesIO()
        write_mo(compiled, read_po(file))
    assert po(language).with_suffix(".mo").read_bytes() == compiled.getvalue(), (
        "pybabel compile -d gateway/portal/locale"
    )


DOMAIN = [
    ("You are not authorised for this transaction.", "U bent niet gemachtigd voor deze transactie.", "Vous n'êtes pas autorisé à effectuer cette transaction.", "Sie sind für diese Transaktion nicht berechtigt."),
    ("The means of authentication used is too weak for this transaction.", "De gebruikte aanmeldingsmethode is niet sterk genoeg voor deze transactie.", "La méthode d'authentification utilisée n'est pas assez forte pour cette transaction.", "Die verwendete Authentifizierungsmethode ist für diese Transaktion nicht stark genug."),
    ("Only HTTPS is permitted.", "Alleen HTTPS is toegelaten.", "Seul le protocole HTTPS est autorisé.", "Nur HTTPS ist zulässig."),
    ("Application-to-application connections over the internet are forbidden.", "Verbindingen van toepassing tot toepassing via het internet zijn verboden.", "Les connexions d'application à application par Internet sont interdites.", "Verbindungen von Anwendung zu Anwendung über das Internet sind verboten."),
    ("Please accept the user regulation first.", "Aanvaard eerst het gebruikersreglement.", "Veuillez d'abord accepter le règlement des utilisateurs.", "Bitte akzeptieren Sie zuerst die Benutzerordnung."),
    ("Your authorisation is suspended or has expired.", "Uw machtiging is geschorst of vervallen.", "Votre autorisation est suspendue ou a expiré.", "Ihre Genehmigung ist ausgesetzt oder abgelaufen."),
    ("This transaction has not been activated yet.", "Deze transactie is nog niet geactiveerd.", "Cette transaction n'est pas encore activée.", "Diese Transaktion ist noch nicht freigeschaltet."),
    ("My applications", "Mijn toepassingen", "Mes applications", "Meine Anwendungen"),
    ("User regulation", "Gebruikersreglement", "Règlement des utilisateurs", "Benutzerordnung"),
    ("electronic identity card (eID)", "elektronische identiteitskaart (eID)", "carte d'identité électronique (eID)", "elektronischer Personalausweis (eID)"),
    ("security code via mobile app", "beveiligingscode via mobiele app", "code de sécurité via application mobile", "Sicherheitscode über mobile App"),
]  # fmt: skip


@pytest.mark.parametrize("row", DOMAIN, ids=[row[0] for row in DOMAIN])
def test_the_words_of_the_field_stand_as_agreed(row: tuple[str, ...]) -> None:
    assert tuple(catalogue.translate(language, row[0]) for language in ("en", *FOREIGN)) == row


def test_dates_and_numbers_are_written_as_each_language_writes_them() -> None:
    moment = dt.datetime(2026, 3, 1, 9, 5, 7, tzinfo=BRUSSELS).timestamp()
    assert [catalogue.day(language, moment) for language in ("nl", "fr", "de", "en")] == [
        "1 maart 2026",
        "1 mars 2026",
        "1. März 2026",
        "1 March 2026",
    ]
    assert catalogue.day_and_time("nl", moment) == "1 maart 2026, 09:05:07"
    assert catalogue.clock_time("fr", moment) == "09:05"
    assert [catalogue.number("nl", 2.5), catalogue.number("de", 10.0)] == [
        "2,5",
        "10",
    ]


def test_the_last_day_is_the_one_before_the_end() -> None:
    midnight = dt.datetime(2027, 1, 1, tzinfo=BRUSSELS).timestamp()
    assert catalogue.last_day("en", midnight) == "31 December 2026"
    assert catalogue.last_day("en", FOR_EVER) is None
    assert catalogue.day("en", 1e300)


def test_every_means_has_its_word() -> None:
    assert all(catalogue.translate("nl", word) for word in MEANS.values())
