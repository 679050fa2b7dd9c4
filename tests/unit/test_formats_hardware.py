"""The hardware's state beside a CSV: what is known with its origin, what is not as "unknown"."""

import json

import numpy as np
import pytest

from helpers.formats_recordings import Maker, device_info, parameter, parameters, spiking
from spikedaq.formats import export_csv
from spikedaq.formats.hardware_state import HardwareState, tidy
from spikedaq.model import EventKind, Holder, ParameterType


def hardware(maker, **options):
    (exported,) = export_csv(maker.folder.parent, overwrite=True, **options)
    return json.loads(exported.description.read_text("utf-8"))["hardware"]


def made(tmp_path, **changed):
    """An open file with samples of steps 1000 to 2999."""
    info = device_info(**changed)
    return Maker(tmp_path / "demo", info=info).open().samples(1000, spiking(2000))


NO_VOLTAGE_CLAMP = dict.fromkeys(
    ("clamp_mode", "v_hold", "vc_kp", "vc_ki", "vc_i_min", "vc_i_max", "vc_span"), "unknown"
)


def request(kind, **fields):
    """A request as the recorder notes it."""
    return json.dumps({"request": kind, **fields})


def upload(maker, wall_s, rows, *, loop, who="cli"):
    """An upload in two pieces and a play."""
    half = len(rows) // 2
    pieces = [(0, rows[:half]), (half, rows[half:])]
    maker.note(wall_s, request("stimulus_begin", n_rows=len(rows)), who)
    for first, piece in pieces:
        data = np.array(piece, dtype="<i2").tobytes().hex()
        maker.note(wall_s, request("stimulus_data", first_row=first, rows=data), who)
    maker.note(wall_s, request("stimulus_play", loop=loop), who)


def test_the_start_has_every_normative_value_with_its_sign(tmp_path):
    """Preset by name and number, a to v_rest, clamp, noise, signed gains, stimulus; 32-bit values as decimals."""
    start = hardware(made(tmp_path, preset=1, b=0.25, v_rest=-64, i_clamp=-12.5, syn2_gain=-3.3).close())["start"]
    neuron = {"preset_name": "Phasic spiking", "preset": 1, "a": 0.02, "b": 0.25, "c": -65.0, "d": 6.0, "v_rest": -64.0}
    assert start["neuron"] == neuron
    assert start["clamp"] == {"mode": "current", "i_clamp": -12.5, **NO_VOLTAGE_CLAMP}
    assert start["noise"] == {"noise_sd": 0.0}
    assert start["photodiode"] == {"photo_gain": -2.5, "photo_decay": 0.001, "photo_recovery": 0.025}
    assert start["synapses"] == {"syn1_gain": 0.0, "syn1_decay": 0.995, "syn2_gain": -3.3, "syn2_decay": 0.99}
    assert start["stimulus"] == {"source": "unknown", "waveform": "unknown", "stim_strength": 0.0, "stim_period": 510}
    assert start["timing"] == {"step_us": 100}


def test_the_start_and_the_changes_say_the_clamp_mode(tmp_path):
    """Mode by name, its numbers beside it; a change is a change of the parameter."""
    for number, name in ((0, "current"), (1, "voltage")):
        mode = parameter("clamp_mode", "1", number, kind=ParameterType.INTEGER)
        info = device_info(parameters=(mode, parameter("v_hold", "mV", -40)))
        maker = Maker(tmp_path / name, info=info).open().samples(0, spiking(300)).changed("clamp_mode", 250, 1 - number)
        got = hardware(maker.close())
        assert got["start"]["clamp"]["mode"] == name
        assert got["start"]["clamp"]["v_hold"] == -40.0
        assert [c["set"] for c in got["changes"]] == [{"clamp_mode": 1 - number}]


def test_what_a_board_does_not_describe_is_unknown(tmp_path):
    """A board that tells nothing gets no number at all."""
    info = device_info(parameters=(parameter("syn1_gain", "a.u.", 4), parameter("lamp", "1", 3)))
    start = hardware(Maker(tmp_path / "demo", info=info).open().samples(0, spiking(100)).close())["start"]
    assert start["neuron"] == dict.fromkeys(("preset_name", "preset", "a", "b", "c", "d", "v_rest"), "unknown")
    assert start["clamp"] == {"mode": "unknown", "i_clamp": "unknown", **NO_VOLTAGE_CLAMP}
    assert start["synapses"]["syn1_gain"] == 4.0
    assert start["synapses"]["syn2_gain"] == "unknown"
    assert start["other"] == {"lamp": 3.0}


