"""The `gateway` command. One module a group; this one assembles them and turns our errors into one readable line.

Exit codes (DESIGN section 7): 0 done, 1 the answer is no, 2 wrong use or a gateway that cannot start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from gateway import __version__
from gateway.edge import openssl
from gateway.errors import GatewayError

WRONG_USE = 2


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"gateway {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Tell the version and exit.", callback=_tell_version, is_eager=True)
]


def everything(version: VersionOption = False) -> None:
    """An HTTPS gateway to individual transactions of the KSZ: one authorisation, one institution, named persons.

    Begin with: gateway demo, or gateway init DIR.
    """


MODULES = {
    "serve": "serve",
    "init": "init",
    "check": "check",
    "reload": "check",
    "demo": "demo",
    "explain": "explain",
    "access": "access",
    "replay": "replay",
    "shadow": "shadow",
    "suspend": "suspend",
    "resume": "suspend",
    "log": "log",
    "certs": "certs",
    "table": "table",
}
"""The module of each first word; every other word is one of `records`."""


def build(words: Sequence[str] = ()) -> typer.Typer:
    """The command tree; for `words` of a command line, only the part that they need, since a module costs time to load."""
    app = typer.Typer(
        name="gateway",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(everything)
    for name in _needed(words):
        import_module(f"gateway.cli.{name}").register(app)
    return app


def _needed(words: Sequence[str]) -> list[str]:
    if words and not words[0].startswith("-"):
        return [MODULES.get(words[0], "records")]
    return [*dict.fromkeys(MODULES.values()), "records"]


SERVING = frozenset({"serve", "demo"})
"""Commands that speak TLS to clients: OpenSSL must have its settings before anything loads it."""


def main() -> None:
    """Entry point of the `gateway` command."""
    words = sys.argv[1:]
    if words and words[0] in SERVING:
        openssl.configure()
    try:
        build(words)(words, prog_name="gateway")
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        raise SystemExit(WRONG_USE) from None
