"""Who and what there is in the demo: institutions, authorisations, people, and the one reason that each person's story shows.

Nothing here depends on a port, a date or a directory; `files` writes the table from it and `people` the records.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from gateway.credentials.code_card import CARD_BYTES, make_codes
from gateway.demo.applications import INSZ
from gateway.model import KSZ, Language, Text, Use

READ: Final = frozenset({Use.CONSULTATION})
READ_AND_WRITE: Final = frozenset({Use.CONSULTATION, Use.COMMUNICATION})

ANY_MEANS: Final = ("password", "token", "eid")
STRONG_MEANS: Final = ("token", "eid")

LINDE, TILLEULS, HILFSKASSE = "0403019261", "0884303369", "0428759497"


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution. Its head official is a person of the demo, by user ID; so is the local administrator, if there is one."""

    kbo: str
    name: Text
    language: Language
    domain: str
    head_official: str
    administrator: str | None = None


INSTITUTIONS: Final = (
    Institution(
        LINDE,
        Text(
            "Sociaal Huis De Linde (demo)", "Maison sociale De Linde (démo)", "Sozialhaus De Linde (Demo)", "De Linde Social House (demo)"
        ),
        "nl",
        "de-linde.example",
        head_official="nora.specimen",
        administrator="filip.maes",
    ),
    Institution(
        TILLEULS,
        Text(
            "Mutualiteit Les Tilleuls (demo)", "Mutualité Les Tilleuls (démo)", "Krankenkasse Les Tilleuls (Demo)",
            "Les Tilleuls Mutual Fund (demo)",
        ),
        "fr",
        "les-tilleuls.example",
        head_official="claire.dubois",
        administrator="gaelle.simon",
    ),
    Institution(
        HILFSKASSE,
        Text(
            "Hulpkas Oost-België (demo)", "Caisse auxiliaire Est-Belgique (démo)", "Hilfskasse Ostbelgien (Demo)",
            "East Belgium Relief Fund (demo)",
        ),
        "de",
        "hilfskasse.example",
        head_official="jana.klein",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction. `base` is its path on the origin; `role` the user-management role that social personal data needs."""

    id: str
    title: Text
    host: str
    path: str
    base: str
    sensitivity: int
    role: str | None
    story: str
    subject_path: str | None = None
    plain_cookies: bool = False

    @property
    def social(self) -> bool:
        return self.role is not None


TRANSACTIONS: Final = (
    Transaction(
        "dossier",
        Text("Dossiers", "Dossiers", "Akten", "Dossiers"),
        "dossier.localhost",
        "/dossier/",
        "/dossier-app/",
        1,
        "DossierReader",
        "Social personal data that a password opens; a dossier's path bears the citizen's number, which no log shows.",
        subject_path="/dossiers/{insz}",
    ),
    Transaction(
        "benefits",
        Text("Uitkeringen", "Allocations", "Leistungen", "Benefits"),
        "dossier.localhost",
        "/benefits/",
        "/benefits-app/",
        3,
        "BenefitsReader",
        "Sensitive data on the same host: a password alone is too weak, a password with a code is enough.",
    ),
    Transaction(
        "pension",
        Text("Pensioenen", "Pensions", "Renten", "Pensions"),
        "pension.localhost",
        "/pension/",
        "/pension-app/",
        1,
        "PensionReader",
        "On a host of its own; one of its institutions may read and not write.",
    ),
    Transaction(
        "career",
        Text("Loopbanen", "Carrières", "Laufbahnen", "Careers"),
        "pension.localhost",
        "/career/",
        "/career-app/",
        2,
        "CareerReader",
        "Nobody gets in: one authorisation has expired, the other is not activated yet.",
    ),
    Transaction(
        "guidance",
        Text("Richtlijnen", "Directives", "Richtlinien", "Guidance"),
        "guidance.localhost",
        "/",
        "/guidance-app/",
        0,
        None,
        "No social personal data: a whole host, open to everybody who is designated for it.",
        plain_cookies=True,
    ),
)

APP: Final = Transaction(
    "app",
    Text("Uw toepassing", "Votre application", "Ihre Anwendung", "Your application"),
    "app.localhost",
    "/",
    "",
    1,
    None,
    "Your own application, named by --origin: reading is a consultation, every other method a communication.",
    plain_cookies=True,
)
"""What takes the first transaction's place when the demo is given an origin (DESIGN section 7)."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """The KSZ's written word. `activated` says that a favourable opinion is there; `expired` that it is an old one, for two years.
    `writes_from` are the networks that changes may come from, and nothing else."""

    reference: str
    institution: str
    transaction: str
    uses: frozenset[Use] = READ_AND_WRITE
    means: tuple[str, ...] = ANY_MEANS
    status: Literal["active", "suspended"] = "active"
    activated: bool = True
    expired: bool = False
    writes_from: tuple[str, ...] = ()


AUTHORISATIONS: Final = (
    Authorisation("24/101", LINDE, "dossier"),
    Authorisation("24/102", LINDE, "benefits", means=STRONG_MEANS),
    Authorisation("24/103", TILLEULS, "pension"),
    Authorisation("24/104", LINDE, "career", means=STRONG_MEANS, activated=False),
    Authorisation("22/105", TILLEULS, "career", means=STRONG_MEANS, expired=True),
    Authorisation("24/106", TILLEULS, "benefits", means=STRONG_MEANS, status="suspended"),
    Authorisation("24/107", HILFSKASSE, "pension", uses=READ),
    Authorisation("24/108", LINDE, "guidance"),
    Authorisation("24/109", TILLEULS, "guidance"),
    Authorisation("24/110", HILFSKASSE, "guidance", writes_from=("192.0.2.0/24",)),
    Authorisation("24/111", HILFSKASSE, "benefits", means=("itsme", "eid")),
)
APP_AUTHORISATION: Final = Authorisation("24/100", LINDE, "app")


@dataclass(frozen=True, slots=True)
class Person:
    """One person. `transaction` is what the story is about, `page` where in it to look; `reason` what the gateway says.

    `designated` are the references of authorisations; `ended` those whose designation is over. `uses` are the same for all of them.
    """

    user_id: str
    name: str
    insz: str
    institution: str
    language: Language
    password: str
    reason: str
    story: str
    transaction: str
    designated: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    page: str = ""
    hint: str = ""
    totp_secret: str | None = None
    accepted: bool = True
    code_card: tuple[str, ...] = ()
    """The codes of their card, that of number 1 first."""
    activation_code: str = ""
    """That of a letter which waits for them at every start."""
    card: bool = False
    """That they have a card like the eID's."""
    by_provider: bool = False
    """That they sign in at the demo's provider, which is not everywhere."""
    office: str = ""
    """What they are besides: of the KSZ by its table, or what their head official granted."""


PEOPLE: Final = (
    Person(
        "an.peeters", "An Peeters", INSZ[0], LINDE, "nl", "harbour bicycle lantern", "permitted",
        "Permitted: reads and changes dossiers with her password, for the purpose that the deliberation states.",
        "dossier", ("24/101", "24/108", "24/100"), roles=("DossierReader",),
        hint="The bar on top is what the gateway told the application.",
    ),
    Person(
        "bart.janssens", "Bart Janssens", INSZ[1], LINDE, "nl", "seven quiet tractors", "means_too_weak",
        "Means too weak: designated for sensitive data, but he has only a password; a code or the eID is needed.",
        "benefits", ("24/102", "24/108"), roles=("BenefitsReader",),
    ),
    Person(
        "claire.dubois", "Claire Dubois", INSZ[2], TILLEULS, "fr", "velvet marmot parade", "not_designated",
        "Never designated: she leads her institution, which opens nothing; only a designation by name does.",
        "pension", roles=("PensionReader",), card=True,
        hint="She is told no more than that it is not for her. Signed in with her eID, she gives mandates and confirms designations.",
    ),
    Person(
        "david.lambert", "David Lambert", INSZ[3], TILLEULS, "fr", "copper kettle weather", "designation_ended",
        "Designation ended: he changed jobs; he is told so, and who can help.",
        "pension", ("24/109",), ended=("24/103",), roles=("PensionReader",),
    ),
    Person(
        "elise.renard", "Elise Renard", INSZ[4], TILLEULS, "fr", "paper boats at dawn", "expired",
        "Authorisation expired: her institution's authorisation for careers was for two years, and they are over.",
        "career", ("22/105", "24/109"), roles=("CareerReader",),
    ),
    Person(
        "filip.maes", "Filip Maes", INSZ[5], LINDE, "nl", "granite pancake orchestra", "not_activated",
        "Not yet activated: everything is prepared, but the KSZ has given no favourable opinion yet.",
        "career", ("24/104", "24/108"), roles=("CareerReader",), card=True,
        hint="He is his institution's local administrator: signed in with his eID, he makes code cards and letters for its people.",
    ),
    Person(
        "gaelle.simon", "Gaëlle Simon", INSZ[6], TILLEULS, "fr", "umbrella for a heron", "suspended",
        "Suspended: the KSZ has suspended her institution's authorisation for benefits.",
        "benefits", ("24/106", "24/109"), roles=("BenefitsReader",), card=True,
        hint="She is her institution's local administrator: signed in with her eID, she makes code cards and letters for its people.",
    ),
    Person(
        "hans.schmitz", "Hans Schmitz", INSZ[7], HILFSKASSE, "de", "winter apples downhill", "use_not_covered",
        "Wrong use: he may consult pension files; saving a change is a communication, which nobody granted.",
        "pension", ("24/107", "24/110"), roles=("PensionReader",), page="dossiers/1001",
        hint="Open the file, which is permitted; then change the note and save.",
    ),
    Person(
        "iris.wouters", "Iris Wouters", INSZ[8], LINDE, "nl", "seagull on saturday", "permitted",
        "Permitted with a code: her password and a code by app open the sensitive data that a password alone does not.",
        "benefits", ("24/102", "24/108"), roles=("BenefitsReader",), totp_secret="IRISDEMOSECRETFORTHEGATEWAY23456",  # noqa: S106 - the demo's, shown on its guide
        office="dpo", hint="She is her institution's data protection officer too: with her code she reads its reports.",
    ),
    Person(
        "jana.klein", "Jana Klein", INSZ[10], HILFSKASSE, "de", "ladder under the moon", "role_missing",
        "Role missing: she is designated, but the user management gives her no role for social personal data.",
        "pension", ("24/107", "24/110"),
        hint="She leads her institution. Guidance she may read from anywhere, and change only from its own network, where nobody is who runs this.",
    ),
    Person(
        "nora.specimen", "Nora Specimen", INSZ[9], LINDE, "en", "first day with marmalade", "regulation_not_accepted",
        "Regulation not accepted: it is her first day; she reads the user regulation and accepts it, or leaves.",
        "guidance", ("24/108",), accepted=False, activation_code="RTT9-9YKD-TQKR-HJ7G",
        hint="She leads her institution. Once she has accepted it, the demo's records keep that. The letter lets her choose a password of her own.",
    ),
    Person(
        "karel.claes", "Karel Claes", "01010199867", LINDE, "nl", "thirteen patient otters", "permitted",
        "Permitted with a card: his password and the code beside a number of his code card open the sensitive data.",
        "benefits", ("24/102", "24/108"), roles=("BenefitsReader",),
        code_card=make_codes(hashlib.shake_256(b"the demo's card").digest(CARD_BYTES)),
        hint="The gateway chooses the number. Each is asked for once before any comes again.",
    ),
    Person(
        "mila.vermeulen", "Mila Vermeulen", "92060512352", LINDE, "nl", "lantern over the dunes", "permitted",
        "Permitted with the eID: her card, imported into the browser, opens the sensitive data without any password.",
        "benefits", ("24/102", "24/108"), roles=("BenefitsReader",), card=True,
        hint="Fill in her user ID and take the button of the eID. An empty file beside her card, ending in .revoked, revokes it.",
    ),
    Person(
        "olga.thijs", "Olga Thijs", "88021421761", KSZ, "nl", "eleven lamps in a row", "not_authorised",
        "Not authorised: she is the KSZ's reader, who sees tables, records and reports, and may use no transaction.",
        "guidance", card=True, office="ksz_reader",
        hint="Her pages ask for her eID.",
    ),
    Person(
        "pieter.nijs", "Pieter Nijs", "79093013805", KSZ, "nl", "the quiet alarm clock", "not_authorised",
        "Not authorised: he is the KSZ's duty officer, who can suspend anything at once, and may use no transaction.",
        "guidance", card=True, office="duty_officer",
        hint="Signed in with his eID, he suspends An Peeters, and she is out within a second.",
    ),
    Person(
        "lena.kessler", "Lena Kessler", "76041120324", HILFSKASSE, "de", "kingfisher under the bridge", "permitted",
        "Permitted with itsme: she signs in at the demo's federal authentication service, for the deliberation names itsme.",
        "benefits", ("24/110", "24/111"), roles=("BenefitsReader",), by_provider=True,
        hint="Fill in her user ID, take the button of itsme, and be her on the page that follows. Be somebody else there, and see.",
    ),
)  # fmt: skip

APP_STORY: Final = "Permitted: uses your application with her password, for reading and for everything else."
"""The first person's, when `--origin` gives the demo an application."""
