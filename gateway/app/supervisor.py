"""The supervisor: forks the workers, starts anew those that die, hands down reload and stop, and collects what they say.

It has no event loop, no thread and no database, so that it can fork at any time, and as little to do as can be, so that it does not
die. It holds the listening sockets open: what waits in their queues is lost with no worker (ADR 0012).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import orjson
import structlog

from gateway.app.employed import BEAT_SECONDS, FAILED, employed, leave_process
from gateway.app.life import Inheritance
from gateway.app.prepared import Prepared
from gateway.app.releases import BEGINS
from gateway.app.reloading import Outcome, merged, outcome_of, renew_prepared, write_outcome
from gateway.errors import ConfigurationError, Fault, GatewayError

STEADY_SECONDS = 60.0
"""A worker that lived so long died of something new: its successor starts at once."""
BACK_OFF_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Rest before a start, by how many workers of this number died early in a row."""
GIVE_UP_AFTER = 6
"""Early deaths in a row, about half a minute, after which a number is called given up: critical, again at each death. When every worker
is given up the gateway ends, so that whoever started it sees it (systemd starts it anew, with all its checks)."""
RELOAD_SECONDS = 9.0
"""For the workers' answers; `gateway reload` waits a second longer."""
SLACK_SECONDS = 20.0
"""Beyond `limits.drain`, for a stopping worker's last lines (three write deadlines of the ledger); then it is killed."""
SILENT_BEATS = 10
"""A ready worker that misses so many in a row hangs, and with it every connection that it took: it is killed, and another takes its place.
More than the longest pause that was ever seen of one at work (2 s)."""
AGAIN_SECONDS = 30.0
AGAIN_AT_MOST_SECONDS = 600.0
"""Rest before workers that did not answer alike are asked again: twice as long each time. A large table may take longer than RELOAD_SECONDS
to read, and an answer that comes late counts."""
HANG_UP = "SIGHUP"
"""Why a reload is asked for, in the ledger: the operator did."""
DIFFER = "differ"
"""Likewise: the workers did not answer alike."""
_READ_BYTES = 65_536

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

_log = structlog.get_logger("gateway")


class StartFailed(GatewayError):
    """A worker could not start; the message is its own."""


class GivenUp(GatewayError):
    """No worker could be kept alive; the operational log says why for each."""


@dataclass(slots=True)
class _Post:
    """A worker's number, and who has it. `pid` is 0 while nobody has; `due` is when somebody shall (monotonic seconds); `silent` are the
    beats that it missed."""

    number: int
    pid: int = 0
    line: socket.socket | None = None
    unread: bytes = b""
    ready: bool = False
    silent: int = 0
    started: float = 0.0
    due: float = 0.0
    early_deaths: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    failure: str = ""


