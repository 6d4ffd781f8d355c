"""Certificates by name and kind of key, replaced while connections live; tickets; the profile."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from gateway.edge.tls import TICKET_KEY_SECONDS, ServerContexts, read_certificates
from gateway.errors import ConfigurationError
from gateway.policy.sections import CertificatePair
from tests.edge.door import NAMES, certificates, door, make_certificates, on_uvloop

TICKET_LIFETIME_SECONDS = 7200
"""OpenSSL's own, which Python cannot change: two hours (RFC 8446 section 4.6.1 allows seven days)."""


def make_rsa(directory: Path, names: Sequence[str]) -> CertificatePair:
    """Self-signed: the client of these tests looks at what it got, not at who issued it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RSA")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pair = CertificatePair(directory / "rsa.pem", directory / "rsa.key")
    pair.pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pair


def client(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    return context


class Met:
    """What a client saw of one connection."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        connection.settimeout(5)
        self.line = connection.recv(1)  # tickets of TLS 1.3 come after the handshake
        certificate = connection.getpeercert(binary_form=True)
        self.certificate = None if certificate is None else x509.load_der_x509_certificate(certificate)
        self.session = connection.session
        self.resumed = connection.session_reused
        self.cipher = connection.cipher()
        self.protocol = connection.selected_alpn_protocol()


