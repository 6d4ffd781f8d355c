"""A directory that is asked by LDAP who has which user-management role (clause P3). Whoever asks waits for no longer than the settings say.

Each connection is a process of its own (`ask_ldap`), which is ended when it does not answer in time, and lives on for the next question
when it does. Servers are asked in the order of the settings; one that gave nothing is asked last for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.errors import OutboundError
from gateway.model import Role
from gateway.outbound.role_question import Asked, Entry, LdapServer, read_password, read_roles
from gateway.outbound.settings import RoleSettings

MOST_ENTRIES: Final = 5000
"""That one question may find; what finds more is a wrong filter."""
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
REST_SECONDS: Final = 10.0
"""A server that gave nothing is asked after the others for so long."""
START_SECONDS: Final = 10.0
"""For a process to begin, before the time of the server: on a machine under load an interpreter needs seconds."""
_ENVIRONMENT: Final = {"LDAPTLS_PROTOCOL_MIN": "3.3", "HOME": "/nonexistent"}
"""TLS 1.2 at least, and nobody's own settings of the library."""
_OF_THE_SERVER: Final = frozenset({"timeout", "unreachable", "credentials_refused", "broken"})
"""Reasons for which another server may do better."""


class _Connection:
    """A process with its one connection."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def open(cls, server: LdapServer, settings: RoleSettings) -> _Connection:
        """Raises OutboundError; then nothing is left of it."""
        # Read each time: a new password needs no restart.
        password = await asyncio.to_thread(_read_password, settings.password_file)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.outbound.ask_ldap",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=MAX_ANSWER_BYTES,
            env=_ENVIRONMENT | {"PYTHONPATH": ":".join(path for path in sys.path if path)},
            start_new_session=True,  # a terminal's Ctrl-C is for the gateway, which answers until it has drained
        )  # fmt: skip
        connection = cls(process)
        order = {
            "url": str(server),
            "start_tls": server.scheme == "ldap",
            "ca": str(settings.ca),
            "bind_dn": settings.bind_dn,
            "password": password,
            "seconds": settings.timeout,
        }
        try:
            await connection._hear(START_SECONDS)
            await connection.say(order, settings.timeout)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def say(self, order: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Raises OutboundError, after which it can only be closed."""
        stdin = self._process.stdin
        if stdin is None:
            raise OutboundError("broken")
        # What it said before it ended is read all the same. RuntimeError: what uvloop says of a pipe that is closed.
        with contextlib.suppress(ConnectionError, RuntimeError):
            stdin.write(json.dumps(order).encode() + b"\n")
        return await self._hear(seconds)

    async def _hear(self, seconds: float) -> dict[str, Any]:
        stdout = self._process.stdout
        if stdout is None:
            raise OutboundError("broken")
        try:
            async with asyncio.timeout(seconds):
                answer: dict[str, Any] = json.loads(await stdout.readline())
        except TimeoutError:
            raise OutboundError("timeout") from None
        except ValueError:  # nothing, no JSON, or a line beyond the limit
            raise OutboundError("broken") from None
        if "refused" in answer:
            raise OutboundError(answer["refused"])
        return answer

    async def close(self) -> None:
        """It has nothing to put away: the server sees the connection end."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()


class Directory:
    """One a worker. In `counts` it counts how many look-ups ended how, by server and outcome (`answered` or an error's reason)."""

    def __init__(self, settings: RoleSettings, clock: Callable[[], float], counts: Counter[tuple[str, str]]) -> None:
        self.counts = counts
        self._settings = settings
        self._clock = clock
        self._room = asyncio.Semaphore(settings.connections)
        self._idle: list[tuple[LdapServer, _Connection]] = []
        self._resting: dict[LdapServer, float] = {}

    async def roles_of(self, asked: Asked) -> dict[str, tuple[Role, ...]]:
        """The roles that the directory says this person has, by name; empty: none. Raises OutboundError when no server answers:
        `timeout`, `unreachable` (its TLS, too), `credentials_refused`, `base_missing`, `question_refused`, `too_large`, `broken`,
        `not_installed`, `password_unreadable`.
        """
        settings = self._settings
        names = [settings.attribute, *(each for each in (settings.valid_from, settings.valid_until) if each)]
        question = {
            "base": settings.base,
            "filter": settings.question.about(asked),
            "attributes": names,
            "most": MOST_ENTRIES,
        }
        async with self._room:
            answer = await self._first_answer(question)
        entries = [Entry(values) for values in answer["entries"]]
        return read_roles(entries, settings.attribute, settings.valid_from, settings.valid_until)

    async def close(self) -> None:
        """Ends the connections that nobody uses."""
        idle, self._idle = self._idle, []
        for _, connection in idle:
            await connection.close()

    async def _first_answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        now, failed = self._clock(), OutboundError("unreachable")
        # Sorting keeps the order of the settings among those that rest, and among those that do not.
        for server in sorted(self._settings.servers, key=lambda each: now < self._resting.get(each, 0.0)):
            try:
                answer = await self._answer(server, question)
            except OutboundError as error:
                failed = OutboundError(error.reason, str(server))
                self.counts[str(server), error.reason] += 1
                if error.reason not in _OF_THE_SERVER:
                    break
                self._resting[server] = self._clock() + REST_SECONDS
            else:
                self.counts[str(server), "answered"] += 1
                self._resting.pop(server, None)
                return answer
        raise failed

    async def _answer(self, server: LdapServer, question: Mapping[str, Any]) -> dict[str, Any]:
        connection = self._take(server)
        if connection is not None:
            try:
                return await self._ask(server, connection, question)
            except OutboundError as error:
                # The server may have ended a connection that nobody used for long: that says nothing of it.
                if error.reason not in ("unreachable", "broken"):
                    raise
        return await self._ask(server, await _Connection.open(server, self._settings), question)

    async def _ask(self, server: LdapServer, connection: _Connection, question: Mapping[str, Any]) -> dict[str, Any]:
        """Uses a connection, and keeps it when it has answered."""
        try:
            answer = await connection.say(question, self._settings.timeout)
        except BaseException:
            await connection.close()
            raise
        self._idle.append((server, connection))
        return answer

    def _take(self, server: LdapServer) -> _Connection | None:
        for number, (of, connection) in enumerate(self._idle):
            if of == server:
                del self._idle[number]
                return connection
        return None


def _read_password(path: Path) -> str:
    """Raises OutboundError. An empty one would be no sign-in at all (RFC 4513 section 5.1.2), which some servers take."""
    try:
        password = read_password(path)
    except (OSError, ValueError):
        raise OutboundError("password_unreadable") from None
    return password
