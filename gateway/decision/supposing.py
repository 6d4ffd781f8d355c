"""Requests that nobody made, to ask the decision about: what an explanation, a list of who could and a page of one's applications rest on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.decision.decide import Decision, decide
from gateway.decision.facts import SAFE_METHODS, Agent, Connection, Facts, PageOrigin
from gateway.decision.ruling import find_operation
from gateway.decision.snapshot import Snapshot
from gateway.decision.suspensions import NOTHING_SUSPENDED, Suspensions
from gateway.model import Channel, Means, Operation, Session, Transaction, Use, UserRecords

SESSION_SECONDS = 600.0
"""Of the session that is supposed; any length does, since it begins now."""


def suppose(
    transaction: Transaction,
    user: UserRecords,
    path: str,
    method: str,
    means: Means,
    now: float,
    *,
    websocket: bool = False,
    suspensions: Suspensions = NOTHING_SUSPENDED,
) -> Facts:
    """The facts of a normal browser's request over HTTPS, by a person who signed in at this very moment."""
    match = transaction.matches[0]
    own_page = websocket or method not in SAFE_METHODS
    return Facts(
        now=now,
        connection=Connection(Channel.USER, "TLSv1.3", None, match.host),
        method=method,
        host=match.host,
        port_is_ours=True,
        path=match.path.rstrip("/") + path,
        agent=Agent.BROWSER,
        websocket=websocket,
        fetch_site="same-origin",
        page_origin=PageOrigin.OURS if own_page else PageOrigin.NONE,
        navigation=not websocket,
        activity=not websocket,
        session=Session("supposed", user.user_id, means, now, now, now + SESSION_SECONDS),
        last_seen=now,
        user=user,
        suspensions=suspensions,
    )


def coming_from(facts: Facts, address: str | None, snapshot: Snapshot) -> Facts:
    """From that address; without one, from the first of the networks that the authorisation names for this use, if it names any."""
    if address is None:
        grant = decide(facts, snapshot).grant
        named = () if grant is None or grant.context is None else grant.context.networks
        address = str(named[0].network_address) if named else ""
    return replace(facts, connection=facts.connection._replace(address=address))


def using(facts: Facts, transaction: Transaction, use: Use, snapshot: Snapshot) -> Facts | None:
    """The same for a request of this use, by the first of its operations that can be reached; None when none can."""
    for operation, method in _ways(transaction, use):
        rest = _example(operation.path.text)
        if find_operation(transaction.operations, method, rest, websocket=operation.websocket) is not operation:
            continue
        for match in transaction.matches:
            path = match.path.removesuffix("/") + rest
            located = snapshot.locate(match.host, path)
            if located is not None and located.transaction is transaction:
                return replace(
                    facts,
                    connection=facts.connection._replace(sni=match.host),
                    method=method,
                    host=match.host,
                    path=path,
                    websocket=operation.websocket,
                    fetch_site="same-origin",
                    page_origin=PageOrigin.OURS,
                    navigation=False,
                )
    return None


def _ways(transaction: Transaction, use: Use) -> Iterator[tuple[Operation, str]]:
    for operation in transaction.operations:
        if operation.use is use:
            for method in sorted(operation.methods):
                yield operation, method


def ruling(facts: Facts, transaction: Transaction, use: Use, snapshot: Snapshot) -> Decision:
    """The decision on a request of this use; of one that no operation reaches, what a request for a thing that nobody declared would get."""
    asked = using(facts, transaction, use, snapshot)
    if asked is None:
        match = transaction.matches[0]
        connection = facts.connection._replace(sni=match.host)
        asked = replace(facts, connection=connection, method="undeclared", host=match.host, path=match.path)
    return decide(asked, snapshot)


def _example(pattern: str) -> str:
    """A path that the pattern matches."""
    segments = ["x" if part == "*" or part.startswith("{") else part for part in pattern.split("/")]
    return "/".join("" if part == "**" else part for part in segments)
