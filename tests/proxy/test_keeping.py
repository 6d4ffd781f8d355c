"""A form that meets a challenge: kept for a browser whose session we know, within bounds; for everybody else the page of ADR 0007."""

from __future__ import annotations

import asyncio
import dataclasses as dc
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.credentials.tokens import token_hash
from gateway.errors import RecordsError
from gateway.proxy import keeping
from gateway.proxy.gate import Timeouts
from gateway.records import KeptForm, Records, RecordsSettings, upgrade_schema
from tests.decision import world
from tests.proxy.stage import HOST, TOKEN, Stage, stage, until

FORM = "Content-Type: application/x-www-form-urlencoded"
BODY = b"note=Gr%FC%DFe&empty="
SECRET = b"Gr%FC%DFe"
NOT_SENT = b"Wat u invulde is niet verzonden"
"""The person of the stage reads Dutch."""


class Set(NamedTuple):
    """The proxy, whose one session has ended, and where it keeps forms."""

    proxy: Stage
    records: Records

    def post(self, *fields: str, body: bytes = BODY, line: str = "", signed_in: bool = True) -> bytes:
        fields = fields or (FORM,)
        usual = (f"Origin: https://{HOST}:{self.proxy.port}", "Sec-Fetch-Mode: navigate")
        length = (
            () if any(each.startswith("Transfer-Encoding") for each in fields) else (f"Content-Length: {len(body)}",)
        )
        line = line or "POST /dossier/x?tab=2 HTTP/1.1"
        return self.proxy.request(line, *usual, *length, *fields, body=body, signed_in=signed_in)

    async def kept(self, answer: bytes) -> KeptForm | None:
        """What the browser could have again after this answer."""
        start = self.proxy.gate.start_tokens.open(
            parse_qs(urlsplit(field(answer, "Location")).query)["start"][0], world.NOW
        )
        browser = re.search(rb"__Host-gw-kept=([^;\r]+)", answer)
        if not start.form or browser is None:
            return None
        return await self.records.kept_form(token_hash(start.form), token_hash(browser[1].decode()), HOST)


def field(answer: bytes, name: str) -> str:
    found = re.search(rf"\r\n{name}: ([^\r]*)\r\n".encode(), answer)
    assert found is not None, answer
    return found[1].decode()


def status(answer: bytes) -> int:
    return int(answer[9:12])


@pytest.fixture
async def expired(tmp_path: Path) -> AsyncIterator[Set]:
    async with in_front(tmp_path) as made:
        yield made


@asynccontextmanager
async def in_front(directory: Path, timeouts: Timeouts | None = None) -> AsyncIterator[Set]:
    (directory / "records.key").write_bytes(bytes(32))
    settings = RecordsSettings(directory / "records.sqlite", directory / "records.key")
    upgrade_schema(settings)
    async with stage(directory, timeouts=timeouts) as proxy:
        records = await Records.open(settings, lambda: world.NOW)
        try:
            proxy.gate.forms, proxy.gate.max_form_bytes = records, 1024
            over = dc.replace(world.SESSION, ended_at=world.NOW - 60, ended_reason="expired")
            proxy.records.signed_in(over, TOKEN)
            yield Set(proxy, records)
        finally:
            await records.close()


async def test_it_is_kept_and_the_person_is_led_to_sign_in(expired: Set) -> None:
    answer = await expired.proxy.ask(expired.post())
    assert status(answer) == 303
    assert field(answer, "Location").startswith(f"https://portal.localhost:{expired.proxy.port}/sign-in?start=")
    assert b"Max-Age=900;" in answer  # the way back to a form lives as long as the form
    kept = await expired.kept(answer)
    assert kept is not None
    assert (kept.user_id, kept.host, kept.target, kept.body) == (world.SESSION.user_id, HOST, "/dossier/x?tab=2", BODY)
    assert expired.proxy.seen == []
    (line,) = expired.proxy.lines("decision")
    assert (line["reason"], line["status"], line["form_kept"]) == ("session_expired", 303, True)
    assert not any(SECRET in path.read_bytes() for path in expired.proxy.ledger.rglob("*.jsonl"))


async def test_the_connection_goes_on(expired: Set) -> None:
    reader, writer = await expired.proxy.connect()
    data = expired.post().replace(b"Connection: close\r\n", b"")
    for _ in range(2):
        writer.write(data)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 303 ")
    writer.close()


async def test_a_browser_keeps_its_cookie_for_the_next_form(expired: Set) -> None:
    browser = "b" * 43
    first = await expired.proxy.ask(expired.post(FORM, f"Cookie: __Host-gw-kept={browser}"))
    assert f"__Host-gw-kept={browser};".encode() in first
    hostile = await expired.proxy.ask(expired.post(FORM, "Cookie: __Host-gw-kept=x"))
    assert re.search(rb"__Host-gw-kept=[\w-]{43};", hostile)


async def test_it_comes_in_pieces(expired: Set) -> None:
    reader, writer = await expired.proxy.connect()
    data = expired.post()
    for at in range(0, len(data), 7):
        writer.write(data[at : at + 7])
        await writer.drain()
    answer = await reader.read(-1)
    kept = await expired.kept(answer)
    assert kept is not None
    assert kept.body == BODY
    writer.close()


MULTIPART = "Content-Type: multipart/form-data; boundary=xYz"


