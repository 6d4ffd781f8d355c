"""When the security log cannot be written nothing is forwarded, everybody is told, and it mends itself when the disk does (clause T1)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.client import NAVIGATION, Lines, person
from tests.end_to_end.house import House
from tests.end_to_end.origin import Origin

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
RECOVERS_WITHIN_SECONDS = 10.0
"""The disk is tried every second."""


@contextlib.contextmanager
def tiny_disk(place: Path, size: int) -> Iterator[None]:
    """A file system of `size` bytes over an existing directory, with what lay there."""
    kept = place.with_name(place.name + ".kept")
    shutil.copytree(place, kept)
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", place], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tmpfs can be mounted here: {getattr(error, 'stderr', error)!r}")
    try:
        shutil.copytree(kept, place, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(file: Path) -> None:
    """Write until not a byte more fits."""
    filler = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for block in (64 * 1024, 4096, 1):
        with contextlib.suppress(OSError):
            while os.write(filler, bytes(block)):
                pass
    os.close(filler)


def events(here: House, name: str) -> list[dict[str, object]]:
    said = [json.loads(line) for line in here.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in said if line.get("event") == name]


async def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + RECOVERS_WITHIN_SECONDS
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system can be mounted by root only")
async def test_a_full_disk_stops_everything_and_mends_itself(house: Callable[..., House], origin: Origin) -> None:
    here = house(origin=origin.url)
    url = here.url("app")
    with tiny_disk(here.home.ledger, 4 * MIB), here.serve():
        async with person(here.ca) as an:
            answer = await an.sign_in(url, "an.peeters", here.person("an.peeters")["password"])
            assert answer.status == 200
            filler = here.home.ledger / "filler"
            await asyncio.to_thread(fill, filler)
            # The last page of the file may still hold a permit's line or two: strangers are refused before that, by the reserve.
            end = time.monotonic() + RECOVERS_WITHIN_SECONDS
            while (await an.fetch(url)).status != 503:
                assert time.monotonic() < end, "it never noticed"
            seen = len(origin.ids())
            turned_away = 0
            for _ in range(3):
                answer = await an.get(url)
                page = await answer.text()
                assert answer.status == 503
                assert answer.headers["Retry-After"]
                assert "<h1" in page
                assert "security log" in page
                script = await an.fetch(url)
                assert (script.status, script.content_type) == (503, "application/problem+json")
                post = await an.fetch(url, "POST", data=b"x")
                assert post.status == 503
                turned_away += 3
            stranger = await an.session.get(here.facts["addresses"]["plain"], headers=NAVIGATION)
            assert stranger.status == 503
            status, body = here.ready()
            assert status == 503
            assert any("user-0" in reason and "No space left" in reason for reason in body["reasons"]), body
            assert len(origin.ids()) == seen, "something was forwarded"
            loud = [line for line in events(here, "ledger_not_writable") if line["stream"] == "user-0"]
            assert len(loud) == 1
            assert loud[0]["level"] == "critical"

            filler.unlink()
            await until(lambda: here.ready()[0] == 200, "it did not recover")
            assert (await an.get(url)).status == 200
            assert len(origin.ids()) == seen + 1
            gaps = [line for line in Lines(here.home.ledger / "request").all() if line["kind"] == "gap"]
            assert gaps
            counted = sum(line["by_kind"].get("decision", 0) for line in gaps)
            # A line or two may still have found room in the last page of the file: they are told in completions.
            written = [
                line
                for line in Lines(here.home.ledger / "request").all()
                if line.get("outcome") == "ledger_unavailable"
            ]
            assert counted + len(written) >= turned_away + 1, gaps
            assert "No space left" in gaps[-1]["cause"]
        assert here.verified()


async def test_a_segment_that_somebody_removes_is_noticed_at_once(
    house: Callable[..., House], template: Path, tmp_path: Path, origin: Origin
) -> None:
    """Under load: nothing is forwarded on a line that has no file, and the loss stays visible for ever."""
    here = house(origin=origin.url)
    url = here.url("app")
    clients = 4
    with here.serve():
        async with person(here.ca) as an:
            await an.sign_in(url, "an.peeters", here.person("an.peeters")["password"])
            stop = asyncio.Event()

            async def ask() -> int:
                good = 0
                while not stop.is_set():
                    async with an.session.get(f"{url}x", headers=NAVIGATION) as answer:
                        assert answer.status in (200, 503)
                        good += answer.status == 200
                        await answer.read()
                return good

            load = [asyncio.create_task(ask()) for _ in range(clients)]
            await asyncio.sleep(0.3)
            newest = sorted((here.home.ledger / "request").glob("user-0-*.jsonl"))[-1]
            newest.unlink()
            before = len(origin.ids())
            await until(lambda: len(origin.ids()) > before + 50, "nobody was let in again")
            stop.set()
            await asyncio.gather(*load)
            permits = {line["id"] for line in here.lines.all() if line["kind"] == "decision"}
            missing = [one for one in origin.ids()[before:] if one not in permits]
            # What was on its way to the origin when the file went had its line in that file.
            assert len(missing) <= clients
            assert here.ready()[0] == 200
        # Another gateway that comes to the same ledger does not start, and disturbs nobody.
        other = House.copied(template, tmp_path / "other", settings={"ledger": {"directory": str(here.home.ledger)}})
        result = await asyncio.to_thread(other.run, "serve")
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
        assert "another process" in result.stderr
        assert here.ready()[0] == 200
        assert events(here, "ledger_segment_given_up")
        gaps = [line for line in here.lines.all() if line["kind"] == "gap"]
        assert gaps
    verdict = await asyncio.to_thread(here.run, "log", "verify")
    assert verdict.returncode == 1
    assert "incomplete" in verdict.stdout + verdict.stderr
