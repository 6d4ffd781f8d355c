"""Run the clients, keep what was found, write the tables."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from bench.clients.browsers import BROWSERS, Driven
from bench.clients.programs import LOAD, PROGRAMS, SCAN, Program
from bench.clients.table import write
from bench.clients.world import COUNTED_SECONDS, SETTLE_SECONDS, Ask, World, as_json, victims_agent
from tests.browser.harness import chromium, running_demo

RESULTS = Path(__file__).parent / "results.json"
SECONDS = 90.0
VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+~-]*")
SHOWN_OUTPUT = 600


def digest(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What the ledger says of one client's stay: how often each reason, its evidence, its ClientHello."""
    decisions = [line for line in lines if line["kind"] in ("decision", "connection")]
    reasons = Counter(f"{line['reason']} {line['status'] or line.get('detail') or 0}" for line in decisions)
    for counted in (line for line in lines if line["kind"] == "refusals"):
        reasons.update({f"{reason} (counted)": count for reason, count in counted["reasons"].items()})
    scores = [evidence(line) for line in decisions]
    return {
        "first": next((line["reason"] for line in decisions if line["kind"] == "decision"), None),
        "reasons": dict(reasons),
        "fingerprints": dict(Counter(print_ for line in decisions if (print_ := fingerprint(line)))),
        "score": max((score for score, _ in scores), default=0),
        "parts": dict(Counter(part for _, parts in scores for part in parts)),
        "requests": sum(line["kind"] == "decision" for line in decisions),
        "websockets": sum(bool(line.get("websocket")) for line in decisions),
        "agents": sorted({line["user_agent"] for line in decisions if line.get("user_agent")}),
    }


def fingerprint(line: dict[str, Any]) -> str | None:
    """The family of the ClientHello, in a decision or in the line of a connection that brought no request."""
    hello = line.get("hello") or {}
    return line.get("client_hello") or hello.get("fingerprint")


def evidence(line: dict[str, Any]) -> tuple[float, tuple[str, ...]]:
    """The score of a decision line, and the names of the signals that it tells of."""
    found = line.get("evidence") or {}
    watched = tuple(f"{signal} (reported)" for signal in found.get("reported", ()))
    moved = tuple(name for name in ("moved", "moved_reported") if found.get(name))
    return float(found.get("score", 0.0)), (*found.get("parts", ()), *watched, *moved)


async def version_of(world: World, program: Program) -> str:
    argv = [*program.version]
    if argv == ["--version"]:
        argv = [*program.argv(Ask(world.url, "", ""), world.tools), "--version"]
    said = await world.run(argv, world.environment("version"), SECONDS)
    found = VERSION.search(said.output)
    return found[0] if found else ""


async def try_program(world: World, program: Program) -> dict[str, Any]:
    modes: dict[str, Any] = {}
    agent = victims_agent()
    for mode in program.modes:
        cookie = await world.stolen_cookie() if mode == "session" else ""
        ask = Ask(world.url, "" if mode == "itself" else agent, cookie)
        await world.new_lines()
        said = await world.run(program.argv(ask, world.tools), world.environment(program.name[:30], ask), SECONDS)
        settle = COUNTED_SECONDS if program.kind in (LOAD, SCAN) else SETTLE_SECONDS
        modes[mode] = digest(await world.new_lines(settle)) | {
            "exit": said.status,
            "said": " ".join(said.output.split())[-SHOWN_OUTPUT:],
        }
    return {"kind": program.kind, "version": await version_of(world, program), "modes": modes}


async def try_browser(world: World, browser: Driven) -> dict[str, Any]:
    await world.new_lines()
    said = await world.run(
        browser.argv(world.tools), world.environment(browser.name) | browser.environment, browser.seconds
    )
    found = digest(await world.new_lines()) | {
        "exit": said.status,
        "said": " ".join(said.output.split())[-SHOWN_OUTPUT:],
    }
    version = await world.run(browser.version, world.environment("version"), SECONDS)
    shown = VERSION.search(version.output)
    return {"kind": browser.kind, "version": shown[0] if shown else "", "modes": {"work": found}}


def _known() -> dict[str, Any]:
    """What was found so far, by this run or another."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


async def run(tools: Path, names: list[str]) -> None:
    results = _known()
    clients = [
        one
        for one in (*PROGRAMS, *BROWSERS)
        if not names or any(word.lower() in f"{one.kind} {one.name}".lower() for word in names)
    ]
    (tools / "words.txt").write_text("admin\nbackup\ndossiers\n")
    with tempfile.TemporaryDirectory(prefix="clients-") as directory:
        scratch = Path(directory)
        async with (
            running_demo(scratch / "state") as demo,
            chromium(scratch / "victim", demo.ca) as victim,
        ):
            world = World(demo, scratch / "clients", tools, victim)
            world.prepare()
            for client in clients:
                missing = client.missing(tools)
                if missing:
                    print(f"{client.name}: skipped, there is no {missing}", flush=True)
                    continue
                if isinstance(client, Program):
                    found = await try_program(world, client)
                else:
                    found = await try_browser(world, client)
                results = _known() | {client.name: found}
                shown = {mode: one["reasons"] | {"score": one["score"]} for mode, one in found["modes"].items()}
                print(f"{client.name} {found['version']}: {shown}", flush=True)
                for mode, one in found["modes"].items():
                    if not one["reasons"] or (mode == "work" and one["exit"] != 0):
                        print(f"    {mode}: exit {one['exit']}: {one['said']}", flush=True)
                RESULTS.write_text(as_json(results))
    order = [one.name for one in (*PROGRAMS, *BROWSERS)]
    write({name: results[name] for name in order if name in results})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.clients", description=sys.modules["bench.clients"].__doc__)
    parser.add_argument(
        "--tools", type=Path, default=Path.home() / ".cache" / "gateway-clients", help="where venv and node_modules are"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="clients whose name or kind has one of these words"
    )
    parser.add_argument("--list", action="store_true", help="the names, and what is missing")
    options = parser.parse_args()
    options.tools.mkdir(parents=True, exist_ok=True)
    if options.list:
        for client in (*PROGRAMS, *BROWSERS):
            print(client.name, *([f"(no {missing})"] if (missing := client.missing(options.tools)) else []))
        return
    asyncio.run(run(options.tools, options.only))


if __name__ == "__main__":
    main()
