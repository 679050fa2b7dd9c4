"""A device's life against a scripted board: identify, describe, stream, lose, come back, misbehave."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helpers.device_rig import FAST, WAIT_S, rig, run
from helpers.scripted_board import ScriptedBoard
from spikedaq.device import DeviceState
from spikedaq.model import (
    CommandRejected,
    CommandTimeout,
    GapCause,
    Holder,
    LinkOpenError,
    RemoteProtocolError,
)
from spikedaq.wire import (
    Describe,
    FrameType,
    Get,
    HelloRequest,
    Ping,
    Set,
    Start,
    StimulusBegin,
    StimulusData,
    StimulusPlay,
    Stop,
)


def test_identifies_describes_fits_and_starts() -> None:
    """A board is known by its descriptions, its clock fitted and its stream started before it counts as running."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            info = r.device.info
            assert info is not None
            assert info.unique_id == "aabbccdd"
            assert [c.name for c in info.channels] == ["vm", "stimulus"]
            assert [p.name for p in info.parameters] == ["i_clamp", "preset", "photo_decay", "fixed", "gate"]
            assert [p.name for p in info.presets] == ["tonic"]
            assert r.device.clock.map is not None
            assert r.board.running
            kinds = [type(m) for m in r.board.seen]
            assert kinds[0] is HelloRequest
            assert kinds.count(Ping) >= FAST.quick_pings
            assert kinds.index(Ping) < kinds.index(Start)

    run(test)


def test_blocks_are_journalled_before_they_are_told() -> None:
    """Each block is in the journal before the listener sees it, with the board's own samples."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            start = len(r.witness.log)
            sent = r.board.block(flags=4)
            await r.until(lambda: r.witness.of("block"))
            kinds = ["kept" if _holds_block(kind, value) else kind for kind, value in r.witness.log[start:]]
            assert kinds.index("kept") < kinds.index("block")
            np.testing.assert_array_equal(r.witness.of("block")[0].samples, sent)

    run(test)


def _holds_block(kind: str, value: Any) -> bool:
    return kind == "frames" and any(frame.message[1] == FrameType.BLOCK for frame in value)


def test_everything_since_the_opening_is_journalled() -> None:
    """What came before the board was known is journalled too, the noise as a bad frame, the hello as a frame."""

    async def test() -> None:
        board = ScriptedBoard()
        board.noise = b"boot loader says hi\r\n\0"
        async with rig(board) as r:
            await r.state(DeviceState.RUNNING)
            assert r.witness.log[0][0] == "state"
            kinds = [kind for kind, _ in r.witness.log if kind in ("link", "bad_frame", "frames")]
            assert kinds[:3] == ["link", "bad_frame", "frames"]
            assert r.witness.of("link") == ["opened"]

    run(test)


def test_lost_frames_become_a_gap() -> None:
    """Missing sequence numbers come out as lost samples, told before the block behind them."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            r.board.block(flags=4)
            r.board.block(skip_frames=2, skip_steps=20)
            await r.until(lambda: len(r.witness.of("block")) == 2)
            (gap,) = r.witness.of("gap")
            assert (gap.cause, gap.n_steps) == (GapCause.LOST, 20)

    run(test)


def test_another_major_version_is_refused_naming_both() -> None:
    """A board of protocol 9 is refused with both versions, and nothing of it is journalled or used."""

    async def test() -> None:
        async with rig(ScriptedBoard(major=9)) as r:
            await r.state(DeviceState.REFUSED)
            assert "9.0" in r.device.detail
            assert "1.1" in r.device.detail
            assert not r.witness.of("open_journal")
            assert not any(isinstance(m, Start) for m in r.board.seen)

    run(test)


def test_a_board_that_is_replaced_by_a_good_one_is_taken() -> None:
    """Refusal is not for ever: after a reflash the same device runs."""

    async def test() -> None:
        async with rig(ScriptedBoard(major=9)) as r:
            await r.state(DeviceState.REFUSED)
            r.board.major = 1
            await r.state(DeviceState.RUNNING)

    run(test)


def test_something_else_on_the_port_is_shown() -> None:
    """Text instead of frames is refused with a sample of what came."""

    async def test() -> None:
        board = ScriptedBoard()
        board.deaf.add(object)
        board.noise = b"$GPGGA,123519,4807.038,N*47\r\n"
        async with rig(board) as r:
            await r.state(DeviceState.REFUSED)
            assert "speaks something else" in r.device.detail
            assert "$GPGGA" in r.device.detail

    run(test)


