"""The listener that asks for a client certificate: every client reaches the protocol with what it showed, or is a line that says why."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.decision import Hello
from gateway.edge.mutual import MutualContexts
from gateway.edge.mutual_transport import Shown
from gateway.edge.tls import ServerCertificate, read_certificates
from tests.edge.door import NAMES, Door, certificates, door, make_certificates, on_uvloop, until
from tests.edge.hellos import openssl_hello
from tests.edge.test_tls import make_rsa

Issued = tuple[Path, tuple[ServerCertificate, ...]]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Card(NamedTuple):
    """A certificate and its key in one file, and the certificate as DER."""

    file: Path
    der: bytes


KEYS: dict[str, Callable[[], Any]] = {
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def card(directory: Path, kind: str = "p256", begins: timedelta = timedelta(hours=-1), extra: int = 0) -> Card:
    """Self-signed, with `extra` bytes of an extension that nobody knows; OpenSSL finds everything wrong with it."""
    key = KEYS[kind]()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Nobody ({kind})")])
    now = datetime.now(UTC) + begins
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    if extra:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(extra))
        builder = builder.add_extension(unknown, critical=True)
    made = builder.sign(key, None if kind == "ed25519" else hashes.SHA256())
    file = directory / f"{kind}-{made.serial_number}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return Card(file, made.public_bytes(Encoding.DER))


def client(it: Door, shown: Card | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = it.client()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.set_alpn_protocols(["h2", "http/1.1"])
    if shown is not None:
        context.load_cert_chain(shown.file)
    return context


class Sink(asyncio.BufferedProtocol):
    """Counts what it gets, and remembers how its transport told it to wait."""

    def __init__(self, made: list[Sink], address: str, hello: Hello | None, left: Callable[[], None]) -> None:
        self._left = left
        self.buffer = bytearray(7000)
        self.got = bytearray()
        self.events: list[str] = []
        self.hold_after: int | None = None
        made.append(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.got += self.buffer[:nbytes]
        if self.hold_after is not None and len(self.got) >= self.hold_after:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def eof_received(self) -> None:
        self.events.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        self._left()


@contextlib.asynccontextmanager
async def sink(issued: Issued, **options: Any) -> Any:
    made: list[Sink] = []
    async with door(issued[1], ca=issued[0], authorities=b"", factory=partial(Sink, made), **options) as it:
        try:
            yield it, made
        finally:
            for one in made:
                one.transport.abort()


def shown_to(it: Door) -> Shown:
    return cast(Shown, it.made[-1].transport.get_extra_info("ssl_object"))


# --- what is shown ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "kind"),
    # TLS 1.2 has one list of curves for the key exchange and for certificates, and P-521 is not in ours.
    [(version, kind) for version in VERSIONS for kind in (None, *KEYS) if (version.name, kind) != ("TLSv1_2", "p521")],
)
@on_uvloop
async def test_whatever_is_shown_reaches_the_protocol(
    issued: Issued, tmp_path: Path, version: ssl.TLSVersion, kind: str | None
) -> None:
    """The verdict is not TLS's: weak keys, no issuer, no certificate at all."""
    if kind == "p521" and version is ssl.TLSVersion.TLSv1_2:
        pytest.skip(
            "TLS 1.2 has one list of curves for the key exchange and for certificates, and P-521 is not in ours"
        )
    own = None if kind is None else card(tmp_path, kind)
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.connect(context=client(it, own, version))
        assert await reader.readline() == b"127.0.0.1\n"
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        shown = shown_to(it)
        assert shown.certificates == (() if own is None else (own.der,))
        assert (shown.version(), shown.requested_name) == (
            version.name.replace("_", "."),
            NAMES[0],
        )
        tls = writer.get_extra_info("ssl_object")
        assert shown.cipher() == tls.cipher()
        assert tls.selected_alpn_protocol() == "http/1.1"
        writer.close()
        await it.empty()
        assert not it.told.events