@contextmanager
def served(contexts: ServerContexts) -> Iterator[int]:
    """A server in a thread that says one byte to everybody; the context is chosen by the name, as the acceptor does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()
        listener.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    raw, _ = listener.accept()
                except TimeoutError:
                    continue
                name = names.pop(0)
                context = contexts.choose(name)
                if context is None:
                    raw.close()
                    continue
                raw.settimeout(5)
                try:
                    with context.wrap_socket(raw, server_side=True) as connection:
                        connection.sendall(b"x")
                        connection.recv(1)
                except OSError:
                    raw.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()


names: list[str | None] = []
"""What the next clients of `served` ask for."""


def meet(port: int, name: str | None, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Met:
    names.append(name)
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        context.wrap_socket(raw, server_hostname=name, session=session) as connection,
    ):
        return Met(connection)


def kind(met: Met) -> str:
    assert met.certificate is not None
    return "RSA" if isinstance(met.certificate.public_key(), rsa.RSAPublicKey) else "EC"


def test_a_client_gets_the_kind_of_key_that_it_can_verify(tmp_path: Path) -> None:
    _, pairs = make_certificates(tmp_path, NAMES)
    contexts = ServerContexts(NAMES, read_certificates([*pairs, make_rsa(tmp_path, NAMES)]), 1)
    with served(contexts) as port:
        assert kind(meet(port, NAMES[0], client())) == "EC"
        for cipher, expected in (("ECDHE-RSA-AES128-GCM-SHA256", "RSA"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "EC")):
            old = client(ssl.TLSVersion.TLSv1_2)
            old.set_ciphers(cipher)
            met = meet(port, NAMES[1], old)
            assert (kind(met), met.cipher and met.cipher[0]) == (expected, cipher)


def test_the_name_picks_the_certificate_and_without_one_the_first_counts(tmp_path: Path) -> None:
    _, chains = certificates(tmp_path, ["pension.localhost"], ["dossier.localhost", "*.eid.localhost"])
    contexts = ServerContexts(["dossier.localhost", "one.eid.localhost", "pension.localhost"], chains, 1)
    serials = [x509.load_pem_x509_certificate(chain.pem).serial_number for chain in chains]
    with served(contexts) as port:
        for name, number in (
            ("pension.localhost", 0), ("dossier.localhost", 1), ("one.eid.localhost", 1), (None, 0),
        ):  # fmt: skip
            met = meet(port, name, client())
            assert met.certificate is not None
            assert met.certificate.serial_number == serials[number], name
    for unknown in ("unknown.localhost", "x.one.eid.localhost", "localhost", "", "*.eid.localhost"):
        assert contexts.choose(unknown) is None


def test_the_profile(tmp_path: Path) -> None:
    context = ServerContexts(NAMES, certificates(tmp_path)[1], 1).choose(NAMES[0])
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    old = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
    assert old
    assert all("ECDHE" in name and ("GCM" in name or "CHACHA20" in name) for name in old)
    with served(ServerContexts(NAMES, certificates(tmp_path)[1], 1)) as port:
        modern = client()
        modern.set_alpn_protocols(["h2", "http/1.1"])
        assert meet(port, NAMES[0], modern).protocol == "http/1.1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_ticket_outlives_new_certificates_and_ends_with_its_key(tmp_path: Path, version: ssl.TLSVersion) -> None:
    contexts = ServerContexts(NAMES, certificates(tmp_path)[1], 2)
    with served(contexts) as port:
        browser = client(version)
        first = meet(port, NAMES[0], browser)
        assert not first.resumed
        assert first.session is not None
        assert first.session.ticket_lifetime_hint == first.session.timeout == TICKET_LIFETIME_SECONDS
        assert meet(port, NAMES[0], browser, first.session).resumed
        contexts.renew(NAMES, certificates(tmp_path)[1])
        new = meet(port, NAMES[0], client(version))
        assert first.certificate is not None
        assert new.certificate is not None
        assert new.certificate.serial_number != first.certificate.serial_number
        assert meet(port, NAMES[0], browser, first.session).resumed
        for key in (1, 2):  # the second is made when it is needed
            contexts.rotate(key)
            assert not meet(port, NAMES[0], browser, first.session).resumed
            assert meet(port, NAMES[0], browser).certificate == new.certificate
    assert TICKET_LIFETIME_SECONDS < TICKET_KEY_SECONDS


def test_a_ticket_of_one_worker_is_good_in_another(tmp_path: Path) -> None:
    """Contexts are made before the fork, and so are their keys; also those of the days to come."""
    contexts = ServerContexts(NAMES, certificates(tmp_path)[1], 2)
    for key in (0, 1):
        contexts.rotate(key)
        with served(contexts) as port:
            ticket = meet(port, NAMES[0], browser := client()).session
        reading, writing = os.pipe()
        child = os.fork()  # no thread runs here now: one in the midst of a lock would hold it in the child for ever
        if child == 0:  # another worker, which has the certificates of a reload of its own
            try:
                signal.alarm(20)
                contexts.renew(NAMES, certificates(tmp_path)[1])
                with served(contexts) as other:
                    os.write(writing, b"1" if meet(other, NAMES[0], browser, ticket).resumed else b"0")
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            assert answer.read() == b"1"
        os.waitpid(child, 0)


def test_other_kinds_of_key_and_other_names_after_a_reload(tmp_path: Path) -> None:
    """What was taken out of the configuration is served no more: a context that had more kinds is not used again."""
    _, pairs = make_certificates(tmp_path, NAMES)
    both = read_certificates([*pairs, make_rsa(tmp_path, NAMES)])
    contexts = ServerContexts(NAMES, both, 1)
    before = contexts.choose(NAMES[0])
    contexts.renew(["dossier.localhost", "third.localhost"], both[1:])
    assert contexts.choose("pension.localhost") is None
    after = contexts.choose("dossier.localhost")
    assert after is not before
    assert contexts.certificates == both[1:]
    with served(contexts) as port:
        assert kind(meet(port, "dossier.localhost", client())) == "RSA"
        assert kind(meet(port, "third.localhost", client())) == "RSA"


def test_openssl_reads_a_name_that_we_did_not(tmp_path: Path) -> None:
    """The context that was chosen is held to its names, whatever our own reading of the hello was."""
    contexts = ServerContexts(NAMES, certificates(tmp_path)[1], 1)
    names.append(NAMES[0])  # before there is a connection for which it is taken
    with (
        served(contexts) as port,
        socket.create_connection(("127.0.0.1", port)) as raw,
        pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"),
    ):
        client().wrap_socket(raw, server_hostname="unknown.localhost")


@pytest.mark.parametrize("damage", ["no key", ""])
def test_what_cannot_be_used_is_named(tmp_path: Path, damage: str) -> None:
    _, pairs = make_certificates(tmp_path, NAMES)
    pairs[0].key.write_text(damage)
    with pytest.raises(ConfigurationError, match=r"0\.pem: cannot be used"):
        read_certificates(pairs)
    pairs[0].pem.write_text(damage)
    with pytest.raises(ConfigurationError, match=r"0\.pem: cannot be used"):
        read_certificates(pairs)


def test_what_was_read_is_what_is_served_whatever_becomes_of_the_files(tmp_path: Path) -> None:
    _, pairs = make_certificates(tmp_path, NAMES)
    read = read_certificates(pairs)
    for pair in pairs:
        pair.pem.unlink()
        pair.key.unlink()
    with served(ServerContexts(NAMES, read, 1)) as port:
        assert kind(meet(port, NAMES[0], client())) == "EC"


@on_uvloop
async def test_new_certificates_drop_no_connection(tmp_path: Path) -> None:
    ca, chains = certificates(tmp_path)
    async with door(chains, ca=ca) as it:
        assert it.contexts is not None
        reader, writer = await it.connect()
        await reader.readline()
        old = writer.get_extra_info("peercert")["serialNumber"]
        it.contexts.renew(NAMES, certificates(tmp_path)[1])
        another = await it.connect()
        await another[0].readline()
        assert another[1].get_extra_info("peercert")["serialNumber"] != old
        writer.write(b"still here")
        assert await asyncio.wait_for(reader.readexactly(10), 5) == b"still here"
        for one in (writer, another[1]):
            one.close()
        await it.empty()
