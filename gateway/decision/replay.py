"""Makes a decision again from its line in the ledger: the facts as they stand there, by the very code that decided (DESIGN section 4).

By the release that the line was decided by the verdict must be the same; a difference is a bug. By another release it is what that release
would have said; where it reads something that the line does not hold, the line is *not replayable*, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, NamedTuple, TypeVar

from gateway.decision.checks import Found, within_context
from gateway.decision.criteria import CHECKS
from gateway.decision.decide import PERMITTED, place_of
from gateway.decision.evidence import ClientEvidence, Signal
from gateway.decision.facts import Agent, Connection, Facts, PageOrigin
from gateway.decision.reasons import REASONS
from gateway.decision.snapshot import Snapshot
from gateway.decision.suspensions import NOTHING_SUSPENDED, Scope, Suspended, Suspensions
from gateway.model import (
    FOR_EVER,
    Acceptance,
    Channel,
    Designation,
    Mandate,
    Means,
    Network,
    Role,
    Session,
    Use,
    UserRecords,
    Validity,
)

Line = Mapping[str, Any]
OUTSIDE_THE_DECISION = frozenset({"ledger_unavailable", "gateway_error", "draining"})
"""Reasons of a decision's line that no check gave: the gateway's own trouble, which no release changes."""
REMEMBERED = 4096
"""Persons' records that are kept while many lines are replayed, some 3 KiB each."""
TOO_LARGE = "too_large"
_MEANS = {means.value: means for means in Means}
_USES = {use.value: use for use in Use}
_CHANNELS = {channel.value: channel for channel in Channel}
_AGENTS = {agent.value: agent for agent in Agent}
_ORIGINS = {origin.value: origin for origin in PageOrigin}
_SIGNALS = {signal.value: signal for signal in Signal}


_T = TypeVar("_T")


class _Known(dict[str, _T]):
    """What the line knows: to ask it for anything else is to guess. Of those in `without` it knows that there was nothing."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.without: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        if key in self:
            return self[key]
        if key in self.without:
            return default
        raise NotReplayable(f"{self._what}: {key}")


class NotReplayable(Exception):
    """The line does not hold what the decision reads; the message names it."""


class Replayed(NamedTuple):
    """A line's verdict, then and now, by reason codes."""

    then: str
    now: str
    found: Found

    @property
    def same(self) -> bool:
        return self.then == self.now


class Users:
    """Remembers what was made of records that are the very same object in several lines, so that a person's are made once for many."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], tuple[object, UserRecords]] = {}

    def of(self, line: Line, snapshot: Snapshot) -> UserRecords | None:
        told = line.get("records")
        if told is None:
            return None
        # All else that `_user` reads; what was made keeps its records, so that no other object can come to have their id.
        key = (
            id(told),
            _user_id(line),
            line["institution"],
            line.get("authorisation"),
            line.get("transaction"),
            snapshot.hash,
        )
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            found = self._made[key] = (told, _user(told, line, snapshot))
        return found[1]


def replay(line: Line, snapshot: Snapshot, users: Users | None = None) -> Replayed:
    """Decide on the line's facts by `snapshot`. `users` is for many lines by one release for each hash. Raises NotReplayable."""
    then = line.get("reason")
    if type(then) is not str or then not in REASONS:
        raise NotReplayable("a reason that this version does not know")
    if then in OUTSIDE_THE_DECISION:
        raise NotReplayable(f"{then}: no check gave it")
    try:
        return _decided(line, snapshot, then, users or Users())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotReplayable(f"a line that is incomplete: {type(error).__name__} {error}") from None


def _decided(line: Line, snapshot: Snapshot, then: str, users: Users) -> Replayed:
    """The loop of `decide`, which stops where a check is about to read what the line does not hold."""
    facts, found = _facts(line, users.of(line, snapshot)), Found()
    same = line.get("table") == snapshot.hash
    for check in CHECKS[place_of(facts, snapshot), facts.connection.channel]:
        if check is within_context:
            _know_the_network(line, found, same=same)
        code = check(facts, snapshot, found)
        if code is not None:
            return Replayed(then, code, found)
    if then == TOO_LARGE:
        # The proxy found the body beyond the transaction's limit, or the gateway's: no check did, and its length stands in no line.
        if not same:
            raise NotReplayable("the length of the body")
        return Replayed(then, then, found)
    return Replayed(then, PERMITTED.code, found)


def _facts(line: Line, user: UserRecords | None) -> Facts:
    """As the line holds them."""
    path, host = line["path"], line["host"]
    if type(path) is not str or not (host is None or type(host) is str):
        raise NotReplayable("the path or the host was cut")
    now: float = line["now"]
    session = _session(line, now)
    network = line["context"].get("network") if "context" in line else None
    connection = Connection(
        _CHANNELS[line["channel"]],
        line["tls_version"],
        line["tls_cipher"],
        line["sni"],
        None,
        (),
        "" if network is None else str(ip_network(network).network_address),
    )
    return Facts(
        now,
        connection,
        line["method"],
        host,
        line.get("port_is_ours", True),
        path,
        line.get("fault"),
        _AGENTS[line["agent"]],
        line.get("signature_agent", False),
        line.get("authorization", False),
        line.get("credential"),
        line.get("websocket", False),
        line.get("fetch_site"),
        _ORIGINS[line["page_origin"]] if "page_origin" in line else PageOrigin.NONE,
        line.get("navigation", False),
        line.get("activity", False),
        session,
        line.get("last_seen", 0.0),
        user,
        line.get("records_current", True),
        _evidence(line["evidence"]) if "evidence" in line else None,
        tuple(line["too_fast"]) if "too_fast" in line else (),
        _suspensions(line["suspensions"], user) if "suspensions" in line else NOTHING_SUSPENDED,
        line.get("records_age"),
    )


