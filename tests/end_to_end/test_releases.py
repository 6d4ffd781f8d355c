"""Signed releases at a running gateway: two signers on two directories, and what becomes of a release that somebody tampered with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from gateway.cli.check import ask_to_reload
from gateway.policy import signing
from gateway.policy.container import archive, parse_archive, read_container
from gateway.policy.release import load_kept, load_release, note_release
from gateway.policy.settings import load_settings
from tests.end_to_end.client import person
from tests.end_to_end.house import House
from tests.end_to_end.signing import Ksz, done, gateway_table

AN = "an.peeters"
WATCHED_WITHIN_SECONDS = 30.0


class Gateway:
    """A house whose table is signed, and the people who sign it."""

    def __init__(self, here: House, ksz: Ksz) -> None:
        self.here = here
        self.ksz = ksz
        self.roots = ksz.roots("an", "bert")
        self.source = here.config / "release.tar"
        shutil.copy(self.roots / "1.root.json", here.config / "root.json")
        self.table = ksz.directory / "table"
        self.table.mkdir()
        for name in ("institutions", "transactions", "authorisations", "regulation"):
            shutil.move(here.config / name, self.table / name)
        shutil.move(here.config / "roles.toml", self.table)

    def publish(self, content: bytes | Path) -> None:
        """Whole, as a publisher does: written beside it and renamed. A directory takes the place of what is there."""
        shutil.rmtree(self.source) if self.source.is_dir() and not self.source.is_symlink() else self.source.unlink(
            missing_ok=True
        )
        if isinstance(content, Path):
            shutil.copytree(content, self.source, symlinks=True)
            return
        partial = self.source.with_suffix(".partial")
        partial.write_bytes(content)
        partial.replace(self.source)

    def signed_for(self, number: int, starts: float, expires: float | None = None) -> bytes:
        """A release of the table as it stands, for times that the command does not give: signed by both."""
        ends = starts + 86400 if expires is None else expires
        files = {
            path.relative_to(self.table).as_posix(): path.read_bytes()
            for path in self.table.rglob("*")
            if path.is_file()
        }
        release = signing.new_release(read_container(self.roots), files, number=number, starts=starts, expires=ends)
        for name in ("an", "bert"):
            release, _ = signing.sign(release, self.ksz.key_of(name))
        return archive(release)

    def reload(self) -> dict[str, Any]:
        return ask_to_reload(load_settings(self.here.config), 30.0, os.kill)

    def verify(self) -> dict[str, Any]:
        """What the command says of what lies there."""
        said: dict[str, Any] = gateway_table("verify", "--config", str(self.here.config))[1]
        return said

    def reloads(self) -> list[dict[str, Any]]:
        return [
            line for line in self.here.lines.all() if line["kind"] == "reload" and line["stream"].startswith("user-")
        ]

    def metric(self, name: str) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.here.plan.ports.operator}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)}

    def wait_for(self, what: Callable[[], bool], seconds: float = WATCHED_WITHIN_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.reloads()
            time.sleep(0.1)


@pytest.fixture
def gateway(house: Callable[..., House], tmp_path: Path) -> Gateway:
    here = house(settings={"table": {"release": "release.tar"}})
    file = here.config / "gateway.toml"
    file.write_text(file.read_text().replace("unsafe_unsigned = true\n", ""))
    return Gateway(here, Ksz(tmp_path / "ksz"))


# --- 25 ways and more to tamper ---------------------------------------------------------------------------------------


class Forger:
    """Whoever tampers has the release before, everything that was published, and keys of their own; and in one case a signer's."""

    def __init__(self, gateway: Gateway) -> None:
        ksz = gateway.ksz
        self.gateway = gateway
        self.ksz = ksz
        gateway.roots = ksz.rotated(
            gateway.roots, "--key", ksz.public("carla"), "--remove", ksz.keyids["an"], "--root-key", ksz.public("carla"),
            by=("an", "bert", "carla"),
        )  # fmt: skip
        self.old = ksz.release(gateway.table, gateway.roots, 4, by=("bert", "carla"))
        self.running = ksz.release(gateway.table, gateway.roots, 5, by=("bert", "carla"))
        self.next = ksz.release(gateway.table, gateway.roots, 6, by=("bert", "carla"))
        self.draft = ksz.release(gateway.table, gateway.roots, 6, by=())
        self.strange = CryptoSigner.generate_ed25519()

    def files(self) -> dict[str, bytes]:
        return read_container(self.next)

    def signed_by(self, *names: str) -> bytes:
        """The next release with these signatures, whether the command would give them or not."""
        files = read_container(self.draft)
        metadata: Metadata[Any] = Metadata.from_bytes(files["targets.json"])
        for name in names:
            metadata.sign(self.ksz.key_of(name), append=True)
        return archive({**files, "targets.json": metadata.to_bytes()})

    def signed_by_a_stranger(self) -> bytes:
        files = read_container(self.draft)
        metadata: Metadata[Any] = Metadata.from_bytes(files["targets.json"])
        for signer in (self.ksz.key_of("bert"), self.strange):
            metadata.sign(signer, append=True)
        return archive({**files, "targets.json": metadata.to_bytes()})

    def json(self, name: str, change: Callable[[dict[str, Any]], object]) -> bytes:
        files = self.files()
        raw = json.loads(files[name])
        change(raw)
        return archive({**files, name: json.dumps(raw).encode()})

    def root_of(self, *names: str) -> bytes:
        """A third root that lets carla and a stranger sign, signed by these of the KSZ's people, and by the stranger."""
        files = self.files()
        metadata = signing.new_root(
            signing.newest_root(files), releases=[self.strange.public_key], roots=[self.strange.public_key],
            remove=[self.ksz.keyids["bert"]], expires=time.time() + 86400,
        )  # fmt: skip
        for name in names:
            metadata.sign(self.ksz.key_of(name), append=True)
        metadata.sign(self.strange, append=True)
        return archive({**files, "3.root.json": metadata.to_bytes()})

    def directory(self, change: Callable[[Path], object]) -> Path:
        self.ksz.copies += 1
        copy = self.ksz.directory / f"forged-{self.ksz.copies}"
        shutil.copytree(self.next, copy)
        change(copy)
        return copy


