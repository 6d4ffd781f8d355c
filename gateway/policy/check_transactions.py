"""Each transaction against the settings, the others and the policy. One generator of faults a subject."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.decision import OWN_PREFIX
from gateway.errors import Fault
from gateway.policy.coverage import covers
from gateway.policy.faults import readable
from gateway.policy.ground import Ground
from gateway.policy.schema import TransactionFile


def _social_data_is_protected(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    """P3 and I2."""
    if not transaction.social_personal_data:
        return
    if readable(transaction.role) and transaction.role is None:
        mend = "Name the user-management role that opens it"
        yield Fault(file, "role", "social personal data without a user-management role", mend)
    if readable(transaction.sensitivity) and transaction.sensitivity == 0:
        yield Fault(file, "sensitivity", "0 means public data, and these are social personal data", "Make it 1 or more")


def _social_data_is_no_whole_host(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    """P1: only the transaction named in the request, never whatever an origin may come to offer."""
    if not transaction.social_personal_data:
        return
    for number, match in enumerate(transaction.match, 1):
        if readable(match.path) and match.path == "/":
            mend = "Name the transaction's own path, such as /dossier/"
            yield Fault(
                file, f"match[{number}].path", "a whole host is no single transaction with social personal data", mend
            )


def _host_is_of_the_channel(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    names = ground.settings.names.get(transaction.channel, [])
    for number, match in enumerate(transaction.match, 1):
        if not readable(match.host):
            continue
        where = f"match[{number}].host"
        if match.host == ground.settings.portal_host:
            yield Fault(
                file, where, "this is the portal's host, which is for the gateway's own pages", "Give it another host"
            )
        elif match.host not in names:
            what = f"no {transaction.channel} listener answers to {match.host}"
            yield Fault(file, where, what, "Correct the host, or add it to the listener's names in gateway.toml")


def _own_prefix_is_ours(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    for number, match in enumerate(transaction.match, 1):
        if readable(match.path) and match.path.startswith(OWN_PREFIX):
            mend = "Give it another path"
            yield Fault(file, f"match[{number}].path", f"below {OWN_PREFIX} the gateway answers itself", mend)


def _operations_are_whole(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    for number, operation in enumerate(transaction.operation, 1):
        if not readable(operation.methods) or not readable(operation.websocket):
            continue
        where = f"operation[{number}].methods"
        if not operation.websocket and not operation.methods:
            yield Fault(file, where, "it is missing", 'Name the methods, such as ["GET", "HEAD"]')
        if operation.websocket and operation.methods not in ([], ["GET"]):
            yield Fault(file, where, "a websocket begins with a GET, and nothing else", "Remove the key")


def _operations_are_reachable(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    """The first match wins: an operation whose every request an earlier one takes is a slip, and may be a dangerous one."""
    earlier: list[tuple[int, str, str]] = []
    for number, operation in enumerate(transaction.operation, 1):
        if not all(map(readable, (operation.path, operation.methods, operation.websocket))):
            continue
        methods = ["websocket"] if operation.websocket else operation.methods
        where = f"operation[{number}]"
        takers = {method: _taker(earlier, method, operation.path) for method in methods}
        if methods and all(taker is not None for taker in takers.values()):
            first = ", ".join(f"operation[{taker}]" for taker in sorted({taker or 0 for taker in takers.values()}))
            yield Fault(
                file, where, f"nobody can reach it: {first} matches first", "Put the narrower one first, or remove it"
            )
        elif f"{operation.path}/".startswith(OWN_PREFIX) and all(match.path == "/" for match in transaction.match):
            yield Fault(file, where, f"nobody can reach it: below {OWN_PREFIX} the gateway answers itself", "Remove it")
        earlier += [(number, method, operation.path) for method in methods]


def _taker(earlier: Iterable[tuple[int, str, str]], method: str, path: str) -> int | None:
    for number, other_method, other_path in earlier:
        if other_method == method and covers(other_path, path):
            return number
    return None


def _cookies_do_not_mix(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    """Plain cookies keep their names, so every transaction of the host would see them (DESIGN section 6)."""
    if transaction.origin.cookies != "plain":
        return
    hosts = {match.host for match in transaction.match if readable(match.host)}
    for other_file, other in ground.table.transactions.items():
        if other_file != file and readable(other.match):
            shared = hosts & {match.host for match in other.match if readable(match.host)}
            for host in sorted(shared):
                mend = 'Use "per-session", or give this transaction a host of its own'
                yield Fault(file, "origin.cookies", f"plain cookies on {host}, which {other_file} shares", mend)


def _origin_tls_is_whole(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    origin = transaction.origin
    if readable(origin.client_certificate) and readable(origin.client_key):
        if origin.client_certificate is not None and origin.client_key is None:
            yield Fault(file, "origin.client_key", "a client certificate without its key", "Name the key's file")
        if origin.client_key is not None and origin.client_certificate is None:
            yield Fault(
                file, "origin.client_certificate", "a client key without its certificate", "Name the certificate's file"
            )
    if origin.url.startswith("http:"):
        for key in ("ca", "client_certificate", "client_key"):
            if readable(getattr(origin, key)) and getattr(origin, key) is not None:
                yield Fault(
                    file,
                    f"origin.{key}",
                    "the origin speaks plain http, so this is never used",
                    "Remove it, or use https",
                )


def _subjects_say_something(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    subjects = transaction.subjects
    if subjects is None:
        return
    if (
        readable(subjects.origin_field)
        and readable(subjects.path)
        and subjects.origin_field is None
        and subjects.path is None
    ):
        yield Fault(file, "subjects", "it says nothing", "Name origin_field or path, or remove it")
    if readable(subjects.path) and subjects.path is not None and "{insz}" not in subjects.path.split("/"):
        yield Fault(
            file, "subjects.path", "it names no data subject", "Put {insz} where the number stands, as /dossiers/{insz}"
        )


def _revocation_is_whole(file: str, transaction: TransactionFile, ground: Ground) -> Iterator[Fault]:
    """I5: who goes on without an answer says for how long, and for longer than anybody waits for one."""
    revocation = transaction.revocation
    if not readable(revocation.mode) or not readable(revocation.within):
        return
    where, hard = "revocation.within", ground.settings.card_fresh_seconds
    if revocation.mode == "hard":
        if revocation.within is not None:
            yield Fault(file, where, "hard bears no old answer", 'Remove it, or write mode = "soft"')
    elif revocation.within is None:
        yield Fault(file, where, "it is missing", 'Say how old the last good answer may be, such as "12h"')
    elif revocation.within <= hard:
        what = f"it is no longer than what hard bears ({hard:g} s: revocation.check_every of gateway.toml, and a grace)"
        yield Fault(file, where, what, 'Make it longer, or write mode = "hard"')


PER_TRANSACTION = (
    _social_data_is_protected,
    _social_data_is_no_whole_host,
    _host_is_of_the_channel,
    _own_prefix_is_ours,
    _operations_are_whole,
    _operations_are_reachable,
    _cookies_do_not_mix,
    _origin_tls_is_whole,
    _subjects_say_something,
    _revocation_is_whole,
)