def test_a_mute_port_is_told_apart_from_a_foreign_one() -> None:
    """Nothing at all on the port names power, firmware and baud rate."""

    async def test() -> None:
        board = ScriptedBoard()
        board.deaf.add(object)
        async with rig(board) as r:
            await r.state(DeviceState.REFUSED)
            assert "nothing answers" in r.device.detail
            # hello? is asked again all the while
            assert sum(isinstance(m, HelloRequest) for m in board.seen) >= 3

    run(test)


def test_absent_port_is_opened_again_and_told_once() -> None:
    """A port that is absent is tried again; the listener hears of each different reason once."""

    async def test() -> None:
        board = ScriptedBoard()
        board.open_error = LinkOpenError("/dev/x does not exist; plug the board in")
        async with rig(board) as r:
            await r.state(DeviceState.LOST)
            for _ in range(3):
                board.changed.clear()
                await board.changed.wait()
            assert r.device.detail == "/dev/x does not exist; plug the board in"
            told = [state for state, _ in r.witness.of("state")]
            assert told == [DeviceState.OPENING, DeviceState.LOST]
            board.open_error = None
            await r.state(DeviceState.RUNNING)

    run(test)


def test_unplugged_and_back() -> None:
    """After a lost link the same board runs again by itself, and the loss between is a gap of the same boot."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            r.board.block(flags=4)
            await r.until(lambda: r.witness.of("block"))
            r.board.unplug()
            await r.state(DeviceState.LOST)
            with pytest.raises(CommandRejected, match="takes no commands now") as caught:
                await r.device.commands.set({"i_clamp": 1})
            assert caught.value.code == "not_connected"
            await r.state(DeviceState.RUNNING)
            r.board.block(skip_frames=1, skip_steps=10)
            await r.until(lambda: len(r.witness.of("block")) == 2)
            assert [gap.cause for gap in r.witness.of("gap")] == [GapCause.LOST]
            assert r.device.reconnects == 1
            assert r.witness.of("link") == ["opened", "lost", "opened"]
            # It went on running by itself; a second start would have hidden the loss.
            assert sum(isinstance(m, Start) for m in r.board.seen) == 1

    run(test)


def test_a_parameter_that_is_set_while_the_board_reboots_is_not_reported_as_set() -> None:
    """The board answers with its default then, as the new boot has it."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            answer = r.board.answer

            def reboot_first(message: Any) -> None:
                if isinstance(message, Describe):
                    r.board.answer = answer
                    r.board.parameters[0][6:8] = [0.0, 0]
                    r.board.reboot()
                answer(message)

            r.board.answer = reboot_first
            with pytest.raises(RemoteProtocolError, match="rebooted while i_clamp was being set"):
                await r.device.commands.set({"i_clamp": 5.0})
            await r.state(DeviceState.RUNNING)

    run(test)


def test_reboot_is_seen_and_streaming_goes_on() -> None:
    """After a reboot everything is described again and the stream restarted; parameters are not set behind the back."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            await r.device.commands.set({"i_clamp": 5.0})
            first = len(r.board.seen)
            r.board.parameters[0][6:8] = [0.0, 0]
            r.board.reboot()
            await r.until(lambda: any(isinstance(m, Start) for m in r.board.seen[first:]))
            await r.state(DeviceState.RUNNING)
            assert not any(isinstance(m, Set) for m in r.board.seen[first:])
            info = r.device.info
            assert info is not None
            assert (info.boot_id, info.parameters[0].value) == (8, 0.0)
            assert any("rebooted" in detail for _, detail in r.witness.of("state"))
            r.board.block(flags=4)
            await r.until(lambda: r.witness.of("block"))
            assert r.witness.of("block")[0].boot_id == 8
            assert r.device.clock.map is not None
            assert r.device.clock.map.boot_id == 8

    run(test)


def test_stopped_stays_stopped_over_a_reconnect() -> None:
    """A device that the user stopped is not started again by a reconnect."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            await r.device.stop()
            assert r.device.state is DeviceState.STOPPED
            starts = sum(isinstance(m, Start) for m in r.board.seen)
            r.board.unplug()
            await r.state(DeviceState.LOST)
            await r.state(DeviceState.STOPPED)
            assert sum(isinstance(m, Start) for m in r.board.seen) == starts
            await r.device.start()
            assert r.board.running

    run(test)


