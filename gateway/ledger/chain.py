"""The bytes of a batch: lines one behind the other, each bound to the one before. Pure.

`chain_plainly` says what they are. Where the hot path is compiled (setup.py), `_chain.c` makes the same bytes in one go: line by line,
with an object for each step, they cost a fifth of a small request, and kept the event loop waiting for as long.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from gateway.ledger.line import Text, compose, leaf

Chain = Callable[[str, int, str, Sequence[tuple[str, Text]], bytearray], tuple[int, str]]


def chain_plainly(
    stream: str, n: int, prev: str, entries: Sequence[tuple[str, Text]], memory: bytearray
) -> tuple[int, str]:
    """Puts the LF-ended lines of entries, each (time, serialised record), to the beginning of `memory`, which grows where they need more.

    The first line has number `n` and the `prev` given. Gives the bytes written, and the leaf of the last line (or `prev`). What lies in
    `memory` behind them is of no meaning. Raises `UnicodeEncodeError` for what is not ASCII, `BufferError` when somebody has a view of
    `memory` and it must grow.
    """
    size = 0
    for stamp, record in entries:
        line = compose(stream, n, prev, stamp, record)
        prev = leaf(line)
        n += 1
        end = size + len(line) + 1
        memory[size:end] = line + b"\n"
        size = end
    return size, prev


def _choose() -> Chain:
    try:
        module = importlib.import_module("gateway.ledger._chain")
    except ModuleNotFoundError:  # not compiled; what is there and cannot be loaded stops the start
        return chain_plainly
    compiled: Chain = module.chain
    return compiled


chain: Chain = _choose()
