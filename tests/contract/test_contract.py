"""What every board must do, seen from the daemon: the same tests for each, simulated or not.

What a board lacks it says in its hello (stimulus_capacity, traits, presets), and then must refuse it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from contract.conftest import NAME, Contract
from harness import wait_for
from spikedaq.model import CommandRejected, Trait
from spikedaq.store import find_files, open_recording

CHANNELS = ["vm", "stimulus", "i_total", "syn1_vm", "syn1_i", "syn2_vm", "syn2_i", "trigger"]


def test_identify(contract: Contract) -> None:
    """The board says who it is, once and for all, and speaks this protocol."""
    info, entry = contract.info(), contract.entry()
    assert (info["board"], entry["board"]) == (contract.board.kind, contract.board.kind)
    assert 8 <= len(info["unique_id"]) <= 32
    assert int(info["unique_id"], 16) != 0
    assert (entry["unique_id"], entry["boot"]) == (info["unique_id"], info["boot_id"])
    assert info["protocol_version"][0] == 1
    assert info["firmware_version"]
    assert len(info["build_hash"]) >= 8


def test_describe(contract: Contract) -> None:
    """All that the hello announces is described: channels by name and scale, parameters within their own limits."""
    info = contract.info()
    assert [channel["name"] for channel in info["channels"]] == CHANNELS
    assert info["channels"][0]["unit"] == "mV"
    assert [len(info[key]) for key in ("channels", "parameters", "presets")] == list(info["counts"])
    parameters = contract.parameters()
    assert {"preset", "a", "b", "c", "d", "i_clamp", "noise_sd", "step_us"} <= set(parameters)
    for parameter in parameters.values():
        for key in ("default", "value"):
            assert parameter["minimum"] <= parameter[key] <= parameter["maximum"], parameter
        assert parameter["holder"] in ("knob", "host"), parameter
    assert parameters["step_us"]["value"] == info["step_us"]
    names = [preset["name"] for preset in info["presets"]]
    assert len(set(names)) == len(names) == 20


def test_ping(contract: Contract) -> None:
    """Pings are answered: the daemon knows how the board's clock stands to its own."""

    def known() -> int | None:
        return contract.entry()["clock_u_ns"]

    uncertainty_ns = wait_for("the clock", known)
    assert uncertainty_ns > 0  # type: ignore[operator]
    # An AVR whose simulator falls behind real time has a clock that no fit of 1 % can follow, and says so.
    assert uncertainty_ns < 1e9 or contract.board.kind.startswith("v1")  # type: ignore[operator]


def test_stream(contract: Contract) -> None:
    """A second of the stream has every step once, ticks that go with the steps, and no block missing on the bus."""
    gaps = contract.entry()["gaps"]
    with contract.listen() as ear:
        ear.seconds(1)
    for before, after in pairwise(ear.blocks):
        assert after.n == before.n + 1
        assert after.step == before.step + len(before.samples)
        assert after.tick == before.tick + before.step_us * len(before.samples)
    assert all(block.samples.shape[1] == len(CHANNELS) for block in ear.blocks)
    assert contract.entry()["gaps"] == gaps
    assert contract.entry()["bad_frames"] == 0


def test_set_get_and_hand_back(contract: Contract) -> None:
    """A value set is read back and told to all; handed back, it is again what the knob or the default says."""
    before = contract.parameters()["i_clamp"]
    if contract.board.is_replay:
        refused(contract, "read_only", "set", values={"i_clamp": 12.5})
        assert contract.parameters()["i_clamp"] == before
        return
    with contract.listen() as ear:
        assert contract.call("set", values={"i_clamp": 12.5}) == {"i_clamp": {"value": 12.5, "holder": "host"}}
        assert contract.call("get", name="i_clamp") == {"value": 12.5, "holder": "host"}
        index = list(contract.parameters()).index("i_clamp")

        def told() -> bool:
            changes = [e for e in ear.events if e["kind"] == "parameter" and e["index"] == index]
            return any(e["value"] == 12.5 for e in changes)

        ear.until("the event of the change", told)
    after = contract.call("set", values={"i_clamp": None})["i_clamp"]
    assert after["holder"] == "knob"
    assert after["value"] == pytest.approx(before["value"], abs=0.5)  # a knob of a real converter


