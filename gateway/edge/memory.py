"""How the C library hands out memory: the large buffer of each TLS connection comes from the kernel, and goes back to it.

uvloop allocates 256 KiB for each TLS connection and touches a page or two of them. From `mmap` an untouched page costs nothing. But glibc
raises its threshold for `mmap` with the first large block that is freed (mallopt(3), M_MMAP_THRESHOLD), and takes such buffers from the
heap from then on, between pages that are in use. Measured: 51 KiB for an idle connection, and 29 with the threshold held.
"""

from __future__ import annotations

import ctypes
from typing import Final

MMAP_THRESHOLD_BYTES: Final = 128 * 1024
"""glibc's own at the start; setting it keeps it there."""
_M_MMAP_THRESHOLD: Final = -3
"""Of glibc's malloc.h."""


def hold_mmap_threshold() -> bool:
    """For the whole process. False where the C library has no such call (musl), or refuses it."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES))
