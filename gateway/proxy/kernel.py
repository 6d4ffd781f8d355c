"""What a transport cannot do: asked of the kernel, or of the connection's TLS object."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import ssl
import struct
import termios

PROBE_AFTER_SECONDS = 300
PROBE_EVERY_SECONDS = 10
PROBES = 6
"""How a silent stream's other end is found to be gone: after six minutes. More often would keep a phone's radio awake."""

_RESET = struct.pack("ii", 1, 0)


def unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes that were written and that the other side's system has not confirmed yet, those in the transport included."""
    waiting = transport.get_write_buffer_size()
    descriptor = _descriptor(transport)
    if descriptor is not None:
        answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0")
        waiting += int.from_bytes(answer, "little")
    return waiting


def reset_on_close(transport: asyncio.Transport) -> None:
    """The next close is a reset: nobody can take what came before it for the whole, and nothing that waits is sent any more."""
    _set(transport, socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def keep_probing(transport: asyncio.Transport) -> None:
    """Find out when the other end of a silent connection has gone without a word."""
    _set(transport, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _set(transport, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER_SECONDS)
    _set(transport, socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY_SECONDS)
    _set(transport, socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)


def half_close(transport: asyncio.Transport) -> None:
    """Tell the client that nothing more comes, and leave the other direction open; asyncio can do neither half of that with TLS.

    The closing alert goes into the connection's own TLS object, and out with the next write, which is an empty one.
    """
    tls = transport.get_extra_info("ssl_object")
    if transport.is_closing() or tls is None:
        return
    with contextlib.suppress(ssl.SSLError):  # the alert is out, and the client's own has not come yet
        tls.unwrap()
    transport.writelines([])


def _set(transport: asyncio.Transport, level: int, option: int, value: int | bytes) -> None:
    connection = transport.get_extra_info("socket")
    if _descriptor(transport) is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(level, option, value)


def _descriptor(transport: asyncio.Transport) -> int | None:
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return None
    descriptor: int = connection.fileno()
    return descriptor
