"""The decision's checks in the language of a page: their names, why one is not met, what it goes by, and who can mend it.

The English texts are the decision's own; here they are named for the catalogues (a test compares them).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.decision import Mender
from gateway.decision.grounds import Source, SourceKind
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_

NAMES: Final = frozenset(
    {
        N_("the connection is HTTPS"),
        N_("the message has one reading"),
        N_("the host is ours, and the one asked for"),
        N_("the client is not a program"),
        N_("nothing but our own pages is open when all is suspended in an emergency"),
        N_("a checked table is in force"),
        N_("the records can be read"),
        N_("a person is signed in, and the session lives"),
        N_("the client is the one that the session was given to"),
        N_("too little evidence speaks for a program"),
        N_("the user regulation in force is accepted"),
        N_("the target belongs to a transaction"),
        N_("the session asks no more than a person can"),
        N_("the institution is authorised for this transaction, now"),
        N_("the person is designated by name, under a mandate"),
        N_("no emergency suspension of the person, the institution, the authorisation or the transaction"),
        N_("the person has the user-management role"),
        N_("the operation is declared, and its use granted"),
        N_("the person is designated for this use"),
        N_("a consultation has its purpose"),
        N_("the place and the time are those of the authorisation"),
        N_("the means of authentication is agreed and strong enough"),
        N_("the authentication is recent enough"),
        N_("the card is known not to be revoked"),
    }
)
"""Of every check that a request to a transaction goes through."""
MEANINGS: Final = frozenset(
    {
        N_("no good table is loaded: nothing is permitted"),
        N_("the release of the table has expired, and its grace is over"),
        N_("suspended by the KSZ's duty officer in an emergency"),
        N_("the user regulation's version in force is not accepted"),
        N_("no transaction is at this address"),
        N_("the institution has no authorisation for it"),
        N_("the KSZ gave no favourable opinion yet"),
        N_("the authorisation begins later"),
        N_("the authorisation has ended"),
        N_("the authorisation is suspended"),
        N_("the authorisation was revoked"),
        N_("the user ID is blocked or has ended"),
        N_("the person is not designated for it"),
        N_("the designation is over"),
        N_("the designation was made outside a mandate, or the mandate is gone longer than the review time"),
        N_("the user-management role is missing"),
        N_("no recent enough answer on the person's roles"),
        N_("the operation is not declared, or its use is not granted"),
        N_("a consultation without a stated purpose"),
        N_("outside the networks, hours or days of the authorisation"),
        N_("a stronger means of authentication is needed"),
        N_("the deliberation does not name this means"),
    }
)
"""Of every reason that a supposed request of somebody who has just signed in can meet."""
MENDERS: Final[Mapping[Mender, str]] = {
    Mender.NOBODY: N_("nobody"),
    Mender.PERSON: N_("the person themself"),
    Mender.CLIENT: N_("whoever made the program"),
    Mender.ADMINISTRATOR: N_("a local administrator of the institution"),
    Mender.HEAD_OFFICIAL: N_("the head official of the institution"),
    Mender.KSZ: N_("the KSZ"),
    Mender.OPERATOR: N_("the operator of this service"),
    Mender.ORIGIN: N_("the operator of the application"),
}
SOURCES: Final[Mapping[SourceKind, str]] = {
    "connection": N_("the connection"),
    "request": N_("the request"),
    "release": N_("release of the table"),
    "suspension": N_("suspension"),
    "session": N_("session (supposed)"),
    "user ID": N_("user ID"),
    "acceptance": N_("acceptance"),
    "designation": N_("designation"),
    "mandate": N_("mandate"),
    "role": N_("role"),
    "records": N_("the records"),
}
"""A file's and a setting's name speaks for itself."""


def source_words(ask: Ask, source: Source) -> str:
    """Like `designation 17`, in the page's language."""
    if source.kind in ("file", "setting"):
        return source.name
    name = "" if source.kind == "session" else source.name
    return f"{ask.text(SOURCES[source.kind])} {name}".strip()
