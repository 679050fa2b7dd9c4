"""The history answers from journals: which part, in which order, how much at once, and what is no longer there."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from fake_stream import T0_NS, FakeDevice, expected

from spikedaq.bus import Message, decode, decode_samples
from spikedaq.history.index import JournalIndex
from spikedaq.history.past import Past
from spikedaq.history.requests import MAX_REPLY_BYTES, Requests
from spikedaq.journal import JournalReader, JournalWriter, NoteRecord, list_segments
from spikedaq.model import CommandRejected

BENCH = "bench"


def ask(requests: Requests, op: str, **args: Any) -> dict[str, Any]:
    return asyncio.run(requests.handle(op, args, "tests"))


def read(requests: Requests, **args: Any) -> tuple[list[Message], list[dict[str, Any]]]:
    """Ask again and again; the messages and the replies."""
    messages: list[Message] = []
    replies: list[dict[str, Any]] = []
    while not replies or not replies[-1]["done"]:
        cursor = replies[-1]["cursor"] if replies else None
        replies.append(ask(requests, "read", device="alpha", cursor=cursor, **args))
        messages += [decode(m) for m in replies[-1]["messages"]]
    return messages, replies


def told(message: Message) -> tuple[Any, ...]:
    """What tells one message from another."""
    header = message.header
    if message.topic == "bench/alpha/samples/":
        values = decode_samples(message)
        np.testing.assert_array_equal(values, expected(header["boot"], header["step"], header["count"]))
        return "block", header["boot"], header["seq"], header["step"]
    assert message.topic == "bench/alpha/events/"
    return header["kind"], header.get("boot"), header.get("seq"), header.get("step", header.get("text"))


class Bench:
    """A journal of several boots, with events, gaps, notes and changes of mode, and what a viewer was told of it."""

    def __init__(self, folder: Path, seed: int, n: int = 300, **writer: Any) -> None:
        self.rng = random.Random(seed)
        self.writer = JournalWriter(
            folder / "alpha", device="alpha", unique_id="01", host_boot_id="b", boottime_ns=lambda: T0_NS, **writer
        )
        self.device = FakeDevice(clamp=True)
        self.told: list[tuple[Any, ...]] = []
        self.requests = Requests(folder, BENCH)
        self.mode: bool | None = None
        self.device.introduce(self.writer)
        if n:
            self.block()  # nothing can be missing before the first one
        for _ in range(n):
            self.act()

    def act(self) -> None:
        device, chance = self.device, self.rng.random()
        if chance < 0.70:
            self.block()
        elif chance < 0.80:
            self.told.append(("spike", device.boot_id, device.seq, device.step))
            self.put(device.event(0))
        elif chance < 0.86:
            gap = ("gap", device.boot_id, None, device.step)
            event = ("overrun", device.boot_id, device.seq, device.step)
            self.put(device.overrun(self.rng.randint(1, 300)))
            self.told.append(event)
            self.block(gap)
        elif chance < 0.90:
            gap = ("gap", device.boot_id, None, device.step)
            device.block()  # lost on the wire
            self.block(gap)
        elif chance < 0.93:
            text = f"note {self.rng.random()}"
            self.writer.append(NoteRecord(device.t_host_ns, text, "tests"))
            self.told.append(("note", None, None, text))
        elif chance < 0.96:
            device.clamped = not device.clamped
            self.block()
        elif chance < 0.98:
            self.put(device.status())
        else:
            device.reboot(device.boot_id + self.rng.randint(1, 5))
            device.introduce(self.writer)
            self.block()

    def block(self, gap: tuple[Any, ...] | None = None) -> None:
        device = self.device
        if gap:
            self.told.append(gap)
        if self.mode is not None and self.mode != device.clamped:
            self.told.append(("mode", device.boot_id, None, device.step))
        self.mode = device.clamped
        self.told.append(("block", device.boot_id, device.seq, device.step))
        self.put(device.block(self.rng.randint(1, 120)))

    def put(self, frame: bytes) -> None:
        self.writer.append_frames(self.device.t_host_ns, [frame])

    def numbered(self) -> list[int]:
        """Places in ``told`` of what has a frame of its own."""
        return [i for i, t in enumerate(self.told) if t[2] is not None]


@pytest.mark.parametrize("seed", range(6))
def test_all_that_was_told_is_told_again_in_order(tmp_path: Path, seed: int) -> None:
    """The history of a whole journal is what a viewer of the whole time saw, whatever the sizes involved."""
    bench = Bench(tmp_path, seed, segment_bytes=30_000)
    assert len(list_segments(tmp_path / "alpha")) > 5
    messages, replies = read(bench.requests, max_bytes=5_000)
    assert [told(m) for m in messages] == bench.told
    assert len(replies) > 20
    assert all(reply["complete"] for reply in replies)
    assert replies[-1]["at_end"]


@pytest.mark.parametrize("seed", range(8))
def test_between_two_frames_lies_what_was_told_between_them(tmp_path: Path, seed: int) -> None:
    """Behind one frame and before another: each message once, with the gap and the mode that the other one reveals."""
    bench = Bench(tmp_path, seed, segment_bytes=random.Random(seed).choice([20_000, 200_000, 2**24]))
    numbered = bench.numbered()
    for _ in range(12):
        a, b = sorted(bench.rng.sample(numbered, 2))
        before = [t for t in bench.told[: a + 1] if t[0] == "block"]
        mode = mode_of(bench, before[-1]) if before else None
        after, until = list(bench.told[a][1:3]), list(bench.told[b][1:3])
        messages, replies = read(bench.requests, after=after, until_seq=until, mode=mode, max_bytes=9000)
        assert [told(m) for m in messages] == bench.told[a + 1 : b]
        assert replies[0]["complete"]


def mode_of(bench: Bench, block: tuple[Any, ...]) -> str:
    """Return the mode of a block, from the changes that were told."""
    at = bench.told.index(block)
    n_changes = sum(t[0] == "mode" for t in bench.told[: at + 1])
    return "voltage" if n_changes % 2 else "current"


def test_every_offset_of_the_index_leads_to_its_frame(tmp_path: Path) -> None:
    """Wherever one starts to look, the search ends at or before the frame that is looked for, in the right boot."""
    bench = Bench(tmp_path, 99, n=200, segment_bytes=40_000)
    index = JournalIndex(tmp_path / "alpha")
    for i in bench.numbered():
        _, boot_id, seq, step = bench.told[i]
        assert index.find_seq(boot_id, seq) is not None
        assert index.find_step(boot_id, step) is not None
        end = [boot_id, (seq + 1) % 2**32]
        messages, _ = read(bench.requests, after=[boot_id, (seq - 1) % 2**32], until_seq=end)
        assert bench.told[i] in [told(m) for m in messages][:3]


def test_the_index_goes_on_behind_long_records_and_damage(tmp_path: Path) -> None:
    """A note of 200 kB and a megabyte of what is no frame lie before frames that are found all the same."""
    bench = Bench(tmp_path, 8, n=0, segment_bytes=2**24)
    bench.put(bench.device.block())
    bench.writer.append(NoteRecord(1, "x" * 200_000, ""))
    bench.put(bench.device.block())
    index = JournalIndex(tmp_path / "alpha")
    first, newest = index.first(), index.newest()
    assert first is not None and newest is not None and newest.step == first.step + 100
    bench.writer.close()
    with max((tmp_path / "alpha").glob("*.spj")).open("ab") as file:
        file.write(b"\x55" * 1_500_000 + b"\0")
        file.write(bench.device.block())
    behind = index.newest()
    assert behind is not None and behind.step == newest.step + 100


def test_steps_and_times_bound_as_well(tmp_path: Path) -> None:
    """A range of steps is the blocks that hold them; a range of times those whose first sample lies in it."""
    bench = Bench(tmp_path, 5, n=0, segment_bytes=30_000)
    device = bench.device
    for _ in range(200):
        bench.put(device.block())
    messages, _ = read(bench.requests, step=[1, 5050], until_step=[1, 7000], streams=["samples"])
    assert [m.header["step"] for m in messages] == list(range(5000, 7000, 100))
    t_ns = [m.header["t_ns"] for m in read(bench.requests, streams=["samples"])[0]]
    messages, _ = read(bench.requests, t_ns=t_ns[20], until_t_ns=t_ns[31])
    assert [m.header["t_ns"] for m in messages] == t_ns[20:31]


def test_the_live_edge_is_told_as_soon_as_it_is_written(tmp_path: Path) -> None:
    """A reader at the end of the journal gets the next block once it stands there, and nothing twice."""
    bench = Bench(tmp_path, 3, n=0)
    last: list[int] = []
    for i in range(50):
        bench.put(bench.device.block())
        start = {"after": last} if last else {}
        messages, replies = read(bench.requests, streams=["samples"], **start)
        assert [m.header["step"] for m in messages] == [100 * i]
        assert replies[-1]["at_end"]
        last = [messages[-1].header["boot"], messages[-1].header["seq"]]


def test_what_was_deleted_is_said(tmp_path: Path) -> None:
    """Asked for what is gone, the history says so, names the oldest block, and goes on from there."""
    bench = Bench(tmp_path, 1, n=0, segment_bytes=200_000, ring_bytes=1)
    for _ in range(2000):
        bench.put(bench.device.block())
    bench.writer.retain(bench.writer.offset)
    kept = list_segments(tmp_path / "alpha")
    assert kept[0].base_offset > 0
    messages, replies = read(bench.requests, after=[1, 20], streams=["samples"])
    assert not replies[0]["complete"]
    assert replies[0]["first"]["step"] == messages[0].header["step"] > 0
    assert messages[-1].header["step"] == bench.device.step - 100
    steps = [m.header["step"] for m in messages]
    assert steps == list(range(steps[0], bench.device.step, 100))
    extent = ask(bench.requests, "extent", device="alpha")
    assert extent["first_offset"] == kept[0].base_offset
    assert extent["first"]["step"] == steps[0]


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_is_deleted_between_two_requests_is_said(tmp_path: Path, is_kept: bool) -> None:
    """A reading that goes on where the journal was trimmed meanwhile says so, and goes on with the oldest block."""
    bench = Bench(tmp_path, 1, n=0, segment_bytes=200_000, ring_bytes=1)
    for _ in range(2000):
        bench.put(bench.device.block())
    first = ask(bench.requests, "read", device="alpha", after=[1, 20], max_bytes=20_000)
    assert first["complete"]
    bench.writer.retain(bench.writer.offset)
    kept = list_segments(tmp_path / "alpha")
    assert kept[0].base_offset > first["cursor"]["offset"]
    requests = bench.requests if is_kept else Requests(tmp_path, BENCH)
    args = {"device": "alpha", "after": [1, 20], "max_bytes": 20_000}
    second = ask(requests, "read", **args, cursor=first["cursor"])
    assert not second["complete"]
    steps = [decode(m).header["step"] for m in second["messages"]]
    last = decode(first["messages"][-1]).header
    assert steps[0] == second["first"]["step"] > last["step"] + last["count"]
    assert ask(requests, "read", **args, cursor=second["cursor"])["complete"]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_two_readers_in_step_leave_no_file_open(tmp_path: Path) -> None:
    """Both end at the same place with the same question; only one of their readers is kept."""
    bench = Bench(tmp_path, 1, n=0)
    for _ in range(400):
        bench.put(bench.device.block())
    cursor, before = None, open_files()
    for _ in range(40):
        args = {"device": "alpha", "max_bytes": 2_000, "cursor": cursor}
        replies = [ask(bench.requests, "read", **args) for _ in range(2)]
        assert replies[0]["cursor"] == replies[1]["cursor"]
        assert not replies[0]["done"]
        cursor = replies[0]["cursor"]
    assert open_files() <= before + 1


def test_a_reader_that_fails_leaves_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a damaged disk ends is closed."""
    bench = Bench(tmp_path, 1, n=20)
    read_all = Past.read

    def fail(past: Past, max_bytes: int) -> list[bytes]:
        read_all(past, max_bytes)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Past, "read", fail)
    before = open_files()
    for _ in range(5):
        with pytest.raises(OSError, match="Input/output"):
            ask(bench.requests, "read", device="alpha")
    assert open_files() == before