def test_silent_board_raises_the_alarm_is_pinged_and_reopened() -> None:
    """A board from which nothing comes is silent, pinged, and after a while its link is opened anew."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            r.board.deaf.add(object)
            await r.state(DeviceState.SILENT)
            assert "nothing has come from it" in r.device.detail
            pings = sum(isinstance(m, Ping) for m in r.board.seen)
            await r.until(lambda: sum(isinstance(m, Ping) for m in r.board.seen) > pings)
            await r.until(lambda: r.board.opened == 2)
            r.board.deaf.clear()
            await r.state(DeviceState.RUNNING)

    run(test)


def test_short_silence_ends_by_itself() -> None:
    """A board that answers again before the link is reopened is simply running again."""

    async def test() -> None:
        async with rig(timing=replace(FAST, reopen_s=60.0)) as r:
            await r.state(DeviceState.RUNNING)
            r.board.deaf.add(object)
            await r.state(DeviceState.SILENT)
            r.board.deaf.clear()
            await r.until(lambda: r.device.state is DeviceState.RUNNING)
            assert r.board.opened == 1

    run(test)


def test_board_that_answers_but_sends_no_blocks_is_started_again() -> None:
    """A stream that stands still although the board answers is reported and started again."""

    async def test() -> None:
        async with rig(timing=replace(FAST, stall_s=0.1)) as r:
            await r.state(DeviceState.RUNNING)
            starts = sum(isinstance(m, Start) for m in r.board.seen)
            await r.until(lambda: sum(isinstance(m, Start) for m in r.board.seen) > starts)
            assert any("no block has come" in detail for _, detail in r.witness.of("state"))

    run(test)


def test_unanswered_request_is_sent_again_with_the_same_id_then_times_out() -> None:
    """Four tries, one id, then a timeout that names device and command; the next command works."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            r.board.deaf.add(Get)
            with pytest.raises(CommandTimeout, match=r"alpha did not answer 'get i_clamp' \(4 tries"):
                await r.device.commands.get("i_clamp")
            ids = [m.request_id for m in r.board.seen if isinstance(m, Get)]
            assert len(ids) == 4
            assert len(set(ids)) == 1
            r.board.deaf.clear()
            assert await r.device.commands.get("i_clamp") == (0.0, Holder.KNOB)

    run(test)


def test_refusal_carries_the_boards_reason() -> None:
    """A refused request raises with the protocol's code name and the board's own words."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            r.board.refuse[Set] = (5, "the waveform plays")
            with pytest.raises(CommandRejected, match=r"alpha refused 'set i_clamp': the waveform plays") as caught:
                await r.device.commands.set({"i_clamp": 1})
            assert caught.value.code == "wrong_state"

    run(test)


def test_set_is_read_back_and_handed_back() -> None:
    """A set value is read back with its holder; None hands the parameter to its knob."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            assert await r.device.commands.set({"i_clamp": 12.5}) == {"i_clamp": (12.5, Holder.HOST)}
            assert r.device.info is not None
            assert r.device.info.parameters[0].value == 12.5
            assert await r.device.commands.set({"i_clamp": None}) == {"i_clamp": (0.0, Holder.KNOB)}
            r.board.parameter_event(1, 3.0)
            await r.until(lambda: r.device.info is not None and r.device.info.parameters[1].value == 3.0)

    run(test)


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"i_clmp": 1}, "unknown_parameter", "did you mean 'i_clamp'?"),
        ({"zzz": 1}, "unknown_parameter", "there are: i_clamp, preset"),
        ({"i_clamp": 101}, "out_of_range", "from -100 to 100 a.u."),
        ({"i_clamp": float("nan")}, "bad_arguments", "give a number"),
        ({"i_clamp": "much"}, "bad_arguments", "'much'"),
        ({"preset": 1.5}, "out_of_range", "whole number"),
        ({"fixed": 0.1}, "read_only", "can only be read"),
        ({"i_clamp": 1, "preset": 300}, "out_of_range", "preset of alpha cannot be 300"),
        ({}, "bad_arguments", "nothing to set"),
    ],
)
def test_bad_values_are_refused_before_anything_is_sent(values: dict[str, Any], code: str, words: str) -> None:
    """One bad name or value refuses the whole set here, with what would be right."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            with pytest.raises(CommandRejected) as caught:
                await r.device.commands.set(values)
            assert (caught.value.code, words in str(caught.value)) == (code, True), str(caught.value)
            assert not any(isinstance(m, Set) for m in r.board.seen)

    run(test)


def test_a_limit_that_is_not_a_float32_can_be_set() -> None:
    """0.1 may be set where the board's limit is the float32 nearest to 0.1."""

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            await r.device.commands.set({"photo_decay": 0.1})
            assert await r.device.commands.set({"gate": True}) == {"gate": (1, Holder.HOST)}

    run(test)


