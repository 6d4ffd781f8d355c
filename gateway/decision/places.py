"""Whose a target is: the gateway's own pages, or a transaction's (DESIGN sections 4 and 6).

On the portal host everything is ours; on a transaction host only what is below `/.gateway/`.
"""

from __future__ import annotations

import enum
from typing import Final

OWN_PREFIX: Final = "/.gateway/"
FORM_PAGE: Final = "/.gateway/form"
"""On a transaction host: a form that was kept, shown before it is sent; a POST there sends it on (docs/adr/0009)."""
FORM_DISCARDED: Final = "/.gateway/form/discard"

CLEARED_PAGE: Final = "/.gateway/signed-out"
"""On a transaction host: clears what the host left in a browser that has just signed out."""

EID_ENTER: Final = "/.gateway/eid"
"""On a host of the eID listener: where the portal sends somebody who wants to show a card."""
EID_REFUSED: Final = "/.gateway/eid/refused"
"""On such a host: why the card, or its absence, signs nobody in."""


class Place(enum.StrEnum):
    """What a target needs before it is answered. An own page that nobody lists needs a session: default deny."""

    OPEN = "open"
    """Our page, for anybody who is not a program."""
    MACHINE = "machine"
    """Public keys, and a provider's word that a session is over: the kind of target that skips the person check."""
    SIGNED_IN = "signed-in"
    """Our page, for a live session."""
    ACCEPTED = "accepted"
    """Our page, for a live session whose user accepted the regulation in force."""
    TRANSACTION = "transaction"


_PORTAL: dict[str, Place] = {
    "/": Place.ACCEPTED,
    "/applications": Place.ACCEPTED,
    "/administration": Place.ACCEPTED,
    "/administration/person": Place.ACCEPTED,
    "/administration/code-card": Place.ACCEPTED,
    "/administration/activation": Place.ACCEPTED,
    "/administration/end": Place.ACCEPTED,
    "/administration/sessions": Place.ACCEPTED,
    "/administration/block": Place.ACCEPTED,
    "/administration/unblock": Place.ACCEPTED,
    "/administration/end-designation": Place.ACCEPTED,
    "/administration/role": Place.ACCEPTED,
    "/administration/end-role": Place.ACCEPTED,
    "/administration/designate": Place.ACCEPTED,
    "/administration/change": Place.ACCEPTED,
    "/administration/leave": Place.ACCEPTED,
    "/administration/new": Place.ACCEPTED,
    "/administration/recent": Place.ACCEPTED,
    "/administration/why": Place.ACCEPTED,
    "/administration/lists": Place.ACCEPTED,
    "/administration/export": Place.ACCEPTED,
    "/administration/import": Place.ACCEPTED,
    "/administration/import/apply": Place.ACCEPTED,
    "/regulation": Place.SIGNED_IN,
    "/step-up": Place.SIGNED_IN,
    "/sign-in": Place.OPEN,
    "/code-card": Place.OPEN,
    "/activation": Place.OPEN,
    "/activation/password": Place.OPEN,
    "/forgotten": Place.OPEN,
    "/changes": Place.SIGNED_IN,
    "/administration/review": Place.ACCEPTED,
    "/administration/review/confirm": Place.ACCEPTED,
    "/administration/review/end": Place.ACCEPTED,
    "/mandate": Place.ACCEPTED,
    "/head": Place.ACCEPTED,
    "/head/mandates": Place.ACCEPTED,
    "/head/mandates/give": Place.ACCEPTED,
    "/head/mandates/end": Place.ACCEPTED,
    "/head/offices/grant": Place.ACCEPTED,
    "/head/offices/end": Place.ACCEPTED,
    "/head/review": Place.ACCEPTED,
    "/head/review/confirm": Place.ACCEPTED,
    "/head/review/end": Place.ACCEPTED,
    "/head/succession": Place.ACCEPTED,
    "/read": Place.ACCEPTED,
    "/read/ledger": Place.ACCEPTED,
    "/read/report": Place.ACCEPTED,
    "/read/people": Place.ACCEPTED,
    "/read/table": Place.ACCEPTED,
    "/read/access": Place.ACCEPTED,
    "/read/why": Place.ACCEPTED,
    "/duty": Place.ACCEPTED,
    "/duty/suspend": Place.ACCEPTED,
    "/duty/resume": Place.ACCEPTED,
    "/duty/sessions": Place.ACCEPTED,
    "/methods": Place.ACCEPTED,
    "/methods/sessions": Place.ACCEPTED,
    "/methods/password": Place.ACCEPTED,
    "/methods/app": Place.ACCEPTED,
    "/methods/app/remove": Place.ACCEPTED,
    "/oidc/failed": Place.OPEN,
    "/eid": Place.OPEN,
    "/sign-out": Place.OPEN,
    "/language": Place.OPEN,
    "/help": Place.OPEN,
    "/privacy": Place.OPEN,
    "/accessibility": Place.OPEN,
    "/favicon.ico": Place.OPEN,
    "/robots.txt": Place.OPEN,
    "/.well-known/security.txt": Place.OPEN,
    "/.well-known/jwks.json": Place.MACHINE,
}
_PORTAL_OPEN_BELOW: Final = ("/static/", "/oidc/start/", "/oidc/callback/")
_PORTAL_MACHINE_BELOW: Final = "/oidc/logout/"
"""Where a provider of the federation ends sessions: its machine proves itself by a signed token, and has no cookie."""

_HAND_OVER: dict[str, Place] = {
    "/.gateway/enter": Place.OPEN,
    "/.gateway/sign-out": Place.OPEN,
    CLEARED_PAGE: Place.OPEN,
    "/.gateway/language": Place.OPEN,
    FORM_PAGE: Place.ACCEPTED,
    FORM_DISCARDED: Place.SIGNED_IN,
}
_HOST_STATIC: Final = "/.gateway/static/"
_TRANSACTION: Final = Place.TRANSACTION
"""Of almost every request; until Python 3.12, to look a member up in its enum is a call."""


_EID_DOOR: dict[str, Place] = {
    "/": Place.OPEN,
    EID_ENTER: Place.OPEN,
    EID_REFUSED: Place.OPEN,
    "/.gateway/language": Place.OPEN,
}


def eid_place(path: str) -> Place:
    """What a path on a host of the eID listener needs. There is no session there, and what is not listed is not there."""
    return Place.OPEN if path.startswith(_HOST_STATIC) else _EID_DOOR.get(path, _TRANSACTION)


def portal_place(path: str) -> Place:
    """What a path on the portal host needs."""
    if path.startswith(_PORTAL_OPEN_BELOW):
        return Place.OPEN
    if path.startswith(_PORTAL_MACHINE_BELOW):
        return Place.MACHINE
    return _PORTAL.get(path, Place.SIGNED_IN)


def host_place(path: str) -> Place:
    """What a path on a transaction host needs."""
    if path.startswith(OWN_PREFIX) or path == OWN_PREFIX[:-1]:
        return Place.OPEN if path.startswith(_HOST_STATIC) else _HAND_OVER.get(path, Place.SIGNED_IN)
    return _TRANSACTION