def _link(directory: Path) -> None:
    (directory / "table/roles.toml").unlink()
    (directory / "table/roles.toml").symlink_to("/etc/passwd")


def _first_grant(table: dict[str, bytes]) -> str:
    return sorted(name for name in table if name.startswith("table/authorisations/"))[0]


def ways(forger: Forger) -> Iterator[tuple[str, bytes | Path, str]]:
    """Each: what was done, what is published, and the code that it is refused by."""
    ksz, files = forger.ksz, forger.files()
    grant = _first_grant(files)
    whole = archive(files)
    suspended = files[grant].replace(b'status = "active"', b'status = "active"  ')
    yield "nobody signed it", archive(read_container(forger.draft)), "unsigned"
    yield "one signer alone", forger.signed_by("carla"), "under_threshold"
    yield "a signer who was removed", forger.signed_by("an", "bert"), "retired_key"
    yield "a stranger beside one signer", forger.signed_by_a_stranger(), "wrong_key"
    yield (
        "one signature twice",
        forger.json("targets.json", lambda raw: raw["signatures"].append(raw["signatures"][0])),
        "malformed",
    )
    yield (
        "one signature under two names",
        forger.json("targets.json", lambda raw: raw["signatures"][0].update(sig=raw["signatures"][1]["sig"])),
        "bad_signature",
    )
    yield (
        "another number, signatures kept",
        forger.json("targets.json", lambda raw: raw["signed"].update(version=9)),
        "bad_signature",
    )
    yield (
        "a longer life, signatures kept",
        forger.json("targets.json", lambda raw: raw["signed"].update(expires="2099-01-01T00:00:00Z")),
        "bad_signature",
    )
    yield "an older release", ksz.archived(forger.old), "older_release"
    yield (
        "another release of the number that runs",
        ksz.archived(ksz.release(forger.gateway.table, forger.gateway.roots, 5, "--days", "3", by=("bert", "carla"))),
        "release_differs",
    )
    yield "a file altered", archive({**files, grant: suspended}), "altered_file"
    yield "a file taken out", archive({name: files[name] for name in files if name != grant}), "missing_file"
    yield "a file slipped in", archive({**files, "table/authorisations/99-999.toml": files[grant]}), "extra_file"
    yield (
        "something beside the table",
        forger.directory(lambda path: (path / "notes.txt").write_text("x")),
        "extra_file",
    )
    yield "a link in the place of a file", forger.directory(_link), "unsafe_name"
    yield (
        "a name that leads out of it",
        whole.replace(grant.encode(), b"table/../../evil".ljust(len(grant), b"x"), 1),
        "unsafe_name",
    )
    yield "an archive that breaks off", whole[:-2000], "malformed"
    yield "something behind the archive", whole + whole, "malformed"
    yield "a file larger than any", archive({**files, grant: bytes(2_000_000)}), "too_large"
    yield "a root where the release should be", archive({**files, "targets.json": files["2.root.json"]}), "wrong_type"
    yield "no release at all", b"PK\x03\x04", "malformed"
    yield "a root by the new signers alone", forger.root_of("carla"), "root_not_signed_by_old"
    yield (
        "a root by the old signers alone",
        _without_stranger(forger.root_of("bert", "carla"), forger),
        "root_under_threshold",
    )
    yield (
        "a root of one signer",
        forger.json("2.root.json", lambda raw: raw["signed"]["roles"]["targets"].update(threshold=1)),
        "root_unfit",
    )
    without = {name: content for name, content in files.items() if name != "2.root.json"}
    yield "the newest root taken out", archive(without), "wrong_key"
    by_both = parse_archive(forger.signed_by("an", "bert"))["targets.json"]
    yield "the signers before, without the root after", archive({**without, "targets.json": by_both}), "root_older"
    yield "a root that jumps a version", archive({**files, "4.root.json": files["2.root.json"]}), "root_missing"
    yield "an old root under a new name", archive({**files, "3.root.json": files["2.root.json"]}), "root_version"
    yield "another first root", archive({**files, "1.root.json": _other_first_root(forger)}), "root_differs"
    yield "one that had expired", _expired(forger), "expired"
    yield "a table with faults, well signed", _faulty(forger), "table_faulty"


