"""The demo's origin: a process of its own with all its applications, and the demo's guide on a port beside.

    python -m gateway.demo.origin --port 9001 --jwks http://127.0.0.1:9090/.well-known/jwks.json \\
        --issuer https://portal.localhost:8443 --audience http://127.0.0.1:9001

It listens on loopback only, and says on its standard output, in one JSON line, when and where it does. Port 0: the kernel chooses.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from gateway.demo.applications import APPLICATIONS
from gateway.demo.assertion import FIELD, AssertionRefused, Keys, Verifier
from gateway.demo.card_office import answers_app
from gateway.demo.casefiles import CLAIMS, CaseFiles
from gateway.demo.guide import guide_app

log = logging.getLogger("gateway.demo.origin")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK: Final = "127.0.0.1"
GRACE_SECONDS: Final = 1.0
"""How long an answer under way may take when the origin stops: the gateway has drained before."""


@web.middleware
async def whole_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whoever leaves while they send (an upload that is cancelled) is no fault that the terminal need hear of."""
    try:
        return await handler(request)
    except ConnectionResetError:
        raise web.HTTPBadRequest from None


def origin_app(verifier: Verifier) -> web.Application:
    """All applications, each below its base path, behind the check of the assertion."""

    @web.middleware
    async def only_with_assertion(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Without a valid assertion for the application asked: 401, and nothing."""
        try:
            application = next((one for one in APPLICATIONS if request.path.startswith(one.base)), None)
            if application is None:
                raise AssertionRefused("no application lives there")
            tokens = request.headers.getall(FIELD, [])
            if len(tokens) != 1:  # two have no single meaning
                raise AssertionRefused(f"{len(tokens)} assertions")
            request[CLAIMS] = await verifier.verify(tokens[0], application.transaction)
        except AssertionRefused as refused:
            log.warning("refused: %s", refused)
            return web.Response(status=401)
        return await handler(request)

    app = web.Application(middlewares=[only_with_assertion, whole_requests])
    for application in APPLICATIONS:
        app.add_subapp(application.base, CaseFiles(application).app())
    return app


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT, or, with `--until-eof`, until standard input ends: then whoever started us is gone."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if options.until_eof:
        _watch_standard_input(loop, stopped)
    verifier = Verifier(Keys(options.jwks), options.issuer, options.audience)
    async with contextlib.AsyncExitStack() as stack:
        ready = {"port": await _listen(stack, origin_app(verifier), options.port)}
        if options.guide is not None:
            ready["guide_port"] = await _listen(stack, guide_app(options.guide), options.guide_port)
        if options.cards is not None:
            ready["cards_port"] = await _listen(stack, answers_app(options.cards, time.time), options.cards_port)
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _watch_standard_input(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 1024):
            loop.remove_reader(descriptor)
            stopped.set()

    loop.add_reader(descriptor, readable)


async def _listen(stack: contextlib.AsyncExitStack, app: web.Application, port: int) -> int:
    """Serve `app` on loopback; the port that it got."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, LOOPBACK, port)
    await site.start()
    found: int = runner.addresses[0][1]
    return found


def main() -> None:
    """Read the command line and serve; a port in use or a bad option is one line on standard error and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo.origin", description="The demo's origin.")
    parser.add_argument(
        "--port", type=int, required=True, help="loopback port of the applications; 0: the kernel chooses"
    )
    parser.add_argument("--jwks", required=True, help="the gateway's key set: a URL or a file")
    parser.add_argument("--issuer", required=True, help="who makes assertions: https://<portal host>[:port]")
    parser.add_argument("--audience", required=True, help="this origin's own name: scheme://host:port of origin.url")
    parser.add_argument("--guide", type=Path, help="the demo's guide (JSON), to be shown on --guide-port")
    parser.add_argument("--guide-port", type=int, default=0, help="loopback port of the guide")
    parser.add_argument("--cards", type=Path, help="the demo's cards, about which is answered on --cards-port")
    parser.add_argument("--cards-port", type=int, default=0, help="loopback port of the answers about cards")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="origin: %(message)s", stream=sys.stderr)
    try:
        asyncio.run(serve(options))
    except OSError as error:
        parser.exit(2, f"origin: {error}\n")


if __name__ == "__main__":
    main()
