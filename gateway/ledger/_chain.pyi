from collections.abc import Sequence

from gateway.ledger.line import Text

def chain(
    stream: str, n: int, prev: str, entries: Sequence[tuple[str, Text]], memory: bytearray
) -> tuple[int, str]: ...
