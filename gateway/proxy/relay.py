"""An accepted websocket: bytes pass both ways as they come, untouched, until either side ends it or the access does.

The frames are followed in both directions (`message.frames`), so that the end can stand between two of them:

                      ┌ at once, or when the frame that is under way has passed ──► Close 1008 to the client
    the access ends ──┤                                                                                        ──► closed in order
                      └ the same in the other direction ─────────────────────────► masked Close to the origin

A frame that does not come to its end within FRAME_SECONDS, and a stream whose frames were lost, is broken off. What comes
behind the Close goes nowhere. Who says goodbye first is not answered twice: a Close that passed already stands.
"""

from __future__ import annotations

from asyncio import TimerHandle
from typing import TYPE_CHECKING, NamedTuple

from gateway.errors import OriginError
from gateway.message.frames import GOING_AWAY, POLICY, FrameFollower, close_frame
from gateway.proxy.origin import OriginConnection
from gateway.proxy.pacing import LOOKS, Allowance

if TYPE_CHECKING:
    from gateway.proxy.client import ClientConnection
    from gateway.proxy.exchange import Exchange

FRAME_SECONDS = 0.5
"""How long the frame that is under way may take to its end: the whole is to be over within a second."""
_CLOSE = {"access_ended": (POLICY, "access ended"), "draining": (GOING_AWAY, "the service restarts")}
"""What the client is told, by the reason of the end. An end for another reason is broken off."""


class _End(NamedTuple):
    """Why it ends: reason code and detail of the completion line, status and words of the Close."""

    reason: str
    cause: str | None
    status: int
    words: str
    timer: TimerHandle


class Relay:
    """The user of both connections, from the origin's 101 on."""

    __slots__ = (
        "_client", "_end", "_exchange", "_from_client", "_from_origin", "_gate", "_origin", "_reading", "_status", "_told_client",
        "_told_origin", "bytes_in", "bytes_out", "first_byte_at", "subject",
    )  # fmt: skip

    lasting = True
    """It is measured by idle time and the age of the authentication for as long as it lasts."""

    def __init__(
        self, exchange: Exchange, client: ClientConnection, origin: OriginConnection, status: int, subject: str | None
    ) -> None:
        self._exchange = exchange
        self._client = client
        self._gate = client.gate
        self._origin: OriginConnection | None = origin
        self._status = status
        self._from_client = FrameFollower(masked=True)
        self._from_origin = FrameFollower(masked=False)
        self._end: _End | None = None
        self._told_client = self._told_origin = False
        self.bytes_in = self.bytes_out = 0
        self.first_byte_at = now = self._gate.loop.time()
        self.subject = subject
        limits = self._gate.timeouts
        self._reading = Allowance(limits.body_idle, self._gate.rates.read, now, client.taken)
        client.probe()
        origin.probe()
        client.look_by(now + limits.body_idle / LOOKS)

    # --- bytes --------------------------------------------------------------------------------------------------------

    def client_raw(self, data: bytes) -> None:
        self.bytes_in += len(data)
        origin, follower = self._origin, self._from_client
        if self._end is not None:
            if self._told_origin or follower.lost:
                return
            data = data[: follower.rest_of_frame(data)]
        else:
            follower.follow(data)
        if origin is not None:
            origin.write(data)
            if origin.paused:
                self._client.hold()
        if self._end is not None:
            self._say_goodbye()

    def origin_raw(self, data: bytes) -> None:
        follower = self._from_origin
        if self._end is not None:
            if self._told_client or follower.lost:
                return
            data = data[: follower.rest_of_frame(data)]
        else:
            follower.follow(data)
        self.bytes_out += len(data)
        self._client.send(data)
        if self._client.write_paused and self._origin is not None:
            self._origin.pause_reading()
        if self._end is not None:
            self._say_goodbye()

    def origin_writable(self) -> None:
        self._client.pace()

    def client_paused(self) -> None:
        if self._origin is not None:
            self._origin.pause_reading()

    def client_resumed(self) -> None:
        if self._origin is not None:
            self._origin.resume_reading()

    # --- one side ends it ---------------------------------------------------------------------------------------------

    def origin_lost(self, error: OriginError) -> None:
        self._origin = None
        end, follower = self._end, self._from_origin
        if end is not None:
            self._told_origin = True
            self._say_goodbye()
        elif follower.at_boundary or follower.lost:
            self._exchange.relayed("completed", self._status, None, self._from_client)
        else:
            self._exchange.broken(error.reason, self._status, None)

    def client_lost(self) -> None:
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.shut()
        end = self._end
        if end is None:
            self._exchange.gone("completed", self._status)
        else:
            end.timer.cancel()
            self._exchange.gone(end.reason, self._status, end.cause)

    # --- the access ends ----------------------------------------------------------------------------------------------

    def break_off(self, reason: str, cause: str | None = None) -> None:
        """End it for a reason, at a frame boundary where there is a word for the reason."""
        if self._end is not None:
            return
        if reason not in _CLOSE or self._from_origin.lost:
            self._break(reason, cause)
            return
        status, words = _CLOSE[reason]
        timer = self._gate.loop.call_later(FRAME_SECONDS, self._give_up)
        self._end = _End(reason, cause, status, words, timer)
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Say what can be said by now; when both sides know, it is over."""
        end, origin = self._end, self._origin
        if end is None:
            return
        if not self._told_client and self._from_origin.at_boundary:
            if not self._from_origin.closed:
                self._client.send(close_frame(end.status, f"{end.words} ({self._exchange.reference})"))
            self._told_client = True
        if not self._told_origin and self._from_client.at_boundary:
            if origin is not None and not self._from_client.closed:
                origin.write(close_frame(end.status, end.words, self._gate.random(4)))
            self._told_origin = True
        if self._told_client and (self._told_origin or self._from_client.lost):
            self._finish(end)

    def _give_up(self) -> None:
        """A frame did not come to its end in time."""
        if self._end is not None:
            self._finish(self._end)

    def _finish(self, end: _End) -> None:
        end.timer.cancel()
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.leave()
        if self._told_client:
            self._exchange.relayed(end.reason, self._status, end.cause, self._from_client)
        else:
            self._exchange.broken(end.reason, self._status, end.cause)

    def _break(self, reason: str, cause: str | None) -> None:
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.close()
        self._exchange.broken(reason, self._status, cause)

    # --- time ---------------------------------------------------------------------------------------------------------

    def look(self, now: float) -> float:
        """A client that takes nothing of what it gets is cut. Silence is no fault here; the session's end bounds it (ADR 0008)."""
        taken = self._client.taken
        if not self._client.waits:
            self._reading.wait(now, taken)
        elif self._reading.spend(now, taken) <= 0:
            self._break("too_slow", None)
        return now + self._gate.timeouts.body_idle / LOOKS
