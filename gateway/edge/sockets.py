"""Listening sockets: bound before anything else is done, so that a port in use is one readable line."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import structlog

from gateway.errors import ConfigurationError

BACKLOG = 1024
"""Connections that the kernel keeps while the loop is busy; Debian's somaxconn is 4096."""

_MISSING_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})

_log = structlog.get_logger("gateway.edge")


def listen(addresses: list[tuple[str, int]], what: str) -> list[socket.socket]:
    """Bind and listen on each address. Raises ConfigurationError when a port is taken, or no address is left.

    A family that this machine lacks is skipped with a warning while another remains (DESIGN section 5).
    """
    bound: list[socket.socket] = []
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            bound.append(_bind(family, host, port))
        except OSError as error:
            if error.errno in _MISSING_FAMILY:
                _log.warning(
                    "address_skipped", listener=what, address=host, port=port, reason=os.strerror(error.errno or 0)
                )
                continue
            for other in bound:
                other.close()
            if error.errno == errno.EADDRINUSE:
                raise ConfigurationError(
                    f"port {port} on {host} ({what} listener) is in use{owner_of(port)}. Stop that process, or choose another "
                    f"port: `address` of the listener in gateway.toml, or `--port-offset` for the demo."
                ) from None
            raise ConfigurationError(
                f"{host} port {port} ({what} listener): {os.strerror(error.errno or 0)}."
            ) from None
    if not bound:
        raise ConfigurationError(f"none of the addresses of the {what} listener exists on this machine.")
    return bound


def _bind(family: int, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def owner_of(port: int) -> str:
    """` by NAME (process ID)` of who listens on a TCP port, as far as /proc lets us see; else nothing."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) in inodes:
                    return f" by {(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # another user's process, or one that has just ended: we may not look
    return ""


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rsplit(":", 1)[1], 16) == port:
                found.add(f"socket:[{columns[9]}]")
    return found
