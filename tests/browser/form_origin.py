"""An application with forms of many kinds, which remembers every byte that was posted to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

FORMS = {
    "plain": '<form method=post action="/take?from=a%26b&amp;x=%C3%A9">'
    '<label>Note <textarea name=note rows=6></textarea></label><input name="naam" value="Grüße">'
    '<input type=password name=password value="hush"><input type=checkbox name=pick value=1 checked>'
    '<input type=checkbox name=pick value=2 checked><input type=hidden name=csrf_token value="t0ken">'
    "<input name=leeg><button name=act value=save>Save</button></form>",
    "script": "<form method=post action=/take><input name='\"><script>alert(1)</script>' value='</textarea><img src=x onerror=alert(2)>'>"
    "<button>Save</button></form>",
    "file": "<form method=post action=/take enctype=multipart/form-data><input name=title value='Ça va'>"
    "<input type=file name=scan><input type=file name=more><input name=after value=2><button>Save</button></form>",
}


@dataclass
class Origin:
    """`taken` are the posts: target, content type, body."""

    url: str = ""
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """Of the one post that came."""
        ((_, _, body),) = self.taken
        return body


@asynccontextmanager
async def running_origin() -> AsyncIterator[Origin]:
    origin = Origin()

    async def form(request: web.Request) -> web.Response:
        charset = request.query.get("charset", "utf-8")
        page = f"<!doctype html><meta charset={charset}><title>Form</title>{FORMS[request.match_info['kind']]}"
        response = web.Response(body=page.encode(charset), content_type="text/html", charset=charset)
        for path in ("/", "/form", "/form/a b"):
            response.set_cookie(f"who{path.count('/')}{len(path)}", request.headers["X-Request-Id"], path=path)
        return response

    async def take(request: web.Request) -> web.Response:
        origin.taken.append((request.path_qs, request.headers["Content-Type"], await request.read()))
        return web.Response(
            text=f"<!doctype html><title>Taken</title><p id=taken>{len(origin.taken)}", content_type="text/html"
        )

    app = web.Application(client_max_size=2**22)
    app.router.add_get("/form/{kind}", form)
    app.router.add_post("/take", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    if server is None:
        raise RuntimeError("the origin has no socket")
    origin.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"  # type: ignore[attr-defined]
    try:
        yield origin
    finally:
        await runner.cleanup()
