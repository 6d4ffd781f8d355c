"""Whether a person's own act made a request: that, and nothing else, resets the idle time (CLIENTS: re-authentication ends unattended
use). Navigations, forms, and what a page's script changes for the person; not what a page does by itself: pictures, polling,
streams, websockets, prefetching. What an operation of the table marks `background` counts for nothing either; the exchange
knows that.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.decision.facts import SAFE_METHODS
from gateway.message import Fields
from gateway.proxy.agent import Named

FRAMES: Final = frozenset({"iframe", "frame", "object", "embed"})
TELLS_THE_USER: Final = frozenset({"chrome", "edge", "opera", "vivaldi", "yandex", "samsung", "firefox"})
"""Families that mark a navigation by a person's hand with Sec-Fetch-User. Safari never does, and what comes after a script's long wait
does not either (CLIENTS): so its absence alone says nothing."""


class Acting(NamedTuple):
    """What the fields of a request say of it.

    `opens` that a person opened a page, when the method is safe; `sends` that what an unsafe method sends counts; `whole` that the page
    fills its window, by fetch metadata. `itself` is the path of the page that asks, when the page asks and not the person:
    for its own path again, it reloads itself.
    """

    opens: bool
    sends: bool
    whole: bool
    itself: str | None

    def acts(self, method: str, path: str) -> bool:
        """Whether a request with these fields is a person's act. `path` is canonical."""
        if method in SAFE_METHODS:
            return self.opens and path != self.itself
        return self.sends


def read_acting(fields: Fields, named: Named, *, navigation: bool) -> Acting:
    """`navigation` as in the facts: by Sec-Fetch-Mode, or by what is accepted."""
    mode, destination = fields.get("sec-fetch-mode"), fields.get("sec-fetch-dest")
    by_hand = fields.get("sec-fetch-user") == "?1"
    opens = navigation and "upgrade" not in fields and not _ahead_of_time(fields)
    if mode is None:
        opens = opens and "x-requested-with" not in fields
    elif destination in FRAMES:
        # A frame is filled by its page, unless a person follows a link in it.
        opens = opens and by_hand
    itself = None
    if opens and not by_hand and mode is not None and named.family in TELLS_THE_USER:
        itself = _path(fields.get("referer")) if fields.get("sec-fetch-site") == "same-origin" else None
    # Beacons and a browser's own reports are sent without a person (W3C Beacon, Reporting API): in mode no-cors, unlike forms and fetches.
    return Acting(opens, mode != "no-cors", opens and destination == "document", itself)


def _ahead_of_time(fields: Fields) -> bool:
    """A page that is fetched in case the person should want it."""
    return "prefetch" in f"{fields.get('sec-purpose')} {fields.get('purpose')} {fields.get('x-moz')}"


def _path(referer: str | None) -> str | None:
    if referer is None:
        return None
    _, mark, rest = referer.partition("://")
    path = rest.partition("?")[0].partition("#")[0]
    return "/" + path.partition("/")[2] if mark else None
