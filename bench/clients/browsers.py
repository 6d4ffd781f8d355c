"""The clients that are browsers, driven by a person's keyboard or by a protocol: each signs in and works."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Driven:
    """A browser at work. `argv` is the driver's command; `needs` the program without which there is nothing to drive."""

    name: str
    kind: str
    needs: str
    argv: Callable[[Path], list[str]]
    version: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 120.0

    def missing(self, tools: Path) -> str:
        """The program that is not here; empty when it can run."""
        wanted = (self.needs, self.argv(tools)[0])
        return next((one for one in wanted if shutil.which(one) is None), "")


BROWSERS: tuple[Driven, ...] = ()
