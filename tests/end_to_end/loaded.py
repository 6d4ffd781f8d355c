"""Starts gateways from a process that has loaded their modules already, since loading them is most of what a start costs: a second of a core,
times a hundred.

The process (`python -m tests.end_to_end.loaded SOCKET gateway`) forks itself for each start. From there on it is what `python -m gateway …` is: a
session, a command line, standard output and error of its own. Gateways that are started as a person does it are in tests/demo and
tests/browser; and `gateway` with other words is always a process from the beginning.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from functools import cache
from types import TracebackType
from typing import IO, NamedTuple

MAX_BYTES = 65_536
"""Of a command line."""


class Started:
    """A process as `subprocess.Popen` has it. Its exit status comes through `told`; negative: the signal that ended it."""

    def __init__(self, words: tuple[str, ...], stderr: IO[bytes]) -> None:
        self.args = words
        self.returncode: int | None = None
        reading, writing = os.pipe()
        self.stdout = os.fdopen(reading, "rb")
        self._told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            socket.send_fds(_loader().asking, [json.dumps(words).encode()], [writing, stderr.fileno(), theirs.fileno()])
        finally:
            os.close(writing)
            theirs.close()
        self.pid = int(self._said())

    def _said(self) -> str:
        return self._told.recv(64).decode()

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.returncode = int(self._said())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status. Raises subprocess.TimeoutExpired after so many seconds."""
        if self.returncode is None and not select.select([self._told], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        status = self.poll()
        if status is None:
            raise RuntimeError("readable, and nothing to read")
        return status

    def send_signal(self, number: int) -> None:
        """Nothing happens when it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Started:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stdout.close()
        self.wait()
        self._told.close()


class _Loader(NamedTuple):
    process: subprocess.Popen[bytes]
    asking: socket.socket
    """The process ends with it."""


@cache
def _loader() -> _Loader:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        # `gateway reload` looks for that word in the command line of whom it signals.
        command = [sys.executable, "-m", __name__, str(theirs.fileno()), "gateway"]
        return _Loader(subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL), ours)


def serve(asking: socket.socket) -> list[str] | None:
    """Fork for each command line that comes. In the child: its command line; in the process itself None, when nobody asks any more."""
    waiting: dict[int, socket.socket] = {}
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    while True:
        ready, _, _ = select.select([asking, woken], [], [])
        if woken in ready:
            woken.recv(1024)
            while waiting:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                with waiting.pop(pid) as told:
                    told.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        if asking not in ready:
            continue
        words, descriptors, _, _ = socket.recv_fds(asking, MAX_BYTES, 3)
        if not words:
            return None
        output, errors, answer = descriptors
        told = socket.socket(fileno=answer)
        pid = os.fork()
        if pid:
            told.sendall(str(pid).encode())
            waiting[pid] = told
            os.close(output)
            os.close(errors)
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.dup2(output, 1)
        os.dup2(errors, 2)
        for one in (output, errors):
            os.close(one)
        for each in (asking, woken, wake, told, *waiting.values()):
            each.close()
        return list(json.loads(words))


def main() -> None:
    from gateway.edge import openssl

    openssl.configure()  # before anything else, as `gateway serve` does it
    from gateway import cli
    from gateway.demo import federation
    from gateway.model import LANGUAGES
    from gateway.portal.render import template

    for word in ("serve", "demo"):
        cli.build([word])
    for language in LANGUAGES:
        template(language, "refusal.html")
    federation.installed = lambda: False  # none of these tests signs in there, and it is another second of a core
    words = serve(socket.socket(fileno=int(sys.argv[1])))
    if words is not None:
        sys.argv = ["gateway", *words]
        cli.main()


if __name__ == "__main__":
    main()
