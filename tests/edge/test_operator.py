"""The operator's port tells of all workers as of one gateway."""

from __future__ import annotations

import orjson

from gateway.edge.operator import Status


def status(worker: int, *reasons: str, table: str = "t", connections: int = 1) -> Status:
    ends = (("127.0.0.1:443", "server.pem", "EC", 100.0 + worker),)
    return Status(reasons, {"permitted": 2, f"only_{worker}": 1}, connections, {f"user-{worker}": 5}, table, 10.0, ends)


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


def test_it_is_ready_when_all_workers_are_and_decide_alike() -> None:
    assert Status.of_all({0: status(0), 1: None}).not_ready == ("worker 1: no answer",)
    assert Status.of_all({0: status(0, "draining"), 1: status(1, "draining")}).not_ready == ("draining",)
    assert Status.of_all({0: status(0), 1: status(1, table="u")}).not_ready == ("tables_differ",)


def test_no_count_falls_while_a_worker_is_silent() -> None:
    told = Status.of_all({0: status(0), 1: None})
    assert told.decisions == {}
    assert dict(told.ledger_lines) == {"user-0": 5}
