"""The page that the bench writes: pure, from results to Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Results, Sample

BEGIN = "<!-- bench: written by make bench, from here -->"
END = "<!-- bench: to here -->"
OURS, COMPILED = "gateway", "gateway, compiled"
LIMIT = 0.95
"""A core that was busy for more than this was the limit."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How a case shows: its name, the unit that is counted, how it was measured."""

    name: str
    unit: str
    what: str


@dataclass(frozen=True, slots=True)
class Aim:
    """`factor` times a peer's figure is to be reached in a case."""

    case: str
    peer: str
    factor: float


AIMS = (
    Aim("small response", "Envoy", 2.0),
    Aim("small response", "Caddy", 2.0),
    Aim("small response", "nginx", 0.6),
    Aim("new connections", "nginx", 0.75),
    Aim("1 GiB download", "nginx", 0.7),
)
MANY = 1_000_000
DECIDE_US, START_SECONDS, WORKERS_FACTOR, IDLE_KIB = 15.0, 20.0, 1.1, 40.0


class ReportError(Exception):
    """The page has no place for the figures."""


def place(page: str, figures: str) -> str:
    """The page with the figures between its markers. Raises ReportError when a marker is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ReportError(
            f"docs/performance.md lacks its markers {BEGIN} and {END}; put them back where the figures belong"
        )
    return f"{before}{BEGIN}\n\n{figures.strip()}\n\n{END}{after}"


def report(results: Results, shown: Sequence[Shown]) -> str:
    """All figures of a run."""
    parts = [_machine(results), _aims(results)]
    parts += [
        _case(one, results.samples) for one in shown if any(sample.case == one.name for sample in results.samples)
    ]
    parts += [_memory(results), _decisions(results), _workers(results), _failures(results), _configurations(results)]
    return "\n\n".join(part for part in parts if part)


# ------------------------------------------------------------------------------------------------------------------ parts
def _machine(results: Results) -> str:
    facts = [
        *results.machine,
        f"rounds: {results.rounds}, each with servers started anew, {results.seconds:g} s a case and server, one server after the other",
    ]
    versions = [[name, said] for name, said in results.versions.items()]
    listed = "\n".join(f"* {fact}" for fact in facts)
    return f"### Machine and versions\n\n{listed}\n\n{_table(('program', 'version'), versions)}"


def _aims(results: Results) -> str:
    rows = [row for aim in AIMS for ours in (OURS, COMPILED) if (row := _aim(aim, results.samples, ours)) is not None]
    for cost in results.decisions:
        table = f"{cost.designations:,} designations of {cost.persons:,} persons"
        decide, met = f"{cost.decide_us:.1f} µs", _met(cost.decide_us <= DECIDE_US)
        rows.append([f"one decision, {table}", f"≤ {DECIDE_US:g} µs", "", decide, met])
        if cost.designations >= MANY:
            start, met = f"{cost.start_seconds:.1f} s", _met(cost.start_seconds < START_SECONDS)
            rows.append(
                [f"start with {table}", f"< {START_SECONDS:g} s", start, f"{cost.start_cpu_seconds:.1f} s", met]
            )
    factor = workers_factor(results.workers)
    if factor is not None:
        aim = f"≤ {WORKERS_FACTOR:g} × one"
        rows.append(["CPU a request, two workers", aim, "", f"{factor:.2f} ×", _met(factor <= WORKERS_FACTOR)])
    idle = next((memory.idle_kib for memory in results.memory if memory.server == OURS), None)
    if idle is not None:
        rows.append(
            ["memory of an idle connection", f"≤ {IDLE_KIB:g} KiB", f"{idle:.0f} KiB", "", _met(idle <= IDLE_KIB)]
        )
    if not rows:
        return ""
    head = ("what", "aim", "by rate, or as measured", "by CPU time", "")
    return f"### Aims\n\n{_table(head, rows)}"


def _aim(aim: Aim, samples: Iterable[Sample], ours: str) -> list[str] | None:
    by_rate = ratio(samples, aim.case, aim.peer, "rate", ours)
    by_cpu = ratio(samples, aim.case, aim.peer, "cpu", ours)
    if by_rate is None or by_cpu is None:
        return None
    reached = tuple(how for how, found in (("rate", by_rate), ("CPU time", by_cpu)) if found >= aim.factor)
    met = _met(bool(reached)) if len(reached) != 1 else f"by {reached[0]} alone"
    what = aim.case if ours == OURS else f"{aim.case}, compiled"
    return [what, f"≥ {aim.factor:g} × {aim.peer}", f"{by_rate:.2f} ×", f"{by_cpu:.2f} ×", met]


def _met(yes: bool) -> str:
    return "met" if yes else "**not met**"


def _case(shown: Shown, samples: Sequence[Sample]) -> str:
    mine = [sample for sample in samples if sample.case == shown.name]
    servers = list(dict.fromkeys(sample.server for sample in mine))
    latency = any("p50" in sample.figures for sample in mine)
    head = ["server", f"{shown.unit}/s", "least–most", "gateway's share", f"server CPU µs a {_single(shown.unit)}",
            "gateway's share", "server core", "load core", *(("p50 ms", "p99 ms") if latency else ())]  # fmt: skip
    rows = []
    for server in servers:
        of = [sample.figures for sample in mine if sample.server == server]
        rates = [figures["rate"] for figures in of]
        by_rate, by_cpu = (ratio(mine, shown.name, server, name) for name in ("rate", "cpu"))
        row = [server, _number(median(rates)), f"{_number(min(rates))}–{_number(max(rates))}", _times(server, by_rate),
               _number(median(figures["cpu"] for figures in of)), _times(server, by_cpu)]  # fmt: skip
        for core in ("server_core", "load_core"):
            busy = median(figures[core] for figures in of)
            row.append(f"**{busy:.0%}**" if busy > LIMIT else f"{busy:.0%}")
        if latency:
            row += [f"{median(figures[name] for figures in of):.2f}" for name in ("p50", "p99")]
        rows.append(row)
    return f"### {shown.name[0].upper()}{shown.name[1:]}\n\n{shown.what}.\n\n{_table(head, rows)}"


def _memory(results: Results) -> str:
    if not results.memory:
        return ""
    rows = [
        [one.server, f"{one.before_mib:.0f}", f"{one.after_mib:.0f}", f"{one.idle_kib:.0f}", f"{one.waiting_kib:.0f}"]
        for one in results.memory
    ]
    head = (
        "server",
        "MiB at its start",
        "MiB after its round",
        "KiB an idle connection",
        "KiB a connection in flight",
    )
    return (
        "### Memory\n\nResident, what processes share counted once. A connection: 1,000 held at a time at a freshly started server, "
        f"after one request each, or while each waits for an answer of the origin.\n\n{_table(head, rows)}"
    )


def _decisions(results: Results) -> str:
    if not results.decisions:
        return ""
    rows = [
        [f"{one.designations:,}", f"{one.persons:,}", f"{one.sessions:,}", f"{one.decide_us:.1f}", f"{one.whole_us:.1f}", f"{one.start_seconds:.1f}",
         f"{one.start_cpu_seconds:.1f}", f"{one.memory_mib:,.0f}"]
        for one in results.decisions
    ]  # fmt: skip
    head = (
        "designations",
        "persons",
        "sessions",
        "µs `decide`",
        "µs with look-ups",
        "s until it is ready",
        "CPU s",
        "MiB then",
    )
    return (
        "### Decision\n\n`decide(facts, snapshot)` for permits of persons drawn at random, on facts just made, as in a request (the difference to "
        "making them alone); with the look-ups of session and person "
        f"and the making of the facts; and the start of `gateway serve` on such a database.\n\n{_table(head, rows)}"
    )


def _workers(results: Results) -> str:
    factor = workers_factor(results.workers)
    if factor is None:
        return ""
    servers = list(dict.fromkeys(sample.server for sample in results.workers))
    rows = []
    for server in servers:
        of = [sample.figures for sample in results.workers if sample.server == server]
        rows.append([server, *(_number(median(figures[name] for figures in of)) for name in ("rate", "cpu"))])
    return (
        "### Two workers\n\nSmall responses; the server may use both cores, of which load and origin take one: the rate says little, "
        f"the CPU time is the figure. Two workers use {factor:.2f} × the CPU time of one a request.\n\n"
        f"{_table(('server', 'requests/s', 'server CPU µs a request'), rows)}"
    )


def _failures(results: Results) -> str:
    if not results.failures:
        return ""
    listed = "\n".join(f"* {failure}" for failure in results.failures)
    return f"### What failed\n\nNo figure of these stands above.\n\n{listed}"


def _configurations(results: Results) -> str:
    blocks = [f"**{name}**\n\n```\n{text.rstrip()}\n```" for name, text in results.configurations.items()]
    return "\n\n".join(("### Configurations", *blocks)) if blocks else ""


# ------------------------------------------------------------------------------------------------------------ arithmetic
def ratio(samples: Iterable[Sample], case: str, peer: str, figure: str, ours: str = OURS) -> float | None:
    """How many times the peer the gateway does: the median over the turns, each pair measured one after the other.

    For `cpu` the inverse, so that more is better in both. None when one of the two was not measured.
    """
    by_turn: dict[int, dict[str, float]] = {}
    for sample in samples:
        if sample.case == case and figure in sample.figures:
            by_turn.setdefault(sample.turn, {})[sample.server] = sample.figures[figure]
    pairs = [(of[ours], of[peer]) for of in by_turn.values() if ours in of and peer in of]
    if not pairs:
        return None
    return median(theirs / own if figure == "cpu" else own / theirs for own, theirs in pairs)


def workers_factor(samples: Sequence[Sample]) -> float | None:
    """CPU time a request with two workers, in that with one: the median over the rounds."""
    by_turn: dict[int, dict[str, float]] = {}
    for sample in samples:
        by_turn.setdefault(sample.turn, {})[sample.server] = sample.figures["cpu"]
    factors = [more / of[OURS] for of in by_turn.values() for name, more in of.items() if name != OURS and OURS in of]
    return median(factors) if factors else None


def _times(server: str, found: float | None) -> str:
    return "" if server == OURS or found is None else f"{found:.2f} ×"


def _single(unit: str) -> str:
    return unit.removesuffix("s")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join((*lines, *(f"| {' | '.join(row)} |" for row in rows)))