def test_a_preset_is_seen_in_the_stream(contract: Contract) -> None:
    """The neuron of a new preset steps from its resting potential, at the step that the event of the change names."""
    presets = contract.info()["presets"]
    if contract.board.is_replay:
        refused(contract, "read_only", "set", values={"preset": 7})
        return
    index = list(contract.parameters()).index("preset")
    with contract.listen() as ear:
        for preset in (18, 7):
            contract.call("set", values={"preset": preset, "i_clamp": 0})
            changed = ear.until(
                "the event of the change",
                lambda preset=preset: next(
                    (
                        e
                        for e in ear.events
                        if (e["kind"], e.get("index"), e.get("value")) == ("parameter", index, preset)
                    ),
                    None,
                ),
            )
            here = (changed["boot"], changed["step"])
            ear.until("its step", lambda here=here: here in ear.rows)
            row = ear.rows[here]
            vm_mv, current = float(row[0]) * 0.01, float(row[2]) * 0.01
            v, b = presets[preset]["v_rest"], presets[preset]["b"]
            # Izhikevich's first step from rest, where u = b v; what the board showed of the current is known to 0.005.
            assert vm_mv == pytest.approx(v + 0.1 * (0.04 * v * v + 5 * v + 140 - b * v + current), abs=0.01)
            wanted = pytest.approx([presets[preset][k] for k in "abcd"])

            def told(wanted: object = wanted) -> bool:
                got = contract.parameters()
                return [got[k]["value"] for k in "abcd"] == wanted

            ear.until("the events of a to d", told)  # a small board tells them one after the other
    contract.call("set", values={"preset": None, "i_clamp": None})


def refused(contract: Contract, codes: str, op: str, **args: object) -> None:
    """Make a request that must be refused with one of these codes, and with words."""
    with pytest.raises(CommandRejected) as refusal:
        contract.call(op, **args)
    assert refusal.value.code in codes.split("|")
    assert len(str(refusal.value)) > 10


def test_refusals_say_what_is_wrong(contract: Contract) -> None:
    """What cannot be done is refused by name, and nothing is changed by it."""
    before = contract.parameters()
    for values, code, text in (
        ({"i_clamp": 1e6}, "out_of_range", "i_clamp"),
        ({"preset": 77}, "out_of_range", "preset"),
        ({"preset": 0.5}, "out_of_range|bad_arguments", "preset"),
        ({"no_such_thing": 1}, "unknown_parameter", "no_such_thing"),
    ):
        with pytest.raises(CommandRejected, match=text) as refusal:
            contract.call("set", values=values)
        assert refusal.value.code in code.split("|")
    capacity = contract.info()["stimulus_capacity"]
    refused(contract, "too_large|unsupported", "stimulus", rows=[100] * (capacity + 1))
    after = contract.parameters()
    assert {k: p["value"] for k, p in after.items() if not p["has_knob"]} == {
        k: p["value"] for k, p in before.items() if not p["has_knob"]
    }
    assert contract.entry()["state"] == "running"


def test_a_waveform_is_played_where_there_is_room_for_one(contract: Contract) -> None:
    """As many rows as the hello promises (up to 500 here) come out in the stimulus channel, one per step."""
    capacity = min(500, contract.info()["stimulus_capacity"])
    if capacity == 0:
        refused(contract, "too_large|unsupported", "stimulus", rows=[0, 100])
        return
    percent = [(7 * k) % 100 - 50 for k in range(capacity)]
    with contract.listen() as ear:
        contract.call("stimulus", rows=[100 * p for p in percent], loop=False, name="zigzag")

        def played() -> np.ndarray[Any, Any] | None:
            triggers = [e for e in ear.events if e["kind"] == "trigger" and e["value"] == 1.0]
            rows = ear.rows
            for event in triggers:
                steps = [(event["boot"], event["step"] + k) for k in range(capacity)]
                if all(step in rows for step in steps):
                    return np.array([rows[step][1] for step in steps])
            return None

        np.testing.assert_array_equal(ear.until("the whole waveform", played), percent)
        told = wait_for("its end", lambda: (now := contract.entry()["stimulus"])["state"] == "ended" and now)
        assert (told["name"], told["rows"], told["loop"], told["loops"]) == ("zigzag", capacity, False, 1)
    contract.call("stimulus", stop=True)
    wait_for("the square wave", lambda: contract.entry()["stimulus"] is None)


def test_self_test(contract: Contract) -> None:
    """A board that says it can test itself reads all of its inputs; another refuses."""
    if contract.info()["traits"] & Trait.SELF_TEST:
        inputs = contract.call("self_test")
        assert inputs
        assert len({found["name"] for found in inputs}) == len(inputs)
        assert all(found["unit"] for found in inputs)
    else:
        refused(contract, "unsupported", "self_test")


