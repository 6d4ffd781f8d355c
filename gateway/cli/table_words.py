"""What `gateway table` says: of what is signed and by whom, and of what a release would change."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from tuf.api.metadata import Root, Targets

from gateway.cli.check import print_faults
from gateway.cli.output import ANSWER_IS_NO, WRONG_USE, Moment, fail
from gateway.cli.replay import as_object, tell
from gateway.errors import GatewayError, TableError
from gateway.ledger.replaying import Report
from gateway.policy.consequences import Access, Altered, Consequences
from gateway.policy.container import TARGETS, Container
from gateway.policy.refusals import code_of
from gateway.policy.signing import Piece
from gateway.policy.trust import Verified, name_of, read_metadata, terms


def say(text: str, result: Mapping[str, object], *, as_json: bool) -> None:
    print(json.dumps(result, ensure_ascii=False) if as_json else text)


def warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


def tell_refused(error: TableError, code: str | None, *, as_json: bool) -> None:
    """Why it is no release that a gateway would take."""
    faults = [fault.as_dict() for fault in error.faults]
    if as_json:
        print(json.dumps({"ok": False, "code": code, "faults": faults}, ensure_ascii=False))
        return
    print_faults(faults)
    print(f"refused: {code or 'faults of the table'}", file=sys.stderr)


@contextmanager
def saying(*, as_json: bool) -> Iterator[None]:
    """A refusal is an answer, with its code; everything else is wrong use."""
    try:
        yield
    except TableError as error:
        tell_refused(error, code_of(error), as_json=as_json)
        raise typer.Exit(ANSWER_IS_NO) from None
    except GatewayError as error:
        fail(str(error), WRONG_USE, as_json=as_json)
    except FileExistsError as error:
        what = "it is there already, and nothing is written over: name another place"
        fail(f"{error.filename}: {what}", WRONG_USE, as_json=as_json)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", WRONG_USE, as_json=as_json)


def _when(seconds: float) -> str:
    return Moment(seconds).written(brief=True) or ""


# --- signatures -----------------------------------------------------------------------------------------------------------


def tell_pieces(path: Path, container: Container, pieces: Sequence[Piece], *, as_json: bool) -> None:
    """A release that may be unfinished: what it is, who signed each part of it, and how many are missing."""
    names = _names(container, pieces)
    told = [
        {
            "file": piece.file,
            **_what(piece.file, container),
            "signed_by": [{"keyid": keyid, "name": names.get(keyid, "")} for keyid in piece.signed],
            "missing": piece.missing,
        }
        for piece in pieces
    ]
    if as_json:
        print(json.dumps({"path": str(path), "complete": _complete(pieces), "parts": told}, ensure_ascii=False))
        return
    print(path)
    for piece, one in zip(pieces, told, strict=True):
        if piece.file == TARGETS:
            print(f"release {one['release']}, from {_when(one['from'])} until {_when(one['expires'])}")
            print(f"  table {one['table']}, {one['files']} files")
        else:
            print(f"root {one['version']}, until {_when(one['expires'])}")
            for keyid, signs in one["keys"].items():
                print(f"  {_key(keyid, names)} may sign {signs}")
            print(f"  signatures needed: {one['threshold']} for a release, {one['root_threshold']} for a root")
        for keyid in piece.signed:
            print(f"  signed by {_key(keyid, names)}")
        if piece.missing:
            print(f"  {piece.missing} more must sign")


def _complete(pieces: Sequence[Piece]) -> bool:
    return not any(piece.missing for piece in pieces)


def _what(file: str, container: Container) -> dict[str, Any]:
    if file == TARGETS:
        targets = read_metadata(Targets, TARGETS, container[TARGETS]).signed
        number, starts, table = terms(targets)
        return {
            "release": number,
            "from": starts,
            "expires": targets.expires.timestamp(),
            "table": table,
            "files": len(targets.targets),
        }
    root = read_metadata(Root, file, container[file]).signed
    signs = {
        keyid: " and ".join(
            word
            for word, role in (("releases", Targets.type), ("roots", Root.type))
            if keyid in root.roles[role].keyids
        )
        for keyid in root.keys
    }
    return {
        "version": root.version,
        "expires": root.expires.timestamp(),
        "keys": signs,
        "threshold": root.roles[Targets.type].threshold,
        "root_threshold": root.roles[Root.type].threshold,
    }


def _names(container: Container, pieces: Sequence[Piece]) -> dict[str, str]:
    return {
        keyid: name_of(key)
        for piece in pieces
        if piece.file != TARGETS
        for keyid, key in read_metadata(Root, piece.file, container[piece.file]).signed.keys.items()
    }


def _key(keyid: str, names: Mapping[str, str]) -> str:
    return f"{names.get(keyid) or 'an unnamed key'} ({keyid[:16]})"


def tell_verified(verified: Verified, now: float, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": True, **_verified(verified)}, ensure_ascii=False))
        return
    print("good")
    _print_verified(verified, now)


def tell_served(table: str, served: Sequence[Verified], now: float, *, as_json: bool) -> None:
    """What a gateway serves, and what waits; nothing when nobody signed it."""
    if as_json:
        print(json.dumps({"table": table, "releases": [_verified(one) for one in served]}, ensure_ascii=False))
        return
    print(f"table {table}")
    if not served:
        print("nobody signed it (table.unsafe_unsigned)")
    for one in served:
        _print_verified(one, now)


def _verified(verified: Verified) -> dict[str, Any]:
    return {
        "release": verified.number,
        "from": verified.starts,
        "expires": verified.expires,
        "table": verified.table,
        "root": verified.root_version,
        "signed_by": [{"keyid": signer.keyid, "name": signer.name} for signer in verified.signers],
    }


def _print_verified(verified: Verified, now: float) -> None:
    begun = "in force since" if verified.starts <= now else "begins"
    over = "until" if now < verified.expires else "EXPIRED on"
    print(f"release {verified.number}, {begun} {_when(verified.starts)}, {over} {_when(verified.expires)}")
    print(f"  table {verified.table}, {len(verified.files)} files, root {verified.root_version}")
    for signer in verified.signers:
        print(f"  signed by {signer.name or 'an unnamed key'} ({signer.keyid[:16]})")


# --- consequences ---------------------------------------------------------------------------------------------------------


def tell_consequences(
    found: Consequences,
    at: float,
    requests: Report | None,
    *,
    with_persons: bool,
    names: Mapping[str, str] | None,
    as_json: bool,
) -> None:
    """`requests` is what a replay of the ledger by the new release found; None when it was not asked for. `names` are those behind user IDs,
    for whoever is entitled to them; None for everybody else."""
    if as_json:
        told = _as_object(found, at, with_persons=with_persons)
        if names is not None:
            for one in (*told.get("persons", ()), *told.get("reviews", ())):
                one["name"] = names.get(one["user_id"], "")
        if requests is not None:
            told["requests"] = as_object(requests)
        print(json.dumps(told, ensure_ascii=False))
        return
    print(f"at {_when(at)}")
    for altered in found.altered:
        _print_altered(altered)
    who = names or {}
    if with_persons:
        for person in found.persons:
            for word, which in (("loses", person.loses), ("gains", person.gains)):
                if which:
                    print(f"user ID {_user(person.user_id, who)} ({person.institution}) {word} {_accesses(which)}")
        lose = sum(bool(person.loses) for person in found.persons)
        gain = sum(bool(person.gains) for person in found.persons)
        print(f"{lose} lose access, {gain} gain access")
    for review in found.reviews:
        until = "at once: nobody goes on without it" if review.until is None else f"until {_when(review.until)}"
        print(
            f"review: user ID {_user(review.user_id, who)} ({review.institution}), designation {review.designation} under {review.predecessor}, "
            f"which {review.authorisation} supersedes; {until}"
        )
    if not (found.altered or found.persons or found.reviews):
        print("nothing would change")
    if requests is not None:
        sys.stdout.flush()
        tell(requests, "by the new release")


def _user(user_id: str, names: Mapping[str, str]) -> str:
    return f"{user_id}, {names[user_id]}" if names.get(user_id) else user_id


def _print_altered(altered: Altered) -> None:
    whose = f" ({altered.institution})" if altered.institution and altered.institution not in altered.id else ""
    print(f"{altered.kind} {altered.id}{whose} {altered.how}")
    for one in altered.differences:
        if altered.how == "begins" and not one.before:
            print(f"    {one.what}: {one.after}")
        elif altered.how == "ends" and not one.after:
            continue
        else:
            print(f"    {one.what}: {one.before or 'none'} -> {one.after or 'none'}")


def _accesses(which: Sequence[Access]) -> str:
    return ", ".join(f"{transaction} ({use})" for transaction, use in which)


def _as_object(found: Consequences, at: float, *, with_persons: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "at": Moment(at).written(),
        "changes": [
            {
                "kind": altered.kind,
                "id": altered.id,
                "how": altered.how,
                "institution": altered.institution or None,
                "differences": [
                    {"what": one.what, "before": one.before, "after": one.after} for one in altered.differences
                ],
            }
            for altered in found.altered
        ],
    }
    if with_persons:
        told["persons"] = [
            {
                "user_id": person.user_id,
                "institution": person.institution,
                "loses": [{"transaction": transaction, "use": use} for transaction, use in person.loses],
                "gains": [{"transaction": transaction, "use": use} for transaction, use in person.gains],
            }
            for person in found.persons
        ]
        told["reviews"] = [
            {
                "user_id": review.user_id,
                "designation": review.designation,
                "predecessor": review.predecessor,
                "authorisation": review.authorisation,
                "institution": review.institution,
                "until": None if review.until is None else Moment(review.until).written(),
            }
            for review in found.reviews
        ]
    return told
