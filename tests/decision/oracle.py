"""The policy once more, written differently: every condition by itself, nothing shared with the code.

Slow and naive on purpose. `conditions` says which of them hold; a request to a transaction is permitted when all do.
"""

from __future__ import annotations

import calendar
import time
from ipaddress import ip_address

from gateway.decision import Facts, Snapshot
from gateway.model import Authorisation, Context, Designation, Match, Transaction, UserRecords

LEVEL = {"password": 1, "token": 2, "itsme": 3, "eid": 4}


def matches(pattern: str, path: str) -> dict[str, str] | None:
    """A segment matcher without regular expressions."""
    wanted, given = pattern.split("/")[1:], path.split("/")[1:]
    if not path.startswith("/"):
        return None
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        if len(given) < len(wanted):
            return None
        given = given[: len(wanted)]
    if len(wanted) != len(given):
        return None
    names: dict[str, str] = {}
    for want, have in zip(wanted, given, strict=True):
        if want == "*" or want[:1] == "{":
            if not have:
                return None
            if want != "*":
                names[want[1:-1]] = have
        elif want != have:
            return None
    return names


def locate(transactions: list[Transaction], host: str | None, path: str) -> tuple[Transaction, Match, str] | None:
    """The longest prefix of whole segments, by trying all."""
    best: tuple[Transaction, Match, str] | None = None
    for transaction in transactions:
        for match in transaction.matches:
            if match.host == host and (path + "/").startswith(match.path):
                rest = path[len(match.path) - 1 :] or "/"
                if best is None or len(match.path) > len(best[1].path):
                    best = transaction, match, rest
    return best


def conditions(facts: Facts, snapshot: Snapshot) -> dict[str, bool]:
    """Each condition of the policy for a request to a transaction. The values are the whole answer: all, or no."""
    connection, session, user, now = facts.connection, facts.session, facts.user, facts.now
    held = {
        "B3 https": str(connection.channel) != "plain" and connection.tls_version is not None,
        "B3 one reading": facts.fault is None,
        "B3 host": connection.sni in (None, facts.host) and facts.host in set(snapshot.names) and facts.port_is_ours,
        "B1 channel": str(connection.channel) == "user",
        "B1 client": str(facts.agent) in {"browser", "office"} and not facts.signature_agent,
        "B1 credential": session is not None or (not facts.authorization and facts.credential is None),
        "B1 page": _page(facts),
        "E1 table": snapshot.usable and facts.now < snapshot.refused_from,
        "P4 records": facts.records_current,
        "I4 session": session is not None
        and user is not None
        and session.ended_at is None
        and session.user_id == user.user_id
        and session.created_at <= now
        and now < session.expires_at
        and now < facts.last_seen + snapshot.idle_seconds,
        "I4 client": facts.evidence is None or not facts.evidence.moved or _answered(facts),
        "B1 doubt": facts.evidence is None
        or facts.evidence.score < snapshot.doubtful_score
        or facts.evidence.answered
        or _answered(facts),
        "I1 regulation": user is not None and _regulation(user, snapshot, now),
    }
    place = locate(list(snapshot.transactions.values()), facts.host, facts.path)
    own = facts.host == snapshot.portal_host or facts.path.split("/")[1:2] == [".gateway"]
    held["P1 transaction"] = place is not None and not own and str(place[0].channel) == "user"
    held["B1 pace"] = place is not None and place[0].id not in facts.too_fast
    rest = ("E1 authorisation", "P4 designation", "P3 role", "P2 use", "P2 purpose", "I2 means", "I2 age", "I2 context")
    if place is None or user is None or session is None:
        return held | dict.fromkeys(rest, False)
    transaction, _, path = place
    held["I5 card"] = session.certificate is None or (
        session.certificate_good_at is not None
        and session.certificate_good_at <= now
        and any(
            now <= session.certificate_good_at + bound
            for bound in (snapshot.card_fresh_seconds, transaction.soft_revocation)
            if bound is not None
        )
    )

    suspended = {(str(one.scope), one.subject) for one in facts.suspensions.entries}
    people = {one.person for one in facts.suspensions.entries if str(one.scope) == "person"}
    held["I3 emergency"] = (
        not suspended & {("all", ""), ("transaction", transaction.id), ("institution", user.institution)}
        and not suspended & {("person", user.user_id)}
        and user.person not in people
    )
    known = user.institution in set(snapshot.institutions)
    grants = [
        one for one in snapshot.by_reference.values()
        if known and one.institution == user.institution and one.transaction == transaction.id
    ]  # fmt: skip
    gone = {
        old for new in grants if new.opinion and new.opinion.favourable and new.validity.start <= now
        for old in new.supersedes
    }  # fmt: skip
    forced = [one for one in grants if one.reference not in gone and _in_force(one, now)]
    held["E1 authorisation"] = bool(forced)
    # Not reviewed yet: no word of the head official on the successor, and the time that the KSZ set for it runs.
    waiting = [
        old for new in forced for old in grants
        if new.review_until is not None and now < new.review_until and old.reference in new.supersedes
        and not user.designations.get(new.reference) and _in_force(old, now)
        and any(_names(one, now, snapshot.mandate_review_seconds) for one in user.designations.get(old.reference, ()))
    ]  # fmt: skip
    held["I3 emergency"] &= not any(("authorisation", one.reference) in suspended for one in [*waiting, *forced])
    forced = waiting or forced

    named = [
        one for grant in forced for one in user.designations.get(grant.reference, ())
        if _names(one, now, snapshot.mandate_review_seconds)
    ]  # fmt: skip
    held["P4 designation"] = bool(named) and not user.blocked and user.validity.start <= now < user.validity.end
    by_others = snapshot.roles_stale_seconds is not None
    all_roles = user.outside_roles if by_others else user.roles
    roles = [one for name, held_roles in all_roles.items() if name == transaction.role for one in held_roles]
    said_lately = snapshot.roles_stale_seconds is None or (
        user.roles_known_at is not None
        and now <= user.roles_known_at + snapshot.roles_stale_seconds
        and user.roles_known_at <= now + 5
    )
    held["P3 role"] = (said_lately and any(one.validity.start <= now < one.validity.end for one in roles)) or (
        transaction.role is None and not transaction.social_personal_data
    )
    fitting = [
        operation for operation in transaction.operations
        if operation.websocket == facts.websocket
        and facts.method in operation.methods
        and matches(operation.path.text, path) is not None
    ]  # fmt: skip
    use = fitting[0].use if fitting else None
    uses = [one for grant in forced for one in grant.uses if one.use == use]
    held["P2 use"] = bool(uses) and use in {word for one in named for word in one.uses}
    if not uses:
        return held | dict.fromkeys(rest[4:], False)
    grant = uses[0]
    held["P2 purpose"] = (
        str(use) == "communication" or not transaction.social_personal_data or grant.purpose is not None
    )
    level, named_levels = LEVEL[session.means], sorted(LEVEL[one] for one in grant.means)
    held["I2 means"] = level >= snapshot.levels[transaction.sensitivity] and (
        str(session.means) in set(map(str, grant.means))
        or (
            grant.stronger_satisfies
            and str(session.means) != "itsme"
            and named_levels != []
            and level > named_levels[0]
        )
    )
    held["I2 age"] = session.auth_time <= now <= session.auth_time + grant.max_authentication_age
    held["I2 context"] = grant.context is None or _inside(grant.context, connection.address, now, snapshot)
    return held


