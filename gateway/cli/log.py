"""`gateway log`: read the security log, and check that nobody changed it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.text import Text

from gateway.errors import ConfigurationError
from gateway.ledger.reading import Event, Follower, events, find, newest
from gateway.ledger.reference import BadReference, format_reference, parse_reference
from gateway.ledger.verify import Report, Verdict, verify
from gateway.policy.settings import load_settings

app = typer.Typer(help="Read the security log, and check that nobody changed it.", no_args_is_help=True)

POLL_SECONDS = 0.25
WRONG_USE = 2

ConfigOption = Annotated[Path, typer.Option("--config", metavar="DIR", help="The configuration directory.")]
LedgerOption = Annotated[
    Path | None,
    typer.Option("--ledger", metavar="DIR", help="A ledger directory, or a copy of one; needs no configuration."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object on one line for each event.")]

_COLOURS = {"permit": "green", "challenge": "yellow", "deny": "red", "failure": "bold red"}


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="log")


@app.command("tail")
def tail(
    config: ConfigOption = Path("config"),
    ledger: LedgerOption = None,
    count: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the newest events.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="From the first event on.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends it.")] = False,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="REF", help="Only the event that a page's reference names.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest events, a request's decision and its completion as one.

    Persons and addresses are shown by their pseudonyms only.

    Examples:
      gateway log tail -n 50 --follow
      gateway log tail --reference 3TWA-90BT-VBXT-95SA-V
    """
    directory = _directory(config, ledger)
    show = _Printer(as_json)
    try:
        if reference is not None:
            _show_reference(directory, reference, show)
            return
        follower = Follower(directory) if follow else None
        for event in events(directory) if everything else newest(directory, count):
            show.event(event)
        while follower is not None:
            for event in follower.poll(time.monotonic()):
                show.event(event)
            time.sleep(POLL_SECONDS)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}. Whose ledger it is may read it: run this as that user")
    except KeyboardInterrupt:
        return


