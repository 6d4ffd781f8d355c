"""Verifies and sorts one revocation list: `python -m gateway.outbound.read_list`, a process of its own, started by `lists`.

An order comes in as JSON, what became of it goes out as JSON: `{"header": …}` when the list was written, `{"refused": why}` when not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

# A room of the same floor, and pure: what a list must be to count stands there.
from gateway.credentials.revocation import judge_list
from gateway.errors import CredentialError, OutboundError
from gateway.outbound.index import ListHeader, write_index

NICENESS = 10
"""Requests come first: nobody waits for a list."""


def read_list(order: dict[str, Any]) -> ListHeader:
    """Raises CredentialError when the list does not count, OutboundError when it is older than the one that is there."""
    content = Path(order["content"]).read_bytes()
    found = judge_list(content, bytes.fromhex(order["issuer"]), order["url"], order["now"], order["skew"])
    if found.this_update < order["not_older_than"]:
        raise OutboundError("list_older_than_known")
    header = ListHeader(
        url=order["url"],
        this_update=found.this_update,
        next_update=found.next_update,
        fetched_at=order["now"],
        sha256=hashlib.sha256(content).hexdigest(),
        etag=order["etag"],
        modified=order["modified"],
        count=found.count,
    )
    return write_index(Path(order["index"]), header, found.serials())


def main() -> None:
    with contextlib.suppress(OSError):  # where a unit forbids it, the list counts all the same
        os.nice(NICENESS)
    try:
        outcome: dict[str, object] = {"header": asdict(read_list(json.load(sys.stdin)))}
    except (CredentialError, OutboundError) as error:
        outcome = {"refused": error.reason}
    except OSError as error:
        outcome = {"refused": f"list_not_kept: {error.strerror}"}
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