def _without_stranger(data: bytes, forger: Forger) -> bytes:
    files = parse_archive(data)
    raw = json.loads(files["3.root.json"])
    raw["signatures"] = [one for one in raw["signatures"] if one["keyid"] != forger.strange.public_key.keyid]
    return archive({**files, "3.root.json": json.dumps(raw).encode()})


def _other_first_root(forger: Forger) -> bytes:
    other = CryptoSigner.generate_ed25519()
    keys = [forger.strange.public_key, other.public_key]
    metadata = signing.new_root(None, releases=keys, roots=keys, expires=time.time() + 86400)
    for signer in (forger.strange, other):
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def _signed_in_python(forger: Forger, files: dict[str, bytes], number: int, expires: float) -> bytes:
    """What no command prepares, signed by both all the same."""
    release = signing.new_release(forger.files(), files, number=number, starts=time.time() - 10, expires=expires)
    for name in ("bert", "carla"):
        release, _ = signing.sign(release, forger.ksz.key_of(name))
    return archive(release)


def _table(forger: Forger) -> dict[str, bytes]:
    return {
        name.removeprefix("table/"): content for name, content in forger.files().items() if name.startswith("table/")
    }


def _expired(forger: Forger) -> bytes:
    return _signed_in_python(forger, _table(forger), 7, time.time() - 1)


def _faulty(forger: Forger) -> bytes:
    return _signed_in_python(forger, {**_table(forger), "roles.toml": b"[[role]]\n"}, 7, time.time() + 86400)


