"""Which release serves here, for the commands that answer by it: also when what lies in its place was refused."""

from __future__ import annotations

from typing import NamedTuple

from gateway.errors import TableError
from gateway.policy.refusals import code_of
from gateway.policy.release import Release, load_release
from gateway.policy.settings import Settings


class Serving(NamedTuple):
    """`note` says in words that something else lies in its place, and what that means; "" when it is what lies there."""

    release: Release
    note: str = ""


def load_serving(settings: Settings, now: float) -> Serving:
    """The release that serves, verified and checked whole. `now` is Unix seconds.

    One that was refused changes nothing for a gateway that runs: it goes on with the newest that was ever good, and so does the answer.
    Raises TableError, about what lies there, when there was none that is still good.
    """
    try:
        return Serving(load_release(settings, now))
    except TableError as refused:
        if settings.table.unsafe_unsigned:
            raise
        try:
            release = load_release(settings, now, kept=True)
        except TableError:
            raise refused from None
        return Serving(release, _note(refused, release))


def _note(refused: TableError, release: Release) -> str:
    return (
        f"what lies where table.release says is refused ({code_of(refused)}; gateway check says why): this is by release "
        f"{release.snapshot.release}, with which a gateway that runs goes on; one that starts now refuses everything"
    )
