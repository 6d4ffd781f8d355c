"""Who gets no further than the door: plain HTTP, and connections that never became one. Each is a line (clause B3)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from gateway.address import client_ip
from gateway.decision import REASONS, Connection, Decision, Facts, Hello, Place, decide
from gateway.errors import LedgerError
from gateway.ledger.pseudonym import Identity
from gateway.ledger.record import connection_record, decision_record
from gateway.ledger.reference import format_reference
from gateway.message import RequestHead
from gateway.model import Channel
from gateway.proxy.answers import Asked, answer
from gateway.proxy.facts import faulty
from gateway.proxy.gate import Gate

CLEAR_TEXT_STATUS: Final = 400
"""What a TLS port answers to HTTP in the clear, as other servers do; the plain port's page is a 403."""


class Doorman:
    """Leaves the lines of one listener, and answers where there is somebody to answer."""

    def __init__(self, gate: Gate, channel: Channel) -> None:
        self._gate = gate
        self._channel = channel

    def failed(self, address: str, why: str, hello: Hello | None) -> None:
        """A connection that is no TLS of ours; `why` is a word of `edge`. Nobody waits for the line."""
        self._leave_line(address, "tls_failed", why, hello, _unheard)

    def too_many(self, address: str, which: str, hello: Hello | None) -> None:
        """A connection over a bound; `which` is its key in `[connections]`."""
        self._leave_line(address, "too_many_connections", which, hello, _unheard)

    def clear_text(self, address: str, head: bool, send: Callable[[bytes], None]) -> None:
        """HTTP on a TLS port: the line, then a short answer. Nothing of the request was read, and nothing is repeated."""

        def durable(reference: str) -> Callable[[LedgerError | None], None]:
            return lambda error: send(_clear_text_answer(self._gate.portal_authority, reference, head))

        self._leave_line(address, "plain_http", "", None, durable, CLEAR_TEXT_STATUS)

    def _leave_line(
        self,
        address: str,
        code: str,
        detail: str,
        hello: Hello | None,
        durable: Callable[[str], Callable[[LedgerError | None], None]],
        status: int | None = None,
    ) -> None:
        """One line, or one more under the flood rule; `durable` is told its reference, and what it gives is called afterwards."""
        gate = self._gate
        gate.decisions[code] += 1
        client, own = client_ip(address), gate.new_reference()
        counted = gate.ledger.counted(client, code, own)
        if counted is not None:
            durable(counted)(None)
            return
        record = connection_record(
            own,
            REASONS[code],
            channel=self._channel,
            client=gate.ledger.sealer.address(client),
            hello=hello,
            status=status,
            detail=detail or None,
        )
        gate.ledger.conn.append(record, durable(own), expendable=True)

    def refuse_plain(self, address: str, head: RequestHead | None, send: Callable[[bytes], None]) -> None:
        """Plain HTTP: the line, then the page. When the line cannot be written, the page says so, and nothing else happens."""
        gate = self._gate
        now, connection = gate.clock(), Connection(self._channel, None, None, None)
        facts = faulty(connection, "malformed", now)
        if head is not None:
            facts = Facts(now, connection, head.method, head.host.name, False, head.target.path, navigation=True)
        decision = decide(facts, gate.snapshot)
        gate.decisions[decision.reason.code] += 1
        client, own = client_ip(address), gate.new_reference()
        counted = gate.ledger.counted(client, decision.reason.code, own)
        reference = own if counted is None else counted

        def durable(error: LedgerError | None) -> None:
            shown = decision if error is None else Decision(REASONS["ledger_unavailable"], Place.OPEN, disclosed=True)
            send(
                answer(
                    gate, shown, facts, Asked("", None if head is None else head.fields, None), reference, close=True
                )
            )

        if counted is not None:
            durable(None)
            return
        agent = None if head is None else head.fields.get("user-agent")
        identity = gate.ledger.sealer.address(client)
        record = decision_record(own, facts, decision, gate.snapshot, client=identity, user_agent=agent)
        gate.ledger.user.append(record, durable, expendable=True)


def _unheard(_: str) -> Callable[[LedgerError | None], None]:
    """Nothing hangs on a refused connection's line; the stream itself says that it is down."""
    return lambda error: None


_CLEAR_TEXT_PAGE: Final = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>400 HTTPS only</title>
<p lang="nl">Alleen HTTPS is toegelaten. Typ het adres opnieuw, te beginnen met https://.</p>
<p lang="fr">Seul HTTPS est autorisé. Tapez à nouveau l’adresse, en commençant par https://.</p>
<p lang="de">Nur HTTPS ist erlaubt. Geben Sie die Adresse erneut ein, beginnend mit https://.</p>
<p lang="en">Only HTTPS is permitted. Type the address again, beginning with https://.</p>
<p><a href="https://{authority}/">https://{authority}/</a></p>
<p>{reference}</p>
</html>
"""


def _clear_text_answer(authority: str, reference: str, head: bool) -> bytes:
    """Without HSTS, which means nothing here (RFC 6797 section 7.2), and without anything of the request."""
    content = _CLEAR_TEXT_PAGE.format(authority=authority, reference=format_reference(reference)).encode()
    fields = (
        "HTTP/1.1 400 Bad Request",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {reference}",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(fields).encode("ascii") + (b"" if head else content)


def leave_no_request_line(gate: Gate, ip: IPv4Address | IPv6Address, address: Identity, connection: Connection) -> None:
    """Browsers preconnect: a handshake that nothing followed is one line, and nobody waits for it."""
    reference = gate.new_reference()
    if gate.ledger.counted(ip, "no_request", reference) is not None:
        return
    record = connection_record(
        reference,
        REASONS["no_request"],
        channel=connection.channel,
        client=address,
        tls_version=connection.tls_version,
        tls_cipher=connection.tls_cipher,
        sni=connection.sni,
        hello=connection.hello,
    )
    gate.ledger.conn.append(record, _unheard(reference), expendable=True)
