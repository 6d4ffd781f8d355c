"""An untouched buffer costs nothing, also after a large block was freed."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import ctypes
from gateway.edge.memory import hold_mmap_threshold

assert hold_mmap_threshold()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.free(libc.malloc(8 << 20))  # glibc alone would take the next ones from the heap
print(any(libc.malloc(256 * 1024) % 4096 != 16 for _ in range(8)))
"""


def test_large_buffers_come_from_the_kernel() -> None:
    """A block of its own begins at a page, after the 16 bytes of glibc's header."""
    done = subprocess.run([sys.executable, "-c", CODE], text=True, capture_output=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