async def test_what_somebody_tampered_with_is_refused_and_the_running_release_stays(gateway: Gateway) -> None:
    forger = Forger(gateway)
    here = gateway.here
    gateway.publish(gateway.ksz.archived(forger.running))
    with here.serve() as running:
        before = here.ready()
        assert before[0] == 200
        told: list[str] = []
        for what, content, code in await asyncio.to_thread(lambda: list(ways(forger))):
            gateway.publish(content)
            assert gateway.verify()["code"] == code, what
            outcome = await asyncio.to_thread(gateway.reload)
            assert (outcome["ok"], outcome.get("code"), outcome["hash"]) == (False, code, before[1]["table"]), what
            told.append(code)
        assert len(told) >= 25
        assert here.ready() == before
        lines = [line for line in gateway.reloads() if line["outcome"] == "refused"]
        assert {line["code"] for line in lines} == set(told)
        assert all(line["release"] == 5 and line["table"] is None for line in lines)
        counted = gateway.metric("gateway_releases_refused_total")
        for code in set(told):
            assert f'"code": "{code}"' in running.said() or f"code={code}" in running.said(), code
            assert counted[f'gateway_releases_refused_total{{code="{code}"}}'] >= told.count(code)
        assert gateway.metric("gateway_release ") == {"gateway_release": 5.0}

        # What was refused was never seen: the next good one is taken, by watching alone.
        gateway.publish(gateway.ksz.archived(forger.next))
        gateway.wait_for(lambda: gateway.reloads()[-1].get("release") == 6)
        assert gateway.reloads()[-1]["cause"] == "watch"
        assert here.ready()[0] == 200
    # And after a restart the older one is still refused: refusals only, until a newer one is there.
    gateway.publish(gateway.ksz.archived(forger.running))
    with here.serve() as running:
        assert here.ready() == (503, here.ready()[1] | {"reasons": ["table_unavailable"]})
        last = gateway.reloads()[-1]
        assert (last["outcome"], last["cause"], last["code"], last["table"]) == (
            "refused",
            "start",
            "older_release",
            None,
        )
        gateway.publish(gateway.ksz.archived(forger.next))
        gateway.wait_for(lambda: here.ready()[0] == 200)
    assert here.verified()


# --- a release's life -------------------------------------------------------------------------------------------------


async def test_two_workers_take_the_same_release_when_it_begins(gateway: Gateway) -> None:
    """One that begins later waits, over a restart and whatever lies in its place; then both take it at once."""
    ksz, here = gateway.ksz, gateway.here
    gateway.publish(ksz.release(gateway.table, gateway.roots, 1))  # a directory
    grant = next(file for file in (gateway.table / "authorisations").iterdir() if '"dossier"' in file.read_text())
    grant.write_text(grant.read_text().replace('status = "active"', 'status = "suspended"'))
    with here.serve(workers=2):
        before = here.ready()[1]["table"]
        tomorrow = int(time.time()) + 86400
        gateway.publish(gateway.signed_for(2, starts=tomorrow))
        outcome = await asyncio.to_thread(gateway.reload)
        assert (outcome["ok"], outcome["hash"]) == (True, before)
        assert outcome["waiting"] == {"release": 2, "from": float(tomorrow)}
        said = done("show", "--config", str(here.config))
        assert [one["release"] for one in said["releases"]] == [1, 2]
    with here.serve(workers=2):
        assert here.ready()[1]["table"] == before
        soon = int(time.time()) + 8
        gateway.publish(gateway.signed_for(3, starts=soon))
        outcome = await asyncio.to_thread(gateway.reload)
        assert outcome["ok"]
        gateway.publish(b"in its place lies something else by now")
        gateway.wait_for(lambda: len({one["stream"] for one in gateway.reloads() if one["cause"] == "begins"}) == 2)
        assert time.time() >= soon
        assert here.ready()[0] == 200
        assert here.ready()[1]["table"] != before
        begun = [line for line in gateway.reloads() if line["cause"] == "begins"]
        assert {(line["stream"], line["outcome"], line["release"]) for line in begun} == {
            ("user-0", "loaded", 3),
            ("user-1", "loaded", 3),
        }
        async with person(here.ca) as an:
            answer = await an.sign_in(here.url("dossier"), AN, here.person(AN)["password"])
            assert answer.status == 403
            assert here.lines.one(answer.headers["X-Request-Id"])["reason"] == "suspended"


