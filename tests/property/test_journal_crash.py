"""A journal cut off at any byte, or damaged anywhere, opens again and goes on."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
import itertools

from fake_stream import FakeDevice

from spikedaq.journal import JournalReader, JournalWriter
from spikedaq.wire import Frame


def build(folder: Path, device: FakeDevice, n: int, segment_bytes: int) -> list[bytes]:
    """n blocks of few samples in a new journal; the raw frames."""
    writer = JournalWriter(folder, device="a", unique_id="01", segment_bytes=segment_bytes, host_boot_id="b")
    device.introduce(writer)
    sent = []
    for _ in range(n):
        chunk = [device.block(3), device.block(2)]
        writer.append_frames(1, chunk)
        sent += chunk
    writer.close()
    return sent


def blocks_in(reader: JournalReader) -> list[bytes]:
    """Raw blocks that a reader gives."""
    found = []
    while entries := reader.poll():
        found += [e.item.raw for e in entries if isinstance(e.item, Frame) and e.item.message[1] == 3]
    return found


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 6000), segment_bytes=st.sampled_from([2000, 100_000]), same_boot=st.booleans())
def test_any_crash_point_reopens_and_continues(cut: int, segment_bytes: int, same_boot: bool) -> None:
    """Of the last segment cut at any byte, all whole frames stay; what is written then follows them."""
    with tempfile.TemporaryDirectory() as name:
        folder, device = Path(name) / "j", FakeDevice()
        sent = build(folder, device, 30, segment_bytes)
        path = sorted(folder.glob("*.spj"))[-1]
        size = path.stat().st_size
        data = path.read_bytes()[: max(0, size - cut)]
        path.write_bytes(data)
        following = JournalReader(folder)
        before = blocks_in(following)
        assert before == sent[: len(before)]
        writer = JournalWriter(
            folder, device="a", unique_id="01", segment_bytes=segment_bytes, host_boot_id="b" if same_boot else "c"
        )
        new = [device.block(4) for _ in range(10)]
        for frame in new:
            writer.append_frames(2, [frame])
        assert blocks_in(following) == new, "a reader that was there all the time"
        assert blocks_in(JournalReader(folder)) == before + new, "and one that starts afresh"
        bases = [(int(p.stem), p.stat().st_size) for p in sorted(folder.glob("*.spj"))]
        assert all(a + n <= b for (a, n), (b, _) in itertools.pairwise(bases)), "no offset means two things"
        state = JournalReader.open_at(folder, writer.offset).state
        if bases[0][1] and len(data) > 1500:
            assert state.boot_id == device.boot_id
        writer.close()


@settings(max_examples=100, deadline=None)
@given(hits=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=8))
def test_flipped_bytes_cost_their_frames_only(hits: list[tuple[int, int]]) -> None:
    """Whatever is hit, the rest comes out in order and nothing is raised."""
    with tempfile.TemporaryDirectory() as name:
        folder, device = Path(name) / "j", FakeDevice()
        sent = build(folder, device, 30, 3000)
        paths = sorted(folder.glob("*.spj"))
        for at, flip in hits:
            path = paths[at % len(paths)]
            data = bytearray(path.read_bytes())
            data[at % len(data)] ^= flip
            path.write_bytes(data)
        got = blocks_in(JournalReader(folder))
        remaining = iter(sent)
        assert all(frame in remaining for frame in got), "a subsequence of what was sent"
        # A hit spoils its frame, and the one behind it where it was the delimiter.
        assert len(got) >= len(sent) - 2 * len(hits)
        JournalWriter(folder, device="a", unique_id="01", host_boot_id="b").close()
