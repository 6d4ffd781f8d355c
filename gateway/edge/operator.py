"""The operator's port: live, ready with reasons, metrics, public keys. Loopback only; no persons (DESIGN section 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


class Status(NamedTuple):
    """What the port tells. `not_ready` lists why the gateway is not ready; empty means it is. Of each server certificate
    `certificates` has the listener's address, the file, the kind of key, and when it ends (Unix seconds). `asked` counts the gateway's
    own questions by place and outcome, `revocation` what came of those about cards by source and state; `revocation_lists` has the
    address of each list, and from when and until when it holds (Unix seconds). `release` is the number of the signed release that serves,
    which ends at `release_end` (Unix seconds; 0 and 0: nobody signed it); `releases_refused` counts those that were not taken, by code. `shadow`
    are decisions made once more without effect, by how they compare; empty without a shadow.
    """

    not_ready: tuple[str, ...]
    decisions: Mapping[str, int]
    connections: int
    ledger_lines: Mapping[str, int]
    table: str
    started: float
    certificates: Sequence[tuple[str, str, str, float]] = ()
    asked: Sequence[tuple[str, str, int]] = ()
    revocation: Sequence[tuple[str, str, int]] = ()
    revocation_lists: Sequence[tuple[str, float, float]] = ()
    release: int = 0
    release_end: float = 0.0
    releases_refused: Mapping[str, int] = MappingProxyType({})
    shadow: Mapping[str, int] = MappingProxyType({})

    @staticmethod
    def of_all(answers: Mapping[int, Sequence[Any] | None]) -> Status:
        """The gateway's, from what its workers answered, by their number; None is a worker that was silent.

        Figures are summed. It is ready when every worker is, and all decide by the same table. While a worker is silent decisions and
        questions are not told: a count without its share would be a fall, which whoever collects counts takes for a restart, and the rise after it for
        as many decisions anew.
        """
        each = {number: Status(*answer) for number, answer in sorted(answers.items()) if answer is not None}
        reasons = [f"worker {number}: no answer" for number in sorted(answers.keys() - each.keys())]
        for status in each.values():
            reasons += [reason for reason in status.not_ready if reason not in reasons]
        tables = {status.table for status in each.values()}
        if len(tables) > 1:
            reasons.append("tables_differ")
        decisions: Counter[str] = Counter()
        lines: Counter[str] = Counter()
        ends: dict[tuple[str, str, str], float] = {}
        asked: Counter[tuple[str, str]] = Counter()
        revocation: Counter[tuple[str, str]] = Counter()
        lists: dict[str, tuple[float, float]] = {}
        refused: Counter[str] = Counter()
        shadow: Counter[str] = Counter()
        for status in each.values():
            for listener, file, kind, end in status.certificates:
                ends[listener, file, kind] = min(end, ends.get((listener, file, kind), end))
            for url, since, until in status.revocation_lists:
                lists[url] = max((since, until), lists.get(url, (since, until)))
            if len(each) == len(answers):
                decisions.update(status.decisions)
                shadow.update(status.shadow)
                asked.update({(place, outcome): count for place, outcome, count in status.asked})
                revocation.update({(source, state): count for source, state, count in status.revocation})
            lines.update(status.ledger_lines)
            refused |= Counter(status.releases_refused)  # the workers are asked together, and refuse the same
        return Status(
            tuple(reasons),
            decisions,
            sum(status.connections for status in each.values()),
            lines,
            next(iter(each.values())).table,
            min(status.started for status in each.values()),
            [(*which, end) for which, end in ends.items()],
            [(*which, count) for which, count in asked.items()],
            [(*which, count) for which, count in revocation.items()],
            [(url, *times) for url, times in lists.items()],
            min(status.release for status in each.values()),
            min(status.release_end for status in each.values()),
            refused,
            shadow,
        )


class _Collector:
    """Reads the figures when they are asked for; nothing is counted twice."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        decisions = CounterMetricFamily("gateway_decisions", "Decisions by reason code.", labels=["reason"])
        for reason, count in status.decisions.items():
            decisions.add_metric([reason], count)
        yield decisions
        lines = CounterMetricFamily("gateway_ledger_lines", "Durable lines by stream.", labels=["stream"])
        for stream, count in status.ledger_lines.items():
            lines.add_metric([stream], count)
        yield lines
        yield GaugeMetricFamily("gateway_connections", "Open client connections.", value=status.connections)
        yield GaugeMetricFamily(
            "gateway_ready", "1 when permitted requests are forwarded.", value=0 if status.not_ready else 1
        )
        expiry = GaugeMetricFamily(
            "gateway_certificate_expiry_seconds",
            "When a server certificate ends, Unix seconds.",
            labels=["listener", "file", "kind"],
        )
        for listener, file, kind, end in status.certificates:
            expiry.add_metric([listener, file, kind], end)
        yield expiry
        asked = CounterMetricFamily(
            "gateway_outbound_requests", "The gateway's own questions to others.", labels=["place", "outcome"]
        )
        for place, outcome, count in status.asked:
            asked.add_metric([place, outcome], count)
        yield asked
        revocation = CounterMetricFamily(
            "gateway_revocation_answers", "What came of questions about cards.", labels=["source", "state"]
        )
        for source, state, count in status.revocation:
            revocation.add_metric([source, state], count)
        yield revocation
        since = GaugeMetricFamily(
            "gateway_revocation_list_issued_seconds",
            "When a revocation list was issued, Unix seconds.",
            labels=["list"],
        )
        until = GaugeMetricFamily(
            "gateway_revocation_list_expiry_seconds",
            "Until when a revocation list holds, Unix seconds.",
            labels=["list"],
        )
        for url, issued, end in status.revocation_lists:
            since.add_metric([url], issued)
            until.add_metric([url], end)
        yield from (since, until)
        refused = CounterMetricFamily(
            "gateway_releases_refused", "Signed releases of the table that were not taken.", labels=["code"]
        )
        for code, count in status.releases_refused.items():
            refused.add_metric([code], count)
        yield refused
        shadow = CounterMetricFamily(
            "gateway_shadow_decisions",
            "Decisions made once more by the release in shadow mode, without effect.",
            labels=["outcome"],
        )
        for outcome, count in status.shadow.items():
            shadow.add_metric([outcome], count)
        yield shadow
        if status.release:
            yield GaugeMetricFamily(
                "gateway_release", "Number of the signed release that serves.", value=status.release
            )
            yield GaugeMetricFamily(
                "gateway_release_expiry_seconds", "When that release expires, Unix seconds.", value=status.release_end
            )
        yield GaugeMetricFamily(
            "gateway_start_time_seconds", "When the process started, Unix seconds.", value=status.started
        )


def make_registry(status: Callable[[], Status]) -> CollectorRegistry:
    """What `/metrics` tells: these figures and no others."""
    registry = CollectorRegistry()
    registry.register(_Collector(status))
    return registry


def make_operator_app(status: Callable[[], Awaitable[Status]], jwks: bytes) -> web.Application:
    """The application of the operator's port."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(_: web.Request) -> web.Response:
        now = await status()
        body = {"ready": not now.not_ready, "reasons": list(now.not_ready), "table": now.table}
        return web.json_response(body, status=503 if now.not_ready else 200)

    async def metrics(_: web.Request) -> web.Response:
        now = await status()
        return web.Response(
            body=generate_latest(make_registry(lambda: now)), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def keys(_: web.Request) -> web.Response:
        return web.Response(body=jwks, content_type="application/json")

    app = web.Application()
    app.add_routes(
        [
            web.get("/health/live", live),
            web.get("/health/ready", ready),
            web.get("/metrics", metrics),
            web.get("/jwks.json", keys),
            web.get("/.well-known/jwks.json", keys),
        ]
    )
    return app
