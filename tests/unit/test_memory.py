"""The allocator of long-running processes gives back what they no longer need."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import weakref

import pytest

from spikedaq import memory

# A large block that is freed teaches glibc to serve what is smaller from its heap, where blocks that stay keep the
# others' room: 40 MB in blocks of 200 kB are freed here, between 12 MB that stay.
PROGRAM = """
import sys
import numpy as np
if "set" in sys.argv:
    from spikedaq.memory import give_memory_back
    give_memory_back()
def resident_kb():
    return int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0])
before_kb = resident_kb()
large = np.ones(4_000_000)
del large
blocks, staying = [], []
for _ in range(200):
    blocks.append(np.ones(25_000))
    staying.append(b"x" * 60_000)
del blocks
print(resident_kb() - before_kb)
"""


def grown_kb(*arguments: str, **environment: str) -> int:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | environment
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=own, check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def test_what_was_freed_is_not_kept() -> None:
    """Nearly all of the 40 MB."""
    assert grown_kb("set") < grown_kb() - 30_000


def test_what_the_environment_says_goes_before() -> None:
    """Whoever sets a threshold gets it."""
    kept_kb = grown_kb("set", MALLOC_MMAP_THRESHOLD_="30000000", MALLOC_TRIM_THRESHOLD_="100000000")
    assert kept_kb > grown_kb("set") + 30_000


# Blocks too small to be mapped one by one are freed here, between others that stay.
HOLES = """
import sys
from spikedaq.memory import give_memory_back, return_free_pages
give_memory_back()
def resident_kb():
    return int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0])
blocks, staying = [], []
for _ in range(1000):
    blocks.append([b"x" * 6_000 for _ in range(7)])
    staying.append(b"x" * 6_000)
full_kb = resident_kb()
del blocks
kept_kb = resident_kb()
return_free_pages()
print(full_kb, kept_kb, resident_kb())
"""


def test_pages_between_what_stays_are_returned() -> None:
    """glibc keeps such holes by itself; asked for it, it returns nearly all of the 40 MB."""
    done = subprocess.run([sys.executable, "-c", HOLES], check=True, capture_output=True, text=True)
    full_kb, kept_kb, now_kb = map(int, done.stdout.split())
    assert kept_kb > full_kb - 2_000
    assert now_kb < full_kb - 30_000


class _Knot:
    def __init__(self) -> None:
        self.own = self


def test_cycles_are_collected_although_nothing_else_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python does it by counting, and rarely where much was loaded; what one client leaves would wait for thousands."""
    monkeypatch.setattr(memory, "PERIOD_S", 0.01)

    async def run() -> None:
        returning = asyncio.create_task(memory.keep_returning())
        collected = asyncio.Event()
        knot = weakref.ref(_Knot(), lambda _: collected.set())
        assert knot() is not None
        async with asyncio.timeout(20):
            await collected.wait()
        returning.cancel()

    gc.disable()
    try:
        asyncio.run(run())
    finally:
        gc.enable()


# Of eight small blocks that are freed, glibc keeps seven for the thread that had them, as in use.
KEPT = """
import ctypes
class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks used free top"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.mallinfo2.restype = ctypes.c_void_p, Info
libc.free.argtypes = [ctypes.c_void_p]
blocks = [libc.malloc(ctypes.c_size_t(1000)) for _ in range(16)]
before = libc.mallinfo2().used
for block in blocks[:14:2]:
    libc.free(block)
print(before - libc.mallinfo2().used)
"""


def test_threads_of_what_is_started_keep_nothing_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read when a process begins: the environment has it for those that this one starts."""
    for name in ("GLIBC_TUNABLES", *(name for name, _, _ in memory._SETTINGS)):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def freed_bytes() -> int:
        return int(subprocess.run([sys.executable, "-c", KEPT], check=True, capture_output=True, text=True).stdout)

    assert freed_bytes() < 1000
    monkeypatch.setattr(memory, "_of_glibc", lambda name: lambda *arguments: 1)
    memory.give_memory_back()
    assert freed_bytes() > 6000
