"""What load generators and profilers print is read right, or not at all."""

from __future__ import annotations

import pytest

from bench.load import LoadError, read_wrk
from bench.processes import Used
from bench.profiling import shares

USED = Used(5.0, 4.5, 0.9, 0.5)
SAID = """\
Running 5s test @ https://app.localhost:20443/x
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.63ms  493.01us   1.51s    86.84%
  Latency Distribution
     50%  948.00us
     75%    1.10ms
     90%    1.51s 
     99%    1.02m
  39000 requests in 5.01s, 8.10MB read
Requests/sec:   7784.43
Transfer/sec:      1.62MB
"""  # noqa: W291 - as wrk prints it


def test_wrk_is_read() -> None:
    found = read_wrk(SAID, USED)
    assert (found.requests, found.rate, found.used) == (39_000, 7784.43, USED)
    assert (found.p50, found.p99) == pytest.approx((0.000948, 61.2))


@pytest.mark.parametrize(
    "said",
    [
        "",
        SAID.replace("Requests/sec", "Responses/sec"),
        SAID + "  Non-2xx or 3xx responses: 3\n",
        SAID + "  Socket errors: connect 0, read 0, write 0, timeout 1\n",
    ],
)
def test_a_run_with_a_fault_is_no_figure(said: str) -> None:
    with pytest.raises(LoadError):
        read_wrk(said, USED)


def test_no_socket_error_is_none() -> None:
    assert read_wrk(SAID + "  Socket errors: connect 0, read 0, write 0, timeout 0\n", USED).requests == 39_000


def test_shares_of_a_profile() -> None:
    own, anywhere, total = shares(["main (a.py:1);read (b.py:7) 3", "main (a.py:2);read (b.py:9) 1", "main (a.py:2) 4"])
    assert total == 8
    assert own == {"read (b.py)": 4, "main (a.py)": 4}
    assert anywhere == {"main (a.py)": 8, "read (b.py)": 4}
