"""Where and when a use may be made (clause I2): networks, hours and days that an authorisation names.

Hours and days are those of the clock on the wall in Europe/Brussels, whichever of its two times holds: at the end of summer time
02:30 comes twice, and both are 02:30. Public holidays are the table's to know (`Snapshot.holidays`): here nothing is worked out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv6Address, ip_address

from gateway.model import BRUSSELS, Context, Network

HOUR, MINUTE = 3600, 60
LAST_SECOND = dt.datetime(9999, 12, 30, tzinfo=dt.UTC).timestamp()
"""What the calendar can tell the day of, whatever the zone."""


def outside(context: Context, address: str, now: float, holidays: Collection[dt.date]) -> tuple[str, ...]:
    """What of the context does not hold at `now` (Unix seconds) for the client at `address`: `networks`, `hours`, `days`."""
    missed: list[str] = []
    if context.networks and network_of(address, context.networks) is None:
        missed.append("networks")
    if context.hours is None and context.days is None:
        return tuple(missed)
    # A moment that no calendar knows is in no hours and on no day.
    # Whole seconds: to round up would end a minute before it is over.
    local = dt.datetime.fromtimestamp(now // 1, BRUSSELS) if 0 <= now <= LAST_SECOND else None
    if context.hours is not None and not (
        local and context.hours[0] <= local.hour * 60 + local.minute < context.hours[1]
    ):
        missed.append("hours")
    if context.days is not None and not (
        local and local.weekday() in context.days and not (context.working and local.date() in holidays)
    ):
        missed.append("days")
    return tuple(missed)


def network_of(address: str, networks: Iterable[Network]) -> Network | None:
    """The first of the networks that the address is in; an address that cannot be read is in none."""
    try:
        client = ip_address(address)
    except ValueError:
        return None
    if isinstance(client, IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return next((network for network in networks if client in network), None)


def turns(context: Context, now: float) -> Iterator[float]:
    """The next moments at which hours or days can turn, and perhaps some at which they do not.

    The clocks of Brussels are a whole number of hours from UTC, before and after each change: so a day, and a change of the
    clocks, begins with an hour of UTC, and a minute of the wall clock is the same minute of UTC.
    """
    if context.hours is None and context.days is None:
        return
    hour = now // HOUR * HOUR
    yield hour + HOUR
    for minute in {minutes % 60 for minutes in context.hours or ()}:
        moment = hour + minute * MINUTE
        yield moment if moment > now else moment + HOUR


def clock(minutes: int) -> str:
    """Minutes after midnight as a clock shows them; the end of a day is 24:00."""
    return f"{minutes // 60:02}:{minutes % 60:02}"