def test_a_change_has_its_time_in_the_csv_and_on_the_clock(tmp_path):
    """Model milliseconds from the first row, step, seconds; for a wall CSV its own seconds."""
    maker = made(tmp_path).changed("noise_sd", 1503, 0.7).close()
    (change,) = hardware(maker)["changes"]
    assert (change["time"], change["step"], change["set"]) == (50.3, 1503, {"noise_sd": 0.7})
    assert change["wall_s"] == pytest.approx(0.1503, abs=1e-6)
    (change,) = hardware(maker, time="wall")["changes"]
    assert change["time"] == pytest.approx(0.1503, abs=1e-6)


def test_a_change_before_the_first_row_belongs_to_the_start(tmp_path):
    """The state at the start is that of the first row, not that of the file's creation."""
    got = hardware(made(tmp_path).changed("noise_sd", 900, 2).close())
    assert got["start"]["noise"]["noise_sd"] == 2.0
    assert got["changes"] == []


def test_origin_is_host_where_a_request_asked_for_it(tmp_path):
    """The request names who; another value than the one asked for is not that request's doing."""
    maker = made(tmp_path).asked("i_clamp", 0.2, 15, who="spikedaq set").changed("i_clamp", 2001, 15)
    maker.asked("noise_sd", 0.25, 1.0).changed("noise_sd", 2501, 0.4).close()
    first, second = hardware(maker)["changes"]
    assert (first["origin"], first["by"]) == ("host", "spikedaq set")
    assert second["origin"] == "unknown"
    assert "by" not in second
    requests = hardware(maker)["requests"]
    assert [(r["by"], r["set"]) for r in requests] == [("spikedaq set", {"i_clamp": 15.0}), ("cli", {"noise_sd": 1.0})]


@pytest.mark.parametrize("whose", ["spikedaq set", "device"])
def test_what_the_device_tells_is_no_request_whoever_it_is_told_of(tmp_path, whose):
    """Files say who asked for a change; older ones said only that the device told it."""
    maker = made(tmp_path).asked("i_clamp", 0.2, 15, who="spikedaq set").changed("i_clamp", 2001, 15, whose).close()
    got = hardware(maker)
    assert [(c["step"], c["origin"], c["by"]) for c in got["changes"]] == [(2001, "host", "spikedaq set")]
    assert [r["by"] for r in got["requests"]] == ["spikedaq set"]


def test_an_old_request_explains_nothing(tmp_path):
    """A request of more than two seconds ago, which the board refused, does not claim a later turn of a knob."""
    info = device_info(parameters=(parameter("i_clamp", "a.u.", 0, has_knob=True),))
    maker = Maker(tmp_path / "demo", info=info).open().samples(0, spiking(30000))
    maker.asked("i_clamp", 0.1, 5).changed("i_clamp", 29000, 5).close()
    (change,) = hardware(maker)["changes"]
    assert change["origin"] == "knob"


def test_origin_is_knob_only_where_a_knob_decides(tmp_path):
    """With a knob and in its hands: knob. Held by the host, or without a knob: unknown."""
    info = device_info(
        parameters=(
            parameter("i_clamp", "a.u.", 0, has_knob=True),
            parameter("syn1_gain", "a.u.", 0, has_knob=True, holder=Holder.HOST),
            parameter("syn2_gain", "a.u.", 0),
        )
    )
    maker = Maker(tmp_path / "demo", info=info).open().samples(0, spiking(500))
    for name, step in [("i_clamp", 100), ("syn1_gain", 200), ("syn2_gain", 300)]:
        maker.changed(name, step, 1)
    got = hardware(maker.close())
    assert [c["origin"] for c in got["changes"]] == ["knob", "unknown", "unknown"]
    assert got["start"]["set_by"] == {"i_clamp": "knob", "syn1_gain": "host", "syn2_gain": "default"}