def test_stimulus_goes_in_pieces_that_fit() -> None:
    """A waveform is uploaded whole, in order, no request longer than the board takes."""
    rows = list(range(-100, 200))

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            await r.device.commands.stimulus(rows, loop=True)
            stimulus = [m for m in r.board.seen if type(m) in (StimulusBegin, StimulusData, StimulusPlay)]
            assert stimulus[0].n_rows == 300
            got = b"".join(m.rows for m in stimulus[1:-1])
            assert np.frombuffer(got, "<i2").tolist() == rows
            assert stimulus[-1].loop is True
            sent = [message for message, _ in r.witness.of("request")]
            assert max(map(len, sent)) + 4 <= r.board.max_request_bytes
            for bad, code in ((list(range(1001)), "too_large"), ([], "bad_arguments"), ([10001], "out_of_range")):
                with pytest.raises(CommandRejected) as caught:
                    await r.device.commands.stimulus(bad, loop=False)
                assert caught.value.code == code

    run(test)


def test_a_stimulus_in_parts_is_one_waveform() -> None:
    """Bytes or numbers, the first part begins it anew, none of them plays it; parts that lie outside are refused."""
    rows = list(range(-100, 200))
    packed = np.array(rows, "<i2").tobytes()

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            upload = r.device.commands.stimulus_upload
            assert await upload(packed[:240], n_rows=300) == 120
            assert await upload(rows[120:], first_row=120, n_rows=300) == 180
            seen = [m for m in r.board.seen if type(m) in (StimulusBegin, StimulusData, StimulusPlay)]
            assert [type(m) for m in seen].count(StimulusBegin) == 1
            assert seen[0].n_rows == 300
            assert not any(type(m) is StimulusPlay for m in seen)
            stored = np.full(300, 32767, "<i2")
            for m in seen[1:]:
                stored[m.first_row : m.first_row + len(m.rows) // 2] = np.frombuffer(m.rows, "<i2")
            assert stored.tolist() == rows
            refused = [
                ({"rows": b"\1"}, "1 bytes are no rows"),
                ({"rows": np.array([0, -10_001], "<i2").tobytes()}, "stimulus row 1 is -10001"),
                ({"rows": b""}, "at least one row"),
                ({"rows": [1], "first_row": 5, "n_rows": 5}, "rows 5 to 5 do not lie in a stimulus of 5 rows"),
                ({"rows": [1], "first_row": 0, "n_rows": 1001}, "holds 1000 stimulus rows, 1001 were given"),
                ({"rows": [1], "first_row": 1000}, "holds 1000 stimulus rows, 1001 were given"),
            ]
            for arguments, text in refused:
                with pytest.raises(CommandRejected, match=text):
                    await upload(**arguments)
            assert len([m for m in r.board.seen if type(m) is StimulusBegin]) == 1

    run(test)


def test_pending_command_ends_with_the_link() -> None:
    """A command that waits when the link goes is told so at once, not after its patience."""

    async def test() -> None:
        async with rig(timing=replace(FAST, reply_s=60.0)) as r:
            await r.state(DeviceState.RUNNING)
            r.board.deaf.add(Stop)
            task = asyncio.create_task(r.device.stop())
            await r.until(lambda: any(isinstance(m, Stop) for m in r.board.seen))
            r.board.unplug()
            with pytest.raises(CommandRejected, match="unplugged"):
                async with asyncio.timeout(WAIT_S):
                    await task

    run(test)


def test_another_board_is_refused_where_the_journal_says_so() -> None:
    """The journal's word against a board is the device's detail, and the board is not used."""

    async def test() -> None:
        async with rig() as r:
            r.witness.refuse = "board aabbccdd answers as 'alpha', whose recording is of another"
            await r.state(DeviceState.REFUSED)
            assert "whose recording is of another" in r.device.detail
            r.witness.refuse = None
            await r.state(DeviceState.RUNNING)

    run(test)


def test_random_bytes_do_no_harm() -> None:
    """Seeded noise between frames is counted and journalled; blocks around it arrive."""
    rng = np.random.default_rng(4)

    async def test() -> None:
        async with rig() as r:
            await r.state(DeviceState.RUNNING)
            r.board.block(flags=4)
            for _ in range(50):
                r.board.send_bytes(rng.bytes(int(rng.integers(1, 3000))) + b"\0")
                r.board.block()
            await r.until(lambda: len(r.witness.of("block")) == 51)
            assert r.witness.of("bad_frame")
            assert r.device.state is DeviceState.RUNNING

    run(test)
