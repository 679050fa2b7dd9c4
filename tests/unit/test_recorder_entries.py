"""Entries of a manifest that are kept packed are those that were put in, and are counted as before."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.recorder import ManifestFile
from spikedaq.recorder.entries import PACK, Entries

FILE = ManifestFile(
    name="s_alpha_20261122T170000Z_0000.nwb", number=0, sha256="0" * 64, n_bytes=7_000_000, n_samples=2_000_000,
    first_step=0, last_step=1_999_999, boot_id=3_000_000_000, start_s=0.1, stop_s=20.1, start_utc_ns=10**18,
    stop_utc_ns=10**18 + 20 * 10**9, gaps={"lost": 0, "overrun": 0, "dropped": 0}, saturated_blocks=0,
    closed_reason="20 s are over", cursor=7_000_000, n_notes=0,
)  # fmt: skip

small = st.integers(0, 3)
files = st.builds(
    replace,
    st.just(FILE),
    name=st.text(min_size=1),
    number=st.integers(0, 10**6),
    n_bytes=st.integers(0, 2**53),
    n_samples=st.integers(0, 2**53),
    first_step=small,
    last_step=small,
    boot_id=small,
    start_s=st.floats(allow_nan=False, allow_infinity=False),
    gaps=st.dictionaries(st.sampled_from(["lost", "overrun", "dropped", "ü"]), st.none() | st.integers(0, 2**63)),
    saturated_blocks=small,
    closed_reason=st.text(),
    deleted_utc_ns=st.none() | st.integers(0, 2**63),
    deleted_why=st.none() | st.text(),
    n_runs=st.integers(1, 4),
)


def n_windows(listed: list[ManifestFile]) -> int:
    """Count by looking at each file and the one before it."""
    joined = sum(a.boot_id == b.boot_id and a.last_step + 1 == b.first_step for a, b in pairwise(listed))
    return sum(f.n_runs for f in listed) - joined


def check(entries: Entries, listed: list[ManifestFile]) -> None:
    assert list(entries) == listed and len(entries) == len(listed) and bool(entries) is bool(listed)
    assert [entries[i] for i in range(-len(listed), len(listed))] == listed * 2
    totals = entries.totals
    assert totals.n_bytes == sum(f.n_bytes for f in listed)
    assert totals.n_samples == sum(f.n_samples for f in listed)
    assert totals.saturated_blocks == sum(f.saturated_blocks for f in listed)
    assert totals.next_number == max((f.number + 1 for f in listed), default=0)
    assert totals.n_windows == n_windows(listed)
    causes = {cause for f in listed for cause in f.gaps}
    for cause in causes:
        assert totals.gaps.get(cause, 0) == sum(f.gaps.get(cause) or 0 for f in listed)
    assert totals.uncounted == {cause for f in listed for cause, n in f.gaps.items() if n is None}


@settings(max_examples=60)
@given(st.data())
def test_they_do_what_a_list_does(data: st.DataObject) -> None:
    """Whatever is put in, taken out or changed, wherever; packed or not."""
    listed = data.draw(st.lists(files, max_size=4)) * data.draw(st.integers(0, 30))
    entries = Entries(listed)
    for _ in range(data.draw(st.integers(1, 5))):
        file, at = data.draw(files), data.draw(st.integers(-len(listed), max(len(listed) - 1, 0)))
        act = data.draw(st.sampled_from(["append", "pop", "set", "delete", "insert"]))
        if act == "append":
            entries.append(file)
            listed.append(file)
        elif act == "insert":
            entries.insert(at % (len(listed) + 1), file)
            listed.insert(at % (len(listed) + 1), file)
        elif listed and act == "pop":
            assert entries.pop() == listed.pop()
        elif listed and act == "set":
            entries[at] = file
            listed[at] = file
        elif listed:
            del entries[at]
            del listed[at]
        check(entries, listed)
    assert entries[1:-1] == listed[1:-1]


@pytest.mark.parametrize("n", [0, 1, PACK - 1, PACK, PACK + 7, PACK + 8, 5 * PACK + 3])
def test_what_is_not_there_is_no_entry(n: int) -> None:
    """As in a list: beyond either end."""
    entries = Entries([FILE] * n)
    for index in (n, n + PACK, -n - 1, -n - PACK):
        with pytest.raises(IndexError):
            entries[index]


def test_a_long_recording_takes_little() -> None:
    """As objects each takes more than a kilobyte."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        entries = Entries()
        for i in range(2000):
            entries.append(
                replace(
                    FILE,
                    name=f"s_alpha_20261122T{i:06d}Z_{i:04d}.nwb",
                    number=i,
                    sha256=f"{hash(str(i)):064x}",
                    n_bytes=7_000_000 + i * 7,
                    n_samples=2_000_000 + i,
                    cursor=i * 7_000_001,
                    start_s=20.0 * i,
                    gaps={"lost": i % 3, "overrun": 0, "dropped": 0},
                )
            )
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(entries) < 300
