"""The criteria, in the order of DESIGN section 4: one table that reads like the policy.

The order differs from DESIGN in two places: the message is judged before its Host (docs/adr/0005), and the context before the means,
so that nobody is led to a stronger means only to hear that it is the wrong hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gateway.decision import checks
from gateway.decision.places import Place
from gateway.model import Channel

Need = Literal["user", "session", "located", "authorisation", "designation", "operation", "grant"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One row: what is asked, by which clause, how it is checked, with which reasons, for which targets and channels.

    `needs` names what must be known before the check means anything: an explanation leaves out, as not reached, a
    check whose needs an earlier failure left open.
    """

    name: str
    clause: str
    check: checks.Check
    reasons: tuple[str, ...]
    places: frozenset[Place]
    channels: frozenset[Channel]
    needs: tuple[Need, ...] = ()


EVERYWHERE: Final = frozenset(Place)
NOT_MACHINE: Final = EVERYWHERE - {Place.MACHINE}
SESSION_NEEDED: Final = frozenset({Place.SIGNED_IN, Place.ACCEPTED, Place.TRANSACTION})
ACCEPTANCE_NEEDED: Final = frozenset({Place.ACCEPTED, Place.TRANSACTION})
TRANSACTIONS: Final = frozenset({Place.TRANSACTION})
ANY: Final = frozenset(Channel)
USER: Final = frozenset({Channel.USER})
EID: Final = frozenset({Channel.EID})
CLOSED: Final = ANY - USER - EID
"""Channels that no decision permits anything on: a new one is closed until its rows are written (default deny)."""

CRITERIA: tuple[Criterion, ...] = (
    Criterion("the connection is HTTPS", "B3", checks.https_only, ("plain_http",), EVERYWHERE, ANY),
    Criterion("the message has one reading", "B3", checks.one_reading, checks.MESSAGE_FAULTS, EVERYWHERE, ANY),
    Criterion(
        "the host is ours, and the one asked for", "B3",
        checks.right_host, ("misdirected", "unknown_host"), EVERYWHERE, ANY,
    ),
    Criterion("the channel serves this", "P1", checks.channel_serves, ("no_transaction",), EVERYWHERE, CLOSED),
    Criterion(
        "the eID door has nothing but its own pages", "P1",
        checks.channel_serves, ("no_transaction",), EVERYWHERE - {Place.OPEN}, EID,
    ),
    Criterion(
        "the client is not a program", "B1",
        checks.not_a_program,
        (
            "user_agent_missing", "machine_client", "automated_browser", "signed_agent", "inbound_credential", "office_link",
            "foreign_websocket", "cross_site",
        ),
        NOT_MACHINE, USER | EID,
    ),
    Criterion(
        "nothing but our own pages is open when all is suspended in an emergency", "I3",
        checks.nothing_suspends_all, ("suspended_by_ksz",), TRANSACTIONS, USER,
    ),
    Criterion(
        "a checked table is in force", "E1",
        checks.table_loaded, ("table_unavailable", "table_expired"), EVERYWHERE, USER | EID,
    ),
    Criterion("the records can be read", "P4", checks.records_readable, ("records_unavailable",), SESSION_NEEDED, USER),
    Criterion(
        "a person is signed in, and the session lives", "I4",
        checks.signed_in, ("sign_in_required", "session_expired", "session_revoked"), SESSION_NEEDED, USER,
    ),
    Criterion(
        "the client is the one that the session was given to", "I4",
        checks.same_client, ("session_moved",), ACCEPTANCE_NEEDED, USER,
    ),
    Criterion(
        "too little evidence speaks for a program", "B1",
        checks.without_doubt, ("doubtful_client",), ACCEPTANCE_NEEDED, USER,
    ),
    Criterion(
        "the user regulation in force is accepted", "I1",
        checks.regulation_accepted, ("regulation_not_accepted",), ACCEPTANCE_NEEDED, USER, ("user",),
    ),
    Criterion(
        "the target belongs to a transaction", "P1",
        checks.belongs_to_transaction, ("no_transaction",), TRANSACTIONS, USER,
    ),
    Criterion(
        "the session asks no more than a person can", "B1",
        checks.unhurried, ("too_fast",), TRANSACTIONS, USER, ("located",),
    ),
    Criterion(
        "the institution is authorised for this transaction, now", "P1",
        checks.authorised, ("not_authorised", "not_activated", "not_yet_valid", "expired", "suspended", "revoked"),
        TRANSACTIONS, USER, ("user", "located"),
    ),
    Criterion(
        "the person is designated by name, under a mandate", "P4",
        checks.designated, ("not_designated", "designation_ended", "mandate_ended", "person_blocked"),
        TRANSACTIONS, USER, ("user", "authorisation"),
    ),
    Criterion(
        "no emergency suspension of the person, the institution, the authorisation or the transaction", "I3",
        checks.not_suspended, ("suspended_by_ksz",), ACCEPTANCE_NEEDED, USER, ("user",),
    ),
    Criterion(
        "the person has the user-management role", "P3",
        checks.has_role, ("role_source_unavailable", "role_missing"), TRANSACTIONS, USER, ("user", "located"),
    ),
    Criterion(
        "the operation is declared, and its use granted", "P2",
        checks.use_covered, ("use_not_covered",), TRANSACTIONS, USER, ("located", "authorisation"),
    ),
    Criterion(
        "the person is designated for this use", "P4",
        checks.designated_for_use, ("use_not_covered",), TRANSACTIONS, USER, ("user", "designation", "operation"),
    ),
    Criterion(
        "a consultation has its purpose", "P2",
        checks.purpose_stated, ("purpose_missing",), TRANSACTIONS, USER, ("located", "grant"),
    ),
    Criterion(
        "the place and the time are those of the authorisation", "I2",
        checks.within_context, ("outside_context",), TRANSACTIONS, USER, ("grant",),
    ),
    Criterion(
        "the means of authentication is agreed and strong enough", "I2",
        checks.means_strong_enough, ("means_too_weak", "means_not_agreed"),
        TRANSACTIONS, USER, ("session", "located", "grant"),
    ),
    Criterion(
        "the authentication is recent enough", "I2",
        checks.authenticated_recently, ("authentication_too_old",), TRANSACTIONS, USER, ("session", "grant"),
    ),
    Criterion(
        "the card is known not to be revoked", "I5",
        checks.card_not_revoked, ("revocation_unknown",), TRANSACTIONS, USER, ("session", "located"),
    ),
)  # fmt: skip


BY_PLACE: dict[tuple[Place, Channel], tuple[Criterion, ...]] = {
    (place, channel): tuple(row for row in CRITERIA if place in row.places and channel in row.channels)
    for place in Place
    for channel in Channel
}
"""The rows that hold for a target of this kind on this channel, in order."""
CHECKS: dict[tuple[Place, Channel], tuple[checks.Check, ...]] = {
    key: tuple(row.check for row in rows) for key, rows in BY_PLACE.items()
}
"""Their checks alone: what every request goes through."""