def test_handing_back_makes_it_the_knobs_value(tmp_path):
    """A request for nil, then the value the knob has: origin knob, by whoever handed it back."""
    info = device_info(parameters=(parameter("i_clamp", "a.u.", 5, has_knob=True, holder=Holder.HOST),))
    maker = Maker(tmp_path / "demo", info=info).open().samples(0, spiking(3000))
    maker.asked("i_clamp", 0.1, None, who="teacher").changed("i_clamp", 1001, -3).changed("i_clamp", 2000, -4).close()
    got = hardware(maker)
    assert [(c["origin"], c.get("by")) for c in got["changes"]] == [("knob", "teacher"), ("knob", None)]
    assert got["requests"][0]["set"] == {"i_clamp": None}


def test_handing_back_without_a_knob_is_the_default(tmp_path):
    """There is no knob to speak of."""
    maker = made(tmp_path, i_clamp=5).asked("i_clamp", 0.15, None, who="me").changed("i_clamp", 1501, 0).close()
    (change,) = hardware(maker)["changes"]
    assert (change["origin"], change["by"]) == ("default", "me")


def test_a_preset_brings_its_parameters_in_one_change(tmp_path):
    """By the protocol a preset copies a to v_rest; the board's own reports of them add nothing."""
    maker = made(tmp_path).asked("preset", 0.15, 1, who="me").changed("preset", 1501, 1)
    maker.changed("b", 1501, 0.25).changed("v_rest", 1502, -64).close()
    (change,) = hardware(maker)["changes"]
    assert change["set"] == {"preset_name": "Phasic spiking", "preset": 1, "b": 0.25, "v_rest": -64.0}
    assert (change["origin"], change["by"]) == ("host", "me")


def test_setting_a_shape_parameter_makes_the_neuron_custom(tmp_path):
    """The board reports the preset 255 first, then the parameter: both are the host's."""
    maker = made(tmp_path).asked("d", 0.15, 8, who="me").changed("preset", 1501, 255).changed("d", 1501, 8).close()
    first, second = hardware(maker)["changes"]
    assert first["set"] == {"preset_name": "custom", "preset": 255}
    assert second["set"] == {"d": 8.0}
    assert [(c["origin"], c["by"]) for c in (first, second)] == [("host", "me")] * 2


def test_a_preset_that_nobody_described_gives_no_numbers(tmp_path):
    """Preset 9 of a board that described two: its name and its parameters are unknown until they are reported."""
    (change,) = hardware(made(tmp_path).changed("preset", 1501, 9).close())["changes"]
    assert change["set"]["preset_name"] == "unknown"
    assert {change["set"][name] for name in ("a", "b", "c", "d", "v_rest")} == {"unknown"}


def test_a_reset_is_the_hosts_doing(tmp_path):
    """Parameters that change after a reset request have it as their origin."""
    maker = made(tmp_path, i_clamp=15).note(0.15, request("reset", scope=1), "me").changed("i_clamp", 1502, 0).close()
    (change,) = hardware(maker)["changes"]
    assert (change["origin"], change["by"]) == ("host", "me")


def test_a_later_file_that_starts_with_another_value_shows_a_change(tmp_path):
    """A change whose event was lost is noted at the roll, of unknown origin."""
    maker = made(tmp_path).close()
    maker.open(device_info(syn1_gain=2)).samples(3000, spiking(100)).close()
    (change,) = hardware(maker)["changes"]
    assert (change["time"], change["origin"], change["set"]) == (200.0, "unknown", {"syn1_gain": 2.0})


def test_rolling_alone_is_no_change(tmp_path):
    """The values that each file repeats are not changes."""
    maker = made(tmp_path).changed("noise_sd", 1500, 0.7).close()
    maker.open(device_info(noise_sd=0.7)).samples(3000, spiking(100)).close()
    assert len(hardware(maker)["changes"]) == 1


def test_a_square_wave_seen_first_was_there_from_the_start(tmp_path):
    """Nobody asked for another stimulus before its first trigger."""
    maker = made(tmp_path).event(EventKind.TRIGGER, 1020).event(EventKind.TRIGGER, 1530, index=1).close()
    got = hardware(maker)
    assert got["start"]["stimulus"]["source"] == "square wave"
    assert got["start"]["stimulus"]["waveform"] is None
    assert got["changes"] == []


