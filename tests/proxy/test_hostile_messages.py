"""Every message with two readings, over real TLS: refused at once, the end of its connection, one line, and nothing for the origin.

Each case is followed by a good request of a signed-in person, which must never be read.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.proxy.stage import BROWSER, TOKEN, Stage, stage

SMUGGLED = "/dossier/smuggled"


class Case(NamedTuple):
    """What is sent, and what it is refused as. PORT in `raw` becomes the gateway's."""

    raw: bytes
    detail: str
    """A part of the line's detail: that the case is refused for its own fault and not for another."""
    status: int = 400
    reason: str = "malformed"


def head(line: str, *fields: str, host: str | None = "Host: dossier.localhost:PORT") -> bytes:
    lines = [line, *([] if host is None else [host]), f"User-Agent: {BROWSER}", "Accept: text/html"]
    lines += ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", f"Cookie: __Host-gw-session={TOKEN}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def get(target: str, *fields: str) -> bytes:
    return head(f"GET {target} HTTP/1.1", *fields)


def field(text: str | bytes) -> bytes:
    """A request with one odd line, as it is, in the middle of its fields."""
    odd = text if isinstance(text, bytes) else text.encode("latin-1")
    return get("/dossier/x").replace(b"Accept: ", odd + b"\r\nAccept: ")


def hosted(host: str | None) -> bytes:
    return head("GET /dossier/x HTTP/1.1", host=host)