@pytest.mark.parametrize("begins", [timedelta(days=-30), timedelta(days=30)])
@on_uvloop
async def test_an_expired_and_an_early_certificate_too(issued: Issued, tmp_path: Path, begins: timedelta) -> None:
    own = card(tmp_path, begins=begins)
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.connect(context=client(it, own))
        await reader.readline()
        assert shown_to(it).certificates == (own.der,)
        writer.close()


@on_uvloop
async def test_the_chain_comes_leaf_first(issued: Issued, tmp_path: Path) -> None:
    own, more = card(tmp_path), card(tmp_path, "p384")
    own.file.write_bytes(own.file.read_bytes() + more.file.read_bytes().split(b"-----BEGIN PRIVATE")[0])
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.connect(context=client(it, own))
        await reader.readline()
        assert shown_to(it).certificates == (own.der, more.der)
        writer.close()


@on_uvloop
async def test_a_chain_larger_than_anybody_has_ends_the_handshake(issued: Issued, tmp_path: Path) -> None:
    """OpenSSL takes 100 kB of certificates; a card has 3."""
    own = card(tmp_path, extra=110_000)
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.connect(context=client(it, own))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()
        await it.told.soon(1)
        assert it.told.words == ["excessive_message_size"]
        await it.empty()


@on_uvloop
async def test_the_client_is_told_whose_certificates_are_asked_for(issued: Issued) -> None:
    authority = issued[0].read_bytes()
    async with door(issued[1], ca=issued[0], authorities=authority) as it:
        done = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-connect", f"127.0.0.1:{it.port}", "-servername", NAMES[0], "-CAfile", str(issued[0]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said = (await done.communicate())[0].decode()
        name = x509.load_pem_x509_certificate(authority).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        assert "Acceptable client certificate CA names" in said
        assert str(name) in said.split("Acceptable client")[1]
        assert "Verify return code: 0 (ok)" in said


# --- the profile ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@on_uvloop
async def test_nothing_is_resumed(issued: Issued, tmp_path: Path, version: ssl.TLSVersion) -> None:
    """Who offers a session gets a whole handshake, and its certificate is seen again."""
    own = card(tmp_path)
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        context = client(it, own, version)
        session = None
        for _ in range(2):
            session = await asyncio.to_thread(_meet, it.port, context, session)
        assert [made.transport.get_extra_info("ssl_object").certificates for made in it.made] == [(own.der,)] * 2


def _meet(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        context.wrap_socket(raw, server_hostname=NAMES[0], session=session) as connection,
    ):
        assert connection.recv(10) == b"127.0.0.1\n"
        assert not connection.session_reused
        return connection.session


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-tls1_2", "-cipher", "AES128-SHA256"], "no_common_cipher"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], "no_common_cipher"),
        (["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], "protocol_too_old"),
        (["-servername", "elsewhere.localhost"], "unknown_name"),
    ],
)
@on_uvloop
async def test_the_same_strict_profile(issued: Issued, options: list[str], why: str) -> None:
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        done = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-connect", f"127.0.0.1:{it.port}", "-servername", NAMES[0], *options,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said = (await done.communicate())[0].decode()
        assert "alert" in said, said  # OpenSSL's word, or ours, and no mere close
        await it.told.soon(1)
        assert it.told.words == [why]
        await it.empty()


