"""From results to the tables of docs/person-or-program.md."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "person-or-program.md"
BEGIN, END = "<!-- clients: written by python -m bench.clients -->", "<!-- clients: end -->"
NEW = f"# A person or a program\n\n{BEGIN}\n{END}\n"
FINGERPRINT_CHARACTERS = 6
"""Of each of the two hashes: enough to tell those here apart."""
EXPECTED = frozenset({"permitted", "sign_in_required", "no_request", "tls_failed"})
"""What a browser at work may meet: a page, the way to the sign-in page, and connections it opened and did not use."""
SHOWN_REASONS = 3

NAMES = {
    "curl_cffi-chrome": "curl_cffi as Chrome",
    "curl_cffi-firefox": "curl_cffi as Firefox",
    "curl_cffi-safari": "curl_cffi as Safari",
    "curl_cffi-perfect": "curl_cffi as Chrome, every field copied",
    "curl_cffi-timer": "the same, a page every 1.5 s, 25 times",
    "curl_cffi-fast": "the same, 6,000 pages as fast as it can",
    "curl_cffi-parallel": "the same, 30 connections at once",
    "requests-password": "requests, as a browser by its fields",
    "curl_cffi-password": "curl_cffi as Chrome, every field copied",
    "wreq-firefox": "wreq as Firefox",
    "wreq-safari": "wreq as Safari",
    "impit-chrome": "impit as Chrome",
    "impit-firefox": "impit as Firefox",
}


def write(results: dict[str, Any]) -> None:
    """Put the tables between the markers; what stands around them is written by hand."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else NEW
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"{DOCUMENT}: the markers {BEGIN!r} and {END!r} are not there")
    programs = {name: one for name, one in results.items() if "work" not in one["modes"]}
    browsers = {name: one for name, one in results.items() if "work" in one["modes"]}
    tables = "\n\n".join(
        (
            f"### Programs\n\n{_summary(programs)}\n\n{_programs(programs)}",
            f"### Browsers\n\n{_browsers(browsers)}",
            f"### What browsers gave\n\n{_signals(browsers)}",
        )
    )
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}")


def _programs(results: dict[str, Any]) -> str:
    rows = [
        "| client | version | as itself | as a browser, by its fields | with a session | ClientHello |",
        "|---|---|---|---|---|---|",
    ]
    kind = ""
    for name, one in results.items():
        if one["kind"] != kind:
            kind = one["kind"]
            rows.append(f"| **{kind}** | | | | | |")
        modes = one["modes"]
        cells = [_cell(modes.get(mode)) for mode in ("itself", "agent", "session")]
        rows.append(f"| {_escaped(NAMES.get(name, name))} | {one['version']} | {' | '.join(cells)} | {_prints(one)} |")
    return "\n".join(rows)


def _summary(results: dict[str, Any]) -> str:
    """How many of those that ran were refused, asked, let through; in each of the ways."""
    rows = [
        "| | clients | refused | asked to sign in | asked again who is there | let through | asked nothing |",
        "|---|---|---|---|---|---|---|",
    ]
    named = {"itself": "as itself", "agent": "as a browser, by its fields", "session": "with a session"}
    for mode, shown in named.items():
        found = Counter(_fate(one["modes"][mode]) for one in results.values() if mode in one["modes"])
        fates = " | ".join(str(found[fate]) for fate in ("refused", "sign in", "again", "through", "nothing"))
        rows.append(f"| {shown} | {found.total()} | {fates} |")
    return "\n".join(rows)


def _fate(mode: dict[str, Any]) -> str:
    reasons = {reason.split(" ")[0] for reason in mode["reasons"]}
    if reasons & {"doubtful_client", "session_moved", "session_expired", "session_revoked"}:
        return "again"
    if mode["first"] is None:
        return "nothing"
    if mode["first"] == "sign_in_required":
        return "sign in"
    return "through" if mode["first"] == "permitted" else "refused"


def _cell(mode: dict[str, Any] | None) -> str:
    if mode is None:
        return "–"
    if not mode["reasons"]:
        return "never arrived"
    shown = [f"`{reason.split(' ')[0]}` {reason.split(' ', 1)[1]}" for reason in list(mode["reasons"])[:SHOWN_REASONS]]
    parts = ", ".join(f"`{part}`" for part in mode["parts"] if part != "moved")  # that has a reason of its own
    return ", ".join(dict.fromkeys(shown)) + (f"; {mode['score']:g}: {parts}" if parts else "")


def _browsers(results: dict[str, Any]) -> str:
    rows = ["| browser | version | requests | websockets | what it met | ClientHello |", "|---|---|---|---|---|---|"]
    kind = ""
    for name, one in results.items():
        if one["kind"] != kind:
            kind = one["kind"]
            rows.append(f"| **{kind}** | | | | | |")
        met = one["modes"]["work"]
        reasons = ", ".join(f"`{reason.split(' ')[0]}` {count}" for reason, count in met["reasons"].items())
        short = name.removeprefix("by hand: ").removeprefix("in a terminal: ")
        rows.append(
            f"| {_escaped(short)} | {one['version']} | {met['requests']} | {met['websockets']} | {reasons} | {_prints(one)} |"
        )
    return "\n".join(rows)


def _signals(results: dict[str, Any]) -> str:
    """Every signal that a browser's request gave, and how often, for those that persons use and those that programs drive."""
    person = {name: one for name, one in results.items() if one["kind"] != "driven by a protocol"}
    rows = ["| | used by persons | driven by programs |", "|---|---|---|"]
    both = (person, {name: one for name, one in results.items() if name not in person})
    rows.append(
        "| requests | "
        + " | ".join(str(sum(one["modes"]["work"]["requests"] for one in group.values())) for group in both)
        + " |"
    )
    refused = [sum(_hindered(one) for one in group.values()) for group in both]
    rows.append(f"| refused, or asked again | {refused[0]} | {refused[1]} |")
    several = [sum(len(one["modes"]["work"]["fingerprints"]) > 1 for one in group.values()) for group in both]
    rows.append(f"| browsers with more than one fingerprint | {several[0]} | {several[1]} |")
    parts = [Counter[str]() for _ in both]
    for count, group in zip(parts, both, strict=True):
        for one in group.values():
            count.update(one["modes"]["work"]["parts"])
    rows += [f"| `{part}` | {parts[0][part]} | {parts[1][part]} |" for part in sorted(parts[0] | parts[1])]
    return "\n".join(rows)


def _hindered(one: dict[str, Any]) -> int:
    return sum(
        count for reason, count in one["modes"]["work"]["reasons"].items() if reason.split(" ")[0] not in EXPECTED
    )


def _prints(one: dict[str, Any]) -> str:
    found = dict.fromkeys(print_ for mode in one["modes"].values() for print_ in mode["fingerprints"])
    return ", ".join(f"`{'-'.join(part[:FINGERPRINT_CHARACTERS] for part in print_.split('-'))}`" for print_ in found)


def _escaped(name: str) -> str:
    return name.replace("|", "\\|")
