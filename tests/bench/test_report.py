"""The page of figures is made of values alone; whether a server was fast is never asserted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.figures import DecisionCost, Memory, Results, Sample
from bench.report import BEGIN, END, ReportError, Shown, place, ratio, report, workers_factor

SMALL = Shown("small response", "requests", "How it was measured")


def sample(server: str, number: int, rate: float, cpu: float, load_core: float = 0.5) -> Sample:
    figures = {"rate": rate, "cpu": cpu, "server_core": 1.0, "load_core": load_core, "p50": 1.25, "p99": 9.0}
    return Sample(SMALL.name, server, number, figures)


SAMPLES = (
    sample("gateway", 0, 8000, 100), sample("nginx", 0, 10_000, 50), sample("Envoy", 0, 4000, 240),
    sample("gateway", 1, 4000, 200), sample("nginx", 1, 4000, 100), sample("Envoy", 1, 1000, 500),
    sample("gateway", 2, 9000, 90), sample("nginx", 2, 10_000, 45, 0.99), sample("Envoy", 2, 4500, 225),
)  # fmt: skip
RESULTS = Results(
    machine=("2 cores",),
    versions={"nginx": "nginx/1.22.1"},
    rounds=3,
    seconds=5.0,
    samples=SAMPLES,
    memory=(Memory("gateway", 100, 120, 33.4, 37), Memory("nginx", 10, 11, 14, 39)),
    decisions=(
        DecisionCost(18, 11, 2000, 9.8, 12, 1.5, 1.2, 85),
        DecisionCost(1_000_018, 100_011, 2000, 11.2, 14, 21.0, 20, 520),
    ),
    workers=(
        Sample("workers", "gateway", 0, {"rate": 8000, "cpu": 100}),
        Sample("workers", "gateway, 2 workers", 0, {"rate": 12_000, "cpu": 108}),
    ),
    configurations={"nginx.conf": "events {}\n"},
)


def test_a_ratio_is_the_median_of_pairs_not_the_pair_of_medians() -> None:
    assert ratio(SAMPLES, SMALL.name, "nginx", "rate") == pytest.approx(0.9)
    assert ratio(SAMPLES, SMALL.name, "Envoy", "rate") == pytest.approx(2.0)


def test_of_cpu_time_less_is_more() -> None:
    assert ratio(SAMPLES, SMALL.name, "nginx", "cpu") == pytest.approx(0.5)
    assert ratio(SAMPLES, SMALL.name, "Envoy", "cpu") == pytest.approx(2.5)


@pytest.mark.parametrize("peer", ["Caddy", "nobody"])
def test_what_was_not_measured_has_no_ratio(peer: str) -> None:
    assert ratio(SAMPLES, SMALL.name, peer, "rate") is None


def test_a_turn_in_which_one_of_the_two_failed_does_not_count() -> None:
    without = [one for one in SAMPLES if (one.server, one.turn) != ("nginx", 0)]
    assert ratio(without, SMALL.name, "nginx", "cpu") == pytest.approx(0.5)
    assert ratio(without, SMALL.name, "nginx", "rate") == pytest.approx(0.95)


def test_two_workers_are_held_against_one() -> None:
    assert workers_factor(RESULTS.workers) == pytest.approx(1.08)
    assert workers_factor(RESULTS.workers[:1]) is None


@pytest.mark.parametrize(
    "line",
    [
        "| small response | ≥ 0.6 × nginx | 0.90 × | 0.50 × | by rate alone |",
        "| small response | ≥ 2 × Envoy | 2.00 × | 2.50 × | met |",
        "| one decision, 18 designations of 11 persons | ≤ 15 µs |  | 9.8 µs | met |",
        "| start with 1,000,018 designations of 100,011 persons | < 20 s | 21.0 s | 20.0 s | **not met** |",
        "| CPU a request, two workers | ≤ 1.1 × one |  | 1.08 × | met |",
        "| memory of an idle connection | ≤ 40 KiB | 33 KiB |  | met |",
        "| gateway | 8,000 | 4,000–9,000 |  | 100 |  | **100%** | 50% | 1.25 | 9.00 |",
        "| nginx | 10,000 | 4,000–10,000 | 0.90 × | 50.0 | 0.50 × | **100%** | 50% | 1.25 | 9.00 |",
        "| 1,000,018 | 100,011 | 2,000 | 11.2 | 14.0 | 21.0 | 20.0 | 520 |",
    ],
)
def test_the_page_says(line: str) -> None:
    assert line in report(RESULTS, (SMALL,)).splitlines()


def test_every_configuration_stands_whole() -> None:
    assert "**nginx.conf**\n\n```\nevents {}\n```" in report(RESULTS, (SMALL,))


def test_what_failed_is_said() -> None:
    failed = report(replace(RESULTS, failures=("small response, round 2, Caddy: 3 read errors",)), (SMALL,))
    assert "* small response, round 2, Caddy: 3 read errors" in failed.splitlines()
    assert "What failed" not in report(RESULTS, (SMALL,))


def test_figures_take_the_place_of_the_last_ones() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nMore.\n"
    assert place(page, "new") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nMore.\n"


@pytest.mark.parametrize("page", ["", f"{BEGIN} only", f"{END}\n{BEGIN}"])
def test_a_page_without_its_markers_is_left_alone(page: str) -> None:
    with pytest.raises(ReportError, match="markers"):
        place(page, "new")
