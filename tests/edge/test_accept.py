"""The accept loop with hostile and clumsy clients: each reaches a protocol or is a line that says why, and is counted until it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import ssl
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.edge.plain import PlainConnection
from gateway.edge.proxy_protocol import SIGNATURE_2
from gateway.edge.tls import ServerCertificate
from gateway.message import RequestHead
from tests.edge.door import NAMES, Door, door, on_uvloop, reset_on_close, until
from tests.edge.hellos import chromium, hello, hello_body, message, openssl_hello, records


async def ended(reader: asyncio.StreamReader) -> None:
    """Closed, or reset where it had sent something, without a word."""
    try:
        assert await asyncio.wait_for(reader.read(-1), 5) == b""
    except ConnectionResetError:
        return


Issued = tuple[Path, tuple[ServerCertificate, ...]]
ALERT = b"\x15\3\3\0\2\2"


@on_uvloop
async def test_a_good_handshake_reaches_the_protocol_with_its_hello(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0]) as it:
        reader, writer = await it.connect()
        assert await reader.readline() == b"127.0.0.1\n"
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        (made,) = it.made
        assert made.hello is not None
        assert (made.hello.server_name, made.hello.newest_version) == (NAMES[0], "TLSv1.3")
        assert (it.admission.open, it.admission.networks, it.admission.handshakes) == (1, 1, 0)
        writer.close()
        await it.empty()
        assert not it.told.events


@pytest.mark.parametrize("size", [1, 7, 100])
@on_uvloop
async def test_a_fragmented_hello_changes_nothing(issued: Issued, size: int) -> None:
    """THREATS row 11: in records and in segments, byte by byte; OpenSSL reads the same bytes afterwards, and the name is the same."""
    async with door(issued[1]) as it:
        for server_name in (NAMES[0], "unknown.localhost"):
            whole = openssl_hello(server_name)
            cut = records(whole[5:], size, whole[1:3])
            reader, writer = await it.raw()
            for at in range(0, len(cut), 211):
                writer.write(cut[at : at + 211])
                await asyncio.sleep(0.002)
            answer = await asyncio.wait_for(reader.read(6), 5)
            if server_name == NAMES[0]:
                assert answer[:3] == b"\x16\3\3"  # a ServerHello
            else:
                assert answer == ALERT
            writer.transport.abort()
        await it.told.soon(2)
        assert sorted(it.told.words) == ["broken_off", "unknown_name"]
        assert {found.fingerprint for *_, found in it.told.events if found} == {
            found.fingerprint for *_, found in it.told.events if found
        }
        await it.empty()


@pytest.mark.parametrize(
    ("data", "why", "alert"),
    [
        (hello(chromium(b"unknown.localhost")), "unknown_name", ALERT + bytes([112])),
        (hello(chromium(b"127.0.0.1")), "unknown_name", ALERT + bytes([112])),
        (hello(None, version=0x0301), "protocol_too_old", ALERT + bytes([70])),
        (hello(chromium() | {0x002B: b"\2\3\2"}), "protocol_too_old", ALERT + bytes([70])),
        (hello(chromium(), ciphers=(0x002F, 0x000A)), "no_common_cipher", ALERT + bytes([40])),
        (records(message(hello_body(chromium()) + b"\0")), "bad_hello", ALERT + bytes([50])),
        (hello(chromium() | {0x0000: b"x"}), "bad_hello", ALERT + bytes([50])),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not_tls", b""),
        (bytes(4096), "not_tls", b""),
        (b"\x80\x2e\x01\x03\x01", "not_tls", b""),
        (b"\x16\3\1\0\5\1\0\0\1\0", "bad_hello", ALERT + bytes([50])),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n" + hello(chromium()), "proxy_header_refused", b""),
        (SIGNATURE_2 + b"\x21\x11\0\x0c" + bytes(12) + hello(chromium()), "proxy_header_refused", b""),
    ],
)
@on_uvloop
async def test_what_cannot_be_is_a_line_an_alert_where_one_is_owed_and_a_close(
    issued: Issued, data: bytes, why: str, alert: bytes
) -> None:
    async with door(issued[1]) as it:
        reader, writer = await it.raw(data)
        answer = await asyncio.wait_for(reader.read(-1), 5)
        assert answer == alert
        await it.told.soon(1)
        ((what, address, word, facts),) = it.told.events
        assert (what, address, word) == ("failed", "127.0.0.1", why)
        assert (facts is not None) == (why in ("unknown_name", "protocol_too_old", "no_common_cipher"))
        writer.close()
        await it.empty()
        assert not it.made or why == "no_common_cipher"


@pytest.mark.parametrize(
    "data",
    [
        b"GET /secret HTTP/1.1\r\nHost: dossier.localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"G",
    ],
)
@on_uvloop
async def test_http_in_the_clear_gets_an_answer_that_arrives(issued: Issued, data: bytes) -> None:
    async with door(issued[1], first_bytes=1) as it:
        reader, writer = await it.raw(data)
        if len(data) == 1:
            await asyncio.sleep(0.05)
            writer.write(b"ET / HTTP/1.1\r\n\r\n")
        assert await asyncio.wait_for(reader.read(-1), 5) == b"HTTP/1.1 400 Bad Request\r\n\r\n"
        assert it.told.words == ["clear_text"]
        writer.close()
        await it.empty()


@on_uvloop
async def test_who_sends_nothing_whole_is_cut_off_in_time(issued: Issued) -> None:
    async with door(issued[1], first_bytes=0.5, handshake=1) as it:
        clients = [await it.raw(data) for data in (b"", b"\x16\3\1", hello(chromium())[:-1], b"GE")]
        for reader, writer in clients:
            await ended(reader)
            writer.close()
        await it.told.soon(4)
        assert it.told.words == ["too_slow"] * 4
        _, writer = await it.raw(openssl_hello())  # and then never answers the server
        await it.told.soon(5)
        assert it.told.words[-1] == "too_slow"
        assert it.told.events[-1][3] is not None
        writer.close()
        await it.empty()


@on_uvloop
async def test_who_leaves_before_it_is_decided_is_a_line(issued: Issued) -> None:
    async with door(issued[1]) as it:
        for data in (b"", b"\x16", hello(chromium())[:100], b"GE"):
            _, writer = await it.raw(data)
            writer.write_eof()
            await it.told.soon(len(it.told.events) + 1)
            writer.close()
        assert it.told.words == ["broken_off"] * 4
        await it.empty()


@on_uvloop
async def test_reset_at_once_is_a_line_like_any_other(issued: Issued) -> None:
    async with door(issued[1]) as it:
        for number in range(40):
            with socket.create_connection(("127.0.0.1", it.port)) as client:
                reset_on_close(client)
                if number % 2:
                    client.sendall(hello(chromium()))
        await it.told.soon(40)
        assert set(it.told.words) == {"broken_off"}
        assert len(it.told.events) == 40
        await it.empty()


@on_uvloop
async def test_a_client_that_refuses_our_certificate(issued: Issued) -> None:
    async with door(issued[1]) as it:

        def refuse(context: ssl.SSLContext) -> None:
            """As browsers do, with an alert; the event loops' clients only close."""
            with socket.create_connection(("127.0.0.1", it.port)) as client:
                context.wrap_socket(client, server_hostname=NAMES[0])

        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context()
            context.maximum_version = version
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(refuse, context)
        await it.told.soon(2)
        assert it.told.words == ["certificate_refused_by_client"] * 2
        await it.empty()


