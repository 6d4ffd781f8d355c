"""Words that pages share: the shape of a refusal's text, and the names of means and uses (DOMAIN section 5)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from gateway.portal.catalogue import N_


class Where(enum.StrEnum):
    """Whose side the trouble is on (clause B2); None of these for a refusal by rule."""

    CLIENT = "client"
    GATEWAY = "gateway"
    ORIGIN = "origin"


WHERE: Final[dict[Where, str]] = {
    Where.CLIENT: N_("Where the problem is: in your browser, or between your device and this service."),
    Where.GATEWAY: N_(
        "Where the problem is: in this access service. Your device, your connection and the application are not the cause."
    ),
    Where.ORIGIN: N_(
        "Where the problem is: in the application itself. Your device, your connection and this access service work."
    ),
}


class Act(enum.StrEnum):
    """The one thing that a page offers as a link."""

    HTTPS = "https"
    SIGN_IN = "sign-in"
    STEP_UP = "step-up"
    APPLICATIONS = "applications"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Words:
    """Texts in English, the source; each is a message of the catalogues. `do` are steps, in the order to try them."""

    title: str
    happened: str
    do: tuple[str, ...]
    act: Act = Act.APPLICATIONS
    where: Where | None = None
    linked: bool = True
    """That links of this host can be followed: then the language is switched by one, else the page holds all languages."""


MEANS: Final[dict[str, str]] = {
    "password": N_("password"),
    "token": N_("official's token (app or code card)"),
    "itsme": "itsme",
    "eid": N_("electronic identity card (eID)"),
}
CREDENTIALS: Final[dict[str, str]] = {
    "password": MEANS["password"],
    "totp": N_("security code via mobile app"),
    "code_card": N_("code card"),
    "activation": N_("activation code"),
    "itsme": MEANS["itsme"],
    "eid": MEANS["eid"],
}
"""The kinds of credentials, as the records name them, and what is used without one."""
NO_NAME: Final = N_("a browser that does not say its name")
USES: Final[dict[str, str]] = {"consultation": N_("consultation"), "communication": N_("communication")}
