"""The demo's application: case files, with everything that an application of this kind asks of a gateway.

List and search (a search by POST is a consultation), a record with a form to change it (a communication), a file to download and
one to send, a page kept live by a websocket and one by server-sent events. It sets cookies and redirects below its own base path,
which the gateway maps back; its pages link relatively, because bodies are not rewritten.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
from aiohttp import BodyPartReader, WSMsgType, web

from gateway.demo.applications import ARCHIVE_BYTES, STATUSES, Application, Record, archive, archive_sha256, records_of

FORM_BYTES: Final = 64 * 1024
"""Largest form or JSON body; files are read in pieces and have no limit of the origin's."""

NOTE_CHARACTERS: Final = 2000
LIVE_CHARACTERS: Final = 500
PIECE_BYTES: Final = 64 * 1024
HEARTBEAT_SECONDS: Final = 15.0
EVENT_SECONDS: Final = 1.0
RECENT: Final = 5
"""How many records the cookie of recently opened ones remembers."""

COOKIE: Final = "recent"
NOT_GRANTED: Final = "The assertion allows a consultation only."

CLAIMS: Final[web.RequestKey[Mapping[str, Any]]] = web.RequestKey("claims", Mapping)
_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class CaseFiles:
    """One application at work: its records, its uploads, and who looks at its live page."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._records = records_of(application)
        self._uploads: list[dict[str, str | int]] = []
        self._live: set[web.WebSocketResponse] = set()
        self._archive_sha256 = archive_sha256()

    def app(self) -> web.Application:
        """The aiohttp application, to be mounted below the base path."""
        app = web.Application(client_max_size=FORM_BYTES)
        app.add_routes(
            [
                web.get("/", self._list),
                web.post("/search", self._search),
                web.get("/dossiers/{key}", self._record),
                web.post("/dossiers/{key}", self._change_by_form),
                web.put("/dossiers/{key}", self._change_by_json),
                web.get("/documents", self._documents),
                web.post("/documents", self._upload),
                web.get("/documents/archive.csv", self._download),
                web.get("/live", self._live_page),
                web.get("/queue", self._queue),
                web.get("/events", self._events, allow_head=False),
            ]
        )
        app.on_shutdown.append(self._close_live)
        return app

    # --- pages ----------------------------------------------------------------------------------------------------------

    def _page(self, request: web.Request, template: str, status: int = 200, **values: object) -> web.Response:
        depth = request.path.count("/") - self._application.base.count("/")
        text = _TEMPLATES.get_template(template).render(
            application=self._application,
            root="../" * depth or "./",
            you=request[CLAIMS],
            since=_moment(request[CLAIMS]["auth_time"]),
            reference=request.headers.get("X-Request-Id", ""),
            statuses=STATUSES,
            **values,
        )
        return web.Response(text=text, status=status, content_type="text/html")

    async def _list(self, request: web.Request) -> web.Response:
        recent = [self._records[key] for key in _recent(request) if key in self._records]
        return self._page(request, "list.html", records=self._records.values(), recent=recent, query=None)

    async def _search(self, request: web.Request) -> web.Response:
        query = str((await request.post()).get("query", "")).strip()
        wanted = query.casefold()
        digits = "".join(character for character in query if character.isdigit())
        found = [
            record
            for record in self._records.values()
            if wanted in record.title.casefold()
            or wanted in record.note.casefold()
            or (digits and digits in record.key)
        ]
        return self._page(request, "list.html", records=found, recent=[], query=query)

    async def _record(self, request: web.Request) -> web.Response:
        record = self._find(request)
        if record is None:
            return self._page(request, "missing.html", status=404)
        response = self._page(request, "record.html", record=record, fault=None)
        if record.insz is not None:
            # Whose data it was, for the gateway's ledger; the gateway takes it off before the client.
            response.headers["X-Subject-INSZ"] = record.insz
        if not self._application.by_insz:  # a national number has no place in a cookie
            recent = [record.key, *(key for key in _recent(request) if key != record.key)][:RECENT]
            response.set_cookie(COOKIE, ".".join(recent), path=self._application.base, httponly=True, samesite="Lax")
        return response

    async def _change_by_form(self, request: web.Request) -> web.Response:
        record = self._find(request)
        if record is None:
            return self._page(request, "missing.html", status=404)
        form = await request.post()
        fault = await self._change(request, record, {key: str(value) for key, value in form.items()})
        if fault is not None:
            return self._page(request, "record.html", status=fault[0], record=record, fault=fault[1])
        location = f"{self._application.base}dossiers/{record.key}"
        return web.Response(status=303, headers={"Location": location} | _subject(record))

    async def _change_by_json(self, request: web.Request) -> web.Response:
        record = self._find(request)
        if record is None:
            return web.json_response({"error": "no such record"}, status=404)
        try:
            body = await request.json()
        except ValueError:
            return web.json_response({"error": "the body is not JSON"}, status=400)
        if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
            return web.json_response({"error": "an object of texts is expected"}, status=400)
        fault = await self._change(request, record, body)
        if fault is not None:
            return web.json_response({"error": fault[1]}, status=fault[0], headers=_subject(record))
        answer = {"key": record.key, "status": record.status, "note": record.note, "version": record.version}
        return web.json_response(answer, headers=_subject(record))

    async def _change(self, request: web.Request, record: Record, change: Mapping[str, str]) -> tuple[int, str] | None:
        """Change the record, or say what is wrong: a status and a text."""
        if not _may_write(request):
            return 403, NOT_GRANTED
        status, note = change.get("status", record.status), change.get("note", record.note).strip()
        if status not in STATUSES:
            return 422, "Choose one of the states."
        if len(note) > NOTE_CHARACTERS:
            return 422, f"The note is longer than {NOTE_CHARACTERS} characters."
        record.status, record.note, record.version = status, note, record.version + 1
        await self._tell("change", f"{record.title} is now {record.status}")
        return None

    def _find(self, request: web.Request) -> Record | None:
        return self._records.get(request.match_info["key"])

    # --- files ----------------------------------------------------------------------------------------------------------

    async def _documents(self, request: web.Request) -> web.Response:
        size = f"{ARCHIVE_BYTES // 1024**2} MiB"
        return self._page(request, "documents.html", size=size, sha256=self._archive_sha256, uploads=self._uploads)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/csv; charset=utf-8",
                "Content-Disposition": 'attachment; filename="archive.csv"',
                "Content-Length": str(ARCHIVE_BYTES),
            }
        )
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # who does not want the rest, or may not have it any more, is gone
            if request.method != "HEAD":
                for piece in archive():
                    await response.write(piece)
            await response.write_eof()
        return response

    async def _upload(self, request: web.Request) -> web.Response:
        """Take files in pieces, keep their name, size and hash only."""
        if not _may_write(request):
            return web.Response(status=403, text=f"{NOT_GRANTED}\n")
        if not request.content_type.startswith("multipart/"):
            return web.Response(status=415, text="a form with a file is expected\n")
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.filename:
                continue
            digest, size = hashlib.sha256(), 0
            while piece := await part.read_chunk(PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
            self._uploads.append({"name": part.filename[:100], "size": size, "sha256": digest.hexdigest()})
            del self._uploads[:-20]
            await self._tell("upload", f"{part.filename[:100]} arrived, {size} bytes")
        return web.Response(status=303, headers={"Location": f"{self._application.base}documents"})

    # --- live -----------------------------------------------------------------------------------------------------------

    async def _live_page(self, request: web.Request) -> web.StreamResponse:
        """The page, or, when the client asks for one, the websocket that it opens at its own address."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=FORM_BYTES)
        if not socket.can_prepare(request):
            return self._page(request, "live.html")
        await socket.prepare(request)
        user = request[CLAIMS]["sub"]
        self._live.add(socket)
        try:
            await self._tell("arrival", f"{user} looks in; {len(self._live)} here")
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._tell("word", f"{user}: {message.data[:LIVE_CHARACTERS]}")
                elif message.type is WSMsgType.BINARY:
                    await socket.send_bytes(message.data)
        finally:
            self._live.discard(socket)
        await self._tell("departure", f"{user} has left; {len(self._live)} here")
        return socket

    async def _tell(self, kind: str, text: str) -> None:
        """Say something to everybody on the live page; who is gone in the meantime is simply not told."""
        message = json.dumps({"kind": kind, "text": text, "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds")})
        for socket in list(self._live):
            if not socket.closed:
                try:
                    await socket.send_str(message)
                except ConnectionError:
                    self._live.discard(socket)

    async def _close_live(self, _: web.Application) -> None:
        for socket in list(self._live):
            await socket.close(code=1001, message=b"the origin stops")

    async def _queue(self, request: web.Request) -> web.Response:
        return self._page(request, "queue.html")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """How many records wait, once a second, for as long as the client listens (HTML, server-sent events)."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        number = 0
        while True:
            counts = {status: sum(record.status == status for record in self._records.values()) for status in STATUSES}
            try:
                await response.write(f"id: {number}\nevent: counts\ndata: {json.dumps(counts)}\n\n".encode())
            except ConnectionError:
                return response
            number += 1
            await asyncio.sleep(EVENT_SECONDS)


def _may_write(request: web.Request) -> bool:
    """The gateway decides on the use; an origin that writes on a consultation's assertion would undo it."""
    return bool(request[CLAIMS]["use"] == "communication")


def _subject(record: Record) -> dict[str, str]:
    return {} if record.insz is None else {"X-Subject-INSZ": record.insz}


def _recent(request: web.Request) -> list[str]:
    return [key for key in request.cookies.get(COOKIE, "").split(".") if key][:RECENT]


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%H:%M UTC")
