"""How the bodies of an exchange get on: who of the client and the origin has the turn, and whether they manage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.model import Origin
from gateway.proxy.pacing import LOOKS, Allowance, Passage, Slow, any_byte
from gateway.proxy.wheel import NEVER

if TYPE_CHECKING:
    from gateway.proxy.client import ClientConnection


class Progress:
    """Both bodies of one exchange. Made for those alone that are not over at once."""

    __slots__ = ("_client", "_download", "_origin", "_upload")

    def __init__(self, client: ClientConnection, origin: Origin) -> None:
        self._client = client
        self._origin = origin
        self._upload: Passage | None = None
        self._download: Passage | None = None

    def begin_upload(self, now: float) -> None:
        """A body is being sent: the client must keep to its rate; the origin must take something within its `response_timeout`."""
        gate = self._client.gate
        self._upload = Passage(
            Allowance(gate.timeouts.body_idle, gate.rates.body, now, 0), Slow.CLIENT,
            any_byte(self._origin.response_timeout, now, 0), Slow.ORIGIN,
        )  # fmt: skip
        self._client.look_by(now + gate.timeouts.body_idle / LOOKS)

    def begin_download(self, now: float, bytes_out: int, *, lasting: bool) -> None:
        """An answer is coming: the origin must say something within its `idle_timeout`, unless the answer lasts with the session; the
        client must keep to its rate as long as something waits for it."""
        client, gate = self._client, self._client.gate
        idle = NEVER if lasting else self._origin.idle_timeout
        self._download = Passage(
            any_byte(idle, now, bytes_out), Slow.ORIGIN,
            Allowance(gate.timeouts.body_idle, gate.rates.read, now, client.taken), Slow.CLIENT,
        )  # fmt: skip
        client.look_by(now + min(idle, gate.timeouts.body_idle) / LOOKS)

    def look_at_upload(self, now: float, bytes_in: int, *, origin_full: bool) -> tuple[Slow | None, float]:
        """Who is too slow at `now`, and when to look again. `bytes_in` have gone to the origin."""
        if self._upload is None:
            return None, NEVER
        return self._upload.look(now, bytes_in, bytes_in, waits=origin_full)

    def look_at_download(self, now: float, bytes_out: int) -> tuple[Slow | None, float]:
        """The same of the answer. `bytes_out` came from the origin."""
        if self._download is None:
            return None, NEVER
        return self._download.look(now, bytes_out, self._client.taken, waits=self._client.waits)
