"""A file for what is shown once: there before the act that makes it good, under its name after it, gone when the act fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from gateway.errors import Conflict


class PaperFile:
    """A `with` block around the act. `path` None writes nothing. Only the owner may read the file; one that is there is not replaced."""

    def __init__(self, path: Path | None, content: Callable[[], bytes]) -> None:
        self._path = path
        self._content = content
        self._draft = None if path is None else path.with_name(f".{path.name}.{os.getpid()}")

    def __enter__(self) -> None:
        """Raises Conflict when the file is there, or cannot be written: then nothing was done."""
        if self._path is None or self._draft is None:
            return
        if self._path.exists():
            raise Conflict(f"{self._path}: is there already; name another file, or delete it when it is printed")
        try:
            descriptor = os.open(
                self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._content())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._draft.unlink(missing_ok=True)
            raise Conflict(f"{self._path}: cannot be written ({error.strerror}); nothing was done") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is None or self._draft is None:
            return
        if error is not None:
            self._draft.unlink(missing_ok=True)
            return
        self._draft.replace(self._path)
