"""What stands around a server under test: the origin, the authorisation server, the loader, and the gateway's world."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import ours, programs
from bench.cases import DOWNLOAD_BYTES
from bench.load import Loader
from bench.peers import Ground, start_origin
from bench.processes import LOAD_CORE, free_port, start, wait_for_port

SMALL_FILE_BYTES = 64 * 1024


@contextmanager
def run_directory() -> Iterator[Path]:
    """On the disk of the project, not in a /tmp that may be memory: the gateway's lines are durable, and that is part of its work."""
    programs.CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=programs.CACHE) as name:
        directory = Path(name)
        directory.chmod(0o755)  # nginx's worker runs as another user when root started it
        yield directory


class Stage:
    """Started when it is made, stopped with `stack`."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        files = directory / "files" / "files"
        files.mkdir(parents=True)
        (files / "64k").write_bytes(b"x" * SMALL_FILE_BYTES)
        with (files / "large").open("wb") as large:
            large.truncate(DOWNLOAD_BYTES)
        origin, verdict, echo = (free_port() for _ in range(3))
        self.world = ours.build(directory / "demo", origin)
        # A world of its own: two gateways share neither ports nor a ledger.
        self.compiled = ours.build(directory / "compiled", origin, aside=10)
        self.ground = Ground(directory, self.world.certificate, self.world.key, self.world.host, origin, verdict, echo)
        stack.callback(start_origin(self.ground).stop)
        echoing = start("echo", [sys.executable, "-m", "bench.echo", str(echo)], LOAD_CORE, directory)
        stack.callback(echoing.stop)
        wait_for_port(echoing, echo)
        self.loader = Loader(directory, [self.world.host])
