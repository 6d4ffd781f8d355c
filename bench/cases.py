"""The cases: what is asked of each server in turn, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.load import CONNECTIONS, Loader, LoadError, Wrk
from bench.peers import Server
from bench.processes import Used

HELD = 1000
"""Connections that are held open for the memory of one."""
DOWNLOAD_BYTES = 1 << 30
HALF_LOAD_CONNECTIONS = 64
MEBI = 1 << 20

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """`what` says on the page how it was measured; `unit` is what is counted; `times` how often in a round."""

    name: str
    unit: str
    what: str
    run: Callable[[Loader, Server, float], Figures]
    times: int = 1


def _requests(
    path: str, body_bytes: int = 0, connections: int = CONNECTIONS
) -> Callable[[Loader, Server, float], Figures]:
    def run(loader: Loader, server: Server, seconds: float) -> Figures:
        return _of_wrk(loader.wrk(server, path, seconds, body_bytes=body_bytes, connections=connections))

    return run


def _each_its_own(loader: Loader, server: Server, seconds: float) -> Figures:
    return _of_wrk(loader.wrk(server, "/each/", seconds, each_its_own=True))


def _of_wrk(found: Wrk) -> Figures:
    return _of_used(found.requests, found.used) | {"rate": found.rate, "p50": found.p50 * 1e3, "p99": found.p99 * 1e3}


def _of_used(count: float, used: Used) -> Figures:
    return {
        "rate": count / used.seconds,
        "cpu": used.cpu_seconds / count * 1e6,
        "server_core": used.server_core,
        "load_core": used.load_core,
    }


def _of_ours(kind: str) -> Callable[[Loader, Server, float], Figures]:
    def run(loader: Loader, server: Server, seconds: float) -> Figures:
        return _of_used(*loader.ours(kind, server, seconds))

    return run


def _download(loader: Loader, server: Server, seconds: float) -> Figures:
    size, used = loader.download(server, "/files/large")
    if size != DOWNLOAD_BYTES:
        raise LoadError(f"{server.name}: the download has {size} bytes")
    return _of_used(size / MEBI, used)


CASES = (
    Case(
        "small response",
        "requests",
        "GET, 13 bytes, keep-alive, 32 connections (wrk); three times a round, because most of the aims are of this case",
        _requests("/x"),
        times=3,
    ),
    *(
        Case(
            f"small response, {connections} connections",
            "requests",
            f"GET, 13 bytes, keep-alive, {connections} connections (wrk)",
            _requests("/x", connections=connections),
        )
        for connections in (64, 128)
    ),
    Case(
        "small responses, each its own",
        "requests",
        "GET, 13 bytes, each with a path, a Referer and a field of the answer that no other has; keep-alive, 32 connections (wrk)",
        _each_its_own,
    ),
    Case("64 KiB response", "requests", "GET, 64 KiB, keep-alive, 32 connections (wrk)", _requests("/files/64k")),
    Case(
        "64 KiB upload", "requests", "POST of 64 KiB, keep-alive, 32 connections (wrk)", _requests("/upload", 1 << 16)
    ),
    Case("1 MiB upload", "requests", "POST of 1 MiB, keep-alive, 32 connections (wrk)", _requests("/upload", MEBI)),
    Case(
        "new connections",
        "connections",
        "TLS 1.3, one GET, close; full handshakes, no session is offered; 8 at a time (a loader of ours)",
        _of_ours("handshakes"),
    ),
    Case(
        "websocket messages",
        "messages",
        "100 bytes there and back, one under way on each of 32 websockets (a loader of ours)",
        _of_ours("websockets"),
    ),
    Case("1 GiB download", "MiB", "one GET of a file of 1 GiB (curl)", _download),
)

HALF_LOAD = "latency at half load"


def half_load(loader: Loader, server: Server, seconds: float, rate: float) -> Figures:
    """Small responses at half of `rate`, the server's own of "small response": random arrivals, so that some come together."""
    think = HALF_LOAD_CONNECTIONS / (rate / 2)
    found = loader.wrk(server, "/x", seconds, connections=HALF_LOAD_CONNECTIONS, think_seconds=think)
    return _of_wrk(found)


def held_bytes(loader: Loader, server: Server, kind: str) -> float:
    """Resident bytes of the server a connection that is held `idle` or `waiting`, HELD at a time."""
    before, during = server.process.memory_bytes(), 0

    def look() -> None:
        nonlocal during
        during = server.process.memory_bytes()

    loader.ours(kind, server, HELD, look)
    return (during - before) / HELD
