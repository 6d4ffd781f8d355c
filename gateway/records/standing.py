"""How long a mandate and a designation stand, after all that was said of them since (clauses P4, P5).

A mandate is in force once its holder has accepted it. A designation stands until it ends, or until nobody has confirmed for a period
that it is still needed; who confirms one whose mandate has ended takes it over. Computed when the records are read, so that nothing has
to run for a refusal to happen, and the decision and its line hold what came of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from gateway.model import Mandate, Validity

HALF_A_YEAR: Final = 182 * 86_400.0
MONTH: Final = 30 * 86_400.0
ACCEPTED: Final = "accepted"
CONFIRMED: Final = "confirmed"
RECERTIFIED: Final = "recertified"
CARRIED: Final = "carried"
"""An upgrade's word for a designation of before there was a period: that begins with it, and at no moment before was it over. Nobody
confirms anything by it, and nobody takes anything over."""
OF_DESIGNATIONS: Final = (CONFIRMED, RECERTIFIED, CARRIED)
"""What is said of a designation, where `ACCEPTED` is of a mandate."""


class Rules(NamedTuple):
    """What a deployment asks: `recertify` is for how many seconds a designation stands without being confirmed again, `warn` how many
    before that those concerned are told, `review` for how many it outlives its mandate; `confirm_designations` that one without the head
    official's written act waits for their confirmation, where otherwise the mandate is enough."""

    recertify: float = HALF_A_YEAR
    warn: float = MONTH
    review: float = MONTH
    confirm_designations: bool = True


DEFAULT_RULES: Final = Rules()


class Said(NamedTuple):
    """A confirmation of a designation: `kind` is `CONFIRMED` (the head official's word), `RECERTIFIED` or `CARRIED`, `at` Unix seconds."""

    kind: str
    at: float
    mandate: int | None


class Standing(NamedTuple):
    """What a designation rests on now. `made_at` is the act that counts for the mandate; `validity` ends with the period too, and `lapses` is
    when that does."""

    validity: Validity
    made_at: float
    mandate: Mandate | None
    confirmed: bool
    lapses: float

    def over(self, review: float) -> float:
        """When it names nobody any more: at its end, when its period is over, or when its mandate has been gone for the time of review."""
        return self.validity.end if self.mandate is None else min(self.validity.end, self.mandate.validity.end + review)


def mandate_validity(given: Validity, accepted_at: float | None) -> Validity:
    """From when its holder accepted it; one that nobody accepted was never in force."""
    return Validity(max(given.start, math.inf if accepted_at is None else accepted_at), given.end)


def confirmed_as_made(mandate: int | None, by_act: bool, rules: Rules) -> bool:
    """Whether a designation was confirmed from the first: by the written act that it bears, or where a mandate is enough, by that."""
    return by_act or (mandate is not None and not rules.confirm_designations)


def stands_to(end: float, certified_at: float, rules: Rules) -> float:
    """To when a designation stands that ends at `end`, and of which it was last said at `certified_at` that it is needed."""
    lapses = certified_at + rules.recertify
    return end if end <= lapses else lapses


def designation_standing(
    given: Validity,
    made_at: float,
    mandate: int | None,
    by_act: bool,
    said: Iterable[Said],
    mandates: Mapping[int | None, Mandate],
    rules: Rules,
) -> Standing:
    """From a designation's row (`given`, `made_at`, `mandate`, `by_act`: that it bears the written act) and what was said since, oldest first."""
    confirmed = confirmed_as_made(mandate, by_act, rules)
    rests_on, certified_at = mandates.get(mandate), made_at
    for one in said:
        if one.kind == CARRIED:
            certified_at = one.at
            continue
        over = certified_at + rules.recertify
        if rests_on is not None:
            over = min(over, rests_on.validity.end + rules.review)
        if one.at >= over:
            break  # it had lapsed by then: nobody brings it back
        certified_at = one.at
        confirmed = confirmed or one.kind == CONFIRMED
        if rests_on is not None and not rests_on.validity.holds(one.at):
            rests_on, made_at = mandates.get(one.mandate), one.at
    validity = Validity(given.start, stands_to(given.end, certified_at, rules))
    return Standing(validity, made_at, rests_on, confirmed, certified_at + rules.recertify)
