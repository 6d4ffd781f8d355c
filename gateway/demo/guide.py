"""The demo's guide: who there is, how they sign in, what to try. Demo only, on a loopback port that is not the gateway's.

The gateway has no exemption for a demo, so its first screen cannot stand on it: an anonymous page with passwords on it is exactly
what a gateway must not have.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

import jinja2
from aiohttp import web

from gateway.credentials.totp import STEP_SECONDS, code_at, parse_secret, step_at

_FIELDS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(guide: dict[str, Any], now: float) -> str:
    """The page. `guide` is what `world.guide_data` gives; `now` (Unix seconds) decides the codes that are shown."""
    return _TEMPLATES.get_template("guide.html").render(guide=guide, codes=codes(guide, now))


def codes(guide: dict[str, Any], now: float) -> dict[str, str]:
    """The present code by app of everybody who has one, so that the demo needs no telephone."""
    step = step_at(now)
    return {
        person["user_id"]: code_at(parse_secret(person["totp_secret"]), step)
        for person in guide["people"]
        if "totp_secret" in person
    }


def guide_app(file: Path) -> web.Application:
    """Serve the guide in `file`, which is read anew for each request."""

    async def read() -> dict[str, Any]:
        guide: dict[str, Any] = json.loads(await asyncio.to_thread(file.read_bytes))
        return guide

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=render(await read(), time.time()), content_type="text/html", headers=_FIELDS)

    async def present_codes(_: web.Request) -> web.Response:
        now = time.time()
        answer = {"codes": codes(await read(), now), "seconds": STEP_SECONDS - int(now) % STEP_SECONDS}
        return web.json_response(answer, headers=_FIELDS)

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/codes", present_codes)])
    return app
