"""Every decision of a state directory's ledger again, by the release that it was made by: the same verdict, or it is a bug."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gateway.decision import Snapshot
from gateway.demo.world import Home
from gateway.ledger.replaying import Report, decisions, replay_lines
from gateway.policy.release import load_kept
from gateway.policy.settings import load_settings

NOT_REPLAYABLE = ("no check gave it", "release none is not kept")
"""Why a line need not be replayable: the gateway's own trouble gave the verdict, or there was no table that could be read."""


def replayed(home: Home) -> Report:
    """What `gateway replay` finds. Raises AssertionError on a difference, and on a line that lacks something."""
    releases = load_settings(home.config).table.releases
    report = replay_lines(decisions(home.ledger), cache(lambda digest: _kept(releases, digest)))
    assert not report.different, report.different
    unknown = [cause for cause in report.not_replayable if not cause.endswith(NOT_REPLAYABLE)]
    assert not unknown, unknown
    return report


def _kept(releases: Path, digest: str) -> Snapshot | None:
    """A table that should be kept and is not fails the test; of none there is none."""
    return load_kept(releases, digest) if digest else None