def post(*fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    return head(f"POST /dossier/x HTTP/{version}", "Origin: https://dossier.localhost:PORT", *fields) + body


def chunked(body: bytes, *fields: str) -> bytes:
    return post("Transfer-Encoding: chunked", *fields, body=body)


FRAMING = {
    "length and coding": (["Content-Length: 5", "Transfer-Encoding: chunked"], "beside"),
    "coding and length": (["Transfer-Encoding: chunked", "Content-Length: 5"], "beside"),
    "length 0 and coding": (["Content-Length: 0", "Transfer-Encoding: chunked"], "beside"),
    "gzip": (["Transfer-Encoding: gzip"], "coding"),
    "gzip, chunked": (["Transfer-Encoding: gzip, chunked"], "coding"),
    "chunked, gzip": (["Transfer-Encoding: chunked, gzip"], "coding"),
    "chunked, chunked": (["Transfer-Encoding: chunked, chunked"], "coding"),
    "chunked,": (["Transfer-Encoding: chunked,"], "coding"),
    ", chunked": (["Transfer-Encoding: , chunked"], "coding"),
    "identity": (["Transfer-Encoding: identity"], "coding"),
    "identity, chunked": (["Transfer-Encoding: identity, chunked"], "coding"),
    "xchunked": (["Transfer-Encoding: xchunked"], "coding"),
    "Chunked": (["Transfer-Encoding: Chunked"], "coding"),
    "CHUNKED": (["TRANSFER-ENCODING: CHUNKED"], "coding"),
    "quoted": (['Transfer-Encoding: "chunked"'], "coding"),
    "parameter": (["Transfer-Encoding: chunked;q=1"], "coding"),
    "no coding": (["Transfer-Encoding:"], "coding"),
    "coding twice": (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "coding"),
    "coding and identity": (["Transfer-Encoding: chunked", "transfer-encoding: identity"], "coding"),
    "identity and coding": (["Transfer-Encoding: identity", "Transfer-Encoding: chunked"], "coding"),
    "length twice": (["Content-Length: 5", "Content-Length: 6"], "more than one Content-Length"),
    "length twice, the same": (["Content-Length: 5", "content-length: 5"], "more than one Content-Length"),
    "length in a list": (["Content-Length: 5, 6"], "plain number"),
    "length in a list, the same": (["Content-Length: 5, 5"], "plain number"),
    "length with a comma": (["Content-Length: 5,"], "plain number"),
    "no length": (["Content-Length:"], "plain number"),
    "+5": (["Content-Length: +5"], "plain number"),
    "-5": (["Content-Length: -5"], "plain number"),
    "-0": (["Content-Length: -0"], "plain number"),
    "0x5": (["Content-Length: 0x5"], "plain number"),
    "1_0": (["Content-Length: 1_0"], "plain number"),
    "1 0": (["Content-Length: 1 0"], "plain number"),
    "5.0": (["Content-Length: 5.0"], "plain number"),
    "5e0": (["Content-Length: 5e0"], "plain number"),
    "5h": (["Content-Length: 5h"], "plain number"),
    '"5"': (['Content-Length: "5"'], "plain number"),
    "005": (["Content-Length: 005"], "plain number"),
    "00": (["Content-Length: 00"], "plain number"),
    "superscript digit": (["Content-Length: \xb2"], "plain number"),
    "full-width digit": (["Content-Length: \xef\xbc\x95"], "plain number"),
    "Arabic digit": (["Content-Length: \xd9\xa5"], "plain number"),
    "over-long": (["Content-Length: " + "9" * 19], "plain number"),
    "over 64 bits": (["Content-Length: 18446744073709551621"], "plain number"),
    "very long": (["Content-Length: " + "1" * 4000], "plain number"),
}  # fmt: skip

CHUNKS = {
    "no size": (b"\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "bare LF behind the size": (b"5\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "bare CR behind the size": (b"5\rhello\r\n0\r\n\r\n", "chunk-size line"),
    "bare CR in an extension": (b"5;a\rb\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "bare LF in an extension": (b"5;a\nb\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "NUL in an extension": (b"5;a=\0\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "CR in a quoted extension": (b'5;a="\r"\r\nhello\r\n0\r\n\r\n', "chunk-size line"),
    "LF in a quoted extension": (b'5;a="\n"\r\nhello\r\n0\r\n\r\n', "chunk-size line"),
    "an open quote": (b'5;a="b\r\nhello\r\n0\r\n\r\n', "chunk-size line"),
    "an empty extension": (b"5;\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "space behind the size": (b"5 \r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "space before the size": (b" 5\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "tab behind the size": (b"5\t\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "space before an extension": (b"5 ;a\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "+5": (b"+5\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "-0": (b"-0\r\n\r\n", "chunk-size line"),
    "0x5": (b"0x5\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "1_0": (b"1_0\r\n" + bytes(16) + b"\r\n0\r\n\r\n", "chunk-size line"),
    "5h": (b"5h\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "full-width digit": (b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "16 digits": (b"0000000000000005\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "over 64 bits": (b"10000000000000005\r\nhello\r\n0\r\n\r\n", "chunk-size line"),
    "a long line": (b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n", "longer than 256"),
    "an endless line": (b"5;" + b"a" * 300, "longer than 256"),
    "many extensions": ((b"1;" + b"a" * 240 + b"\r\nx\r\n") * 20 + b"0\r\n\r\n", "bytes of chunk extensions"),
    "data too long": (b"5\r\nhello!\r\n0\r\n\r\n", "longer than its size"),
    "data ends with LF": (b"5\r\nhello\n0\r\n\r\n", "longer than its size"),
    "data ends with CR": (b"5\r\nhello\r0\r\n\r\n", "longer than its size"),
    "data ends with LF CR": (b"5\r\nhello\n\r0\r\n\r\n", "longer than its size"),
    "no CRLF behind the data": (b"5\r\nhello0\r\n\r\n", "longer than its size"),
    "data too short": (b"5\r\nhel\r\n0\r\n\r\n", "longer than its size"),
    "trailer: bare LF": (b"0\r\nX-A: b\n\r\n", "control byte"),
    "trailer: bare LF at the end": (b"0\r\n\n", "control byte"),
    "trailer: bare CR": (b"0\r\nX-A: b\rc\r\n\r\n", "control byte"),
    "trailer: NUL": (b"0\r\nX-A: \0\r\n\r\n", "control byte"),
    "trailer: obs-fold": (b"0\r\nX-A: b\r\n c\r\n\r\n", "obs-fold"),
    "trailer: space first": (b"0\r\n X-A: b\r\n\r\n", "white space before"),
    "trailer: space before the colon": (b"0\r\nX-A : b\r\n\r\n", "white space between"),
    "trailer: no colon": (b"0\r\nGET / HTTP/1.1\r\n\r\n", "without a colon"),
    "trailer: underscore": (b"0\r\nX_A: b\r\n\r\n", "other characters", 400, "field_refused"),
    "trailer: too many": (b"0\r\n" + b"X-A: b\r\n" * 101 + b"\r\n", "more than 100", 431, "too_large"),
    "trailer: too long": (b"0\r\nX-A: " + b"b" * 5000 + b"\r\n\r\n", "longer than 4096", 431, "too_large"),
    **{
        f"trailer: {name}": (b"0\r\n%b: x\r\n\r\n" % name, "would change the message", 400, "field_refused")
        for name in (
            b"Transfer-Encoding", b"content-length", b"Host", b"Cookie", b"Authorization", b"X-Forwarded-For", b"Forwarded",
            b"X-Gateway-Assertion", b"Connection", b"Trailer", b"TE", b"Upgrade", b"Set-Cookie", b"Content-Type", b"Content-Encoding",
            b"Expect", b"Range", b"If-Match", b"Origin", b"Sec-Fetch-Site", b"User-Agent", b"X-HTTP-Method-Override", b"Remote-User",
        )
    },
}  # fmt: skip

FIELDS = {
    "bare LF": (field("X-A: b\nX-B: c"), "control byte"),
    "bare LF alone": (field("X-A: b\n"), "control byte"),
    "bare CR": (field("X-A: b\rX-B: c"), "control byte"),
    "CR CR LF": (field("X-A: b\r"), "control byte"),
    "LF line ends": (get("/dossier/x").replace(b"\r\n", b"\n"), "control byte"),
    "LF empty line": (get("/dossier/x")[:-2] + b"\n", "control byte"),
    "CR line ends": (get("/dossier/x").replace(b"\r\n", b"\r"), "control byte"),
    "obs-fold": (field("X-A: b\r\n c"), "obs-fold"),
    "obs-fold by tab": (field("X-A: b\r\n\tc"), "obs-fold"),
    "obs-fold of a length": (field("Content-Length:\r\n 0"), "obs-fold"),
    "obs-fold of a coding": (field("Transfer-Encoding:\r\n chunked"), "obs-fold"),
    "space before the colon": (field("X-A : b"), "white space between"),
    "tab before the colon": (field("X-A\t: b"), "white space between"),
    "space before the coding's colon": (field("Transfer-Encoding : chunked"), "white space between"),
    "space before the length's colon": (field("Content-Length : 0"), "white space between"),
    "space before the host's colon": (hosted("Host : dossier.localhost:PORT"), "white space"),
    "space before the first field": (hosted(" Host: dossier.localhost:PORT"), "before the first field"),
    "tab before the first field": (hosted("\tHost: dossier.localhost:PORT"), "before the first field"),
    "no colon": (field("X-A"), "without a colon"),
    "an empty name": (field(": b"), "not a token"),
    "a name with a space": (field("X A: b"), "not a token"),
    "a quoted name": (field('"X-A": b'), "not a token"),
    "a name outside ASCII": (field("X-\xc3\xa9: b"), "not a token"),
    "NUL in a name": (field("X-\0A: b"), "control byte"),
    "NUL in a value": (field("X-A: b\0c"), "control byte"),
    "BEL in a value": (field("X-A: \a"), "control byte"),
    "VT in a value": (field("X-A: b\x0bc"), "control byte"),
    "FF before a coding": (field("Transfer-Encoding: \x0cchunked"), "control byte"),
    "ESC in a value": (field("X-A: \x1b[2J"), "control byte"),
    "DEL in a value": (field("X-A: \x7f"), "control byte"),
    **{
        f"the name {name}": (field(f"{name}: b"), "other characters", 400, "field_refused")
        for name in (
            "X_Remote_User", "Content_Length", "Transfer_Encoding", "X.A", "X!A", "X#A", "X$A", "X%A", "X&A", "X'A", "X*A", "X+A", "X^A",
            "X`A", "X|A", "X~A",
        )
    },
    "many fields": (get("/dossier/x", *("X-A: b",) * 100), "more than 100", 431, "too_large"),
    "long fields": (get("/dossier/x", "X-A: " + "b" * 33_000), "longer than 32768", 431, "too_large"),
    "endless fields": (get("/dossier/x", "X-A: " + "b" * 33_000)[:-4], "longer than 32768", 431, "too_large"),
    "two expectations": (field("Expect: 100-continue\r\nExpect: 100-continue"), "more than one expect"),
    "another expectation": (field("Expect: a-miracle"), "expectation", 417, "field_refused"),
    "an empty expectation": (field("Expect:"), "expectation", 417, "field_refused"),
    "a list of expectations": (field("Expect: 100-continue, a-miracle"), "expectation", 417, "field_refused"),
    "two session fields of the browser": (field("Sec-Fetch-Site: cross-site"), "more than one sec-fetch-site"),
}  # fmt: skip

HOSTS = {
    "no host": (hosted(None), "no Host"),
    "no host in 1.0": (head("GET /dossier/x HTTP/1.0", host=None), "no Host"),
    "two hosts": (field("Host: pension.localhost"), "more than one host"),
    "two hosts, the same": (field("Host: dossier.localhost:PORT"), "more than one host"),
    **{
        f"the host {value!r}": (hosted(f"Host: {value}"), "host")
        for value in (
            "", "dossier.localhost, pension.localhost", "dossier.localhost,dossier.localhost", "dossier.localhost pension.localhost",
            "jan@dossier.localhost", "jan:secret@dossier.localhost", "@dossier.localhost", "dossier.localhost/", "dossier.localhost/x",
            "dossier.localhost?x", "dossier.localhost#x", "dossier.localhost\\x", "dossier.localhost%00", "dossier%2elocalhost",
            "dossier_x.localhost", "dossier..localhost", ".dossier.localhost", "-dossier.localhost", "dossi\xe9r.localhost",
            "dossier.localhost:", "dossier.localhost:0", "dossier.localhost:00443", "dossier.localhost:65536", "dossier.localhost:99999",
            "dossier.localhost:443443", "dossier.localhost:+443", "dossier.localhost:-443", "dossier.localhost:0x1bb", "dossier.localhost: 443",
            "dossier.localhost :443", "dossier.localhost:443:443", "dossier.localhost:443@evil.example", "dossier.localhost:\xb2",
            "dossier.localhost:https", "[::1", "::1", "[::1%25lo]", "[v1.a]", "[::g]", "https://dossier.localhost", "a" * 300,
        )
    },
}  # fmt: skip

LINES = {
    "two spaces before the target": (head("GET  /dossier/x HTTP/1.1"), "one space"),
    "two spaces behind the target": (head("GET /dossier/x  HTTP/1.1"), "one space"),
    "a space in the target": (head("GET /dossier/x y HTTP/1.1"), "one space"),
    "a tab behind the method": (head("GET\t/dossier/x HTTP/1.1"), "one space"),
    "a tab behind the target": (head("GET /dossier/x\tHTTP/1.1"), "one space"),
    "a tab in the target": (head("GET /dossier/\tx HTTP/1.1"), "tab"),
    "a space at the end": (head("GET /dossier/x HTTP/1.1 "), "one space"),
    "a tab at the end": (head("GET /dossier/x HTTP/1.1\t"), "version"),
    "a space first": (head(" GET /dossier/x HTTP/1.1"), "white space before the request line"),
    "a tab first": (head("\tGET /dossier/x HTTP/1.1"), "white space before the request line"),
    "two empty lines first": (b"\r\n\r\n" + get("/dossier/x"), "empty lines"),
    "a bare LF first": (b"\n" + get("/dossier/x"), "control byte"),
    "VT for a space": (head("GET\x0b/dossier/x HTTP/1.1"), "control byte"),
    "CR in the line": (head("GET /dossier/x\r HTTP/1.1"), "control byte"),
    "NUL in the line": (head("GET /dossier/x\0 HTTP/1.1"), "control byte"),
    "BOM first": (head("\xef\xbb\xbfGET /dossier/x HTTP/1.1"), "method"),
    "HTTP/0.9": (b"GET /dossier/x\r\n", "one space"),
    "HTTP/0.9 with a space": (b"GET /dossier/x \r\n", "version"),
    "get": (head("get /dossier/x HTTP/1.1"), "method"),
    "a method with a colon": (head("GET: /dossier/x HTTP/1.1"), "method"),
    "a method of 30 letters": (head("G" * 30 + " /dossier/x HTTP/1.1"), "method"),
    "CONNECT": (head("CONNECT dossier.localhost:443 HTTP/1.1"), "CONNECT"),
    "CONNECT a path": (head("CONNECT /dossier/x HTTP/1.1"), "CONNECT"),
    "TRACE": (head("TRACE /dossier/x HTTP/1.1"), "TRACE"),
    "the h2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), "HTTP/2 connection preface"),
    "the h2 preface in part": (b"PRI * HTTP/2.0\r\n", "HTTP/2 connection preface"),
    "TLS within TLS": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "control byte"),
    **{
        f"the version {version}": (head(f"GET /dossier/x {version}"), "version")
        for version in (
            "HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/2", "HTTP/3", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/1.10", "HTTP/01.1", "HTTP/1.01",
            "HTTP/1.1.1", "HTTP/1,1", "HTTP/11", "HTTP-1.1", "http/1.1", "Http/1.1", "HTTPS/1.1", "HTTP/-1.1", "HTTP/1.x", "ICY/1.1", "RTSP/1.0",
            "HTTP/\xb9.1",
        )
    },
    "h2c": (field("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"), "upgrade", 400, "field_refused"),
    "h2c without the option": (field("Upgrade: h2c"), "upgrade", 400, "field_refused"),
    "h2c and websocket": (field("Upgrade: websocket, h2c\r\nConnection: Upgrade"), "upgrade", 400, "field_refused"),
    "h2c with a body": (post("Upgrade: h2c", "Connection: Upgrade", "Content-Length: 2", body=b"ab"), "upgrade", 400, "field_refused"),
    "TLS upgrade": (field("Upgrade: TLS/1.2\r\nConnection: Upgrade"), "upgrade", 400, "field_refused"),
    "two upgrades": (field("Upgrade: websocket\r\nUpgrade: h2c"), "more than one upgrade"),
    "a websocket without a key": (field("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"), "websocket handshake"),
    "a websocket of another version": (
        field("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), "websocket handshake"),
    "a websocket by POST": (
        post("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), "websocket handshake"),
}  # fmt: skip

TARGETS = {
    "an asterisk": (get("*"), "OPTIONS only"),
    "authority-form": (get("dossier.localhost:443"), "neither a path"),
    "a relative path": (get("dossier/x"), "neither a path"),
    "a query alone": (get("?x"), "neither a path"),
    "an empty URI": (get("https://"), "authority"),
    "another authority": (get("https://pension.localhost:PORT/dossier/x"), "not that of the Host"),
    "another port": (get("https://dossier.localhost:1/dossier/x"), "not that of the Host"),
    "no port beside one": (get("https://dossier.localhost/dossier/x"), "not that of the Host"),
    "http": (get("http://dossier.localhost:PORT/dossier/x"), "another scheme"),
    "ftp": (get("ftp://dossier.localhost:PORT/dossier/x"), "another scheme"),
    "javascript": (get("javascript:alert(1)"), "neither a path"),
    "user information": (get("https://jan@dossier.localhost:PORT/dossier/x"), "authority"),
    "user and password": (get("https://jan:secret@dossier.localhost:PORT/dossier/x"), "authority"),
    "an empty user": (get("https://@dossier.localhost:PORT/dossier/x"), "authority"),
    "port 0": (get("https://dossier.localhost:0/dossier/x"), "authority"),
    "port 65536": (get("https://dossier.localhost:65536/dossier/x"), "authority"),
    "an empty port": (get("https://dossier.localhost:/dossier/x"), "authority"),
    "one slash": (get("https:/dossier.localhost/dossier/x"), "neither a path"),
    "three slashes": (get("https:///dossier/x"), "authority"),
    "a backslash for slashes": (get("https:\\\\dossier.localhost\\dossier"), "neither a path"),
    "a fragment": (get("/dossier/x#y"), "#"),
    "a fragment behind the query": (get("/dossier/x?y#z"), "#"),
    "non-ASCII in the path": (get("/dossier/\xc3\xa9"), "outside ASCII"),
    "non-ASCII in the query": (get("/dossier/x?\xe9"), "outside ASCII"),
    "a control in the query": (get("/dossier/x?\x01"), "control byte", 400, "malformed"),
    "a long target": (get("/dossier/" + "a" * 16_384), "longer than 16384", 414, "too_large"),
    "a long query": (get("/dossier/x?" + "a" * 16_384), "longer than 16384", 414, "too_large"),
    "an endless target": (b"GET /dossier/" + b"a" * 33_000, "no end of the request line", 414, "too_large"),
    **{
        f"the path {path}": (get(path), "path")
        for path in (
            # dot segments: plain, encoded, in part, twice, beside what a server may strip
            "/dossier/..", "/dossier/../x", "/dossier/.", "/dossier/./x", "/..", "/.", "/../dossier/x", "/dossier/x/..", "/dossier/x/../../y",
            "/dossier/%2e%2e/x", "/dossier/%2E%2E", "/dossier/.%2e/x", "/dossier/%2e./x", "/dossier/%2e/x", "/dossier/%2e", "/%2e%2e/x",
            "/dossier/%252e%252e/x", "/dossier/%25%32%65/x", "/dossier/..%00", "/dossier/..%20/x", "/dossier/..%09/x", "/dossier/..%23/x", "/dossier/..%3f/x",
            "/dossier/..;/x", "/dossier/.;/x", "/dossier/..;a=b/x", "/dossier/..%3b/x", "/dossier/..%3Ba/x",
            # separators in disguise
            "/dossier%2fx", "/dossier%2Fx", "/dossier/x%2f..%2fy", "/dossier/..%2fx", "/dossier%252fx", "/dossier/%5c", "/dossier%5Cx", "/dossier/..%5cx",
            "/dossier%255cx", "/dossier\\x", "/dossier/..\\x", "/\\dossier", "/dossier//x", "//dossier/x", "///dossier/x", "/dossier/x//",
            "//evil.example/dossier/x", "/dossier/%2f/x",
            # controls
            "/dossier/%00", "/dossier/x%00.html", "/dossier/%2500", "/dossier/%0a", "/dossier/%0d%0aX-A:%20b", "/dossier/%0D", "/dossier/%09", "/dossier/%7f",
            "/dossier/%1b", "/dossier/%01",
            # parameters
            "/dossier;x", "/dossier/;x", "/dossier/x;jsessionid=1", "/;/dossier/x", "/dossier;/x",
            # octets that are no UTF-8
            "/dossier/%c0%ae%c0%ae/x", "/dossier/%c0%af", "/dossier/%e0%80%af", "/dossier/%e0%80%ae", "/dossier/%f0%80%80%af", "/dossier/%c1%9c", "/dossier/%c0%80",
            "/dossier/%ed%a0%80", "/dossier/%ed%bf%bf", "/dossier/%f4%90%80%80", "/dossier/%f8%80%80%80%ae", "/dossier/%ff", "/dossier/%80", "/dossier/%c3",
            "/dossier/%e9t%e9",
            # percent signs that encode nothing, or twice
            "/dossier/%", "/dossier/%2", "/dossier/%zz", "/dossier/%2%65", "/dossier/%u002e%u002e/x", "/dossier/100%", "/dossier/%2525", "/dossier/%2541",
            "/dossier/%252525", "/dossier/%c3%a9%25c3%25a9",
            # what no browser sends raw
            '/dossier/"x"', "/dossier/<x>", "/dossier/{x}", "/dossier/`x`",
        )
    },
}  # fmt: skip


def cases() -> dict[str, dict[str, Case]]:
    """By group, so that a group is one stage and its cases go side by side."""
    return {
        "framing": {
            name: Case(post(*fields, body=b"5\r\nhello\r\n0\r\n\r\n"), detail, reason="ambiguous_framing")
            for name, (fields, detail) in FRAMING.items()
        }
        | {
            "chunked in 1.0": Case(
                post("Transfer-Encoding: chunked", body=b"0\r\n\r\n", version="1.0"), "1.0", reason="ambiguous_framing"
            ),
            "gzip in 1.0": Case(
                post("Transfer-Encoding: gzip", body=b"0\r\n\r\n", version="1.0"), "1.0", reason="ambiguous_framing"
            ),
        },
        "chunks": {name: Case(chunked(row[0]), *row[1:]) for name, row in CHUNKS.items()},
        "fields": {name: Case(*row) for name, row in FIELDS.items()},
        "hosts": {name: Case(*row) for name, row in HOSTS.items()},
        "lines": {name: Case(*row) for name, row in LINES.items()},
        "targets": {name: Case(*(row if len(row) > 2 else (*row, 400, "unsafe_target"))) for name, row in TARGETS.items()},
    }  # fmt: skip


CASES = cases()


async def refused(it: Stage, case: Case) -> str:
    """Send it, and give what is wrong with what came back; "" when it is as it should be."""
    port = str(it.port).encode()
    said = await it.ask(case.raw.replace(b"PORT", port) + get(SMUGGLED).replace(b"PORT", port), wait=4)
    top, _, page = said.partition(b"\r\n\r\n")
    status, *fields = top.decode("latin-1").split("\r\n")
    named = dict(line.lower().split(": ", 1) for line in fields)
    if not status.startswith(f"HTTP/1.1 {case.status} ") or b"HTTP/1.1 " in page:
        return f"answered {said[:300]!r}"
    if named.get("connection") != "close" or named.get("content-length") != str(len(page)):
        return f"not closed, or the page did not come whole: {fields}"
    if not page.rstrip().endswith(b"</html>") or "strict-transport-security" not in named:
        return "no page of ours"
    reference = named["x-request-id"].upper()
    lines = [line for line in it.lines() if line.get("id") == reference]
    if len(lines) != 1:
        return f"{len(lines)} lines of {reference}"
    (line,) = lines
    said_of_it = (line["kind"], line["verdict"], line["reason"], line["status"])
    if said_of_it != ("decision", "deny", case.reason, case.status) or case.detail not in line["detail"]:
        return f"its line is {said_of_it}, {line['detail']!r}"
    excerpt = line.get("excerpt", "")
    if not (excerpt.isascii() and excerpt.isprintable() and len(excerpt) <= 480):
        return f"its excerpt is {excerpt!r}"
    return ""


@pytest.mark.parametrize("group", CASES)
async def test_it_is_refused_at_once_and_is_the_end(tmp_path: Path, group: str) -> None:
    async with stage(tmp_path, flood_rate=10_000) as it:
        names = list(CASES[group])
        faults = await asyncio.gather(*(refused(it, CASES[group][name]) for name in names))
        assert {name: fault for name, fault in zip(names, faults, strict=True) if fault} == {}
        assert not it.seen
        requests = [line for line in it.lines() if line["stream"].startswith("user")]
        assert len([line for line in requests if line["kind"] not in ("start", "stop")]) == len(names)
        written = json.dumps(requests)
        for secret in ("secret", TOKEN, f'"path": "{SMUGGLED}"'):
            assert secret not in written
        for line in it.ledger.rglob("*.jsonl"):
            assert line.read_bytes().translate(None, bytes(range(32, 127)) + b"\n") == b""  # printable, one line each