def test_reset_of_neuron_and_parameters(contract: Contract) -> None:
    """A reset of the neuron leaves the parameters and the stream alone; one of the parameters gives the defaults."""
    boot = contract.entry()["boot"]
    if contract.board.is_replay:
        for scope in ("neuron", "parameters"):
            refused(contract, "unsupported", "reset", scope=scope)
        return
    contract.call("set", values={"photo_decay": 0.002})
    with contract.listen() as ear:
        ear.seconds(0.2)
        contract.call("reset", scope="neuron")
        assert contract.call("get", name="photo_decay")["value"] == pytest.approx(0.002)
        contract.call("reset", scope="parameters")
        n = len(ear.blocks)
        ear.until("blocks after the resets", lambda: len(ear.blocks) > n + 3)
    after = contract.parameters()["photo_decay"]
    assert after["value"] == pytest.approx(after["default"])
    assert after["holder"] == "knob"
    assert {block.boot for block in ear.blocks} == {boot}
    for before, after in pairwise(ear.blocks):
        assert after.step == before.step + len(before.samples)


def test_stop_and_start(contract: Contract) -> None:
    """Stopped, nothing comes from the step on that the board names; started, it goes on from the step it names."""
    with contract.listen() as ear:
        ear.seconds(0.1)
        next_step = contract.call("stop")["next_step"]
        ear.until("the last sample", lambda: ear.blocks[-1].step + len(ear.blocks[-1].samples) == next_step)
        assert contract.entry()["state"] == "stopped"
        first_step = contract.call("start")["first_step"]
        assert first_step >= next_step
        ear.until("the first sample", lambda: any(block.step == first_step for block in ear.blocks))
    steps = [step for _, step in ear.rows]
    assert not [step for step in steps if next_step <= step < first_step]
    contract.wait_running()


def test_a_recording_holds_what_the_bus_gave(contract: Contract) -> None:
    """Two seconds on disk are, sample for sample and step for step, what was published."""
    with contract.listen() as ear:
        ear.seconds(0.1)
        contract.daemon.call("record_start", session="same")
        n = len(ear.blocks)
        ear.seconds(2.5)
        assert len(ear.blocks) > n
        contract.daemon.call("record_stop")
        last = recorded(contract, "same")
        ear.until("the last recorded sample", lambda: last[-1][0] in ear.rows)
    published = ear.rows
    steps = [place[1] for place, _ in last]
    assert steps == list(range(steps[0], steps[0] + len(steps)))
    period_us = contract.info()["step_us"]
    # Times of a simulated AVR that falls behind real time say of its first samples that they precede the session.
    assert len(steps) >= (1 if contract.board.kind.startswith("v1") else 1.5e6 / period_us)
    for place, row in last:
        np.testing.assert_array_equal(row, published[place])


def recorded(contract: Contract, session: str) -> list[tuple[tuple[int, int], np.ndarray[Any, Any]]]:
    """Return every sample of a session as ((boot, step), row)."""
    rows = []
    for path in find_files(contract.daemon.data / "recordings" / session, NAME):
        with open_recording(path) as recording:
            boot = recording.device_info.boot_id
            steps = recording.steps(0, recording.n_samples)
            rows += [((boot, int(step)), row) for step, row in zip(steps, recording.samples(), strict=True)]
    return rows


def test_a_reboot_is_the_same_board_in_the_same_session(contract: Contract) -> None:
    """A reboot that is asked for gives a new boot of the same board, and the recording goes on with it."""
    if contract.board.is_replay:
        refused(contract, "unsupported", "reset", scope="reboot")
        return
    continued(contract, "rebooted", lambda: contract.call("reset", scope="reboot"), lambda: None)


def test_unplugged_and_plugged_in_again(contract: Contract) -> None:
    """A cable that is pulled is told as a lost link; plugged in, the same board goes on in the same session."""
    if contract.board.is_replay:
        return  # it has none

    def pull() -> None:
        contract.board.unplug()
        wait_for("the loss to be told", lambda: contract.entry()["state"] == "lost")

    continued(contract, "replugged", pull, contract.board.plug)


def continued(contract: Contract, session: str, end_boot: Any, begin_boot: Any) -> None:
    """Record over the end of one boot and the beginning of the next."""
    before = contract.entry()
    contract.daemon.call("record_start", session=session)
    end_boot()
    begin_boot()
    after = contract.wait_running(other_than=before["boot"])
    assert after["unique_id"] == before["unique_id"]
    # Only while the files grow: a board in a simulator may take its time.
    wait_for("the recording to go on", lambda: contract.daemon.call("record_status")["state"] == "recording")

    def both_on_disk() -> bool:
        # The file of the new boot is readable, too.
        return after["boot"] in {place[0] for place, _ in recorded(contract, session)}

    wait_for("samples of the new boot on disk", both_on_disk)
    contract.daemon.call("record_stop")
    rows = recorded(contract, session)
    boots = list(dict.fromkeys(place[0] for place, _ in rows))
    assert boots == [before["boot"], after["boot"]]
    assert next(place for place, _ in rows if place[0] == after["boot"])[1] < 10_000, "steps start anew"
