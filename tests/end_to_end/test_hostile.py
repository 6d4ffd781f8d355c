"""What strangers send to our own pages: no answer and no log of ours repeats it."""

from __future__ import annotations

import pytest

from tests.end_to_end import client
from tests.end_to_end.client import BROWSER, SECRETS
from tests.end_to_end.house import House

PLANTED = "PLANTED-b21c"
"""What nobody may repeat; the shared gateway's log and ledger are searched for it at the end."""
SECRETS.add(PLANTED)
PORTAL = "portal.localhost"


def request(line: str, house: House, *fields: str, body: str = "") -> bytes:
    host = f"{PORTAL}:{house.port}"
    lines = [line, f"Host: {host}", f"User-Agent: {BROWSER}", f"Origin: https://{host}", "Accept: text/html"]
    lines += ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: same-origin", "Connection: close", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


@pytest.mark.parametrize(
    ("line", "fields", "body", "status"),
    [
        (f"FOO /sign-in?start={PLANTED} HTTP/1.1", (), "", 404),
        (f"PATCH /sign-in?start={PLANTED} HTTP/1.1", (), "", 404),
        ("GET /sign-in HTTP/1.1", (f"Cookie: __Host-gw-session={PLANTED}{'x' * 9000}",), "", 200),
        ("GET /sign-in HTTP/1.1", (f"X-Field: {PLANTED}{'x' * 30_000}",), "", 200),
        ("POST /sign-in HTTP/1.1", ("Content-Type: multipart/form-data",), f"password={PLANTED}", 400),
        (
            "POST /sign-in HTTP/1.1",
            ("Content-Type: application/x-www-form-urlencoded", "Content-Encoding: gzip"),
            f"password={PLANTED}",
            403,
        ),
    ],
    ids=["strange method", "known method", "long cookie", "long field", "multipart", "not compressed"],
)
async def test_our_pages_answer_it_themselves_and_repeat_nothing(
    demo: House, line: str, fields: tuple[str, ...], body: str, status: int
) -> None:
    for _ in range(2):  # on a new connection to the portal, and on one that was used
        answer = await client.ask(demo.port, request(line, demo, *fields, body=body), ca=demo.ca, sni=PORTAL)
        assert answer.status == status, answer
        assert answer.fields["content-type"].startswith("text/html")
        assert "content-security-policy" in answer.fields
        assert PLANTED.encode() not in answer.body
    assert PLANTED not in demo.log.read_text()
