"""How bytes of a connection come into the process: through one buffer that all connections share.

A protocol that is handed `bytes` makes the loop allocate for the most that a read could bring (uvloop: 256 KiB for each read of
TLS), and what is so large comes from the kernel and goes back to it each time: three system calls and emptied address caches for a
request of 1 KiB. Measured: a third of all processor time of small requests. Here a read costs an allocation of what came.
"""

from __future__ import annotations

import asyncio
from typing import Final

READ_BYTES: Final = 7 * 16 * 1024
"""The most that one read brings: seven TLS records, the most that is allocated from the heap, below `edge.memory`'s threshold."""

# Filled and emptied within one callback of one loop; nobody keeps a view of it.
_shared = memoryview(bytearray(READ_BYTES))


class Receiver(asyncio.BufferedProtocol):
    """A protocol with `data_received`, whatever the transport."""

    __slots__ = ()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _shared

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_shared[:nbytes]))

    def data_received(self, data: bytes) -> None:
        raise NotImplementedError