@on_uvloop
async def test_an_old_client_learns_why(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0]) as it:
        context = it.client()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            await it.connect(context=context)
        await it.told.soon(1)
        ((_, _, why, facts),) = it.told.events
        assert (why, facts and facts.newest_version) == ("protocol_too_old", "TLSv1.1")


# --- the PROXY protocol ----------------------------------------------------------------------------------------------------------

HEADERS = [
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 4242 443\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (SIGNATURE_2 + b"\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x10\x92\1\xbb", "192.0.2.7"),
    (SIGNATURE_2 + b"\x20\0\0\0", "127.0.0.1"),
]


@pytest.mark.parametrize(("header", "address"), HEADERS)
@pytest.mark.parametrize("pieces", [1, 5, 10_000])
@on_uvloop
async def test_a_listed_balancer_names_the_client(issued: Issued, header: bytes, address: str, pieces: int) -> None:
    """The header is taken off to the byte, also when the hello comes in the same segment."""
    async with door(issued[1], ca=issued[0], balancers=["127.0.0.0/8"]) as it:
        raw = socket.create_connection(("127.0.0.1", it.port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(header), pieces):
            raw.sendall(header[at : at + pieces])
            await asyncio.sleep(0.002)
        raw.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=raw, ssl=it.client(), server_hostname=NAMES[0])
        assert await reader.readline() == f"{address}\n".encode()
        writer.close()
        await it.empty()