@app.command("verify")
def verify_command(
    config: ConfigOption = Path("config"), ledger: LedgerOption = None, as_json: JsonOption = False
) -> None:
    """Check chain, numbers, gaps and torn tails. Needs no key, and works on a copy on another machine.

    Exit 0: intact. 1: altered or incomplete. 3: cannot tell. Each fault is told with its file and line.

    Example: gateway log verify --ledger /media/copy/ledger
    """
    directory = _directory(config, ledger)
    try:
        report = verify(directory)
    except OSError as error:
        print(f"cannot tell: {error.filename}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(3) from error
    if as_json:
        print(orjson.dumps(_as_json(report)).decode("ascii"))
    else:
        _print_report(report, directory)
    raise typer.Exit(report.exit_status)


def _directory(config: Path, ledger: Path | None) -> Path:
    if ledger is None:
        try:
            ledger = load_settings(config).ledger.directory
        except ConfigurationError as error:
            _fail(f"{error}\nOr name a ledger directory by --ledger")
    if not ledger.is_dir():
        _fail(f"{ledger}: there is no ledger directory. It comes into being when the gateway starts")
    return ledger


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(WRONG_USE)


# --- events -----------------------------------------------------------------------------------------------------------


def _show_reference(directory: Path, reference: str, show: _Printer) -> None:
    try:
        wanted = parse_reference(reference)
    except BadReference as error:
        _fail(f"{error}")
    found = find(directory, wanted)
    if not found:
        print(f"no event has the reference {format_reference(wanted)}", file=sys.stderr)
        raise typer.Exit(1)
    for event in found:
        show.event(event)


class _Printer:
    """Prints events, as JSON or for people (in colours on a terminal)."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._console = Console(highlight=False, soft_wrap=True)

    def event(self, event: Event) -> None:
        if self._json:
            print(orjson.dumps(event.joined()).decode("ascii"), flush=True)
        else:
            self._console.print(describe(event))


def describe(event: Event) -> Text:
    """One event on one line for people: time, reference, verdict and reason, who, what, and how it ended."""
    record = event.record
    kind = str(record.get("kind"))
    line = Text(f"{event.time[:19].replace('T', ' ')}Z  {format_reference(event.id)}  ")
    verdict = str(record.get("verdict", kind))
    line.append(f"{verdict:<9} ", _COLOURS.get(verdict, "cyan"))
    match kind:
        case "decision":
            line.append(f"{_text(record, 'reason')} ({_text(record, 'clause')})", "bold")
            line.append(f"  {_asked(record)}  {_who(record)}")
            line.append(_ending(event))
        case "completion":
            line.append(f"completed {_text(record, 'outcome')} {_text(record, 'status')}")
        case "connection" | "sign-in":
            line.append(f"{_text(record, 'reason')} ({_text(record, 'clause')})", "bold")
            line.append(f"  {kind} {_text(record, 'channel' if kind == 'connection' else 'means')}  {_who(record)}")
            line.append(f"  {_text(record, 'detail')}".rstrip())
        case "refusals":
            line.append(
                f"{_text(record, 'count')} refused from {_text(record, 'from')} to {_text(record, 'to')}", "red"
            )
            line.append(f"  {_text(record, 'reasons')}  {_who(record)}")
        case "gap":
            line.append(f"{_text(record, 'turned_away')} turned away from {_text(record, 'from')} to ", "bold red")
            line.append(f"{_text(record, 'to')}: {_text(record, 'cause')}", "bold red")
        case "alarm":
            line.append(_text(record, "text"), "bold red")
        case "reload":
            refused = record.get("outcome") == "refused"
            said = f"{_text(record, 'outcome')} {_text(record, 'code')}".rstrip()
            line.append(f"{_text(record, 'stream')} {said}", "bold red" if refused else "")
            line.append(f", release {_text(record, 'release')}" if "release" in record else "")
            line.append(f" ({_text(record, 'cause')})")
        case "administration":
            line.append(f"{_text(record, 'act')} by {_text(record, 'actor')}  {_text(record, 'reason')}")
        case _:
            line.append(f"{_text(record, 'stream')} {_text(record, 'cause')} {_text(record, 'outcome')}".rstrip())
    return line


def _text(record: dict[str, Any], key: str) -> str:
    """A value for a terminal. Ledger text is printable ASCII by construction; a copy from elsewhere may not be."""
    value = record.get(key)
    match value:
        case None:
            return ""
        case {"truncated": str(beginning)}:
            value = f"{beginning}..."
        case dict():
            value = ", ".join(f"{name} {count}" for name, count in value.items())
    return "".join(character if " " <= character <= "~" else "?" for character in str(value))


def _asked(record: dict[str, Any]) -> str:
    """What was asked for; of a message that could not be read, which rule it broke and how it began."""
    if "fault" in record:
        return f"{_text(record, 'detail')}: {_text(record, 'excerpt')}".rstrip(": ")
    return f"{_text(record, 'method')} {_text(record, 'host')}{_text(record, 'path')}"


def _who(record: dict[str, Any]) -> str:
    parts: list[str] = []
    for key, name, label in (
        ("user", "user_id", "user"),
        ("client", "pseudonym", "client"),
        ("client", "network", "network"),
    ):
        value = record.get(key)
        if isinstance(value, dict) and value.get(name) and not (label == "network" and "pseudonym" in value):
            parts.append(f"{label} {str(value[name])[-26:-18]}")
    institution = _text(record, "institution")
    return "  ".join([*parts, institution] if institution else parts)


def _ending(event: Event) -> str:
    if event.completion is not None:
        ended = event.completion
        size, seconds = _text(ended, "response_bytes"), _text(ended, "seconds")
        return f"  -> {_text(ended, 'status')} {_text(ended, 'outcome')}, {size} bytes in {seconds} s"
    if event.record.get("verdict") == "permit":
        return "  -> no completion: still running, or the outcome is unknown"
    return f"  -> {_text(event.record, 'status')}"


# --- verify -----------------------------------------------------------------------------------------------------------


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "verdict": _verdict(report),
        "faults": [
            {"verdict": fault.verdict, "file": fault.file, "line": fault.line, "why": fault.why}
            for fault in report.all_faults()
        ],
        "streams": [
            {
                "stream": stream.stream,
                "segments": stream.segments,
                "entries": stream.entries,
                "head": stream.head,
                "stopped": stream.stopped,
                "notes": stream.notes,
            }
            for stream in report.streams
        ],
    }


def _verdict(report: Report) -> str:
    verdicts = {fault.verdict for fault in report.all_faults()}
    for verdict in Verdict:
        if verdict in verdicts:
            return verdict
    return "intact" if report.streams else Verdict.CANNOT_TELL


def _print_report(report: Report, directory: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for stream in report.streams:
        end = "stopped in order" if stream.stopped else "no stop line at its end: it runs, was killed, or was cut there"
        if stream.stream.startswith("cli-"):
            end = "a command"
        head = f", head {stream.head[:16]}" if stream.head else ""
        console.print(Text(f"{stream.stream}: {stream.entries} entries in {stream.segments} segments{head}; {end}"))
        for note in stream.notes:
            console.print(Text(f"  {note}"))
    for fault in report.all_faults():
        place = f"{fault.file} line {fault.line}" if fault.line else fault.file
        console.print(Text(f"{fault.verdict}: ", "bold red") + Text(f"{place}: {fault.why}"))
    verdict = _verdict(report)
    if not report.streams:
        console.print(Text(f"cannot tell: {directory} holds no stream of a ledger", "bold red"))
        return
    console.print(Text(verdict, "bold green" if verdict == "intact" else "bold red"))