def brussels(now: float) -> tuple[int, int, int, int, int]:
    """Year, month, day, weekday (Monday 0) and minute of the day in Brussels, by the European rule: summer time lasts from the last
    Sunday of March to that of October, from 01:00 UTC to 01:00 UTC."""
    year = time.gmtime(now).tm_year
    first, last = (
        calendar.timegm(
            (year, month, max(week[calendar.SUNDAY] for week in calendar.monthcalendar(year, month)), 1, 0, 0)
        )
        for month in (3, 10)
    )
    wall = time.gmtime(now + (7200 if first <= now < last else 3600))
    return wall.tm_year, wall.tm_mon, wall.tm_mday, wall.tm_wday, wall.tm_hour * 60 + wall.tm_min


def _inside(context: Context, address: str, now: float, snapshot: Snapshot) -> bool:
    year, month, day, weekday, minute = brussels(now)
    if context.networks and not any(ip_address(address) in network for network in context.networks):
        return False
    if context.hours is not None and minute not in range(*context.hours):
        return False
    if context.working and (year, month, day) in {one.timetuple()[:3] for one in snapshot.holidays}:
        return False
    return context.days is None or weekday in context.days


def _answered(facts: Facts) -> bool:
    return facts.session is not None and facts.evidence is not None and facts.session.auth_time > facts.evidence.since


def _page(facts: Facts) -> bool:
    origin, site = str(facts.page_origin), facts.fetch_site
    if facts.websocket:
        return origin == "ours"
    if facts.method in ("GET", "HEAD", "OPTIONS"):
        return True
    if site is None:
        return origin == "ours"
    return origin != "foreign" and (site, facts.navigation) in {
        ("same-origin", True),
        ("same-origin", False),
        ("none", True),
    }


def _regulation(user: UserRecords, snapshot: Snapshot, now: float) -> bool:
    effective = sorted((one.effective, one.version, one.sha256) for one in snapshot.regulations if one.effective <= now)
    if not effective:
        return False
    _, version, sha256 = effective[-1]
    return version in user.acceptances and user.acceptances[version].sha256 == sha256


def _in_force(one: Authorisation, now: float) -> bool:
    favourable = one.opinion is not None and one.opinion.favourable
    return one.status == "active" and favourable and one.validity.start <= now < one.validity.end


def _names(one: Designation, now: float, review: float) -> bool:
    if not one.confirmed or not one.validity.start <= now < one.validity.end:
        return False
    if one.mandate is None:
        return True
    mandate = one.mandate.validity
    return mandate.start <= one.made_at < mandate.end and now < mandate.end + review
