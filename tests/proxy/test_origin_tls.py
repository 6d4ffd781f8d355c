"""TLS towards an origin: its own CA, its name, and our certificate where it asks for one."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

from gateway.policy.certificates import DevAuthority, make_dev_authority
from tests.proxy.stage import OK, answering, stage


def authority(directory: Path, name: str = "localhost") -> DevAuthority:
    return make_dev_authority(directory, [name], datetime.now(UTC))


def serving(made: DevAuthority, clients: DevAuthority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server_pem, made.server_key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.ca_pem)
    return context


async def outcome(directory: Path, context: ssl.SSLContext, **origin: str) -> tuple[bytes, str]:
    """Status line and how it ended, for one request to an origin behind TLS."""
    async with stage(directory, answering(OK), origin=origin, origin_tls=context, origin_host="localhost") as it:
        answer = await it.ask(it.request())
        return answer.split(b"\r\n")[0], (await it.completion())["outcome"]


async def test_an_origin_is_believed_by_the_authority_that_the_table_names(tmp_path: Path) -> None:
    made = authority(tmp_path / "origin")
    assert await outcome(tmp_path, serving(made), ca=str(made.ca_pem)) == (b"HTTP/1.1 200 OK", "completed")


async def test_another_authority_is_not(tmp_path: Path) -> None:
    made, other = authority(tmp_path / "origin"), authority(tmp_path / "other")
    answer = await outcome(tmp_path, serving(made), ca=str(other.ca_pem))
    assert answer == (b"HTTP/1.1 502 Bad Gateway", "origin_refused")


async def test_nor_one_that_no_table_names(tmp_path: Path) -> None:
    answer = await outcome(tmp_path, serving(authority(tmp_path / "origin")))
    assert answer == (b"HTTP/1.1 502 Bad Gateway", "origin_refused")


async def test_nor_a_certificate_for_another_name(tmp_path: Path) -> None:
    made = authority(tmp_path / "origin", "elsewhere.localhost")
    answer = await outcome(tmp_path, serving(made), ca=str(made.ca_pem))
    assert answer == (b"HTTP/1.1 502 Bad Gateway", "origin_refused")