class Supervisor:
    """`ready` is called once, when every worker is."""

    def __init__(self, prepared: Prepared, ready: Callable[[], None]) -> None:
        self._prepared = prepared
        self._settings = prepared.settings
        self._tell_ready = ready
        self._posts = [_Post(number) for number in range(prepared.workers)]
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._signals: list[int] = []
        self._all_were_ready = False
        self._stopping = False
        self._kill_at = float("inf")
        self._beat_due = 0.0
        self._failed: GatewayError | None = None
        self._table = ""
        self._reload_number = 0
        self._reload_cause = ""
        self._reload_late = False
        self._reload_rest = AGAIN_SECONDS
        self._reload_wanted: dict[str, float] = {}
        self._reloading: dict[int, Outcome | None] = {}
        self._reload_until = float("inf")

    def run(self) -> None:
        """Until a signal ends it. Raises StartFailed, or GivenUp."""
        with self._listening_to_signals():
            self._selector.register(self._woken, selectors.EVENT_READ)
            try:
                for post in self._posts:
                    self._fork(post)
                while not self._stopping or any(post.pid for post in self._posts):
                    self._turn()
            finally:
                self._kill_all()
                if self._all_were_ready:
                    self._settings.pid_file.unlink(missing_ok=True)
                self._selector.close()
                self._woken.close()
                self._waker.close()
        if self._failed is not None:
            raise self._failed

    @contextlib.contextmanager
    def _listening_to_signals(self) -> Iterator[None]:
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        waking = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            # It ends in order: one signal more must not kill it on its last steps.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
            signal.set_wakeup_fd(waking)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    # --- one turn -----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        for key, _ in self._selector.select(max(0.0, self._next_due() - time.monotonic())):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(_READ_BYTES)
            else:
                self._listen(key.data)
        while self._signals:
            self._act_on(self._signals.pop(0))
        self._bury()
        now = time.monotonic()
        if now >= self._beat_due:
            self._miss_beats(now)
        for post in self._posts:
            if not post.pid and not self._stopping and now >= post.due:
                self._fork(post)
        if self._reload_until < float("inf") and (None not in self._reloading.values() or now >= self._reload_until):
            self._end_reload()
        elif self._reload_late and None not in self._reloading.values():
            self._end_late()
        self._begin_reload()
        if now >= self._kill_at:
            _log.critical(
                "workers_killed", workers=[post.number for post in self._posts if post.pid], reason="too slow to end"
            )
            self._kill_all()

    def _next_due(self) -> float:
        due = [post.due for post in self._posts if not post.pid and not self._stopping]
        if self._may_reload():
            due += self._reload_wanted.values()
        return min([*due, self._reload_until, self._kill_at, self._beat_due])

    def _act_on(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._want(HANG_UP)
        elif number in (signal.SIGTERM, signal.SIGINT):
            self.stop(now=self._stopping)

    # --- workers ------------------------------------------------------------------------------------------------------

    def _miss_beats(self, now: float) -> None:
        """One more for each; whatever a worker says begins the count anew. It is counted and not reckoned by the clock: when this
        process itself stood still (a machine that was suspended, a terminal's Ctrl-Z), so did they, and they have their time again."""
        self._beat_due = now + BEAT_SECONDS
        for post in self._posts:
            post.silent += 1
            if post.pid and post.ready and post.silent > SILENT_BEATS:
                post.failure = f"it hung: nothing was heard of it for {SILENT_BEATS * BEAT_SECONDS:g} s"
                _log.critical("worker_hung", worker=post.number, pid=post.pid, effect="killed; another takes its place")
                os.kill(post.pid, signal.SIGKILL)

    def _fork(self, post: _Post) -> None:
        ours, theirs = socket.socketpair()
        pid = -1
        # A signal between the fork and the worker's own handlers would be noted by a copy of this object that nobody asks.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            post.failure, post.started = f"no process can be made ({error.strerror})", time.monotonic()
            self._died(post, FAILED)
            return
        finally:
            if pid:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if pid == 0:
            self._become(post, ours, theirs)
        theirs.close()
        ours.setblocking(False)
        post.pid, post.line, post.unread, post.ready, post.silent, post.failure = pid, ours, b"", False, 0, ""
        post.started = time.monotonic()
        self._selector.register(ours, selectors.EVENT_READ, post)

    def _become(self, post: _Post, ours: socket.socket, theirs: socket.socket) -> None:
        """In the forked process: let go of what is the supervisor's, live as a worker, and leave. Never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            for other in [ours, self._woken, self._waker, *(one.line for one in self._posts if one.line is not None)]:
                other.close()
            inheritance = Inheritance(post.decisions, self._table)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            status = employed(self._prepared, post.number, inheritance, theirs)
        finally:
            leave_process(status)

    def _listen(self, post: _Post) -> None:
        """Read what a worker says, up to its end of the line."""
        if post.line is None:
            return
        while True:
            try:
                data = post.line.recv(_READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._selector.unregister(post.line)
                post.line.close()
                post.line = None
                break
            post.unread += data
            post.silent = 0
        *lines, post.unread = post.unread.split(b"\n")
        for line in lines:
            self._hear(post, orjson.loads(line))

    def _hear(self, post: _Post, said: dict[str, Any]) -> None:
        if "ready" in said:
            post.ready = True
            self._table = self._table or said["ready"]
            if said["ready"] != self._table:
                self._want("changed")  # the files, or the table, changed while it began
            if self._all_were_ready:
                _log.info("worker_ready", worker=post.number, pid=post.pid)
            elif all(one.ready for one in self._posts):
                self._all_were_ready = True
                self._settings.pid_file.write_text(f"{os.getpid()}\n")
                self._tell_ready()
        elif "changed" in said:
            self._want(said["changed"])
        elif "decisions" in said:
            post.decisions = Counter(said["decisions"])
        elif "failed" in said:
            post.failure = said["failed"]
        elif said.get("reload") == self._reload_number and post.number in self._reloading:
            self._reloading[post.number] = said["outcome"]

    def _bury(self) -> None:
        for post in self._posts:
            if post.pid:
                pid, status = os.waitpid(post.pid, os.WNOHANG)
                if pid:
                    self._listen(post)
                    self._died(post, os.waitstatus_to_exitcode(status))

    def _died(self, post: _Post, code: int) -> None:
        pid, post.pid, post.ready = post.pid, 0, False
        if post.line is not None:
            self._selector.unregister(post.line)
            post.line.close()
            post.line = None
        self._reloading.pop(post.number, None)
        if self._prepared.shares is not None:
            self._prepared.shares.of(post.number).leave()
        if self._stopping:
            if code != 0 and not isinstance(self._failed, StartFailed):
                _log.error("worker_ended", worker=post.number, pid=pid, how=_how(code), reason=post.failure)
                self._failed = self._failed or GivenUp(f"worker {post.number} did not end in order: {_how(code)}")
            return
        if not self._all_were_ready:
            self._failed = StartFailed(
                post.failure or f"worker {post.number} ended by {_how(code)} before it was ready"
            )
            self.stop(now=True)
            return
        lived = time.monotonic() - post.started
        post.early_deaths = 0 if lived >= STEADY_SECONDS else post.early_deaths + 1
        rest = BACK_OFF_SECONDS[min(max(post.early_deaths - 1, 0), len(BACK_OFF_SECONDS) - 1)]
        post.due = time.monotonic() + rest
        told = {"worker": post.number, "pid": pid, "how": _how(code), "reason": post.failure, "starts_again_in": rest}
        if code == 0:
            _log.warning("worker_ended", **told)  # somebody told it to
        elif post.early_deaths < GIVE_UP_AFTER:
            _log.error("worker_ended", **told)
        else:
            _log.critical("worker_given_up", **told, deaths=post.early_deaths, effect="not ready; the others serve on")
            if all(one.early_deaths >= GIVE_UP_AFTER for one in self._posts):
                self._failed = GivenUp("every worker died again and again; the lines above say why")
                self.stop(now=True)

    def _order(self, post: _Post, order: dict[str, object]) -> bool:
        if post.line is None:
            return False
        try:
            post.line.send(orjson.dumps(order) + b"\n")
        except (
            OSError
        ) as error:  # its end is read on the next turn; a worker that reads no orders is found by their deadline
            _log.warning("worker_not_told", worker=post.number, reason=os.strerror(error.errno or 0))
            return False
        return True

    # --- orders -------------------------------------------------------------------------------------------------------

    def stop(self, *, now: bool) -> None:
        """Tell all workers: drain, or end now. No process listens any more once they have heard it."""
        self._stopping = True
        self._prepared.close()
        slack = SLACK_SECONDS + (0.0 if now else self._settings.limits.drain)
        self._kill_at = min(self._kill_at, time.monotonic() + slack)
        for post in self._posts:
            self._order(post, {"stop": "now" if now else "drain"})

    def _want(self, cause: str, rest: float = 0.0) -> None:
        due = time.monotonic() + rest
        self._reload_wanted[cause] = min(due, self._reload_wanted.get(cause, due))

    def _may_reload(self) -> bool:
        """One at a time; what is wanted meanwhile, or before all are ready, comes after."""
        return self._reload_until == float("inf") and self._all_were_ready and not self._stopping

    def _begin_reload(self) -> None:
        now = time.monotonic()
        due = [cause for cause, moment in self._reload_wanted.items() if moment <= now]
        if not due or not self._may_reload():
            return
        cause = self._reload_cause = next((one for one in (BEGINS, HANG_UP) if one in due), due[0])
        # All others are answered by what lies there, at once; a release that begins is read from where it is kept.
        for one in [one for one in self._reload_wanted if (one == BEGINS) == (cause == BEGINS)]:
            del self._reload_wanted[one]
        self._reload_number += 1
        self._reload_late = False
        self._reload_until = now + RELOAD_SECONDS
        # Whoever is not ready yet begins with the table that the others run, and is asked again if that is another by then.
        order: dict[str, object] = {"reload": self._reload_number, "cause": cause}
        self._reloading = {post.number: None for post in self._posts if post.ready and self._order(post, order)}

    def _end_reload(self) -> None:
        """Tell how it went. Workers that did not answer alike are told of, and asked again."""
        said = [outcome for outcome in self._reloading.values() if outcome is not None]
        for number, outcome in self._reloading.items():
            if outcome is None:
                self._reload_late = True
                what = f"worker {number} did not say within {RELOAD_SECONDS:g} s how the reload went"
                said.append(
                    outcome_of(self._table, [Fault("", "", what, "See the log, then run `gateway reload` again")])
                )
        if not said:
            said = [outcome_of(self._table, [Fault("", "", "no worker runs at the moment", "See the log")])]
        self._reload_until = float("inf")
        outcome = merged(said)
        if self._reload_cause == HANG_UP:  # whoever asked waits for the answer to that, and to nothing else
            write_outcome(self._settings.reload_file, outcome)
        if not self._settle():
            rest, self._reload_rest = self._reload_rest, min(2 * self._reload_rest, AGAIN_AT_MOST_SECONDS)
            _log.critical(
                "workers_differ",
                cause=self._reload_cause,
                reasons=[fault["what"] for fault in outcome["faults"]],
                effect="until they agree, some may run another table, or other settings",
                asked_again_in=rest,
            )
            self._want(self._cause_again(), rest)

    def _end_late(self) -> None:
        """The last answer came, or whoever owed it died."""
        self._reload_late = False
        if self._settle():
            self._reload_wanted.pop(self._cause_again(), None)
            _log.info("workers_agree", table=self._table)

    def _cause_again(self) -> str:
        return BEGINS if self._reload_cause == BEGINS else DIFFER

    def _settle(self) -> bool:
        """Whether all answered alike. Then what they run is what a worker begins with that is forked from now on."""
        alike = {outcome and (outcome["hash"], outcome["ok"]) for outcome in self._reloading.values()}
        if None in alike or len(alike) != 1:
            return False
        outcome = merged([outcome for outcome in self._reloading.values() if outcome is not None])
        self._table, self._reload_rest = outcome["hash"], AGAIN_SECONDS
        if outcome["ok"]:
            self._renew()
        return True

    def _renew(self) -> None:
        """What the workers took, for those that are forked from now on."""
        try:
            renew_prepared(self._prepared)
        except ConfigurationError as error:  # the files changed again since
            effect = "a worker that starts anew has the old settings and certificates"
            _log.error("successors_not_renewed", reason=str(error), effect=effect)

    def _kill_all(self) -> None:
        for post in self._posts:
            if post.pid:
                os.kill(post.pid, signal.SIGKILL)
                os.waitpid(post.pid, 0)
                self._died(post, -signal.SIGKILL)


def _how(code: int) -> str:
    """How a process ended, in words."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
