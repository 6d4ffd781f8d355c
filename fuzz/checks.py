"""What must hold for any bytes, one function a reader. Each raises what the reader should not have raised, or AssertionError.

`tests/message/test_corpus.py` holds the kept corpus against them in every run of the tests; they need no atheris.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import unquote_to_bytes
from zlib import crc32

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

from gateway.credentials.certificate import verify
from gateway.credentials.certificate_profile import Profile
from gateway.credentials.revocation import ask, judge_list, judge_ocsp
from gateway.decision import REASONS
from gateway.decision.reasons import ATTEMPTS
from gateway.edge.hello import ClientHello, describe_hello, offered_groups
from gateway.edge.opening import ClearText, read_opening
from gateway.edge.proxy_protocol import ProxyHeader, read_proxy_header
from gateway.errors import CertificateRefused, CredentialError, OpeningError, RequestError, ResponseError
from gateway.message import (
    Chunked,
    ContentLength,
    Data,
    EndOfMessage,
    InformationalHead,
    Known,
    NoBody,
    RequestHead,
    RequestReader,
    ResponseHead,
    ResponseReader,
    UntilClose,
    parse_authority,
    parse_target,
    request_to_origin,
    response_to_client,
    write_chunk,
    write_request_head,
    write_response_head,
)
from gateway.message.frames import FrameFollower
from tests.credentials.card_world import IN_2024, TEST_ROOT, public
from tests.message.dialogue import joined, read_requests, read_response
from tests.message.independent import disagreement, disagreement_on_response

NORA = load_der_x509_certificate(public("nora-ecc.der"))
"""The published specimen of a card: the same bytes in every run."""
NORAS_AUTHORITY = load_pem_x509_certificate(public("test-ec-citizen-ca.pem")).public_bytes(Encoding.DER)
SPECIMEN = Profile.read({"root": public("test-ec-root-ca.pem"), "authority": NORAS_AUTHORITY}, [TEST_ROOT])
ABOUT_NORA = ask(NORA.public_bytes(Encoding.DER), NORAS_AUTHORITY, bytes(16))

FRAMING = ("content-length", "transfer-encoding")
NEVER_TO_ORIGIN = re.compile(
    r"(?:x-gateway-|x-forwarded|belgov-|x-original-|remote-).*|x-request-id|forwarded|via|host|cookie|authorization"
    r"|transfer-encoding|content-length|keep-alive|te|trailer|proxy-.*|traceparent"
)
"""A few of the names that no origin may see from a client, written down once more and independently of the hygiene."""


def cuts(raw: bytes) -> Iterator[list[bytes]]:
    """The same bytes in other pieces: halves, lines, or one by one, which is dear; which of them hangs on the bytes alone."""
    match crc32(raw) % 4:
        case 0:
            yield [raw[at : at + 1] for at in range(len(raw))]
        case 1:
            yield raw.splitlines(keepends=True)
        case kind:
            middle = len(raw) * (kind - 1) // 3
            yield [raw[:middle], raw[middle:]]


def same(one: tuple[list[object], Exception | None], other: tuple[list[object], Exception | None]) -> bool:
    """Same events, and the same fault."""
    faults = [None if error is None else (type(error), str(error)) for _, error in (one, other)]
    return one[0] == other[0] and faults[0] == faults[1]


def requests(raw: bytes) -> None:
    """The requests of one connection."""
    events, error = read = read_requests([raw])
    if error is not None:
        assert error.reason in REASONS
        assert error.status in (400, 413, 414, 417, 431)
        assert error.detail.isascii()
        assert error.detail.isprintable()
        assert len(error.detail) < 400
    for pieces in cuts(raw):
        assert same(read_requests(pieces), read), pieces
    assert same(_looking_ahead(raw), read)
    for head, body in _messages(events, RequestHead):
        again = b"".join([_request_anew(head), *_body_anew(head.framing, body)])
        (written, *rest), fault = read_requests([again])
        assert fault is None
        assert isinstance(written, RequestHead)
        assert (written.method, written.target.encoded) == (head.method, head.target.encoded)
        assert list(written.fields)[: -1 if _framed(head) else None] == _unframed(head)
        assert (written.framing, rest) == (head.framing, [*([Data(body)] if body else []), EndOfMessage()])
        for name, value in request_to_origin(head):
            if (name, value) in (("Connection", "Upgrade"), ("Upgrade", "websocket")):
                continue
            assert NEVER_TO_ORIGIN.fullmatch(name.lower()) is None, name
    assert disagreement(raw) == ""


def _looking_ahead(raw: bytes) -> tuple[list[object], RequestError | None]:
    """The events when every body is looked at as far as it has come; a fault there comes before the head, which is put back."""
    reader, events = RequestReader(), []
    reader.feed(raw)
    reader.feed_eof()
    try:
        while (event := reader.next_event()) is not None:
            events.append(event)
            if isinstance(event, RequestHead) and isinstance(event.framing, Chunked):
                try:
                    reader.look_ahead(event)
                except RequestError as error:
                    whole, _ = read_requests([raw])
                    return whole, error
            if isinstance(event, EndOfMessage):
                reader.start_next()
    except RequestError as error:
        if reader.excerpt is not None:
            assert len(reader.excerpt) <= 120
            assert "\n" not in reader.excerpt
        return joined(events), error
    return joined(events), None


Head = TypeVar("Head")


def _messages(events: list[object], kind: type[Head]) -> Iterator[tuple[Head, bytes]]:
    head, body = None, b""
    for event in events:
        if isinstance(event, kind):
            head, body = event, b""
        elif isinstance(event, Data):
            body += event.data
        elif isinstance(event, EndOfMessage) and head is not None:
            yield head, body


def _framed(head: RequestHead | ResponseHead) -> bool:
    return isinstance(head.framing, Chunked | ContentLength)


def _unframed(head: RequestHead | ResponseHead) -> list[tuple[str, str]]:
    return [(name, value) for name, value in head.fields if name.lower() not in FRAMING]


def _request_anew(head: RequestHead) -> bytes:
    return write_request_head(head.method, head.target.encoded, _unframed(head), head.framing)


def _body_anew(framing: object, body: bytes) -> tuple[bytes, ...]:
    if isinstance(framing, Chunked):
        return (*write_chunk(body), b"0\r\n\r\n")
    return (body,)


def responses(data: bytes) -> None:
    """One response; the first byte says to which request."""
    method, websocket = ("HEAD" if data[:1] == b"H" else "GET"), data[:1] == b"W"
    raw = data[1:]
    events, error = read = read_response([raw], method, websocket=websocket)
    assert error is None or (error.reason == "origin_malformed" and error.detail.isascii() and len(error.detail) < 400)
    for pieces in cuts(raw):
        other = read_response(pieces, method, websocket=websocket)
        if error is None or other[1] is None:
            assert same(other, read), pieces
        else:  # bytes behind the end are found together with it, or behind it
            assert str(other[1]) == str(error), pieces
    if not websocket:
        _with_memory(raw, method, read)
    for event in events:
        if isinstance(event, InformationalHead):
            assert 100 <= event.status < 200
            assert event.status != 101 or websocket
            response_to_client(event)
    for head, body in _messages(events, ResponseHead):
        to_head = method == "HEAD"
        anew = write_response_head(head.status, _unframed(head), head.framing, to_head=to_head)
        (written, *rest), fault = read_response([anew, *_body_anew(head.framing, body)], method)
        assert fault is None
        assert isinstance(written, ResponseHead)
        assert (written.status, written.framing) == (head.status, head.framing)
        assert rest == [*([Data(body)] if body else []), EndOfMessage()]
        if head.status in (204, 304) or to_head:
            assert not body
        if isinstance(head.framing, UntilClose | NoBody):
            response_to_client(head)
    if method == "GET" and not websocket:
        assert disagreement_on_response(raw) == ""


def _with_memory(raw: bytes, method: str, read: tuple[list[object], ResponseError | None]) -> None:
    """A connection that remembers its last answer reads the next one as if it did not."""
    known = Known()
    for _ in range(2):
        reader, events = ResponseReader(method, known=known), []
        fault: ResponseError | None = None
        try:
            reader.feed(raw)
            while (event := reader.next_event()) is not None:
                events.append(event)
            reader.feed_eof()
            while (event := reader.next_event()) is not None:
                events.append(event)
        except ResponseError as error:
            fault = error
        assert same((joined(events), fault), read)


SEPARATORS = re.compile(rb"[\\\0-\x1f\x7f]")


def targets(data: bytes) -> None:
    """One request target, and as an authority."""
    method, raw = ("OPTIONS" if data[:1] == b"*" else "GET"), data
    try:
        parse_authority(raw.decode("latin-1"))
    except RequestError as error:
        assert error.detail.isascii()
    else:
        authority = parse_authority(raw.decode("latin-1"))
        spelt = authority.name if authority.port is None else f"{authority.name}:{authority.port}"
        assert parse_authority(spelt) == authority
    try:
        target = parse_target(method, raw)
    except RequestError as error:
        assert error.reason in ("unsafe_target", "malformed")
        assert error.detail.isascii()
        return
    assert parse_target(method, target.encoded) == target._replace(authority=None)
    if target.path == "*":
        return
    assert target.path.startswith("/")
    assert "//" not in target.path
    assert re.fullmatch(r"[!-~]*", target.encoded)
    assert "#" not in target.encoded
    assert ";" not in target.path
    # What any origin may make of it, decoded once: nothing new to separate, to climb or to decode again.
    for segment in target.path.split("/"):
        decoded = unquote_to_bytes(segment)
        decoded.decode("utf-8")
        assert b"/" not in decoded
        assert SEPARATORS.search(decoded) is None
        assert decoded not in (b".", b"..")
        assert not decoded.startswith((b"..;", b".;"))
        assert unquote_to_bytes(decoded) == decoded
    if target.query is not None:
        assert raw.endswith(target.query.encode("latin-1"))


def frames(data: bytes) -> None:
    """One direction of a websocket; the first byte says which. How it is cut changes nothing, and a naive follower agrees."""
    masked, raw = data[:1] != b"s", data[1:]
    whole = FrameFollower(masked=masked)
    whole.follow(raw)
    for pieces in ([raw[at : at + 1] for at in range(len(raw))], [raw[: len(raw) // 3], raw[len(raw) // 3 :]]):
        follower = FrameFollower(masked=masked)
        for piece in pieces:
            follower.follow(piece)
        assert (follower.at_boundary, follower.closed, follower.lost) == (whole.at_boundary, whole.closed, whole.lost)
    boundary, closed, lost = _naive_frames(raw, masked)
    assert (whole.lost, whole.closed) == (lost, closed)
    assert lost or whole.at_boundary == boundary


def _naive_frames(raw: bytes, masked: bool) -> tuple[bool, bool, bool]:
    """Frame by frame over bytes that are all there: whether they end at a boundary, with a Close, or break the rules."""
    at, closed = 0, False
    while at < len(raw):
        if len(raw) < at + 2:
            return False, closed, False
        first, second = raw[at], raw[at + 1]
        opcode, short = first & 15, second & 127
        if opcode not in (0, 1, 2, 8, 9, 10) or (second >= 128) is not masked:
            return False, closed, True
        if opcode >= 8 and (first < 128 or short > 125):
            return False, closed, True
        wide = {126: 2, 127: 8}.get(short, 0)
        size = 2 + wide + (4 if masked else 0)
        if len(raw) < at + size:
            return False, closed, False
        length = int.from_bytes(raw[at + 2 : at + 2 + wide], "big") if wide else short
        if length >= 1 << 63:
            return False, closed, True
        at += size + length
        if at > len(raw):
            return False, closed, False
        closed = closed or opcode == 8
    return True, closed, False


def openings(data: bytes) -> None:
    """What a connection begins with: TLS, HTTP in the clear, a PROXY header, or something else."""
    for read in (read_opening, read_proxy_header):
        found, error = _opening(read, data)
        # More bytes never change what was found; fewer ask for more, and for no more than it takes.
        for length in {0, len(data) // 2, max(0, len(data) - 1)}:
            earlier, fault = _opening(read, data[:length])
            if fault is not None:
                assert error is not None  # refused stays refused, if by another name: a PROXY header shows itself late
            elif not isinstance(earlier, int):
                assert earlier == found
            else:
                assert earlier > length
                assert earlier <= 1 << 16
        if isinstance(found, ClientHello):
            try:
                hello = describe_hello(found)
                offered_groups(found)
            except OpeningError:
                continue
            assert re.fullmatch(r"[A-Za-z0-9.]*-[0-9a-f]{12}-[0-9a-f]{12}", hello.fingerprint), hello
            for text in (hello.alpn, hello.server_name or ""):
                assert text.isascii()
                assert text.isprintable()
        elif isinstance(found, ProxyHeader):
            assert 0 < found.length <= len(data)
            assert found.address is None or ip_address(found.address)
        elif found is not None and not isinstance(found, int):
            assert isinstance(found, ClearText)


def _opening(read: Callable[[bytes], object], data: bytes) -> tuple[object, str | None]:
    try:
        return read(data), None
    except OpeningError as error:
        return None, error.why


def certificates(data: bytes) -> None:
    """What comes of a card: its certificate, and what is said about it elsewhere; the first byte says which."""
    kind, raw = data[:1], data[1:]
    try:
        if kind == b"o":
            judge_ocsp(raw, ABOUT_NORA, IN_2024, 120.0)
        elif kind == b"l":
            judge_list(raw, NORAS_AUTHORITY, "http://crl.example/1.crl", IN_2024, 120.0)
        else:
            found = verify([raw, NORAS_AUTHORITY], SPECIMEN, IN_2024)
            assert load_der_x509_certificate(raw).tbs_certificate_bytes == NORA.tbs_certificate_bytes
            assert found.insz == "01050399864"
            return
    except CertificateRefused as refused:
        assert refused.reason in ATTEMPTS
        for text in (refused.detail, refused.issuer, refused.serial, refused.policy):
            assert text.isprintable()
            assert len(text) <= 400
        return
    except CredentialError as error:
        assert re.fullmatch(r"(?:ocsp|list)_[a-z_]+", error.reason)
        return
    raise AssertionError("an answer was believed that nobody signed")


CHECKS: dict[str, Callable[[bytes], None]] = {
    "requests": requests,
    "responses": responses,
    "targets": targets,
    "frames": frames,
    "openings": openings,
    "certificates": certificates,
}