@pytest.mark.slow
async def test_a_worker_that_hangs_while_a_release_is_taken_leads_nobody_back(gateway: Gateway) -> None:
    """The other took it, and the gateway was not told by all that they did: whoever comes then has it too."""
    ksz, here = gateway.ksz, gateway.here
    gateway.publish(ksz.archived(ksz.release(gateway.table, gateway.roots, 1)))
    with here.serve(workers=2) as running:
        before = here.ready()[1]["table"]
        hung = running.children()[1]
        gateway.publish(ksz.archived(ksz.release(gateway.table, gateway.roots, 2)))
        os.kill(hung, signal.SIGSTOP)
        try:
            outcome = await asyncio.to_thread(gateway.reload)
            assert (outcome["ok"], outcome["hash"]) == (False, here.ready()[1]["table"])
            assert "workers_differ" in running.said()
            running.wait_for_log("worker_ready")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(hung, signal.SIGKILL)
        gateway.wait_for(lambda: here.ready()[0] == 200)
        assert here.ready()[1]["table"] != before
        assert gateway.metric("gateway_release ") == {"gateway_release": 2.0}
    assert here.verified()


async def test_an_expired_release_serves_for_its_grace(gateway: Gateway) -> None:
    """It was taken while it was good, and expired an hour ago."""
    here, ksz = gateway.here, gateway.ksz
    expired = int(time.time()) - 3600
    gateway.publish(gateway.signed_for(1, starts=expired - 3600, expires=expired))
    settings = load_settings(here.config)
    note_release(load_release(settings, expired - 1), settings)
    url = here.url("dossier")
    with here.serve() as running:
        running.wait_for_log("release_expired")
        async with person(here.ca) as an:
            answer = await an.sign_in(url, AN, here.person(AN)["password"])
            assert here.lines.of(answer.headers["X-Request-Id"])[0]["verdict"] == "permit"

            # The grace is over: nothing is served, our own pages neither, and the line says why.
            file = here.config / "gateway.toml"
            good = file.read_text()
            file.write_text(good.replace("[table]\n", '[table]\ngrace = "10min"\n'))
            assert (await asyncio.to_thread(gateway.reload))["ok"]
            for address in (url, here.facts["addresses"]["user"]):
                answer = await an.fetch(address)
                assert answer.status == 503
                line = here.lines.one(answer.headers["X-Request-Id"])
                assert (line["reason"], line["kind"]) == ("table_expired", "decision")
            assert here.ready() == (503, here.ready()[1] | {"reasons": ["table_expired"]})
            alarms = [line for line in here.lines.all() if line["kind"] == "alarm"]
            assert [line["alarm"] for line in alarms] == ["release_expired"]
            kept = load_kept(settings.table.releases, line["table"])  # whoever replays the line finds the same end
            assert kept.refused_from == expired + 600

            gateway.publish(ksz.archived(ksz.release(gateway.table, gateway.roots, 2)))
            gateway.wait_for(lambda: here.ready()[0] == 200)
            answer = await an.fetch(url)
            assert here.lines.of(answer.headers["X-Request-Id"])[0]["verdict"] == "permit"


async def test_what_a_release_would_change_is_told_before_it_is_signed(gateway: Gateway) -> None:
    """By the people in the records, and by the requests in the ledger."""
    here, ksz = gateway.here, gateway.ksz
    first = ksz.release(gateway.table, gateway.roots, 1)
    gateway.publish(ksz.archived(first))
    url = here.url("dossier")
    with here.serve():
        async with person(here.ca) as an:
            await an.sign_in(url, AN, here.person(AN)["password"])
            await an.fetch(url)
        grant = next(file for file in (gateway.table / "authorisations").iterdir() if '"dossier"' in file.read_text())
        grant.write_text(grant.read_text().replace('status = "active"', 'status = "suspended"'))
        second = ksz.release(gateway.table, gateway.roots, 2, by=())
        status, said = await asyncio.to_thread(
            gateway_table, "diff", str(first), str(second), "--config", str(here.config), "--ledger", str(here.home.ledger)
        )  # fmt: skip
    assert status == 1
    lost = {one["user_id"]: {each["use"] for each in one["loses"]} for one in said["persons"]}
    assert "consultation" in lost[AN]
    assert not any(one["gains"] for one in said["persons"])
    (ends,) = said["changes"]
    assert (ends["kind"], ends["how"]) == ("authorisation", "ends")
    groups = {(one["transaction"], one["then"], one["now"]): one["count"] for one in said["requests"]["groups"]}
    assert groups[("dossier", "permitted", "suspended")] >= 1
    everything = json.dumps(said)
    assert here.person(AN)["insz"] not in everything
