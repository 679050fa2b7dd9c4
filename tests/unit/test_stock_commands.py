"""What each stock generation is told: literal command lines, the values that its units make of ours, and refusals."""

from __future__ import annotations

import math

import pytest

from spikedaq.model import Holder
from spikedaq.stock import DIALECTS, Change, Refusal, StockBoard

S25, N25, N3, V24 = "stock-v2.5", "stock-v2.5-2026", "stock-v3", "stock-v2.4"
ESP32 = (S25, N25, N3)
COMMON = [
    # our values, commands, values that the board then has
    ({"preset": 16}, ["NEU 16"], {"preset": 16, "a": 1.0, "d": -21, "v_rest": -70}),
    ({"noise_current": 0.5}, ["NO1 0.5"], {"noise_current": 0.5}),
    ({"photo_gain": -2.46}, ["PG1 -25"], {"photo_gain": -2.5}),
    ({"photo_decay": 0.0001}, ["PD1 0.0001"], {"photo_decay": 0.0001}),
    ({"photo_recovery": 1.2e-5}, ["PR1 0.000012"], {"photo_recovery": 1.2e-5}),
    ({"syn1_gain": 3.1}, ["SG11 12"], {"syn1_gain": 3.0}),
    ({"syn2_gain": -0.125}, ["SG21 -1"], {"syn2_gain": -0.25}),
    ({"syn1_decay": 0.995}, ["SD11 995"], {"syn1_decay": 0.995}),
    ({"syn2_decay": 0.9904}, ["SD21 990"], {"syn2_decay": 0.990}),
    ({"stim_strength": -12.5}, ["ST1 -13"], {"stim_strength": -13}),
    ({"stim_period": 510}, ["FR1 0"], {"stim_period": 510}),
    ({"stim_period": 10}, ["FR1 -100"], {"stim_period": 10}),
    ({"stim_period": 1009}, ["FR1 100"], {"stim_period": 1010}),
    ({"step_us": 1000}, ["DT 1000"], {"step_us": 1000}),
    ({"led": 1, "buzzer": 0}, ["LED1", "BZ0"], {"led": 1, "buzzer": 0}),
]
GOLDEN = [
    *((name, *row) for name in ESP32 for row in COMMON),
    (S25, {"i_clamp": 1.4e-14}, ["IC1 0"], {"i_clamp": 0.0}),
    (S25, {"i_clamp": -12.3456}, ["IC1 -12.346"], {"i_clamp": -12.346}),
    (N25, {"i_clamp": -12.3456}, ["PC1 -12.346"], {"i_clamp": -12.346}),
    (N3, {"clamp_mode": 1, "v_hold": -65.5}, ["VCM 1", "PC1 -65.5"], {"v_hold": -65.5}),
    (N3, {"vc_kp": 8}, ["VPID 8 0.1"], {"vc_kp": 8, "vc_ki": 0.1}),
    (N3, {"vc_kp": 8, "vc_ki": 0.25}, ["VPID 8 0.25"], {"vc_ki": 0.25}),
    (N3, {"vc_i_max": 250}, ["VIL -200 250"], {"vc_i_min": -200, "vc_i_max": 250}),
    (N3, {"vc_span": 60}, ["VSP 60"], {"vc_span": 60}),
    (N3, {"preset": 2, "d": 2.5}, ["NEU 2", "NE 0.02 0.2 -50 2.5"], {"preset": 255, "d": 2.5, "c": -50}),
    (N3, dict.fromkeys("abcd", -123.456789), ["NE -123.5 -123.5 -123.5 -123.5"], {"a": -123.5, "preset": 255}),
    (V24, {"preset": 11}, ["NEU 0.02 -0.1 -55 0 11"], {"preset": 11, "d": 0}),
    (V24, {"a": 0.1, "b": 0.26, "c": -60, "d": -1}, ["NEU 0.1 0.26 -60 -1 99"], {"preset": 255}),
    (V24, {"i_clamp": 12.5}, ["IC1 13"], {"i_clamp": 13}),
    (V24, {"noise_current": -0.6}, ["NO1 -1"], {"noise_current": -1}),
    (V24, {"photo_gain": 2.5}, ["PG1 20"], {"photo_gain": 3}),
    (V24, {"photo_gain": -9}, ["PG1 -100"], {"photo_gain": -9}),
    (V24, {"syn1_gain": 2.6}, ["SG11 12"], {"syn1_gain": 3}),
    (V24, {"syn2_gain": 2.6}, ["SG12 12"], {"syn2_gain": 3}),
]
RELEASES = {
    "i_clamp": ("IC0", "PC0"), "noise_current": ("NO0", "NO0"), "photo_gain": ("PG0", "PG0"),
    "photo_decay": ("PD0", "PD0"), "photo_recovery": ("PR0", "PR0"), "syn1_gain": ("SG10", "SG10"),
    "syn1_decay": ("SD10", "SD10"), "syn2_gain": ("SG20", "SG20"), "syn2_decay": ("SD20", "SD20"),
    "stim_strength": ("ST0", "ST0"), "stim_period": ("FR0", "FR0"), "step_us": ("DT 2000", "DT 2000"),
}  # fmt: skip
REFUSED = [
    (S25, {"a": 0.1}, "read_only", "reads only the index"),
    (S25, {"v_rest": -60}, "read_only", "v_rest"),
    (S25, {"preset": 20}, "out_of_range", "0 to 19"),
    (S25, {"step_us": 0}, "out_of_range", "400 to 20000"),
    (S25, {"step_us": -5}, "out_of_range", "step_us"),
    (S25, {"syn1_decay": 1.0}, "out_of_range", "0 to 0.999"),
    (S25, {"stim_period": 5}, "out_of_range", "10 to 1010"),
    (S25, {"led": None}, "unsupported", "no command that hands it back"),
    (N3, {"a": 0.1}, "wrong_state", "b, c, d"),
    (N3, {"v_rest": -60}, "read_only", "comes with the preset"),
    (N3, {"v_hold": -60}, "wrong_state", "clamp_mode=1"),
    (N3, {"clamp_mode": 1, "i_clamp": 3}, "wrong_state", "clamp_mode=0"),
    (N3, {"vc_i_min": 310}, "out_of_range", "below"),
    (V24, {"step_us": 1000}, "read_only", "fixed loop"),
    (V24, {"preset": 12}, "out_of_range", "0 to 11"),
    ("stock-v2.2", {"step_us": 1000}, "read_only", "fixed loop"),
    ("stock-v1", {"step_us": 1000}, "read_only", "fixed loop"),
]


