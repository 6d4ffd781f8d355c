"""Adding somebody: a natural person by their number, with a user ID at the institution; and changing what the register says of them.

Who is in the register already, because they work for another institution too, gets a user ID and nothing else: nothing of that institution
shows. People of the own institution who may be the same person are shown first.
"""

from __future__ import annotations

from typing import Any, Final, cast

from aiohttp import web

from gateway.errors import Conflict
from gateway.identifiers import IdentifierError, check_insz, is_bis
from gateway.model import LANGUAGES, Language
from gateway.portal.administration import (
    FORM_TOO_OLD,
    MAX_REASON_CHARACTERS,
    MEANWHILE,
    NEED_REASON,
    NOTHING_TO_TELL,
    OWN_MEANS,
    Administrator,
    Telling,
    address_of,
    administrator,
    last_seen,
    line_of,
    target,
)
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.information import not_found
from gateway.portal.language import NAMES
from gateway.portal.person_sheet import done, person_page
from gateway.records import By, Login
from gateway.records.values import USER_ID

MAX_NAME_CHARACTERS: Final = 200
WRONG_INSZ: Final = N_(
    "This is no valid number. A national or bis number has 11 digits, and its check digits must fit; it stands on the back of the card."
)
WRONG_NAME: Final = N_("Give the name as it is on the card, in at most 200 characters.")
WRONG_USER_ID: Final = N_(
    "A user ID has 4 to 64 characters: a to z without accents, 0 to 9, dot, hyphen or underscore. It begins and ends with a letter or a digit."
)
TAKEN: Final = N_("This user ID is in use, or was somebody else's. Choose another one.")
HERE_ALREADY: Final = N_("This person has a user ID at your institution already: %(user_id)s.")
ALIKE: Final = N_(
    "Somebody of your institution may be the same person. Look first, then add this person if it is somebody else."
)
NOT_ALONE: Final = N_(
    "The register keeps this person's name and number for more than your institution, or the number is somebody else's. Ask the help desk of this access service, with a written order of your head official."
)
NOT_NATIONAL: Final = N_(
    "Only a bis number that became a national number is changed here. For a number that was recorded wrongly, ask the help desk of this access service, with a written order of your head official."
)
UNCHANGED: Final = N_("Nothing is different from what the register says.")
DONE_ADDED: Final = N_("This person is added. Next: make a letter with an activation code, and designate them.")
DONE_CHANGED: Final = N_("The register has been changed. The earlier name and number stay in the history.")


async def show_new(ask: Ask) -> web.StreamResponse:
    """`GET /administration/new`."""
    who = await administrator(ask)
    return who if isinstance(who, web.Response) else await _new_page(ask, who, NOTHING_TO_TELL)