@on_uvloop
async def test_without_a_name_the_first_certificate_answers(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.connect(None)
        await reader.readline()
        assert shown_to(it).requested_name is None
        writer.close()


@on_uvloop
async def test_certificates_by_name_and_anew(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ca, both = certificates(tmp_path / "a", ["dossier.localhost"], ["pension.localhost"])
    async with door(both, ca=ca, authorities=b"") as it:
        for name in NAMES:
            reader, writer = await it.connect(name)
            assert await reader.readline()
            writer.close()
        kept = await it.connect(NAMES[0])
        new, fresh = certificates(tmp_path / "b")
        assert isinstance(it.contexts, MutualContexts)
        it.contexts.renew(NAMES, fresh, b"")
        assert it.contexts.certificates == fresh
        with pytest.raises(ssl.SSLCertVerificationError):
            await it.connect(NAMES[0])
        it.ca = new
        _, writer = await it.connect(NAMES[1])
        writer.close()
        assert await kept[0].readline() == b"127.0.0.1\n"
        kept[1].close()


@on_uvloop
async def test_two_kinds_of_key_for_one_name(issued: Issued, tmp_path: Path) -> None:
    _, pairs = make_certificates(tmp_path, NAMES)
    async with door(read_certificates([*pairs, make_rsa(tmp_path, NAMES)]), authorities=b"") as it:
        for cipher in ("ECDHE+ECDSA", "ECDHE+aRSA"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(cipher)
            _, writer = await it.connect(context=context)
            assert cipher[-3:] in writer.get_extra_info("cipher")[0] + "DSA"
            writer.close()


# --- handshakes that come to nothing ----------------------------------------------------------------------------------------


@on_uvloop
async def test_who_leaves_within_the_handshake_is_a_line_and_may_come_again(issued: Issued) -> None:
    """Chromium does so each time it is asked for a certificate (DESIGN section 10)."""
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        for _ in range(20):
            reader, writer = await it.raw(openssl_hello(NAMES[0]))
            assert await reader.read(3) == b"\x16\3\3"
            writer.close()
        reader, writer = await it.connect()
        assert await reader.readline()
        await it.told.soon(20)
        assert set(it.told.words) == {"broken_off"}
        writer.close()
        await it.empty()


@on_uvloop
async def test_a_reset_within_the_handshake(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.raw(openssl_hello(NAMES[0]))
        assert await reader.read(3) == b"\x16\3\3"
        writer.transport.abort()
        await it.told.soon(1)
        assert it.told.words == ["broken_off"]
        await it.empty()


@on_uvloop
async def test_rubbish_within_the_handshake_gets_its_alert(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.raw(openssl_hello(NAMES[0]))
        await reader.read(3)
        writer.write(b"\x17\3\3\0\x20" + bytes(32))
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(-1), 5)
        await it.told.soon(1)
        assert len(it.told.words) == 1
        writer.close()
        await it.empty()


@on_uvloop
async def test_a_client_that_refuses_our_certificate(issued: Issued) -> None:
    async with door(issued[1], authorities=b"") as it:

        def refuse() -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            with socket.create_connection(("127.0.0.1", it.port)) as raw:
                context.wrap_socket(raw, server_hostname=NAMES[0])

        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(refuse)
        await it.told.soon(1)
        assert it.told.words == ["certificate_refused_by_client"]
        await it.empty()


@on_uvloop
async def test_who_takes_too_long_for_a_card_and_who_is_one_too_many(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], authorities=b"", card_handshake=1, card_handshakes=2, handshakes=1) as it:
        waiting = [await it.raw(openssl_hello(NAMES[0])) for _ in range(3)]
        for reader, _ in waiting:
            await reader.read(3)
        await it.told.soon(1)
        assert it.told.words == ["crowded_out"]
        reader, writer = await it.connect()  # and a person still gets in, at the cost of the next oldest
        assert await reader.readline()
        await it.told.soon(3)
        assert it.told.words == ["crowded_out", "crowded_out", "too_slow"]
        writer.close()
        for _, writer in waiting:
            writer.close()
        await it.empty()


@on_uvloop
async def test_a_crowd_pushes_out_its_own_and_no_person_elsewhere(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], authorities=b"", card_handshakes=3) as it:
        person = await it.raw(openssl_hello(NAMES[0]), local_addr=("127.0.0.2", 0))
        await person[0].read(3)  # the longest one there, and looks for a card
        crowd = [await it.raw(openssl_hello(NAMES[0])) for _ in range(6)]
        await it.told.soon(4)
        assert [event[:3] for event in it.told.events] == [("failed", "127.0.0.1", "crowded_out")] * 4
        for _, writer in (person, *crowd):
            writer.close()
        await it.empty()


@on_uvloop
async def test_a_stop_ends_handshakes_with_a_line(issued: Issued) -> None:
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.raw(openssl_hello(NAMES[0]))
        await reader.read(3)
        await it.close()
        assert it.told.words == ["stopping"]
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(-1), 5) is not None
        writer.close()
        await it.empty()


# --- the transport ----------------------------------------------------------------------------------------------------------

MIB = 1024 * 1024


@pytest.mark.parametrize("version", VERSIONS)
@on_uvloop
async def test_much_in_both_directions(issued: Issued, version: ssl.TLSVersion) -> None:
    async with door(issued[1], ca=issued[0], authorities=b"") as it:
        reader, writer = await it.connect(context=client(it, None, version))
        await reader.readline()
        sent = bytes(range(256)) * (4 * MIB // 256)

        async def send() -> None:
            for at in range(0, len(sent), 70_001):
                writer.write(sent[at : at + 70_001])
                await writer.drain()

        sending = asyncio.create_task(send())
        assert await asyncio.wait_for(reader.readexactly(len(sent)), 30) == sent
        await sending
        writer.close()
        await it.empty()


@on_uvloop
async def test_who_does_not_read_stops_the_writer_and_memory_stays_bounded(issued: Issued) -> None:
    async with sink(issued) as (it, made):
        reader, writer = await it.connect(limit=1024)
        await until(lambda: bool(made) and hasattr(made[0], "transport"))
        one = made[0]
        one.transport.set_write_buffer_limits(high=128 * 1024)
        writer.transport.pause_reading()
        while "pause" not in one.events:
            one.transport.write(bytes(64 * 1024))
            await asyncio.sleep(0)
        assert 128 * 1024 < one.transport.get_write_buffer_size() < MIB
        writer.transport.resume_reading()
        reading = asyncio.create_task(reader.read(-1))
        await until(lambda: "resume" in one.events)
        assert one.transport.get_write_buffer_size() < 128 * 1024
        reading.cancel()
        writer.transport.abort()
        await until(lambda: "lost" in one.events)
        await it.empty()


@on_uvloop
async def test_a_protocol_that_pauses_gets_nothing_and_the_client_has_to_wait(issued: Issued) -> None:
    async with sink(issued) as (it, made):
        with socket.create_connection(("127.0.0.1", it.port)) as raw:
            connection = await asyncio.to_thread(it.client().wrap_socket, raw, server_hostname=NAMES[0])
            await until(lambda: bool(made) and hasattr(made[0], "transport"))
            one = made[0]
            one.hold_after = 1
            sending = asyncio.create_task(asyncio.to_thread(connection.sendall, b"x" * 32 * MIB))
            await until(lambda: bool(one.got))
            assert not one.transport.is_reading()
            held = len(one.got)
            await asyncio.sleep(0.3)
            assert len(one.got) == held <= 16 * 1024
            assert not sending.done()
            one.hold_after = None
            one.transport.resume_reading()
            await until(lambda: len(one.got) == 32 * MIB)
            await sending
            connection.close()
            await until(lambda: "lost" in one.events)
        await it.empty()


@on_uvloop
async def test_what_waits_when_reading_goes_on_comes_without_another_byte(issued: Issued) -> None:
    """It lies within OpenSSL, and the socket has nothing more to tell; and the end after it is not lost."""
    async with sink(issued) as (it, made):
        _, writer = await it.connect()
        await until(lambda: bool(made) and hasattr(made[0], "transport"))
        one = made[0]
        one.hold_after = 1
        writer.write(b"x" * 30_000)
        writer.close()
        await until(lambda: bool(one.got))
        for _ in range(10):
            await asyncio.sleep(0.01)
            one.transport.resume_reading()
        await until(lambda: "lost" in one.events)
        assert len(one.got) == 30_000
        assert one.events == ["eof", "lost"]


@on_uvloop
async def test_a_close_delivers_all_that_was_written_though_the_client_still_sends(issued: Issued) -> None:
    """A close on unread bytes would reset the connection, and the browser drops our page (DESIGN section 10)."""
    async with sink(issued) as (it, made):
        with socket.create_connection(("127.0.0.1", it.port)) as raw:
            connection = await asyncio.to_thread(it.client().wrap_socket, raw, server_hostname=NAMES[0])
            await until(lambda: bool(made) and hasattr(made[0], "transport"))
            one = made[0]
            await asyncio.to_thread(connection.sendall, b"x" * 200_000)
            one.transport.write(b"page" * 500_000)
            one.transport.close()
            assert one.transport.is_closing()
            one.transport.close()
            one.transport.write(b"too late")
            got = await asyncio.to_thread(_read_all, connection)
            assert got == b"page" * 500_000
            connection.close()
            await until(lambda: "lost" in one.events)
            assert one.events.count("lost") == 1
        await it.empty()


def _read_all(connection: ssl.SSLSocket) -> bytes:
    got = bytearray()
    while data := connection.recv(65536):
        got += data
    return bytes(got)


@on_uvloop
async def test_half_closed_the_client_reads_the_end_and_may_go_on_for_a_moment(issued: Issued) -> None:
    async with sink(issued) as (it, made):
        with socket.create_connection(("127.0.0.1", it.port)) as raw:
            context = it.client()
            raw.setblocking(True)
            connection = await asyncio.to_thread(context.wrap_socket, raw, server_hostname=NAMES[0])
            await until(lambda: bool(made) and hasattr(made[0], "transport"))
            one = made[0]
            one.transport.write(b"the last word")
            one.transport.get_extra_info("ssl_object").unwrap()
            one.transport.writelines([])
            one.transport.write(b"nothing after it")
            assert await asyncio.to_thread(connection.recv, 100) == b"the last word"
            assert await asyncio.to_thread(connection.recv, 100) == b""
            await asyncio.to_thread(connection.sendall, b"still talking")
            await until(lambda: one.got == b"still talking")
            one.transport.close()
            connection.close()
            await until(lambda: "lost" in one.events)


@on_uvloop
async def test_an_abort_is_at_once(issued: Issued) -> None:
    async with sink(issued) as (it, made):
        reader, writer = await it.connect()
        await until(lambda: bool(made) and hasattr(made[0], "transport"))
        made[0].transport.write(b"x" * 8 * MIB)
        made[0].transport.abort()
        await until(lambda: "lost" in made[0].events)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert len(await reader.read(-1)) < 8 * MIB
        writer.close()
        await it.empty()


@on_uvloop
async def test_a_broken_record_ends_the_connection(issued: Issued) -> None:
    async with sink(issued) as (it, made):
        with socket.create_connection(("127.0.0.1", it.port)) as raw:
            connection = await asyncio.to_thread(it.client().wrap_socket, raw, server_hostname=NAMES[0])
            await until(lambda: bool(made) and hasattr(made[0], "transport"))
            with socket.socket(fileno=connection.detach()) as bare:
                bare.send(b"\x17\3\3\0\x20" + bytes(32))
                await until(lambda: "lost" in made[0].events)
                assert not made[0].got
                bare.settimeout(5)
                with contextlib.suppress(ConnectionError):
                    while bare.recv(4096):
                        pass
        await it.empty()


@on_uvloop
async def test_an_end_without_the_closing_alert(issued: Issued) -> None:
    async with sink(issued) as (it, made):
        with socket.create_connection(("127.0.0.1", it.port)) as raw:
            connection = await asyncio.to_thread(it.client().wrap_socket, raw, server_hostname=NAMES[0])
            await until(lambda: bool(made) and hasattr(made[0], "transport"))
            made[0].transport.write(b"hello")
            assert await asyncio.to_thread(connection.recv, 5) == b"hello"
            await asyncio.to_thread(connection.sendall, b"a word")
            connection.close()
        await until(lambda: bool(made) and "lost" in made[0].events)
        assert (bytes(made[0].got), made[0].events) == (b"a word", ["eof", "lost"])
        await it.empty()