def change(board: StockBoard, values: dict[str, float | None]) -> Change:
    """Set by name."""
    names = [setting.name for setting in board.settings]
    return board.set([(names.index(name), value) for name, value in values.items()])


@pytest.mark.parametrize(("dialect", "values", "commands", "really"), GOLDEN)
def test_literal_commands(dialect: str, values: dict[str, float | None], commands: list[str], really: dict) -> None:
    """A value becomes this line, and the board then has that value; each line fits its buffer, none has an exponent."""
    board = StockBoard(DIALECTS[dialect], step_us=2000)
    wanted = change(board, values)
    assert list(wanted.commands) == commands
    assert all(len(line) < 32 and "e" not in line for line in commands)
    board.obeyed(wanted)
    for name, value in really.items():
        assert board.value(name) == pytest.approx(value, abs=1e-9), name
        assert board.holder(name) is Holder.HOST


@pytest.mark.parametrize("dialect", [*ESP32, V24])
def test_handing_back(dialect: str) -> None:
    """None hands a parameter back; what a knob decides then is not known, a default is."""
    board = StockBoard(DIALECTS[dialect], step_us=2000)
    for setting in board.settings:
        if setting.command is None or setting.name not in RELEASES:
            continue
        back = change(board, {setting.name: None})
        assert back.commands == (RELEASES[setting.name][dialect in (N25, N3)],)
        board.obeyed(back)
        assert board.holder(setting.name) is Holder.KNOB
        assert math.isnan(board.value(setting.name)) is setting.has_knob


@pytest.mark.parametrize(("dialect", "values", "code", "words"), REFUSED)
def test_what_a_generation_cannot_do_is_refused_with_the_reason(
    dialect: str, values: dict[str, float | None], code: str, words: str
) -> None:
    """A refusal has a code of the protocol and says why; nothing is set."""
    board = StockBoard(DIALECTS[dialect], step_us=2000)
    with pytest.raises(Refusal, match=words) as caught:
        change(board, values)
    assert caught.value.code == code


def test_resets() -> None:
    """A neuron is reset by setting it again; all parameters by handing back each."""
    board = StockBoard(DIALECTS[S25], step_us=2000)
    with pytest.raises(Refusal, match="not known"):
        board.reset(everything=False)
    board.obeyed(change(board, {"preset": 3}))
    assert board.reset(everything=False).commands == ("NEU 3",)
    everything = board.reset(everything=True)
    assert everything.commands[0] == "NEU 0"
    assert {"IC0", "NO0", "PG0", "SD20", "FR0", "DT 2000"} <= set(everything.commands)
    with pytest.raises(Refusal, match="fixed loop"):
        StockBoard(DIALECTS["stock-v1"], step_us=2400).reset(everything=True)


def test_no_generation_claims_an_amplitude_of_noise() -> None:
    """The stock NO1 is a constant current, so no board has our noise_sd."""
    for dialect in DIALECTS.values():
        assert "noise_sd" not in [setting.name for setting in dialect.settings]
