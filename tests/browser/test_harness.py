"""The harness itself: what the other browser tests rely on holds."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Error

from gateway.policy.certificates import make_dev_authority
from tests.browser.harness import chromium, free_offset, running_demo, screenshot


@asynccontextmanager
async def tls_server(certs: Path, seen: list[web.BaseRequest]) -> AsyncIterator[int]:
    """A TLS server with a development certificate; yields its port, keeps the requests it saw."""

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request)
        return web.Response(text="<!doctype html><title>Reached</title><h1>Reached</h1>", content_type="text/html")

    made = make_dev_authority(certs, ["portal.localhost", "*.gateway.test"], datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server_pem, made.server_key)
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_the_browser_trusts_the_authority_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[web.BaseRequest] = []
    monkeypatch.setenv("SCREENSHOTS", str(tmp_path / "shots"))
    async with tls_server(tmp_path / "certs", seen) as port:
        rules = "MAP *.gateway.test 127.0.0.1"
        async with chromium(tmp_path / "home", tmp_path / "certs" / "ca.pem", host_rules=rules) as browser:
            page = await browser.new_page()
            for host in ("portal.localhost", "one.gateway.test"):
                await page.goto(f"https://{host}:{port}/")
                assert await page.title() == "Reached"
            with pytest.raises(Error, match="ERR_CERT_COMMON_NAME_INVALID"):
                await page.goto(f"https://other.localhost:{port}/")
            page = await browser.new_page()
            await page.goto(f"https://portal.localhost:{port}/")
            await screenshot(page, "reached")
        make_dev_authority(tmp_path / "stranger", ["portal.localhost"], datetime.now(UTC))
        async with chromium(tmp_path / "other-home", tmp_path / "stranger" / "ca.pem") as browser:
            page = await browser.new_page()
            with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
                await page.goto(f"https://portal.localhost:{port}/")
    assert (tmp_path / "shots" / "reached.png").read_bytes().startswith(b"\x89PNG")
    assert {re.sub(r":\d+", "", request.host) for request in seen} == {"portal.localhost", "one.gateway.test"}
    for request in seen:
        assert re.search(r" Chrome/\d+\.0\.0\.0 Safari/", request.headers["User-Agent"])
        assert not any("headless" in value.lower() for value in request.headers.values())


DEMO = """
import json, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests in the background has it ignored
facts = {"arguments": sys.argv[1:], "ca": "ca.pem", "addresses": {"user": "https://portal.localhost/"},
         "people": [{"user_id": "jan", "story": "Permitted"}], "transactions": [{"id": "a", "story": "b"}]}
try:
    print(json.dumps(facts), flush=True)
    RUNNING
    time.sleep(60)
except KeyboardInterrupt:
    STOPPING
"""
CHILD = "subprocess.Popen(['sleep', '30'], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))"


def stand_in(tmp_path: Path, running: str = "pass", stopping: str = "pass") -> tuple[str, ...]:
    script = tmp_path / "demo.py"
    script.write_text(DEMO.replace("RUNNING", running).replace("STOPPING", stopping))
    return sys.executable, str(script)


async def test_a_demo_is_started_read_and_stopped(tmp_path: Path) -> None:
    async with running_demo(tmp_path / "state", "--origin", "http://o", command=stand_in(tmp_path)) as demo:
        arguments = demo.facts["arguments"]
        assert arguments[:3] == ["--state", str(tmp_path / "state"), "--port-offset"]
        assert arguments[4:] == ["--json", "--origin", "http://o"]
        assert demo.person("permitted")["user_id"] == "jan"
        assert demo.transaction("a")["story"] == "b"
        with pytest.raises(LookupError, match="Permitted"):
            demo.person("refused")
    assert demo.process.returncode == 0


@pytest.mark.parametrize(
    ("running", "stopping", "complaint"),
    [
        ("sys.exit('port in use')", "pass", "port in use"),
        ("pass", "raise", "Traceback"),
        ("pass", "sys.exit(3)", "ended with 3"),
        (CHILD, "pass", "left processes running"),
    ],
)
async def test_a_demo_that_does_not_end_cleanly_fails_the_test(
    tmp_path: Path, running: str, stopping: str, complaint: str
) -> None:
    with pytest.raises(AssertionError, match=complaint):
        async with running_demo(tmp_path / "state", command=stand_in(tmp_path, running, stopping)) as demo:
            await asyncio.sleep(0.2)
    assert demo.process.returncode is not None


async def test_a_demo_that_never_gets_ready_fails_with_what_it_said(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('no python3-venv')")
    with pytest.raises(AssertionError, match="no python3-venv"):
        async with running_demo(tmp_path / "state", command=command):
            raise RuntimeError("not ready, and yet here")


async def test_a_failing_test_stops_the_demo_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with running_demo(tmp_path / "state", command=stand_in(tmp_path)) as demo:
            raise ZeroDivisionError
    assert demo.process.returncode == -signal.SIGKILL


def test_ports_in_use_are_left_alone() -> None:
    first = free_offset()
    with socket.create_server(("127.0.0.1", 8443 + first)):
        assert free_offset() != first
