"""Plain HTTP, on its own port or on a TLS port: every request is refused with a page that names the https address (clause B3).

Never forwarded, never redirected, and nothing of the request is repeated: its query and cookies have already gone over the
wire in the clear, and must not go any further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from gateway.decision import Hello
from gateway.errors import RequestError
from gateway.message import RequestHead, RequestReader

READ_SECONDS = 5.0
"""For the whole request; a browser sends it at once."""

Refuse = Callable[[str, RequestHead | None, Callable[[bytes], None]], None]
"""Given the client's address, the head when it could be read, and what writes the answer: leaves the line and answers."""


class PlainConnection(asyncio.Protocol):
    """One connection: one request, one refusal, closed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        refuse: Refuse,
        address: str,
        hello: Hello | None,
        left: Callable[[], None],
    ) -> None:
        """`address` is the client's, as the accepted socket gave it: a connection that is gone has none any more.

        `hello` is None: no TLS was spoken. `left` is called once, when the connection is gone.
        """
        self._left = left
        self._loop = loop
        self._refuse = refuse
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._address = address
        self._asked = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = self._loop.call_later(READ_SECONDS, self._ask, None)

    def data_received(self, data: bytes) -> None:
        if self._asked:
            return
        self._reader.feed(data)
        try:
            event = self._reader.next_event()
        except RequestError:
            self._ask(None)
            return
        if event is not None:
            self._ask(cast(RequestHead, event))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._asked:
            self._ask(None)
        self._transport = None
        self._left()
        if self._timer is not None:
            self._timer.cancel()

    def _ask(self, head: RequestHead | None) -> None:
        if not self._asked:
            self._asked = True
            self._refuse(self._address, head, self._answer)

    def _answer(self, data: bytes) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(data)
            transport.write_eof()
            # The client closes when it has read the page; those who do not are closed after a moment.
            self._loop.call_later(1.0, transport.close)
