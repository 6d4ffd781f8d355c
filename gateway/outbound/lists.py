"""Revocation lists, fetched in the background and kept on disk, so that a sign-in waits for none and a restart has them.

Which lists there are is learnt from the cards that come: whoever meets one whose list is not there says so by a small file, and the
worker that fetches finds it. A list is verified and sorted in a process of its own (`read_list`): a million rows are seconds of work,
and in a thread they would hold up every request.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from gateway.errors import OutboundError
from gateway.outbound.hosts import Hosts
from gateway.outbound.http import Answer, Client
from gateway.outbound.index import ListHeader, ListIndex, renew_header
from gateway.outbound.settings import RevocationSettings

MOST_LISTS = 100
"""Belgium has some tens of authorities for cards at a time; what is more comes from a mistake, or from somebody who tries."""
UNUSED_SECONDS = 40 * 86_400.0
"""A list that no card named for so long is thrown away."""
SAID_AGAIN_SECONDS = 86_400.0
RETRY_SECONDS = 60.0
"""After a download that failed, or a list that was refused."""
READING_SECONDS = 300.0
"""For verifying and sorting a list; a million rows take some five seconds of a core."""
MAX_MARK_CHARACTERS = 200
"""Of the marks by which a server knows its list again: they are sent back to it each time, and anybody in between may have made them."""
AT_ONCE = 2
"""Downloads and readings under way: one that is slow does not keep the others waiting, and each may hold a whole list in memory."""

log = structlog.get_logger("gateway.revocation")


class Wanted(NamedTuple):
    """A list that cards name: where it is, and the certificate (DER) of the authority that signs it."""

    url: str
    issuer: bytes

    @property
    def name(self) -> str:
        """Of its files: one authority may sign several lists, and an address tells nothing of who signed."""
        return hashlib.sha256(hashlib.sha256(self.issuer).digest() + self.url.encode()).hexdigest()[:32]


class Lists:
    """The lists in one directory, which all workers share. Moments are Unix seconds."""

    def __init__(self, settings: RevocationSettings, client: Client, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._directory = settings.directory
        self._hosts = Hosts(settings.hosts)
        self._client = client
        self._clock = clock
        self._open: dict[str, tuple[tuple[int, int], ListIndex | None]] = {}
        self._said: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    # --- every worker -------------------------------------------------------------------------------------------------

    def find(self, wanted: Wanted) -> ListIndex | None:
        """The list as it was last fetched, or None. How fresh it is, its header tells."""
        path = self._index(wanted.name)
        try:
            now = path.stat()
        except OSError:
            return None
        seen = now.st_ino, now.st_mtime_ns
        before = self._open.get(wanted.name)
        if before is not None and before[0] == seen:
            return before[1]
        if before is not None and before[1] is not None:
            before[1].close()
        try:
            index: ListIndex | None = ListIndex(path)
        except (OSError, OutboundError) as error:
            log.error("a revocation list cannot be read", list=wanted.url, error=str(error))
            index = None
        self._open[wanted.name] = seen, index
        return index

    def want(self, wanted: Wanted) -> None:
        """Says that cards name this list; the worker that fetches will see to it. Raises OutboundError when its place is not allowed."""
        self._hosts.check(wanted.url)
        now, name = self._clock(), wanted.name
        if now - self._said.get(name, float("-inf")) < SAID_AGAIN_SECONDS:
            return
        path = self._directory / f"{name}.wanted"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                if sum(1 for _ in self._directory.glob("*.wanted")) >= MOST_LISTS:
                    log.error("too many revocation lists", list=wanted.url, most=MOST_LISTS)
                    return
                draft = path.with_suffix(f".{os.getpid()}")
                draft.write_text(json.dumps({"url": wanted.url, "issuer": wanted.issuer.hex()}))
                draft.replace(path)
            os.utime(path, (now, now))
        except OSError as error:
            log.error("a revocation list cannot be asked for", list=wanted.url, error=str(error))
            return
        self._said[name] = now

    def headers(self) -> list[ListHeader]:
        """What is known of each list that is there."""
        found = (self.find(wanted) for wanted, _ in self._all_wanted())
        return [index.header for index in found if index is not None]

    def close(self) -> None:
        for _, index in self._open.values():
            if index is not None:
                index.close()
        self._open.clear()

    # --- the worker that fetches --------------------------------------------------------------------------------------

    async def fetch_due(self) -> None:
        """Fetches every list that is due, and throws away those that nobody needs any more."""
        now = self._clock()
        due: list[Wanted] = []
        for wanted, said_at in self._all_wanted():
            if now - said_at > UNUSED_SECONDS:
                self._forget(wanted.name)
            elif self._is_due(wanted, now):
                due.append(wanted)
        async with asyncio.TaskGroup() as group:
            for wanted in due:
                group.create_task(self._fetch(wanted))

    def _is_due(self, wanted: Wanted, now: float) -> bool:
        if now < self._not_before.get(wanted.name, 0.0):
            return False
        index = self.find(wanted)
        return index is None or now >= min(
            index.header.fetched_at + self._settings.list_every, index.header.next_update
        )

    async def _fetch(self, wanted: Wanted) -> None:
        async with self._room:
            try:
                header = await self._fetched(wanted)
            except (OutboundError, OSError) as error:
                log.warning("a revocation list was not renewed", list=wanted.url, error=str(error))
            else:
                log.info("revocation list", list=wanted.url, entries=header.count, until=header.next_update)
            self._not_before[wanted.name] = self._clock() + RETRY_SECONDS

    async def _fetched(self, wanted: Wanted) -> ListHeader:
        """Asks for it, and has it verified. Raises OutboundError or OSError; then what was there stays."""
        settings, index = self._settings, self.find(wanted)
        known = None if index is None else index.header
        answer = await self._client.fetch(
            "GET",
            wanted.url,
            allowed=self._hosts,
            headers={} if known is None else _unless_newer(known, self._clock()),
            max_bytes=settings.list_bytes,
            seconds=settings.list_download,
        )
        now, path = self._clock(), self._index(wanted.name)
        if known is not None and await asyncio.to_thread(_is_same, answer, known):
            renewed = replace(known, fetched_at=now)
            await asyncio.to_thread(renew_header, path, renewed)
            return renewed
        if answer.status != 200:
            raise OutboundError(f"status_{answer.status}")
        content = self._directory / f"{wanted.name}.crl"
        try:
            await asyncio.to_thread(content.write_bytes, answer.body)
            order = {
                "content": str(content),
                "issuer": wanted.issuer.hex(),
                "index": str(path),
                "now": now,
                "skew": settings.skew,
                "not_older_than": 0.0 if known is None else known.this_update,
                "url": wanted.url,
                "etag": _mark(answer, "etag"),
                "modified": _mark(answer, "last-modified"),
            }
            return ListHeader(**await _read(order))
        finally:
            content.unlink(missing_ok=True)

    def _all_wanted(self) -> Iterator[tuple[Wanted, float]]:
        """Each list that cards name, and when that was last said."""
        for path in sorted(self._directory.glob("*.wanted")):
            try:
                said = json.loads(path.read_text())
                wanted = Wanted(said["url"], bytes.fromhex(said["issuer"]))
                said_at = path.stat().st_mtime
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if wanted.name == path.stem:
                yield wanted, said_at

    def _index(self, name: str) -> Path:
        return self._directory / f"{name}.index"

    def _forget(self, name: str) -> None:
        for suffix in ("index", "wanted"):
            with contextlib.suppress(OSError):
                (self._directory / f"{name}.{suffix}").unlink()


async def _read(order: dict[str, object]) -> dict[str, Any]:
    """Lets a process of its own verify and sort a list; gives the header that was written. Raises OutboundError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.outbound.read_list",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's Ctrl-C is for the gateway, which answers until it has drained
    )
    try:
        async with asyncio.timeout(READING_SECONDS):
            said, _ = await process.communicate(json.dumps(order).encode())
    except TimeoutError:
        raise OutboundError("list_reading_took_too_long") from None
    except RuntimeError:  # what uvloop says where asyncio says BrokenPipeError, and `communicate` passes over that
        raise OutboundError("list_reading_failed") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        outcome = json.loads(said)
    except ValueError:
        raise OutboundError("list_reading_failed") from None
    if "refused" in outcome:
        raise OutboundError(outcome["refused"])
    header: dict[str, Any] = outcome["header"]
    return header


def _mark(answer: Answer, name: str) -> str:
    mark = answer.headers.get(name, "")
    return mark if len(mark) <= MAX_MARK_CHARACTERS and mark.isascii() and mark.isprintable() else ""


def _unless_newer(known: ListHeader, now: float) -> dict[str, str]:
    """Fields that make the answer short when nothing changed (RFC 9110 section 13). A list that is over must have: without them no cache on
    the way can say otherwise."""
    if known.next_update <= now:
        return {}
    fields = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    return {name: value for name, value in fields.items() if value}


def _is_same(answer: Answer, known: ListHeader) -> bool:
    return answer.status == 304 or (answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == known.sha256)
