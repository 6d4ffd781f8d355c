"""Permitted requests a second through the gateway, beside nginx with `auth_request` doing the same: TLS, a verdict, a JSON log line, forwarding.

Needs wrk, nginx and libnss-wrapper (Debian: `apt install wrk nginx-light libnss-wrapper`). One core for the server, the other for load and origin:

    .venv/bin/python -m bench.requests_beside_nginx [--seconds 10] [--rounds 3]

Each round runs nginx, then the gateway; the medians of the rounds and their ratio are printed. The origin of both is one nginx
that answers 13 bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.browser.harness import free_offset
from tests.end_to_end.client import BROWSER, person

SERVER_CORE, LOAD_CORE = "0", "1"
ORIGIN = """
worker_processes 1; daemon off; pid {dir}/origin.pid; error_log {dir}/origin.log;
events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {dir}/o1; proxy_temp_path {dir}/o2; fastcgi_temp_path {dir}/o3; uwsgi_temp_path {dir}/o4; scgi_temp_path {dir}/o5;
  server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000; location / {{ return 200 "hello, world\\n"; }} }} }}
"""
BESIDE = """
worker_processes 1; daemon off; pid {dir}/beside.pid; error_log {dir}/beside.log;
events {{ worker_connections 1024; }}
http {{ client_body_temp_path {dir}/b1; proxy_temp_path {dir}/b2; fastcgi_temp_path {dir}/b3; uwsgi_temp_path {dir}/b4; scgi_temp_path {dir}/b5;
  log_format line escape=json '{{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr","host":"$host","method":"$request_method","path":"$uri","status":$status,"agent":"$http_user_agent","seconds":$request_time}}';
  access_log {dir}/access.json line;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port} ssl; keepalive_requests 1000000; ssl_certificate {pem}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ auth_request /verdict; proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Request-Id $request_id; }}
    location = /verdict {{ internal; proxy_pass http://origin/verdict; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass_request_body off; proxy_set_header Content-Length ""; }}
  }} }}
"""


NAMES: dict[str, str] = {}
"""wrk asks the resolver for `*.localhost`, which glibc does not know: libnss-wrapper answers from a file of ours."""


def know_names(directory: Path, names: list[str]) -> None:
    hosts = directory / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in names))
    NAMES.update(LD_PRELOAD="libnss_wrapper.so", NSS_WRAPPER_HOSTS=str(hosts))


def wrk(url: str, seconds: int, fields: dict[str, str]) -> float:
    """Requests a second. Raises RuntimeError when an answer was not 2xx."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c32", f"-d{seconds}s", "--latency"]
    for name, value in fields.items():
        command += ["-H", f"{name}: {value}"]
    said = subprocess.run([*command, url], check=True, capture_output=True, text=True, env=NAMES | os.environ).stdout
    if "Non-2xx" in said:
        raise RuntimeError(said)
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    latency = re.search(r"^\s+50%\s+(\S+)$[\s\S]*^\s+99%\s+(\S+)$", said, re.MULTILINE)
    if found is None or latency is None:
        raise RuntimeError(said)
    print(f"  {float(found[1]):9.0f} requests/s   p50 {latency[1]}, p99 {latency[2]}   {url}", flush=True)
    return float(found[1])


def nginx(directory: Path, name: str, text: str, core: str) -> subprocess.Popen[bytes]:
    config = directory / f"{name}.conf"
    config.write_text(text)
    return subprocess.Popen(
        ["taskset", "-c", core, "nginx", "-c", str(config), "-p", str(directory)], stderr=subprocess.DEVNULL
    )


async def session_cookies(facts: dict[str, Any]) -> str:
    """Signed in as the demo's first person at its first transaction: the Cookie field."""
    who, where = facts["people"][0], facts["transactions"][0]["url"]
    async with person(Path(facts["ca"])) as browser:
        answer = await browser.sign_in(where, who["user_id"], who["password"])
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} at {answer.url}: {(await answer.text())[:2000]}")
        jar = browser.session.cookie_jar.filter_cookies(answer.url)
        return "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for program in ("wrk", "nginx", "taskset"):
        if shutil.which(program) is None:
            sys.exit(f"bench: {program} is missing: apt install wrk nginx-light util-linux")
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        offset = free_offset()
        origin, beside = 9700 + offset, 9800 + offset
        try:
            started.append(nginx(directory, "origin", ORIGIN.format(dir=directory, port=origin), LOAD_CORE))
            demo = subprocess.Popen(
                ["taskset", "-c", SERVER_CORE, sys.executable, "-m", "gateway", "demo", "--state", str(directory / "demo"),
                 "--port-offset", str(offset), "--origin", f"http://127.0.0.1:{origin}/", "--json"],
                stdout=subprocess.PIPE,
            )  # fmt: skip
            started.append(demo)
            facts = json.loads(demo.stdout.readline()) if demo.stdout else {}
            certificate = next(Path(facts["config"]).rglob("server.pem"))
            text = BESIDE.format(
                dir=directory, port=beside, origin=origin, pem=certificate, key=certificate.with_suffix(".key")
            )
            started.append(nginx(directory, "beside", text, SERVER_CORE))
            time.sleep(1)
            know_names(directory, [str(urlsplit(facts["transactions"][0]["url"]).hostname)])
            cookie = asyncio.run(session_cookies(facts))
            fields = {"User-Agent": BROWSER, "Cookie": cookie, "Accept": "text/html,*/*;q=0.8", "Accept-Language": "nl,en;q=0.5",
                      "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}  # fmt: skip
            rates: dict[str, list[float]] = {"nginx": [], "gateway": []}
            for _ in range(options.rounds):
                rates["nginx"].append(wrk(f"https://127.0.0.1:{beside}/x", options.seconds, fields))
                rates["gateway"].append(wrk(facts["transactions"][0]["url"], options.seconds, fields))
        finally:
            for process in reversed(started):
                process.send_signal(signal.SIGINT)
                process.wait(20)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    # Pair by pair, so that a machine whose speed drifts says the same.
    ratio = statistics.median(ours / theirs for ours, theirs in zip(rates["gateway"], rates["nginx"], strict=True))
    print(
        f"nginx {medians['nginx']:.0f}, gateway {medians['gateway']:.0f} requests/s; {ratio:.2f} x, median of the pairs"
    )


if __name__ == "__main__":
    main()
