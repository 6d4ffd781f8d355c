"""One connection to a directory: `python -m gateway.outbound.ask_ldap`, a process of its own, started by `ldap`.

The library for LDAP is C, and waits where no time-out reaches it (the handshake of TLS, to begin with). Here it holds up nobody: whoever
asked ends this process when the time is over. Only this process needs it (the extra `ldap`).

Each line that comes in is JSON: first the server (`url`, `start_tls`, `ca`, `bind_dn`, `password`, `seconds`), then questions (`base`,
`filter`, `attributes`, `most`). Each is answered by a line, and so is the start: a question by `{"entries": [{attribute: [values]}]}` or `{"refused": why}`.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

PAGE: Final = 500
"""Entries in a page (RFC 2696): many servers give no more than 1000 to a question, and the rest only in pages."""
NOT_INSTALLED: Final = "not_installed"


def connect(server: dict[str, Any]) -> Any:
    """Raises bonsai's errors."""
    import bonsai

    client = bonsai.LDAPClient(server["url"], tls=server["start_tls"])
    client.set_cert_policy("demand")
    client.set_ca_cert(server["ca"])
    client.set_credentials("SIMPLE", user=server["bind_dn"], password=server["password"])
    client.set_ignore_referrals(True)
    client.set_server_chase_referrals(False)
    client.set_auto_page_acquire(True)
    return client.connect(timeout=server["seconds"])


def ask(connection: Any, question: dict[str, Any], seconds: float) -> dict[str, Any]:
    """All that the directory finds, of `most` entries at the most. Raises bonsai's errors."""
    import bonsai

    scope = bonsai.LDAPSearchScope.SUBTREE
    pages = connection.paged_search(
        question["base"], scope, question["filter"], question["attributes"], timeout=seconds, page_size=PAGE
    )
    entries: list[dict[str, list[str]]] = []
    for entry in pages:
        if len(entries) == question["most"]:
            return {"refused": "too_large"}
        entries.append({name.lower(): [_text(value) for value in entry[name]] for name in entry if name != "dn"})
    return {"entries": entries}


def _text(value: object) -> str:
    """Octets that are no text become something that is no role's name."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def why(error: Exception) -> str:
    """A stable word for an error of bonsai: never its text, which may repeat what was asked. What fails in TLS it calls unreachable."""
    import bonsai.errors as known

    words = (
        (known.TimeoutError, "timeout"),
        (known.AuthenticationError, "credentials_refused"),
        (known.ConnectionError, "unreachable"),
        (known.ClosedConnection, "unreachable"),
        (known.NoSuchObjectError, "base_missing"),
        (known.SizeLimitError, "too_large"),
    )
    return next((word for kind, word in words if isinstance(error, kind)), "question_refused")


def main() -> None:
    try:
        import bonsai
    except ImportError:
        _say({"refused": NOT_INSTALLED})
        return
    _say({"started": True})
    server = json.loads(sys.stdin.readline())
    try:
        connection = connect(server)
        _say({"ready": True})
        for line in sys.stdin:
            _say(ask(connection, json.loads(line), server["seconds"]))
    except bonsai.LDAPError as error:
        _say({"refused": why(error)})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