def _session(line: Line, now: float) -> Session | None:
    if "session" not in line:
        return None
    told, card = line["session"], line.get("certificate")
    return Session(
        told["id"],
        "another" if line.get("records_of_another") else _user_id(line),
        _MEANS[line["means"]],
        line["auth_time"],
        told["created_at"],
        told["expires_at"],
        told.get("ended_at"),
        told.get("ended_reason"),
        None if card is None else "a card",
        None if card is None else card["good_at"],
    )


def _user_id(line: Line) -> str:
    user = line.get("user")
    return "" if user is None else str(user["user_id"])


def _user(told: Mapping[str, Any], line: Line, snapshot: Snapshot) -> UserRecords:
    """Of a line with the records `told`. `snapshot` says which role the decision asks for, where an old line does not."""
    acceptances: _Known[Acceptance] = _Known("whether a regulation was accepted")
    regulation = told.get("regulation")
    if regulation is not None:
        version, number = regulation["version"], told["acceptance"]
        sha256 = told.get("accepted_sha256", regulation["sha256"])
        if number is None:
            acceptances.without.add(version)
        else:
            acceptances[version] = Acceptance(number, version, sha256, 0.0)
    designations: _Known[tuple[Designation, ...]] = _Known("designations")
    if "designations" in told:
        for reference in told.get("references", (line["authorisation"],)):
            designations[reference] = ()
        for each in told["designations"]:
            reference = each.get("authorisation", line["authorisation"])
            designations[reference] = (*designations[reference], _designation(each, reference))
        if told.get("designations_left_out"):
            raise NotReplayable("designations beyond those that the line lists")
    # Whichever source the line's roles are of: nothing is known of what the other one said.
    roles, outside = _Known[tuple[Role, ...]]("roles"), _Known[tuple[Role, ...]]("roles of an outside source")
    if told.get("roles_left_out"):
        raise NotReplayable("records of the role beyond those that the line lists")
    if "roles" in told:
        name = told.get("role") or _role_of(line, snapshot)
        (outside if "roles_known_at" in told else roles)[name] = tuple(
            [Role(each["id"], name, _validity(each["validity"])) for each in told["roles"]]
        )
    return UserRecords(
        _user_id(line),
        0,
        "",
        "",
        line["institution"],
        "nl",
        _validity(told["validity"]),
        told["blocked"],
        designations,
        roles,
        acceptances,
        outside,
        told.get("roles_known_at"),
    )


def _role_of(line: Line, snapshot: Snapshot) -> str:
    transaction = snapshot.transactions.get(line["transaction"])
    return "" if transaction is None else transaction.role or ""


def _designation(told: Mapping[str, Any], reference: str) -> Designation:
    mandate = told["mandate"]
    return Designation(
        told["id"],
        reference,
        frozenset([_USES[use] for use in told["uses"]]),
        _validity(told["validity"]),
        told["made_at"],
        None if mandate is None else Mandate(mandate["id"], _validity(mandate["validity"])),
        told["confirmed"],
    )


def _validity(told: list[float | None]) -> Validity:
    start, end = told
    return Validity(float("-inf") if start is None else start, FOR_EVER if end is None else end)


def _evidence(told: Mapping[str, Any]) -> ClientEvidence:
    return ClientEvidence(
        told["score"],
        tuple([(_SIGNALS[name], points) for name, points in told["parts"].items()]),
        (),
        told.get("moved", False),
        told.get("moved_reported", False),
        told.get("answered", False),
        told["since"],
    )


def _suspensions(told: list[Mapping[str, str]], user: UserRecords | None) -> Suspensions:
    own = "" if user is None else user.user_id
    return Suspensions(
        Suspended(each["key"], Scope(each["scope"]), own if each["scope"] == Scope.PERSON else each.get("subject", ""))
        for each in told
    )


def _know_the_network(line: Line, found: Found, *, same: bool) -> None:
    """An address stands in a line only sealed: whether the client is inside is known for the network that the line names, and what holds it."""
    context = None if found.grant is None else found.grant.context
    if same or context is None or not context.networks:
        return
    told = line.get("context", {})
    if "network" not in told:
        raise NotReplayable("the client's network")
    there = None if told["network"] is None else ip_network(told["network"])
    if there is None or not any(_within(there, each) for each in context.networks):
        raise NotReplayable("whether the client is in one of the networks")


def _within(inner: Network, outer: Network) -> bool:
    # Of one version, as is asked first; the stubs cannot tell.
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one version
