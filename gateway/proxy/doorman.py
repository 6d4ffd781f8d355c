"""Who gets no further than the door: plain HTTP, and connections that never became one. Each is a line (clause B3)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from gateway.decision import REASONS, Connection, Decision, Facts, Hello, Place, decide
from gateway.errors import LedgerError
from gateway.ledger.record import connection_record, decision_record
from gateway.message import RequestHead
from gateway.model import Channel
from gateway.proxy.answers import Asked, answer
from gateway.proxy.facts import faulty
from gateway.proxy.gate import Gate


def client_ip(text: str) -> IPv4Address | IPv6Address:
    """A socket's peer address, without the zone of a link-local one."""
    return ip_address(text.partition("%")[0])


class Doorman:
    """Leaves the lines, and answers where there is somebody to answer."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def handshake_failed(self, address: str, why: str, hello: Hello | None) -> None:
        """`why` is a word of `edge.accept`. Nobody waits for the line."""
        gate = self._gate
        gate.decisions["tls_failed"] += 1
        reference, client = gate.new_reference(), client_ip(address)
        if gate.ledger.counted(client, "tls_failed", reference) is None:
            identity = gate.ledger.sealer.address(client)
            record = connection_record(
                reference, REASONS["tls_failed"], channel=Channel.USER, client=identity, detail=why
            )
            gate.ledger.conn.append(record, _unheard, expendable=True)

    def refuse_plain(
        self, channel: Channel, address: str, head: RequestHead | None, send: Callable[[bytes], None]
    ) -> None:
        """Plain HTTP: the line, then the page. When the line cannot be written, the page says so, and nothing else happens."""
        gate = self._gate
        now, connection = gate.clock(), Connection(channel, None, None, None)
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


def _unheard(error: LedgerError | None) -> None:
    """Nothing hangs on a refused handshake's line; the stream itself says that it is down."""
