"""The load: wrk for requests, curl for one large download, and small loaders of our own for websockets and idle connections."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers import Server
from bench.processes import LOAD_CORE, Meter, Used

CONNECTIONS = 32
"""Parallel connections of the load."""

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_LUA = """\
wrk.method = "{method}"
wrk.body = string.rep("x", {body_bytes})
local mean = {think_ms}
if mean > 0 then
  math.randomseed(20261124)
  function delay() return math.floor(0.5 - mean * math.log(1 - math.random())) end
end
"""
_EACH_ITS_OWN = """\
local number, referer = 0, wrk.headers["Referer"]
function request()
  number = number + 1
  wrk.headers["Referer"] = referer .. number
  return wrk.format(nil, wrk.path .. number)
end
"""


@dataclass(frozen=True, slots=True)
class Wrk:
    """What wrk measured: answers, answers a second, seconds of latency; and what was used meanwhile."""

    requests: int
    rate: float
    p50: float
    p99: float
    used: Used


class LoadError(Exception):
    """A server did not answer as it should, so that there is no figure."""


class Loader:
    """Sends load from one core; keeps scripts and the file of host names in `directory`."""

    def __init__(self, directory: Path, hosts: Sequence[str]) -> None:
        self._directory = directory
        names = directory / "hosts"
        names.write_text("".join(f"127.0.0.1 {host}\n" for host in hosts))
        # glibc does not know `*.localhost`, and wrk sends the name it asked the resolver for as SNI.
        self.environment = os.environ | {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": str(names)}

    def wrk(
        self,
        server: Server,
        path: str,
        seconds: float,
        *,
        fields: Mapping[str, str] | None = None,
        connections: int = CONNECTIONS,
        body_bytes: int = 0,
        think_seconds: float = 0.0,
        each_its_own: bool = False,
    ) -> Wrk:
        """Raises LoadError when an answer was not 2xx or a connection failed.

        With a body the method is POST. `think_seconds` is the mean of the exponentially distributed time that each connection
        waits before its next request; 0 is as fast as answers come. `each_its_own`: a number goes on behind the path and the
        Referer, so that no request is like another.
        """
        command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout=30s", "--latency"]  # fmt: skip
        sent = dict(server.fields) | dict(fields or {})
        if body_bytes:
            sent |= {"Origin": f"https://{server.host}:{server.port}", "Content-Type": "application/octet-stream"}
        for name, value in sent.items():
            command += ["-H", f"{name}: {value}"]
        if body_bytes or think_seconds or each_its_own:
            script = self._directory / "load.lua"
            method = "POST" if body_bytes else "GET"
            text = _LUA.format(method=method, body_bytes=body_bytes, think_ms=think_seconds * 1e3)
            script.write_text(text + _EACH_ITS_OWN if each_its_own else text)
            command += ["-s", str(script)]
        meter = Meter(server.process)
        said = subprocess.run(
            [*command, server.url(path)], check=True, capture_output=True, text=True, env=self.environment
        ).stdout
        return read_wrk(said, meter.stop())

    def download(self, server: Server, path: str) -> tuple[int, Used]:
        """One GET by curl, its body thrown away: bytes. Raises LoadError when it was not answered whole with 200."""
        command = ["taskset", "-c", str(LOAD_CORE), "curl", "--silent", "--insecure", "--http1.1", "--output", "/dev/null",
                   "--resolve", f"{server.host}:{server.port}:127.0.0.1", "--write-out", "%{http_code} %{size_download}"]  # fmt: skip
        for name, value in server.fields.items():
            command += ["--header", f"{name}: {value}"]
        meter = Meter(server.process)
        done = subprocess.run([*command, server.url(path)], check=False, capture_output=True, text=True)
        used = meter.stop()
        status, size = done.stdout.split()
        if done.returncode or status != "200":
            raise LoadError(f"{server.name}: curl ended with {done.returncode}, status {status}, {size} bytes")
        return int(size), used

    def ours(
        self, kind: str, server: Server, amount: float, when_ready: Callable[[], None] | None = None
    ) -> tuple[int, Used]:
        """Runs a loader of `bench.loaders`: what it counted, and what was used from the moment that it was ready.

        Raises LoadError with what it said when it failed.
        """
        about = {"host": server.host, "port": server.port, "fields": dict(server.fields)}
        command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "bench.loaders", kind, str(amount)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as loader:
            if loader.stdin is None or loader.stdout is None or loader.stderr is None:
                raise RuntimeError("the loader has no pipes")
            loader.stdin.write(json.dumps(about) + "\n")
            loader.stdin.flush()
            ready = loader.stdout.readline() == "ready\n"
            meter = Meter(server.process)
            if ready:
                if when_ready is not None:
                    when_ready()
                loader.stdin.write("go\n")
                loader.stdin.flush()
            answer = loader.stdout.readline()
            used = meter.stop()
            if not answer:
                raise LoadError(f"{server.name}: {kind}: {loader.stderr.read()[-2000:]}")
            return int(json.loads(answer)["count"]), used


def read_wrk(said: str, used: Used) -> Wrk:
    """From what wrk prints. Raises LoadError when a request failed, or a figure is not there."""
    requests = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p50, p99 = (re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", said, re.MULTILINE) for percent in (50, 99))
    if requests is None or rate is None or p50 is None or p99 is None or "Non-2xx" in said:
        raise LoadError(said)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    if errors is not None and any(int(count) for count in errors.groups()):
        raise LoadError(said)
    latency = [float(found[1]) * _UNITS[found[2]] for found in (p50, p99)]
    return Wrk(int(requests[1]), float(rate[1]), latency[0], latency[1], used)
