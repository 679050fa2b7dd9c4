"""What processes that run for weeks ask of the allocators: to give back what they no longer need.

By default glibc keeps a heap for each thread (eight for each core) and learns to serve ever larger blocks from them,
whose holes nobody can return: in the soak of a day's worth of samples (docs/reference/reliability.md) the recorder grew
by 16 MB and the history by 15 MB that Python knew nothing of, and by 2 MB each where it could not learn. What is freed
between blocks that stay is kept all the same, until somebody asks for it: in the daemon, whose clients come and go,
2.8 MB of 17 MB after forty minutes, and more each minute. Python keeps up to 2,000 freed tuples of each length, and
cycles, until it collects everything, which it does the more rarely the more objects there are.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from collections.abc import Callable

TRIM_BYTES = 1 << 17
"""Where glibc begins; it raises both thresholds whenever a larger block is freed, unless they are set."""
MMAP_BYTES = 1 << 13
"""Blocks of samples and messages get pages of their own, which go back when they are freed. In the heap, where glibc
keeps all below 128 kB, they leave holes everywhere: in the soak 13.2 MB of blocks in use held 17 MB after ten minutes
and 18.4 after 48, of which 2 MB were touched anew every five seconds. Pages of their own cost no more time: 45.1 % of a
core for the daemon with three devices at 100 kHz, and 45.9 without."""
HEAPS = 2
TUNABLES = "glibc.malloc.tcache_count=0"
"""No blocks kept by each thread for itself, which nothing takes back: seven of each of 64 sizes, 20 kB more each minute
in the history, for an hour. Read when a process begins, so for the processes that this one starts."""
PERIOD_S = 5.0
"""Between two returns. One takes the daemon 0.1 ms."""
# mallopt(3), malloc.h; the environment's names for the same.
_SETTINGS = (
    ("MALLOC_TRIM_THRESHOLD_", -1, TRIM_BYTES),
    ("MALLOC_MMAP_THRESHOLD_", -3, MMAP_BYTES),
    ("MALLOC_ARENA_MAX", -8, HEAPS),
)


def give_memory_back() -> None:
    """Set the allocator of this process and of those that it will start; what the environment says goes before.

    To be called before threads begin. Without glibc it does nothing.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return
    os.environ.setdefault("GLIBC_TUNABLES", TUNABLES)
    for name, parameter, value in _SETTINGS:
        if name not in os.environ:
            os.environ[name] = str(value)
            mallopt(ctypes.c_int(parameter), ctypes.c_int(value))


def leave_start_out() -> None:
    """Leave what is loaded by now out of every collection: it stays to the end, and their pauses get short."""
    gc.collect()
    gc.freeze()


async def keep_returning() -> None:
    """Give back now and then what the process does not need; a millisecond in the loop after `leave_start_out`."""
    while True:
        await asyncio.sleep(PERIOD_S)
        gc.collect()
        # In a thread: the allocator is asked heap by heap.
        await asyncio.to_thread(return_free_pages)


def return_now() -> None:
    """Do the same once, for a process without an event loop."""
    gc.collect()
    return_free_pages()


def return_free_pages() -> None:
    """Have glibc return the pages between blocks that stay: milliseconds per 10 MB. Without glibc it does nothing."""
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(ctypes.c_size_t(0))


def _of_glibc(name: str) -> Callable[..., int] | None:
    """Return a function of glibc; None on musl, macOS and Windows."""
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
    return found