def test_of_an_unknown_boot_everything_that_is_kept_is_told(tmp_path: Path) -> None:
    """A viewer that comes back to another journal is told that nothing of what it knew is there."""
    bench = Bench(tmp_path, 2, n=50)
    messages, replies = read(bench.requests, after=[123456, 7])
    assert not replies[0]["complete"]
    assert [told(m) for m in messages] == bench.told


def test_replies_are_bounded(tmp_path: Path) -> None:
    """Whatever is asked for, a reply fits a control message."""
    bench = Bench(tmp_path, 4, n=0)
    for _ in range(2000):
        bench.put(bench.device.block())
    reply = ask(bench.requests, "read", device="alpha", max_bytes=2**40)
    assert MAX_REPLY_BYTES <= sum(map(len, reply["messages"])) < MAX_REPLY_BYTES + 70_000
    reply = ask(bench.requests, "journal", offsets={"alpha": 0}, max_bytes=2**40)
    assert MAX_REPLY_BYTES - 70_000 < sum(len(p["data"]) for p in reply["pieces"]) <= MAX_REPLY_BYTES


@pytest.mark.parametrize("seed", range(4))
def test_pieces_put_together_are_the_journal(tmp_path: Path, seed: int) -> None:
    """A copy made of pieces has the same frames at the same offsets, while the journal grows and rolls."""
    bench = Bench(tmp_path, seed, n=20, segment_bytes=40_000)
    copy: dict[int, bytes] = {}
    offset = 0
    for _ in range(200):
        bench.act()
        (piece,) = ask(bench.requests, "journal", offsets={"alpha": offset})["pieces"]
        base = piece["segment"]
        assert piece["offset"] == base + len(copy.setdefault(base, b""))
        copy[base] += piece["data"]
        offset = piece["offset"] + len(piece["data"])
    while piece["data"]:
        (piece,) = ask(bench.requests, "journal", offsets={"alpha": offset})["pieces"]
        copy[piece["segment"]] = copy.get(piece["segment"], b"") + piece["data"]
        offset = piece["offset"] + len(piece["data"])
    assert copy == {s.base_offset: s.path.read_bytes() for s in list_segments(tmp_path / "alpha")}