async def add(ask: Ask) -> web.StreamResponse:
    """`POST /administration/new`, with `insz`, `name`, `new_user_id`, `language`, `reason`, and `other` to add somebody in spite of a namesake."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    form = await ask.form()
    if not ask.form_fits(form):
        return await _new_page(ask, who, Telling(ask.text(FORM_TOO_OLD), typed=form, status=403))
    faults = _faults(ask, form)
    user_id, name = form.get("new_user_id", "").strip(), " ".join(form.get("name", "").split())
    if not USER_ID.fullmatch(user_id):
        faults["new_user_id"] = ask.text(WRONG_USER_ID)
    if faults:
        return await _new_page(ask, who, Telling(faults=faults, typed=form, status=422))
    records, institution = ask.services.records, who.user.institution
    insz, now = check_insz(form["insz"].strip()), ask.services.clock()
    known = await records.known_person(insz, institution)
    if known is not None and known.person == who.user.person:
        return await _new_page(ask, who, Telling(ask.text(OWN_MEANS), typed=form, status=403))
    if known is not None and known.user_id_here is not None and not form.get("other"):
        text = ask.text(HERE_ALREADY) % {"user_id": known.user_id_here}
        return await _new_page(ask, who, Telling(text, typed=form, status=409), [known.user_id_here])
    alike = await records.namesakes(institution, insz, name) if known is None else []
    if alike and not form.get("other"):
        return await _new_page(
            ask, who, Telling(ask.text(ALIKE), typed=form, status=409), [each.user_id for each in alike]
        )
    by, language = who.by(" ".join(form["reason"].split())), cast(Language, form["language"])
    try:
        async with records.together(line_of(ask, who)) as joined:
            person = known.person if known is not None else await joined.add_person(insz, name, by, now)
            await joined.add_user_id(user_id, person, institution, language, by, now)
    except Conflict:
        # Also who acts may have lost their mandate in this moment: then they see nothing more.
        still = await administrator(ask)
        if isinstance(still, web.Response):
            return still
        taken = await records.find_login(user_id) is not None
        faults, text = ({"new_user_id": ask.text(TAKEN)}, "") if taken else ({}, ask.text(MEANWHILE))
        return await _new_page(ask, still, Telling(text, faults=faults, typed=form, status=409))
    login = await target(ask, who, user_id)
    return not_found(ask) if login is None else await done(ask, who, login, DONE_ADDED)


def _faults(ask: Ask, form: dict[str, str]) -> dict[str, str]:
    """What is wrong with a number, a name, a language and a reason."""
    found = {}
    name, reason = " ".join(form.get("name", "").split()), " ".join(form.get("reason", "").split())
    try:
        check_insz(form.get("insz", "").strip())
    except IdentifierError:
        found["insz"] = ask.text(WRONG_INSZ)
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        found["name"] = ask.text(WRONG_NAME)
    if form.get("language") not in LANGUAGES:
        found["language"] = ask.text(N_("Choose a language."))
    if not reason or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        found["reason"] = ask.text(NEED_REASON)
    return found


async def _new_page(ask: Ask, who: Administrator, telling: Telling, alike: list[str] | None = None) -> web.Response:
    institution = ask.services.snapshot().institutions.get(who.user.institution)
    context: dict[str, Any] = {
        "telling": telling,
        "languages": NAMES,
        "language": telling.typed.get("language", "nl" if institution is None else institution.language),
        "alike": [(each, address_of(each)) for each in alike or ()],
    }
    return ask.page("administration_new.html", context, status=telling.status)


# --- what the register says of somebody -----------------------------------------------------------------------------------


async def show_change(ask: Ask) -> web.StreamResponse:
    """`GET /administration/change?user_id=…`."""
    who = await administrator(ask)
    if isinstance(who, web.Response):
        return who
    login = await target(ask, who, ask.request.query.get("user_id", ""))
    return not_found(ask) if login is None else await change_page(ask, who, login)


async def change_page(ask: Ask, who: Administrator, login: Login, telling: Telling = NOTHING_TO_TELL) -> web.Response:
    if login.person == who.user.person:
        return await person_page(ask, who, login, telling)
    context = {
        "login": login,
        "telling": telling,
        "seen": await last_seen(ask, login.user_id),
        "languages": NAMES,
        "language": telling.typed.get("language", login.language),
        "name": telling.typed.get("name", login.name),
        "back": address_of(login.user_id),
    }
    return ask.page("administration_change.html", context, status=telling.status, again={"user_id": login.user_id})


async def change(ask: Ask, who: Administrator, login: Login, by: By, form: dict[str, str]) -> web.StreamResponse:
    """`POST /administration/change`: another name, the national number that a bis number became (`insz`; empty: as it is), another language."""
    faults = _faults(ask, {**form, "insz": form.get("insz", "").strip() or login.insz})
    if faults:
        return await change_page(ask, who, login, Telling(faults=faults, typed=form, status=422))
    records, now = ask.services.records, ask.services.clock()
    name, language = " ".join(form["name"].split()), cast(Language, form["language"])
    insz = check_insz(form["insz"].strip()) if form.get("insz", "").strip() else login.insz
    renamed, other_language = (name, insz) != (login.name, login.insz), language != login.language
    if not renamed and not other_language:
        return await change_page(ask, who, login, Telling(ask.text(UNCHANGED), typed=form, status=422))
    if insz != login.insz and not (is_bis(login.insz) and not is_bis(insz)):
        return await change_page(
            ask, who, login, Telling(faults={"insz": ask.text(NOT_NATIONAL)}, typed=form, status=422)
        )
    # Whom the KSZ's table names by a number has more by it than a local administrator gives.
    alone = not renamed or await records.only_of(login.person, insz, who.user.institution)
    if not alone or (insz != login.insz and insz in ask.services.snapshot().roles):
        return await change_page(ask, who, login, Telling(ask.text(NOT_ALONE), typed=form, status=409))
    async with records.together(line_of(ask, who)) as joined:
        if renamed:
            await joined.change_person(login.person, insz, name, by, now)
        if other_language:
            await joined.change_language(login.user_id, language, by, now)
    return await done(ask, who, login, DONE_CHANGED)