@on_uvloop
async def test_header_and_hello_in_one_segment(issued: Issued) -> None:
    async with door(issued[1], balancers=["127.0.0.1"]) as it:
        for header, address in HEADERS:
            reader, writer = await it.raw(header + hello(chromium(b"unknown.localhost")))
            assert await reader.read(-1) == ALERT + bytes([112])
            writer.close()
            assert it.told.events[-1][:3] == ("failed", address, "unknown_name")
        await it.empty()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (openssl_hello(), "proxy_header_missing"),
        (b"GET / HTTP/1.1\r\n\r\n", "proxy_header_missing"),
        (b"PROXY TCP4 192.0.2.7 nonsense\r\n", "bad_proxy_header"),
        (b"PROXY UNKNOWN\r\n" * 2 + hello(chromium()), "proxy_header_refused"),
        (b"PROXY TCP4 1", "too_slow"),
        (SIGNATURE_2 + b"\x21\x11\0\x0c", "too_slow"),
    ],
)
@on_uvloop
async def test_a_listed_balancer_must_say_it_once_and_well(issued: Issued, data: bytes, why: str) -> None:
    async with door(issued[1], balancers=["127.0.0.1"], first_bytes=0.5) as it:
        _, writer = await it.raw(data)
        await it.told.soon(1)
        assert it.told.words == [why]
        writer.close()
        await it.empty()


@on_uvloop
async def test_a_plain_port_behind_a_balancer() -> None:
    async with door(balancers=["127.0.0.1"]) as it:
        reader, writer = await it.raw(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\nGET / HTTP/1.1\r\n\r\n")
        assert await reader.readline() == b"192.0.2.7\n"
        assert await reader.readline() == b"GET / HTTP/1.1\r\n"
        writer.close()
        await it.empty()


# --- bounds -----------------------------------------------------------------------------------------------------------------------


@on_uvloop
async def test_connections_in_all(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], total=10) as it:
        clients = [await it.connect() for _ in range(10)]
        for reader, _ in clients:
            await reader.readline()
        with pytest.raises(ConnectionError):
            await it.connect()
        assert it.told.events == [("too_many", "127.0.0.1", "total", None)]
        clients.pop()[1].close()
        await until(lambda: it.admission.open == 9)
        clients.append(await it.connect())
        for _, writer in clients:
            writer.close()
        await it.empty()