async def test_of_a_file_nothing_is_stored(expired: Set) -> None:
    head = b'--xYz\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    answer = await expired.proxy.ask(expired.post(MULTIPART, body=head + b"the file\r\n--xYz--\r\n"))
    kept = await expired.kept(answer)
    assert kept is not None
    assert kept.body == head + b"\r\n--xYz--\r\n"


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ((FORM,), b"a=" + b"x" * 1023),
        (("Content-Type: text/plain",), BODY),
        (("Content-Type: application/json",), b"{}"),
        ((MULTIPART,), b"no multipart"),
        ((FORM,), b"a=%00"),
        ((FORM, "Transfer-Encoding: chunked"), b"5\r\na=123\r\n0\r\n\r\n"),
        ((FORM, "Expect: 100-continue"), BODY),
    ],
)
async def test_what_is_not_kept_gets_the_page_that_says_so(expired: Set, fields: tuple[str, ...], body: bytes) -> None:
    answer = await expired.proxy.ask(expired.post(*fields, body=body))
    assert status(answer) == 403
    assert NOT_SENT in answer
    assert b"form_kept" not in b"".join(path.read_bytes() for path in expired.proxy.ledger.rglob("*.jsonl"))


async def test_for_a_stranger_nothing_is_stored(expired: Set) -> None:
    answer = await expired.proxy.ask(expired.post(signed_in=False))
    assert status(answer) == 403
    assert b"__Host-gw-kept" not in answer
    unknown = expired.post().replace(TOKEN.encode(), b"u" * 43)
    assert status(await expired.proxy.ask(unknown)) == 403


async def test_a_script_and_another_sites_page_keep_nothing(expired: Set) -> None:
    script = expired.post().replace(b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Mode: cors")
    assert status(await expired.proxy.ask(script)) == 401
    foreign = expired.post().replace(b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Site: cross-site")
    assert b"__Host-gw-kept" not in await expired.proxy.ask(foreign)


async def test_a_store_that_does_not_answer_or_is_full_loses_nothing_without_a_word(expired: Set) -> None:
    class Failing:
        async def keep_form(self, *_: object) -> bool:
            raise RecordsError("disk full")

    class Full:
        async def keep_form(self, *_: object) -> bool:
            return False

    class Mistaken:
        async def keep_form(self, *_: object) -> bool:
            raise TypeError("a mistake of ours")

    told: list[dict[str, object]] = []
    expired.proxy.gate.loop.set_exception_handler(lambda _, context: told.append(context))
    for forms in (Failing(), Full(), Mistaken()):
        expired.proxy.gate.forms = forms
        answer = await expired.proxy.ask(expired.post())
        assert status(answer) == 403
        assert NOT_SENT in answer
    assert [context["message"] for context in told] == ["keeping a form failed"]
    assert not expired.proxy.gate.keeping


async def test_who_sends_too_slowly_or_goes_away_leaves_one_line_and_no_form(tmp_path: Path) -> None:
    async with in_front(tmp_path, timeouts=Timeouts(5.0, 5.0, 0.3, 1.0)) as expired:
        reader, writer = await expired.proxy.connect()
        writer.write(expired.post()[:-4])
        assert status(await reader.read(-1)) == 403
        writer.close()
        _, writer = await expired.proxy.connect()
        writer.write(expired.post()[:-4])
        await until(lambda: bool(expired.proxy.gate.keeping))
        writer.transport.abort()
        await until(lambda: not expired.proxy.gate.keeping)
        await until(lambda: len(expired.proxy.lines("decision")) == 2)
        assert [line["status"] for line in expired.proxy.lines("decision")] == [403, 403]


async def test_no_session_and_no_crowd_can_take_all_the_room(expired: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = []
    for _ in range(keeping.MOST_OF_A_SESSION):
        _, writer = await expired.proxy.connect()
        writer.write(expired.post()[:-4])
        waiting.append(writer)
    await until(lambda: len(expired.proxy.gate.keeping) == keeping.MOST_OF_A_SESSION)
    assert status(await expired.proxy.ask(expired.post())) == 403
    monkeypatch.setattr(keeping, "MOST_OF_A_SESSION", 100)
    assert status(await expired.proxy.ask(expired.post())) == 303
    monkeypatch.setattr(keeping, "MOST_AT_ONCE", len(expired.proxy.gate.keeping))
    assert status(await expired.proxy.ask(expired.post())) == 403
    for writer in waiting:
        writer.transport.abort()


async def test_a_form_that_is_sent_on_when_the_session_has_ended_goes_back_to_its_page(expired: Set) -> None:
    line = f"POST /.gateway/form?key={'k' * 43} HTTP/1.1"
    answer = await expired.proxy.ask(expired.post(line=line))
    assert status(answer) == 303
    token = parse_qs(urlsplit(field(answer, "Location")).query)["start"][0]
    start = expired.proxy.gate.start_tokens.open(token, world.NOW)
    assert (start.target, start.form) == (f"/.gateway/form?key={'k' * 43}", "")
    assert b"__Host-gw-kept" not in answer


async def test_a_stop_while_a_form_comes_leaves_its_line(expired: Set) -> None:
    _, writer = await expired.proxy.connect()
    writer.write(expired.post()[:-4])
    await until(lambda: bool(expired.proxy.gate.keeping))
    for connection in list(expired.proxy.gate.connections):
        connection.stop()
    await until(lambda: len(expired.proxy.lines("decision")) == 1)
    assert not expired.proxy.gate.keeping
    writer.close()
    await asyncio.sleep(0)
