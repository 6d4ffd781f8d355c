"""A new password: its two fields, what is wrong with them, and its hash. For activation and for a change alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.credentials import password as passwords
from gateway.credentials.argon import SALT_BYTES
from gateway.errors import CredentialError
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.records import Login

TOO_SHORT: Final = N_("Your password is too short: it needs at least %(least)s characters.")
FAULTS: Final = {
    "password_too_long": N_("Your password is too long: it may have at most 128 characters."),
    "password_unreadable": N_("There is a character in your password that cannot be typed everywhere."),
    "password_common": N_(
        "This password is too easy to guess: it is on the lists that attackers try first, repeats itself, follows the keys of a keyboard, or is made of your own name, user ID or institution. Take some words that have nothing to do with each other."
    ),
}
DIFFERENT: Final = N_("The two passwords are not the same.")
THE_OLD_ONE: Final = N_("This is the password that you have now. Choose another one.")


def least_characters(login: Login) -> int:
    """How long a new password of this person is at least; shorter where a second factor follows."""
    return passwords.MIN_CHARACTERS_WITH_SECOND if login.has_token else passwords.MIN_CHARACTERS_ALONE


def faults(ask: Ask, login: Login, form: Mapping[str, str], old: str = "") -> dict[str, str]:
    """What is wrong with what was filled in, by field; `old` is the password that it replaces, where that was asked for."""
    new, again = form.get("new_password", ""), form.get("new_password_again", "")
    institution = ask.services.snapshot().institutions.get(login.institution)
    names = () if institution is None else (institution.name.nl, institution.name.fr, institution.name.de)
    try:
        passwords.check_new(new, (login.user_id, login.name, *names), only_factor=not login.has_token)
    except CredentialError as error:
        told = FAULTS.get(error.reason)
        short = ask.text(TOO_SHORT) % {"least": least_characters(login)}
        return {"new_password": short if told is None else ask.text(told)}
    if new == old:
        return {"new_password": ask.text(THE_OLD_ONE)}
    return {} if new == again else {"new_password_again": ask.text(DIFFERENT)}


async def hashed(ask: Ask, new: str) -> tuple[str, bool]:
    """The hash of a new password, and whether it may stand alone. Raises `Busy`."""
    salt = ask.services.random(SALT_BYTES)
    encoded = await ask.tools.hashing.run(ask.network, lambda: passwords.hash_password(new, salt))
    return encoded, passwords.may_stand_alone(new)
