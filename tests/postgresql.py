"""A real PostgreSQL server of Debian, for the tests alone: started once, on a UNIX socket and loopback; nothing of it outlives the tests."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.records import RecordsSettings, upgrade_schema
from gateway.records.server import Server, read_url

ACCOUNT = "postgres"
"""Debian's; the server refuses to run as root."""
GUARDED = "guarded"
"""Of this user a password is asked over TCP; everybody else is let in."""
WITHOUT = "PostgreSQL is not installed: apt install postgresql"
START_SECONDS = 60.0
QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off", "max_wal_size=4GB")
"""Nothing of it must outlive a power cut."""


@functools.cache
def programs() -> Path | None:
    """The directory of the newest server's programs, None when there is none or nobody to run it as."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if os.geteuid() == 0:
        with contextlib.suppress(KeyError):
            pwd.getpwnam(ACCOUNT)
            return found[-1].parent if found else None
        return None
    return found[-1].parent if found else None


class Cluster:
    """A server with its data. `extra` are settings for postgresql.conf; each database is made from an empty one with our schema."""

    def __init__(self, *extra: str, quick: bool = True) -> None:
        where = programs()
        if where is None:
            pytest.skip(WITHOUT)
        self._programs = where
        self.directory = Path(tempfile.mkdtemp(prefix="gateway-pg-"))
        self.port = _free_port()
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self.directory, ACCOUNT, ACCOUNT)
        options = ("--auth=trust", f"--username={ACCOUNT}", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        self._run("initdb", f"--pgdata={self.data}", "--no-instructions", *options)
        lines = [
            f"port = {self.port}",
            f"unix_socket_directories = '{self.directory}'",
            "listen_addresses = '127.0.0.1'",
            "max_connections = 200",
            "shared_buffers = 32MB",
            *(QUICK if quick else ()),
            *extra,
        ]
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write("\n".join(lines) + "\n")
        access = self.data / "pg_hba.conf"
        access.write_text(f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n" + access.read_text())
        self.start()

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def _as_owner(self, command: Sequence[str]) -> list[str]:
        if os.geteuid() != 0:
            return list(command)
        return [
            "setpriv",
            f"--reuid={ACCOUNT}",
            f"--regid={ACCOUNT}",
            "--clear-groups",
            "--pdeathsig=QUIT",
            "--",
            *command,
        ]

    def _run(self, program: str, *arguments: str, text: str = "") -> str:
        command = self._as_owner([str(self._programs / program), *arguments])
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        command = self._as_owner([str(self._programs / "postgres"), "-D", str(self.data)])
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", start_new_session=True)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL did not start in time"
            time.sleep(0.02)

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", str(self.directory), "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: a fast shutdown; SIGQUIT: as after a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(START_SECONDS)

    def kill(self) -> None:
        """Every process of it, at once; it recovers at the next start."""
        process, self._process = self._process, None
        if process is not None:
            for each in (process.pid, *self._children(process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            process.wait(START_SECONDS)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """All its processes stand still: it takes connections (the kernel does) and answers nothing."""
        process = self._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        stopped = self._children(process.pid)
        for each in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in (*stopped, process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGCONT)

    @staticmethod
    def _children(pid: int) -> list[int]:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def owned(self, name: str, content: bytes) -> Path:
        """A file in its directory that it alone can read."""
        path = self.directory / name
        path.touch(0o600)
        path.write_bytes(content)
        if os.geteuid() == 0:
            shutil.chown(path, ACCOUNT, ACCOUNT)
        return path

    # --- databases

    def sql(self, database: str, text: str) -> str:
        """What psql prints of these statements, bare; a failure fails the test."""
        options = ("-h", str(self.directory), "-p", str(self.port), "-U", ACCOUNT, "-d", database)
        return self._run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *options, text=text).rstrip("\n")

    def url(self, database: str, *, tcp: bool = False) -> str:
        if tcp:
            return f"postgresql://{ACCOUNT}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{ACCOUNT}@/{database}?host={self.directory}&port={self.port}"

    def server(self, database: str, *, tcp: bool = False) -> Server:
        return read_url(self.url(database, tcp=tcp))

    def empty(self) -> str:
        """A new database with nothing in it: its name."""
        self._count += 1
        name = f"empty{self._count}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return name

    @functools.cached_property
    def template(self) -> str:
        """A database with our schema and no row."""
        name = "gateway_template"
        self.sql("postgres", f"CREATE DATABASE {name}")
        upgrade_schema(RecordsSettings(self.server(name), Path("none")))
        return name

    def made(self) -> str:
        """A new database with our schema and no row: its name."""
        self._count += 1
        name = f"records{self._count}"
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        self.sql("postgres", f"DROP DATABASE {name} WITH (FORCE)")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port