def test_an_uploaded_waveform_is_kept_row_by_row(tmp_path):
    """Upload, play, end: rows in percent, loop or not, who, and the steps at which it began and ended."""
    maker = made(tmp_path).event(EventKind.TRIGGER, 1020)
    upload(maker, 0.15, [0, 5000, -10000, 33], loop=False, who="me")
    maker.event(EventKind.TRIGGER, 1502, index=1, value=1).event(EventKind.STIMULUS_END, 1506, index=1).close()
    began, ended = hardware(maker)["changes"]
    assert (began["step"], began["origin"], began["by"]) == (1502, "host", "me")
    assert began["set"]["source"] == "waveform"
    waveform = {"n_rows": 4, "loop": False, "unit": "%", "rows": [0.0, 50.0, -100.0, 0.33]}
    assert began["set"]["waveform"] == waveform
    assert (ended["step"], ended["origin"]) == (1506, "board")
    assert ended["set"] == {"source": "silence after the waveform", "waveform": None}


def test_loops_of_a_waveform_are_one_change_and_stop_returns_to_the_square_wave(tmp_path):
    """Each loop has a trigger; only the first changes anything. A stop is the host's."""
    maker = made(tmp_path).event(EventKind.TRIGGER, 1020)
    upload(maker, 0.15, [1, 2], loop=True)
    for step in (1502, 1504, 1506):
        maker.event(EventKind.TRIGGER, step, value=1)
    maker.note(0.1507, request("stimulus_stop"), "me")
    maker.event(EventKind.TRIGGER, 1508).event(EventKind.STIMULUS_END, 1508, index=3).close()
    began, stopped = hardware(maker)["changes"]
    assert began["step"] == 1502
    assert (stopped["step"], stopped["origin"], stopped["by"]) == (1508, "host", "me")
    assert stopped["set"] == {"source": "square wave", "waveform": None}


def test_a_waveform_uploaded_before_the_recording_is_unknown(tmp_path):
    """It plays, and its rows are not on record: that is said, not guessed."""
    got = hardware(made(tmp_path).event(EventKind.TRIGGER, 1100, value=1).close())
    assert got["start"]["stimulus"]["source"] == "waveform"
    assert got["start"]["stimulus"]["waveform"] == "unknown"
    assert got["changes"] == []


def test_rows_whose_upload_is_not_on_record_are_unknown(tmp_path):
    """A play without an upload, and an upload with a piece missing."""
    maker = made(tmp_path).note(0.15, request("stimulus_play", loop=True)).event(EventKind.TRIGGER, 1502, value=1)
    maker.note(0.16, request("stimulus_begin", n_rows=3))
    maker.note(0.16, request("stimulus_data", first_row=1, rows="6400"))
    maker.note(0.16, request("stimulus_play", loop=True)).event(EventKind.TRIGGER, 1602, value=1).close()
    first, second = hardware(maker)["changes"]
    assert first["set"]["waveform"] == {"n_rows": "unknown", "loop": True, "unit": "%", "rows": "unknown"}
    assert second["set"]["waveform"]["rows"] == ["unknown", 1.0, "unknown"]


def test_a_note_that_looks_like_a_request_breaks_nothing(tmp_path):
    """Notes are text that people write."""
    maker = made(tmp_path)
    texts = ['{"request"', '{"request": 5}', '{"request": [1]}', '{"request": "stimulus_begin"}']
    texts += ['{"request": "stimulus_data", "rows": "x"}', '{"request": "stimulus_play"}']
    texts += ['{"request": "stimulus_begin", "n_rows": 4000000000}', '{"request": "stimulus_begin", "n_rows": 2}']
    texts += ['{"request": "stimulus_data", "first_row": -1, "rows": "0000"}']
    for text in texts:
        maker.note(0.15, text)
    assert hardware(maker.close())["changes"] == []


def test_values_are_written_as_people_write_them():
    """Integers as integers, booleans as booleans, 32-bit floats as their shortest decimal."""
    assert tidy(float(np.float32(0.02))) == 0.02
    assert tidy(0.1 + 1e-12) == 0.1 + 1e-12
    assert tidy(3.0, ParameterType.INTEGER) == 3
    assert tidy(1.0, ParameterType.BOOLEAN) is True


def test_applying_a_value_that_is_there_changes_nothing():
    """A report of the present value is no change."""
    state = HardwareState(parameters(), device_info().presets)
    assert state.apply("i_clamp", 0.0, "host") == {}
    assert state.apply("preset", 0, "host") == {}
