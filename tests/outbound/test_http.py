"""The one client, against real servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, OutboundError
from gateway.outbound.hosts import Hosts, parse_place
from gateway.outbound.http import Answer, Client
from gateway.outbound.settings import OutboundSettings
from tests.edge.door import make_certificates
from tests.outbound.elsewhere import elsewhere, never, says

SECONDS = 5.0
MAX_BYTES = 1000


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client(OutboundSettings())
    yield made
    await made.close()


async def ask(client: Client, url: str, *places: str, seconds: float = SECONDS) -> Answer:
    return await client.fetch("GET", url, allowed=Hosts.of(places), max_bytes=MAX_BYTES, seconds=seconds)


async def refused(client: Client, url: str, *places: str, seconds: float = SECONDS) -> str:
    with pytest.raises(OutboundError) as found:
        await ask(client, url, *places, seconds=seconds)
    return found.value.reason


async def test_what_is_asked_is_what_was_said_and_no_more(client: Client) -> None:
    async with elsewhere(says(b"answer", "Content-Type: text/plain", "X-Twice: 1", "X-Twice: 2")) as place:
        answer = await client.fetch(
            "POST",
            f"{place.address}/a%2Fb?c=%20",
            allowed=Hosts.of([place.address]),
            max_bytes=MAX_BYTES,
            seconds=SECONDS,
            body=b"question",
            headers={"Content-Type": "application/ocsp-request"},
        )
    assert (answer.status, answer.body) == (200, b"answer")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-twice"] == "1"
    head, _, body = place.asked[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /a%2Fb?c=%20 HTTP/1.1"
    assert sorted(line.partition(":")[0].lower() for line in lines[1:]) == [
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ]
    assert body == b"question"
    assert client.counts == {(place.address, "answered"): 1}


async def test_an_address_that_is_not_listed_is_not_even_connected_to(client: Client) -> None:
    async with elsewhere(says(b"inner secret")) as place, elsewhere(says(b"x")) as other:
        assert await refused(client, f"{place.address}/", other.address) == "host_not_allowed"
        assert await refused(client, f"http://u:p@127.0.0.1:{place.port}/", place.address) == "unsafe_url"
        await asyncio.sleep(0)
    assert place.most_at_once == 0
    assert client.counts == {("", "host_not_allowed"): 1, ("", "unsafe_url"): 1}


async def test_a_redirect_is_an_answer_that_nobody_follows(client: Client) -> None:
    async with elsewhere(says(b"inner secret")) as inner:
        for status in ("301 Moved Permanently", "302 Found", "307 Temporary Redirect"):
            async with elsewhere(says(b"", f"Location: {inner.address}/", status=status)) as place:
                answer = await ask(client, f"{place.address}/", place.address, inner.address)
                assert answer.status == int(status[:3])
        assert inner.most_at_once == 0


async def test_no_cookie_is_kept(client: Client) -> None:
    async with elsewhere(says(b"x", "Set-Cookie: a=b; Path=/")) as place:
        await ask(client, f"{place.address}/", place.address)
        await ask(client, f"{place.address}/", place.address)
    assert len(place.asked) == 2
    assert b"cookie" not in place.asked[1].lower()


async def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with elsewhere(says(b"proxy")) as proxy, elsewhere(says(b"direct")) as place:
        monkeypatch.setenv("http_proxy", proxy.address)
        client = Client(OutboundSettings())
        answer = await ask(client, f"{place.address}/", place.address)
        await client.close()
    assert answer.body == b"direct"
    assert b"authorization" not in place.asked[0].lower()


async def test_an_egress_proxy_is_used_and_the_list_holds_all_the_same() -> None:
    async with elsewhere(says(b"by proxy")) as proxy, elsewhere(says(b"direct")) as place:
        client = Client(OutboundSettings(proxy=parse_place(proxy.address)))
        assert (await ask(client, "http://crl.example/a.crl", "http://crl.example")).body == b"by proxy"
        assert await refused(client, f"{place.address}/", "http://crl.example") == "host_not_allowed"
        await client.close()
    assert proxy.asked[0].startswith(b"GET http://crl.example/a.crl HTTP/1.1\r\n")
    assert place.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        says(b"x" * (MAX_BYTES + 1)),
        says(
            f"{MAX_BYTES + 1:x}\r\n".encode() + b"x" * (MAX_BYTES + 1) + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"
        ),
        says(b"", f"Content-Length: {10**12}"),
    ],
    ids=["length", "chunked", "announced"],
)
async def test_what_is_too_large_is_not_read_to_its_end(client: Client, answer: object) -> None:
    async with elsewhere(answer) as place:  # type: ignore[arg-type]
        assert await refused(client, f"{place.address}/", place.address) == "too_large"


async def test_the_largest_that_is_allowed(client: Client) -> None:
    async with elsewhere(says(b"x" * MAX_BYTES)) as place:
        assert len((await ask(client, f"{place.address}/", place.address)).body) == MAX_BYTES


async def test_a_body_that_never_ends_is_cut(client: Client) -> None:
    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")
            await writer.drain()

    async with elsewhere(endless) as place:
        assert await refused(client, f"{place.address}/", place.address) == "too_large"


async def test_who_says_nothing_or_a_byte_at_a_time_is_given_up_in_time(client: Client) -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    for answer in (never, drip):
        async with elsewhere(answer) as place:
            began = time.monotonic()
            assert await refused(client, f"{place.address}/", place.address, seconds=0.3) == "timeout"
            assert time.monotonic() - began < 2


async def test_one_place_has_so_many_questions_at_once(client: Client) -> None:
    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with elsewhere(slow) as place:
        answers = await asyncio.gather(*(ask(client, f"{place.address}/", place.address) for _ in range(30)))
        assert {answer.status for answer in answers} == {204}
        assert place.most_at_once <= OutboundSettings().per_host


async def test_waiting_for_others_counts(client: Client) -> None:
    async with elsewhere(never) as place:
        began = time.monotonic()
        asks = [refused(client, f"{place.address}/", place.address, seconds=0.5) for _ in range(30)]
        assert set(await asyncio.gather(*asks)) == {"timeout"}
        assert time.monotonic() - began < 3


async def test_nobody_there(client: Client) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        assert await refused(client, f"{address}/", address) == "unreachable"
    unknown = "http://no-such-name.invalid"
    assert await refused(client, f"{unknown}/", unknown) == "unreachable"


@pytest.mark.parametrize(
    "bytes_",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 99_999,
    ],
    ids=["closed", "ssh", "broken off", "long field"],
)
async def test_what_is_no_whole_answer(client: Client, bytes_: bytes) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes_)

    async with elsewhere(answer) as place:
        assert await refused(client, f"{place.address}/", place.address) == "malformed"


async def test_a_coding_that_nobody_asked_for_is_no_answer(client: Client) -> None:
    async with elsewhere(says(b"\x1f\x8b bomb", "Content-Encoding: gzip")) as place:
        assert await refused(client, f"{place.address}/", place.address) == "encoded"


async def test_a_server_is_verified_by_the_authorities_that_are_set(tmp_path: Path) -> None:
    ca, pairs = make_certificates(tmp_path, ["localhost"])
    other_ca, _ = make_certificates(tmp_path / "other", ["localhost"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pairs[0].pem, pairs[0].key)
    async with elsewhere(says(b"secret"), tls) as place:
        for authorities, outcome in ((ca, "answered"), (other_ca, "tls_failed"), (None, "tls_failed")):
            address = f"https://localhost:{place.port}"
            client = Client(OutboundSettings(ca=authorities))
            if outcome == "answered":
                assert (await ask(client, f"{address}/", address)).body == b"secret"
            else:
                assert await refused(client, f"{address}/", address) == outcome
            await client.close()
        client = Client(OutboundSettings(ca=ca))
        assert await refused(client, f"{place.address}/", place.address) == "tls_failed"  # the name is another
        await client.close()
    assert len(place.asked) == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_authorities_that_cannot_be_read_stop_the_start(tmp_path: Path, content: str | None) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)
    with pytest.raises(ConfigurationError, match=r"outbound\.ca"):
        Client(OutboundSettings(ca=ca))


async def test_an_error_says_whom_and_never_what(client: Client) -> None:
    with pytest.raises(OutboundError) as found:
        await ask(client, "http://127.0.0.1:1/callback?code=secret", "http://127.0.0.1:1")
    assert str(found.value) == "unreachable: http://127.0.0.1:1"
    assert found.value.__cause__ is None
    assert found.value.__suppress_context__