def test_a_head_makes_a_copy_readable_from_the_middle(tmp_path: Path) -> None:
    """What a copy begins with says the same as the journal before it."""
    bench = Bench(tmp_path / "source", 8, n=200)
    reply = ask(bench.requests, "head", device="alpha")
    begin = reply["offset"]
    for _ in range(30):
        bench.act()
    (piece,) = ask(bench.requests, "journal", offsets={"alpha": begin})["pieces"]
    copy = tmp_path / "copy"
    copy.mkdir()
    shift = 2**30
    base = shift + begin - len(reply["head"])
    (copy / f"{base:020d}.spj").write_bytes(reply["head"] + piece["data"])
    here = JournalReader.open_at(tmp_path / "source" / "alpha", begin)
    there = JournalReader.open_at(copy, shift + begin)
    assert there.offset == shift + begin
    assert (there.state.hello, there.state.descriptions, there.state.clock_map) == (
        here.state.hello,
        here.state.descriptions,
        here.state.clock_map,
    )
    assert there.state.segment == here.state.segment
    assert [e.item for e in there.poll()] == [
        type(e.item)(*(e.item.message, e.item.raw, e.offset + shift)) if hasattr(e.item, "raw") else e.item
        for e in here.poll()
    ]


@pytest.mark.parametrize(
    ("op", "args", "code"),
    [
        ("fetch", {}, "unknown_op"),
        ("extent", {"device": "beta"}, "unknown_device"),
        ("extent", {"device": "../alpha"}, "unknown_device"),
        ("extent", {"device": 7}, "unknown_device"),
        ("extent", {}, "bad_arguments"),
        ("extent", {"device": "alpha", "more": 1}, "bad_arguments"),
        ("read", {"device": "alpha", "after": 7}, "bad_arguments"),
        ("read", {"device": "alpha", "after": [1, -1]}, "bad_arguments"),
        ("read", {"device": "alpha", "after": [1, True]}, "bad_arguments"),
        ("read", {"device": "alpha", "after": [1, 2], "t_ns": 5}, "bad_arguments"),
        ("read", {"device": "alpha", "streams": ["status"]}, "bad_arguments"),
        ("read", {"device": "alpha", "cursor": {"offset": 5}}, "bad_arguments"),
        ("read", {"device": "alpha", "cursor": 5}, "bad_arguments"),
        ("read", {"device": "alpha", "mode": "clamped"}, "bad_arguments"),
        ("read", {"device": "alpha", "max_bytes": "many"}, "bad_arguments"),
        ("read", {"device": "alpha", "from": [1, 2]}, "bad_arguments"),
        ("journal", {"offsets": []}, "bad_arguments"),
        ("journal", {"offsets": {"alpha": 2**63}}, "bad_arguments"),
        ("journal", {"offsets": {"alpha": 0}, "wait_s": 1e9}, "bad_arguments"),
        ("journal", {"offsets": {"alpha": 0}, "wait_s": float("nan")}, "bad_arguments"),
        ("head", {"device": "alpha", "offset": "end"}, "bad_arguments"),
    ],
)
def test_bad_requests_are_refused(tmp_path: Path, op: str, args: dict[str, Any], code: str) -> None:
    """A wrong argument is named and nothing else happens."""
    bench = Bench(tmp_path, 0, n=5)
    with pytest.raises(CommandRejected) as refused:
        ask(bench.requests, op, **args)
    assert refused.value.code == code


def test_a_device_without_a_journal_keeps_no_other_from_being_copied(tmp_path: Path) -> None:
    """It is named as absent; what the others have comes, and nothing more is promised on its account."""
    bench = Bench(tmp_path, 1, n=20)
    (tmp_path / "empty").mkdir()
    reply = ask(bench.requests, "journal", offsets={"gone": 0, "alpha": 0, "empty": 0})
    assert reply["absent"] == ["gone"]
    (piece,) = reply["pieces"]
    assert piece["device"] == "alpha"
    assert len(piece["data"]) == piece["end"]
    assert not reply["more"]
    reply = ask(bench.requests, "journal", offsets={"gone": 0})
    assert (reply["pieces"], reply["absent"], reply["more"]) == ([], ["gone"], False)