@on_uvloop
async def test_connections_of_one_network(issued: Issued) -> None:
    """Behind a balancer the client's own address counts, and the others have their places."""

    async def come(it: Door, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raw = socket.create_connection(("127.0.0.1", it.port))
        family = "TCP6" if ":" in address else "TCP4"
        other = "2001:db8::1" if ":" in address else "198.51.100.1"
        raw.sendall(f"PROXY {family} {address} {other} 1 2\r\n".encode())
        raw.setblocking(False)
        return await asyncio.open_connection(sock=raw, ssl=it.client(), server_hostname=NAMES[0])

    options: dict[str, Any] = {"per_network": 2, "large_networks": ["203.0.113.0/24"], "per_large_network": 3}
    async with door(issued[1], ca=issued[0], balancers=["127.0.0.1"], **options) as it:
        good = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
        good += ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
        writers = [(await come(it, address))[1] for address in good]
        for over in ("192.0.2.1", "2001:db8::ffff", "203.0.113.4"):
            with pytest.raises(ConnectionError):
                await come(it, over)
        assert [event[1:3] for event in it.told.events] == [
            ("192.0.2.1", "per_network"), ("2001:db8::ffff", "per_network"), ("203.0.113.4", "per_network"),
        ]  # fmt: skip
        for writer in writers:
            writer.close()
        await it.empty()


@on_uvloop
async def test_one_more_that_has_said_nothing_pushes_out_the_oldest(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], waiting=3, first_bytes=30) as it:
        silent = [await it.raw() for _ in range(3)]
        await until(lambda: it.admission.open == 3)
        await asyncio.sleep(0.05)
        silent.append(await it.raw())
        await it.told.soon(1)
        assert it.told.words == ["crowded_out"]
        await ended(silent[0][0])
        reader, writer = await it.connect()  # who sends at once is served meanwhile
        assert await reader.readline()
        for _, one in [*silent, (reader, writer)]:
            one.close()
        await it.empty()


@on_uvloop
async def test_handshakes_under_way(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], handshakes=2) as it:
        stuck = [await it.raw(openssl_hello()) for _ in range(2)]
        await until(lambda: it.admission.handshakes == 2)
        with pytest.raises(ConnectionError):
            await it.connect()
        ((what, _, which, facts),) = it.told.events
        assert (what, which, facts is not None) == ("too_many", "handshakes", True)
        for _, writer in stuck:
            writer.close()
        await until(lambda: it.admission.handshakes == 0)
        reader, writer = await it.connect()
        assert await reader.readline()
        writer.close()
        await it.empty()


@on_uvloop
async def test_without_a_free_descriptor_connections_are_closed_with_a_line_and_nothing_spins(issued: Issued) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    async with door(issued[1], ca=issued[0]) as it:
        clients = [socket.socket() for _ in range(20)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 400), hard))
        try:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            with structlog.testing.capture_logs() as logs:
                for client in clients:
                    client.connect(("127.0.0.1", it.port))
                await it.told.soon(20)
            assert it.told.words == ["open_files"] * 20
            assert [entry["event"] for entry in logs] == ["cannot_accept"]
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for client in clients:
            assert client.recv(1) == b""
            client.close()
        reader, writer = await it.connect()
        assert await reader.readline()
        writer.close()
        await it.empty()


@on_uvloop
async def test_what_is_under_way_at_a_stop_is_a_line(issued: Issued) -> None:
    async with door(issued[1]) as it:
        clients = [await it.raw(data) for data in (b"", openssl_hello())]
        await until(lambda: it.admission.handshakes == 1 and it.admission.open == 2)
        await it.close()
        assert it.told.words == ["stopping"] * 2
        for _, writer in clients:
            writer.close()
        await it.empty()


@on_uvloop
async def test_a_plain_connection_that_was_reset_at_once_is_refused_by_its_address_like_any_other() -> None:
    """Its peer name was asked for when there was none any more: a trace in the log instead of a line."""
    refused: list[str] = []

    def refuse(address: str, head: RequestHead | None, send: Callable[[bytes], None]) -> None:
        refused.append(address)

    loop = asyncio.get_running_loop()
    async with door(factory=partial(PlainConnection, loop, refuse)) as it:
        for number in range(20):
            with socket.create_connection(("127.0.0.1", it.port)) as client:
                reset_on_close(client)
                if number % 2:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: len(refused) == 20)
        assert refused == ["127.0.0.1"] * 20
        await it.empty()
