"""Addresses that come back from a browser: only a path of our own host is ever followed, so that no page of ours sends a person astray."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

MAX_BACK_CHARACTERS: Final = 4096
"""A start token makes some 3 kB."""

_OWN_PATH: Final = re.compile(r"/(?:[!-\[\]-~][!-\[\]-~]*)?\Z")
"""Printable ASCII without space or backslash, which browsers take for a slash."""


def own_path(text: str | None, default: str = "/") -> str:
    """`text` when it is a path (and query) on this very host, else `default`.

    `//host` and `/\\host` name another host to a browser (WHATWG URL, "relative slash state"); a fragment has no business here.
    """
    if text is None or len(text) > MAX_BACK_CHARACTERS or _OWN_PATH.match(text) is None:
        return default
    if text.startswith("//") or "#" in text:
        return default
    parts = urlsplit(text)
    return default if parts.scheme or parts.netloc else text
