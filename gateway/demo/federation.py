"""The demo's provider of the federation: npm's oidc-provider in a process of its own, where it is installed (scripts/provider).

It stands in for the federal authentication service, knows everybody in the demo, and asks nobody for a telephone or a card. The
program lies beside the package in the sources, with its packages; an installed wheel has neither, nor the sign-in by it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from gateway.app.federation import ClientSecrets
from gateway.demo import stories
from gateway.demo.beside import NotStarted
from gateway.demo.files import CLIENT, ITSME, LOOPBACK, PROVIDER_ID, Plan
from gateway.edge.sockets import listen

PROGRAM: Final = Path(__file__).resolve().parents[2] / "demo-provider" / "provider.mjs"


def installed() -> bool:
    """Whether the demo can have a provider here."""
    return shutil.which("node") is not None and (PROGRAM.parent / "node_modules" / "oidc-provider").is_dir()


@contextlib.contextmanager
def provider(plan: Plan, secrets: ClientSecrets, ca: Path) -> Iterator[IO[bytes] | None]:
    """Its process, when the plan has one; what it says when it is ready can be read. It ends with this block, and whenever this
    process does: its standard input is a pipe whose other end only we hold. `ca` is the file of the demo's authority."""
    if not plan.provider:
        yield None
        return
    for socket in listen([(LOOPBACK, plan.ports.provider)], "provider"):  # says whose a port in use is
        socket.close()
    portal = f"{plan.ports.portal_url}/oidc"
    settings = {
        "port": plan.ports.provider,
        "redirect": f"{portal}/callback/{PROVIDER_ID}",
        "logout": f"{portal}/logout/{PROVIDER_ID}",
        "ca": ca.read_text(),
        "client": CLIENT,
        "secret": secrets[PROVIDER_ID],
        "people": [
            {"sub": person.user_id, "name": person.name, "insz": person.insz, "acr": [ITSME]}
            for person in stories.PEOPLE
        ],
    }
    process = subprocess.Popen(
        ["node", str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    if process.stdin is None or process.stdout is None:
        raise NotStarted("the provider has no pipes")
    try:
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        process.stdin.flush()
        yield process.stdout
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()
