"""The processes that the demo runs beside the gateway, and waits for: its origin and the provider of its federation."""

from __future__ import annotations

import select
from typing import IO, Final

from gateway.errors import GatewayError

READY_SECONDS: Final = 120.0
"""How long one may take to begin: on a machine that is busy with much else node alone takes several."""


class NotStarted(GatewayError):
    """One of them did not start; it said why on standard error, or nothing at all."""


def wait_for(output: IO[bytes] | None, what: str) -> None:
    """Until it says on its `output` that it is ready; `None` is one that this demo does without. Raises NotStarted, which calls it `what`."""
    if output is None:
        return
    if not select.select([output], [], [], READY_SECONDS)[0]:
        raise NotStarted(f"the demo's {what} said nothing for {READY_SECONDS:g} s. Start the demo again")
    if not output.readline():
        raise NotStarted(f"the demo's {what} did not start; it said why above")
