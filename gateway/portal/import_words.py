"""What is wrong with a row of a list that is brought in, and what to do about it: for the page, and in English for the command line."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.portal.catalogue import N_
from gateway.portal.designating import TOO_WIDE


class FaultWords(NamedTuple):
    """Messages of the catalogues: `what` with `%(value)s` where the value helps, and what to `do`."""

    what: str
    do: str = ""


FAULTS: Final[dict[str, FaultWords]] = {
    "empty": FaultWords(N_("There are no rows in this file."), N_("Give a head with the names of the columns, and a row for each designation.")),
    "too_large": FaultWords(N_("The file is larger than 256 KiB."), N_("Divide it into several files.")),
    "too_many": FaultWords(N_("The file has more than 500 rows."), N_("Divide it into several files.")),
    "spreadsheet": FaultWords(N_("This is a spreadsheet's own file."), N_("Save it as CSV (UTF-8) and send that file.")),
    "not_text": FaultWords(N_("This is no text that can be read."), N_("Save it as CSV (UTF-8) and send that file.")),
    "quotes": FaultWords(N_("A quotation mark is out of place, so that the rows cannot be told apart."), N_("Save the file as CSV anew, or take the quotation marks out.")),
    "unknown_column": FaultWords(N_("There is no column “%(value)s”."), N_("Use the names of the columns that the page of lists shows.")),
    "column_twice": FaultWords(N_("This column is there twice."), N_("Take one of them out.")),
    "column_missing": FaultWords(N_("This column is missing."), N_("Add it to the head.")),
    "too_many_cells": FaultWords(N_("The row has more cells than the head has columns."), N_("Look for a semicolon or comma too many.")),
    "characters": FaultWords(N_("The cell is too long, or holds signs that cannot be shown."), N_("Write it anew.")),
    "no_user_id": FaultWords(N_("The user ID is missing."), N_("Give one for each row.")),
    "user_id_shape": FaultWords(N_("“%(value)s” can be no user ID."), N_("Use 4 to 64 characters: a to z without accents, 0 to 9, dot, hyphen or underscore.")),
    "user_id_taken": FaultWords(N_("“%(value)s” is in use, or was somebody else's."), N_("Choose another user ID.")),
    "oneself": FaultWords(N_("This is you."), N_("Nobody can name themself: let another local administrator do it.")),
    "row_twice": FaultWords(N_("An earlier row says the same of “%(value)s”."), N_("Take one of them out.")),
    "language": FaultWords(N_("“%(value)s” is no language of this service."), N_("Write nl, fr, de or en, or leave it empty.")),
    "no_insz": FaultWords(N_("The number (INSZ) of a new person is missing."), N_("Give the 11 digits of the national or bis number.")),
    "insz_short": FaultWords(N_("The number has fewer than 11 digits: a spreadsheet has taken its first zeros away."), N_("Format the column as text and write the number again, or write it as 85.07.30-033.28.")),
    "insz_shape": FaultWords(N_("The number is not written as 11 digits."), N_("Give the 11 digits of the national or bis number.")),
    "insz_wrong": FaultWords(N_("The check digits or the date of this number are wrong."), N_("Compare it with the card.")),
    "insz_other": FaultWords(N_("This user ID is of a person with another number."), N_("Compare the number with the card, and the user ID with the list of people.")),
    "insz_differs": FaultWords(N_("An earlier row gives this user ID another number."), N_("Give the same number, or leave it empty.")),
    "insz_twice": FaultWords(N_("An earlier row gives this person the user ID “%(value)s”."), N_("Use one user ID for a person.")),
    "here_already": FaultWords(N_("This person has the user ID “%(value)s” at your institution already."), N_("Use that user ID.")),
    "no_name": FaultWords(N_("The name of a new person is missing."), N_("Give the name as it is on the card.")),
    "name_differs": FaultWords(N_("An earlier row gives this user ID another name."), N_("Give the same name, or leave it empty.")),
    "too_long": FaultWords(N_("This is longer than 200 characters."), N_("Make it shorter.")),
    "no_authorisation": FaultWords(N_("There is a use or a day, but no authorisation."), N_("Give the reference of the authorisation, or leave these cells empty.")),
    "authorisation_unknown": FaultWords(N_("“%(value)s” is no authorisation that you may designate for."), N_("Use one of the references that the page of lists shows.")),
    "use_unknown": FaultWords(N_("“%(value)s” is no use."), N_("Write consultation, communication, or both with a space between them.")),
    "designated_otherwise": FaultWords(N_("This person is designated for “%(value)s” already, with other uses or other days."), N_("End that designation first, or write what stands already.")),
    "role_otherwise": FaultWords(N_("This person has the role “%(value)s” already, for other days."), N_("End that role first, or write what stands already.")),
    "role_unknown": FaultWords(N_("“%(value)s” is no role that one of your authorisations asks for."), N_("Use one of the roles that the page of lists shows.")),
    "no_reason": FaultWords(N_("A reason is missing."), N_("Give one in the row, or one for all rows on the page.")),
    **{code: FaultWords(text) for code, text in TOO_WIDE.items()},
}  # fmt: skip
"""By the codes of `records.table_file`, `records.importing` and `records.narrowing`."""
