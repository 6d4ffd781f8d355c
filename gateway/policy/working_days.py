"""Belgium's public holidays, for authorisations that name working days.

They are worked out when a table is loaded, and become part of its release: the decision looks a day up, and an old release keeps the
holidays of its time, whatever a later version of the library knows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from gateway.policy.schema import AuthorisationFile


def holidays_of(authorisations: Iterable[AuthorisationFile]) -> list[dt.date]:
    """The public holidays of law, in order, of every year in which an authorisation that names working days is valid.

    `authorisations` have no faults.
    """
    years = {
        year
        for file in authorisations
        if any(
            use.context is not None and use.context.days is not None and use.context.days.working for use in file.use
        )
        for year in range(file.valid_from.year, file.valid_until.year + 1)
    }
    if not years:
        return []
    import holidays  # here, since it costs a fifth of a second, and every command that reads a table would pay it

    return sorted(holidays.country_holidays("BE", years=years))
