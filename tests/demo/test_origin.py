"""The demo's origin alone, over real sockets: it believes a good assertion and nothing else."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from yarl import URL

from gateway.credentials.totp import code_at, parse_secret, step_at
from gateway.demo.applications import APPLICATIONS, ARCHIVE_BYTES
from gateway.demo.assertion import REFETCH_SECONDS
from tests.demo.conftest import ISSUER, Ask, Origin, Signer, start_origin, write_jwks

LIST = "/dossier-app/"
RECORD = "/dossier-app/dossiers/93051822361"
OTHER_RECORD = "/dossier-app/dossiers/19282416134"


async def test_a_good_assertion_shows_who_for_what(origin: Origin, ask: Ask) -> None:
    async with ask("GET", LIST, origin.signer.token()) as answer:
        text = await answer.text()
    assert answer.status == 200
    for word in ("an.peeters", "0403019261", "password", "dossier", "24/101", "consultation", "Following up a file"):
        assert f"<strong>{word}</strong>" in text or word in text.split("</p>")[0]


def _stranger(s: Signer) -> str:
    return Signer(s.kid).token()


def _hmac_with_the_public_key(s: Signer) -> str:
    claims = jwt.decode(s.token(), options={"verify_signature": False})
    return jwt.encode(claims, "0" * 32, algorithm="HS256", headers={"kid": s.kid})


def _unsigned(s: Signer) -> str:
    claims = jwt.decode(s.token(), options={"verify_signature": False})
    return jwt.encode(claims, None, algorithm="none", headers={"kid": s.kid})


BAD: dict[str, Callable[[Signer], str | None]] = {
    "none": lambda s: None,
    "empty": lambda s: "",
    "no token": lambda s: "Bearer x",
    "expired": lambda s: s.token(iat=int(time.time()) - 120, exp=int(time.time()) - 60),
    "from the future": lambda s: s.token(iat=int(time.time()) + 60, exp=int(time.time()) + 90),
    "other audience": lambda s: s.token(aud="http://127.0.0.1:9999"),
    "other issuer": lambda s: s.token(iss="https://portal.example"),
    "other transaction": lambda s: s.token(transaction="pension"),
    "lives too long": lambda s: s.token(exp=int(time.time()) + 3600),
    "unknown key id": lambda s: s.token(headers={"kid": "k9"}),
    "other key": _stranger,
    "unsigned": _unsigned,
    "other algorithm": _hmac_with_the_public_key,
    **{
        f"without {claim}": functools.partial(Signer.token, without=claim)
        for claim in (
            "exp",
            "iat",
            "sub",
            "use",
            "jti",
            "transaction",
            "institution",
            "authorisation",
            "means",
            "auth_time",
        )
    },
}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_valid_assertion_it_answers_401_and_nothing(origin: Origin, ask: Ask, method: str) -> None:
    for name, make in BAD.items():
        async with ask(method, LIST if method == "GET" else RECORD, make(origin.signer)) as answer:
            assert (name, answer.status, await answer.read()) == (name, 401, b"")
            assert "Set-Cookie" not in answer.headers


async def test_two_assertions_have_no_single_meaning(origin: Origin, client: aiohttp.ClientSession) -> None:
    token = origin.signer.token()
    fields = [("X-Gateway-Assertion", token), ("X-Gateway-Assertion", token)]
    async with client.get(origin.url + LIST, headers=fields) as answer:
        assert answer.status == 401


async def test_outside_the_applications_there_is_nothing(origin: Origin, ask: Ask) -> None:
    for path in ("/", "/dossier-app", "/other-app/", "/dossier-app2/"):
        async with ask("GET", path, origin.signer.token()) as answer:
            assert (answer.status, await answer.read()) == (401, b"")
    async with ask("GET", LIST + "nothing") as answer:
        assert (answer.status, await answer.read()) == (401, b"")
    async with ask("GET", LIST + "nothing", origin.signer.token()) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("application", APPLICATIONS, ids=lambda application: application.transaction)
async def test_every_application_opens_with_its_own_assertion(origin: Origin, ask: Ask, application: Any) -> None:
    token = origin.signer.token(transaction=application.transaction)
    for path in ("", "documents", "live", "queue"):
        async with ask("GET", application.base + path, token) as answer:
            assert answer.status == 200
            assert f"<strong>{application.title}</strong>" in await answer.text()


async def test_links_are_relative_so_that_no_body_needs_rewriting(origin: Origin, ask: Ask) -> None:
    for path in (LIST, RECORD, "/dossier-app/documents"):
        async with ask("GET", path, origin.signer.token()) as answer:
            assert "dossier-app" not in await answer.text()


async def test_a_search_by_post_finds_without_changing(origin: Origin, ask: Ask) -> None:
    async with ask("POST", LIST + "search", origin.signer.token(), data={"query": "aerts <b>"}) as answer:
        text = await answer.text()
        assert "0 found for “aerts &lt;b&gt;”" in text
    async with ask("POST", LIST + "search", origin.signer.token(), data={"query": "Aerts"}) as answer:
        text = await answer.text()
        assert "1 found" in text
        assert "93051822361" in text
        assert "01050399864" not in text


async def test_a_record_names_its_subject_to_the_gateway(origin: Origin, ask: Ask) -> None:
    async with ask("GET", RECORD, origin.signer.token()) as answer:
        assert answer.headers["X-Subject-INSZ"] == "93051822361"
        assert "Set-Cookie" not in answer.headers  # no national number in a cookie
    token = origin.signer.token(transaction="guidance")
    async with ask("GET", "/guidance-app/dossiers/1001", token) as answer:
        assert answer.status == 200
        assert "X-Subject-INSZ" not in answer.headers
    async with ask("GET", "/dossier-app/dossiers/1001", origin.signer.token()) as answer:
        assert answer.status == 404


async def test_cookies_live_below_the_base_path(origin: Origin, ask: Ask) -> None:
    token = origin.signer.token(transaction="pension")
    async with ask("GET", "/pension-app/dossiers/1002", token) as answer:
        cookie = answer.cookies["recent"]
        assert (cookie.value, cookie["path"], cookie["httponly"]) == ("1002", "/pension-app/", True)
    fields = {"Cookie": "recent=1002"}
    async with ask("GET", "/pension-app/", token, headers=fields) as answer:
        assert "Recently opened" in await answer.text()


async def test_a_communication_changes_and_redirects_below_the_base_path(origin: Origin, ask: Ask) -> None:
    token = origin.signer.token(use="communication", purpose=None)
    change = {"status": "closed", "note": "Done & dusted"}
    async with ask("POST", RECORD, token, data=change) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, RECORD)
    async with ask("GET", RECORD, origin.signer.token()) as answer:
        assert "Done &amp; dusted" in await answer.text()
    async with ask("PUT", RECORD, token, json={"note": "by script"}) as answer:
        assert (await answer.json())["version"] == 3


@pytest.mark.parametrize(
    ("use", "body", "status"),
    [
        ("consultation", {"note": "x"}, 403),
        ("communication", {"status": "lost"}, 422),
        ("communication", {"note": "x" * 2001}, 422),
    ],
)
async def test_what_may_not_change_does_not(
    origin: Origin, ask: Ask, use: str, body: dict[str, str], status: int
) -> None:
    for method, options in (("PUT", {"json": body}), ("POST", {"data": body})):
        async with ask(method, OTHER_RECORD, origin.signer.token(use=use), **options) as answer:
            assert answer.status == status
    async with ask("GET", OTHER_RECORD, origin.signer.token()) as answer:
        assert "<dt>Version</dt><dd>1</dd>" in await answer.text()


async def test_a_bad_json_body_is_a_clear_400(origin: Origin, ask: Ask) -> None:
    for body in (b"{", b"[]", b'{"note": 1}'):
        async with ask("PUT", RECORD, origin.signer.token(use="communication"), data=body) as answer:
            assert answer.status == 400
            assert "error" in await answer.json()


async def test_the_file_arrives_whole(origin: Origin, ask: Ask) -> None:
    async with ask("GET", LIST + "documents", origin.signer.token()) as answer:
        page = await answer.text()
    async with ask("GET", LIST + "documents/archive.csv", origin.signer.token()) as answer:
        body = await answer.read()
    assert len(body) == ARCHIVE_BYTES
    assert hashlib.sha256(body).hexdigest() in page


async def test_an_upload_is_read_in_pieces_and_shown(origin: Origin, ask: Ask) -> None:
    content = bytes(range(256)) * 4096 * 5
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("comment", "none")
    form.add_field("file", io.BytesIO(content), filename="<b>.bin")
    token = origin.signer.token(use="communication")
    async with ask("POST", LIST + "documents", token, data=form) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/dossier-app/documents")
    async with ask("GET", LIST + "documents", origin.signer.token()) as answer:
        page = await answer.text()
    assert hashlib.sha256(content).hexdigest() in page
    assert "&lt;b&gt;.bin" in page
    async with ask("POST", LIST + "documents", token, data=b"x") as answer:
        assert answer.status == 415
    async with ask("POST", LIST + "documents", origin.signer.token(), data=b"x") as answer:
        assert answer.status == 403


async def test_the_live_page_is_a_websocket_at_its_own_address(
    origin: Origin, ask: Ask, client: aiohttp.ClientSession
) -> None:
    fields = {"X-Gateway-Assertion": origin.signer.token()}
    async with client.ws_connect(origin.url + LIST + "live", headers=fields) as socket:
        assert "an.peeters looks in" in (await socket.receive_json())["text"]
        await socket.send_str("good morning")
        assert (await socket.receive_json())["text"] == "an.peeters: good morning"
        await socket.send_bytes(b"\x00\xff")
        assert await socket.receive_bytes() == b"\x00\xff"
        change = origin.signer.token(use="communication")
        async with ask("POST", RECORD, change, data={"status": "waiting", "note": ""}):
            pass
        assert (await socket.receive_json())["kind"] == "change"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(origin.url + LIST + "live")
    assert refused.value.status == 401


async def test_events_keep_coming(origin: Origin, ask: Ask) -> None:
    async with ask("GET", LIST + "events", origin.signer.token()) as answer:
        assert answer.content_type == "text/event-stream"
        lines = [await answer.content.readline() for _ in range(5)]
    assert lines[:2] == [b"id: 0\n", b"event: counts\n"]
    assert lines[4] == b"id: 1\n"
    async with ask("HEAD", LIST + "events", origin.signer.token()) as answer:
        assert answer.status == 405  # a stream without a body would have no end


async def test_an_upload_that_is_broken_off_is_nothing_for_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    origin = start_origin(tmp_path)
    _, writer = await asyncio.open_connection("127.0.0.1", URL(origin.url).port)
    fields = (
        f"Host: x\r\nX-Gateway-Assertion: {origin.signer.token()}\r\nContent-Type: application/x-www-form-urlencoded"
    )
    writer.write(f"POST {LIST}search HTTP/1.1\r\n{fields}\r\nContent-Length: 1000\r\n\r\nquery=a".encode())
    await asyncio.sleep(0.2)
    writer.transport.abort()
    await asyncio.sleep(0.2)
    assert origin.stop() == 0
    assert capfd.readouterr().err == ""


async def test_a_new_key_is_found_without_a_restart(own_origin: Origin, client: aiohttp.ClientSession) -> None:
    async def status(token: str) -> int:
        async with client.get(own_origin.url + LIST, headers={"X-Gateway-Assertion": token}) as answer:
            return answer.status

    assert await status(own_origin.signer.token()) == 200
    new = Signer("k2")
    write_jwks(own_origin.jwks, own_origin.signer, new)
    await asyncio.sleep(REFETCH_SECONDS + 0.1)  # the origin asks for keys no more often than that
    assert await status(new.token()) == 200


@pytest.mark.parametrize("broken", [False, True])
async def test_keys_come_by_address_too_and_failing_ones_refuse(
    tmp_path: Path, client: aiohttp.ClientSession, broken: bool
) -> None:
    signer = Signer()

    async def jwks(_: web.Request) -> web.Response:
        return web.Response(status=503) if broken else web.json_response({"keys": [signer.jwk()]})

    app = web.Application()
    app.router.add_get("/.well-known/jwks.json", jwks)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = start_origin(tmp_path, f"http://127.0.0.1:{runner.addresses[0][1]}/.well-known/jwks.json")
    async with client.get(origin.url + LIST, headers={"X-Gateway-Assertion": signer.token()}) as answer:
        assert answer.status == (401 if broken else 200)
    assert origin.stop() == 0
    await runner.cleanup()


@pytest.mark.parametrize("ending", ["eof", signal.SIGTERM, signal.SIGINT])
async def test_it_ends_also_with_somebody_on_its_live_page(
    own_origin: Origin, client: aiohttp.ClientSession, ending: signal.Signals | str
) -> None:
    fields = {"X-Gateway-Assertion": own_origin.signer.token()}
    async with (
        client.ws_connect(own_origin.url + LIST + "live", headers=fields) as socket,
        client.get(own_origin.url + LIST + "events", headers=fields) as events,
    ):
        await socket.receive()
        await events.content.readline()
        if isinstance(ending, signal.Signals):
            own_origin.process.send_signal(ending)
        else:
            own_origin.process.stdin.close()  # type: ignore[union-attr]
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        assert await asyncio.to_thread(own_origin.process.wait, 5) == 0


def test_a_port_in_use_is_one_line(origin: Origin) -> None:
    port = origin.url.rsplit(":", 1)[1]
    command = [
        sys.executable, "-m", "gateway.demo.origin", "--port", port, "--jwks", "x", "--issuer", ISSUER, "--audience", "x"
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("origin: ")
    assert ended.stderr.count("\n") == 1


async def test_the_guide_is_one_page_with_the_present_codes(origin: Origin, client: aiohttp.ClientSession) -> None:
    person = {
        "user_id": "iris", "password": "p<w", "insz": "19282416134", "institution": "0403019261", "language": "nl",
        "totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "story": "Uses a code.", "name": "Iris", "reason": "permitted",
        "institution_name": "De Linde", "url": "https://x.localhost/", "title": "X", "hint": "",
    }  # fmt: skip
    guide = {
        "addresses": {"user": "https://portal.localhost:1/", "plain": "http://portal.localhost:2/", "operator": "http://127.0.0.1:3/"},
        "config": "/c", "ledger": "/l", "ca": "/ca.pem", "origin": "http://127.0.0.1:4", "people": [person],
        "transactions": [{"id": "x", "url": "https://x.localhost/", "story": "A story", "title": "X"}],
    }  # fmt: skip
    origin.guide.write_text(json.dumps(guide))
    async with client.get(origin.guide_url + "/") as answer:
        page = await answer.text()
        assert "Demo only" in page
        assert "p&lt;w" in page
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    async with client.get(origin.guide_url + "/codes") as answer:
        said = await answer.json()
    secret = parse_secret(person["totp_secret"])
    step = step_at(time.time())
    assert said["codes"]["iris"] in (code_at(secret, step), code_at(secret, step - 1))
    assert 1 <= said["seconds"] <= 30
