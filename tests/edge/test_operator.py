"""The operator's port tells of all workers as of one gateway."""

from __future__ import annotations

import orjson
from prometheus_client import generate_latest

from gateway.edge.operator import Status, make_registry


def status(worker: int, *reasons: str, table: str = "t", connections: int = 1) -> Status:
    ends = (("127.0.0.1:443", "server.pem", "EC", 100.0 + worker),)
    asked = [("http://ocsp.example", "answered", 3), (f"http://{worker}.example", "timeout", 1)]
    revocation = [("ocsp", "good", 2)]
    lists = [("http://crl.example/1.crl", 50.0 + worker, 90.0 + worker)]
    return Status(
        reasons,
        {"permitted": 2, f"only_{worker}": 1},
        connections,
        {f"user-{worker}": 5},
        table,
        10.0,
        ends,
        asked,
        revocation,
        lists,
        12 + worker,
        200.0 - worker,
        {"unsigned": 1 + worker},
        {"same": 3, "different": worker},
    )


def as_told(one: Status) -> object:
    """As it comes over a worker's socket."""
    return orjson.loads(orjson.dumps(one, default=list))


def test_figures_are_summed_and_streams_stand_side_by_side() -> None:
    told = Status.of_all({0: status(0), 1: as_told(status(1, connections=4))})  # type: ignore[dict-item]
    assert told.not_ready == ()
    assert dict(told.decisions) == {"permitted": 4, "only_0": 1, "only_1": 1}
    assert dict(told.ledger_lines) == {"user-0": 5, "user-1": 5}
    assert (told.connections, told.table, told.started) == (5, "t", 10.0)
    assert list(told.certificates) == [("127.0.0.1:443", "server.pem", "EC", 100.0)]
    assert sorted(told.asked) == [
        ("http://0.example", "timeout", 1),
        ("http://1.example", "timeout", 1),
        ("http://ocsp.example", "answered", 6),
    ]
    assert list(told.revocation) == [("ocsp", "good", 4)]
    assert list(told.revocation_lists) == [("http://crl.example/1.crl", 51.0, 91.0)]
    assert (told.release, told.release_end, told.releases_refused) == (12, 199.0, {"unsigned": 2})
    assert told.shadow == {"same": 6, "different": 1}


def test_it_is_ready_when_all_workers_are_and_decide_alike() -> None:
    assert Status.of_all({0: status(0), 1: None}).not_ready == ("worker 1: no answer",)
    assert Status.of_all({0: status(0, "draining"), 1: status(1, "draining")}).not_ready == ("draining",)
    assert Status.of_all({0: status(0), 1: status(1, table="u")}).not_ready == ("tables_differ",)


def test_no_count_falls_while_a_worker_is_silent() -> None:
    told = Status.of_all({0: status(0), 1: None})
    assert (told.decisions, told.shadow) == ({}, {})
    assert (list(told.asked), list(told.revocation)) == ([], [])
    assert dict(told.ledger_lines) == {"user-0": 5}


def test_what_was_asked_of_others_is_among_the_metrics() -> None:
    text = generate_latest(make_registry(lambda: status(0))).decode()
    for line in (
        'gateway_outbound_requests_total{outcome="answered",place="http://ocsp.example"} 3.0',
        'gateway_revocation_answers_total{source="ocsp",state="good"} 2.0',
        'gateway_revocation_list_issued_seconds{list="http://crl.example/1.crl"} 50.0',
        'gateway_revocation_list_expiry_seconds{list="http://crl.example/1.crl"} 90.0',
    ):
        assert line in text.splitlines(), text
