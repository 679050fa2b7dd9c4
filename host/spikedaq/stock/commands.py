"""The parameters of each stock generation, with the commands that set them."""

from __future__ import annotations

import math
from typing import Final

from spikedaq.model import ParameterType
from spikedaq.stock.settings import Command, Setting, decimal, divided, period, plain, switch, thousandths, whole

_UNKNOWN: Final = math.nan
_F, _I, _B = ParameterType.FLOAT, ParameterType.INTEGER, ParameterType.BOOLEAN

NO_COMMANDS: Final = "this firmware takes no commands; flash the spikedaq firmware to set parameters"
NO_OWN_NEURON: Final = (
    "firmware v2.5 of 2025 reads only the index of a preset (it would take NEU 0.02 ... for preset 0); set preset, or "
    "flash the spikedaq firmware"
)
NO_NOISE_SD: Final = (
    "the stock firmware takes no amplitude of its noise, only a constant current (noise_current); turn the board's knob"
)
NO_DT: Final = "this firmware has a fixed loop; its period is measured"
NO_RELEASE: Final = "the stock firmware has no command that hands it back; give it a value"
NO_CLAMP: Final = "this firmware has no voltage clamp; a board with the 2026 firmware or the spikedaq firmware has"

ABSENT: Final = {
    "noise_sd": NO_NOISE_SD,
    "stimulus": "a stock board takes one stimulus value per command, so no waveform can be played step by step; "
    "flash the spikedaq firmware",
}
"""Why a name of ours, or a request, has no place on any stock board."""

# A decay factor of 1 never decays: the current grows until its 16 bits overflow.
_MOST_DECAY: Final = 0.999
# A step of 0 lets the firmware run flat out, a negative one becomes 71 minutes; slower than 20 ms is the GUI's own
# limit.
_MOST_STEP_US: Final = 20_000


def _photo(gain: Command, low: float, high: float) -> tuple[Setting, ...]:
    return (
        Setting("photo_gain", "1", _F, low, high, _UNKNOWN, gain, "PG0", has_knob=True),
        Setting("photo_decay", "1/step", _F, 0.0, 1.0, 0.001, decimal("PD1", 6), "PD0"),
        Setting("photo_recovery", "1/step", _F, 0.0, 1.0, 0.025, decimal("PR1", 6), "PR0"),
    )


def _synapse(number: int, gain: Command, decay: float) -> tuple[Setting, ...]:
    name = f"syn{number}"
    return (
        Setting(f"{name}_gain", "a.u.", _F, -25.0, 25.0, _UNKNOWN, gain, f"SG{number}0", has_knob=True),
        Setting(f"{name}_decay", "1/step", _F, 0.0, _MOST_DECAY, decay, thousandths(f"SD{number}1"), f"SD{number}0"),
    )


_STIMULUS: Final = (
    Setting("stim_strength", "%", _F, -100.0, 100.0, _UNKNOWN, whole("ST1"), "ST0", has_knob=True),
    Setting("stim_period", "step", _I, 10.0, 1010.0, _UNKNOWN, period, "FR0", has_knob=True),
)
_LIGHTS: Final = (
    Setting("led", "1", _B, 0.0, 1.0, _UNKNOWN, switch("LED1", "LED0"), reason=NO_RELEASE),
    Setting("buzzer", "1", _B, 0.0, 1.0, _UNKNOWN, switch("BZ1", "BZ0"), reason=NO_RELEASE),
)


def _preset(count: int) -> Setting:
    # Which numbers follow NEU depends on the generation; `spikedaq.stock.board` builds the command.
    return Setting("preset", "1", _I, 0.0, count - 1.0, _UNKNOWN, whole("NEU"), reason=NO_RELEASE)


_SHAPE_UNITS: Final = (("a", "1"), ("b", "1"), ("c", "mV"), ("d", "1"), ("v_rest", "mV"))


def _shape(reason: str = "", *, v_rest: bool = True) -> tuple[Setting, ...]:
    """Return a b c d v_rest; without a reason a to d can be set, together in one command."""
    # Their command needs all of them at once; `spikedaq.stock.board` builds it.
    together = None if reason else decimal("NE", 6)
    made = [
        Setting(n, u, _F, -200.0, 200.0, _UNKNOWN, together, reason=reason or NO_RELEASE) for n, u in _SHAPE_UNITS[:4]
    ]
    if v_rest:
        made.append(
            Setting(
                "v_rest", "mV", _F, -200.0, 200.0, _UNKNOWN, reason=reason or "it comes with the preset; " + NO_RELEASE
            )
        )
    return tuple(made)


def _step(least_us: int) -> Setting:
    def build(value: float) -> tuple[str, float]:
        return f"DT {plain(value, 0)}", float(plain(value, 0))

    return Setting("step_us", "us", _I, float(least_us), float(_MOST_STEP_US), 2000.0, build, "DT 2000")


def _measured_step() -> Setting:
    return Setting("step_us", "us", _I, 1.0, 1e6, _UNKNOWN, reason=NO_DT)


def _current(word: str, release: str, *, whole_numbers: bool = False) -> Setting:
    command = whole(word) if whole_numbers else decimal(word, 3)
    return Setting("i_clamp", "a.u.", _F, -100.0, 100.0, _UNKNOWN, command, release, has_knob=True)


def _noise(*, whole_numbers: bool = False) -> Setting:
    command = whole("NO1") if whole_numbers else decimal("NO1", 3)
    return Setting("noise_current", "a.u.", _F, -100.0, 100.0, _UNKNOWN, command, "NO0", has_knob=True)


_CLAMP: Final = (
    Setting("clamp_mode", "1", _I, 0.0, 1.0, _UNKNOWN, whole("VCM"), reason=NO_RELEASE),
    Setting("v_hold", "mV", _F, -110.0, 30.0, _UNKNOWN, decimal("PC1", 2), "PC0", has_knob=True),
    Setting("vc_kp", "a.u./mV", _F, 0.0, 1000.0, 7.5, decimal("VPID", 4), reason=NO_RELEASE),
    Setting("vc_ki", "a.u./mV/ms", _F, 0.0, 1000.0, 0.1, decimal("VPID", 4), reason=NO_RELEASE),
    Setting("vc_i_min", "a.u.", _F, -327.0, 327.0, -200.0, decimal("VIL", 2), reason=NO_RELEASE),
    Setting("vc_i_max", "a.u.", _F, -327.0, 327.0, 300.0, decimal("VIL", 2), reason=NO_RELEASE),
    Setting("vc_span", "mV", _F, 0.0, 140.0, 70.0, decimal("VSP", 2), reason=NO_RELEASE),
)


def _esp32(least_us: int, *, newer: bool) -> tuple[Setting, ...]:
    """Return the parameters of v2.5 and v3; the newer ones have NE, PC1 and the voltage clamp, and no IC1."""
    return (
        _preset(20),
        *_shape("" if newer else NO_OWN_NEURON),
        _current("PC1", "PC0") if newer else _current("IC1", "IC0"),
        _noise(),
        *_photo(whole("PG1", per_unit=10), -10.0, 10.0),
        *_synapse(1, whole("SG11", per_unit=4), 0.995),
        *_synapse(2, whole("SG21", per_unit=4), 0.990),
        *_STIMULUS,
        _step(least_us),
        *(_CLAMP if newer else ()),
        *_LIGHTS,
    )


# 500000 baud carry a frame in 360 us, native USB one in less; both need some air.
S25: Final = _esp32(400, newer=False)
N25: Final = _esp32(400, newer=True)
N3: Final = _esp32(200, newer=True)
V24: Final = (
    _preset(12),
    *_shape(v_rest=False),
    _current("IC1", "IC0", whole_numbers=True),
    _noise(whole_numbers=True),
    *_photo(divided("PG1", divisor=10, offset=1), -9.0, 11.0),
    *_synapse(1, divided("SG11", divisor=4), 0.995),
    # The firmware registers SG12 for synapse 2; SG21, which its own GUI sends, it does not know.
    *_synapse(2, divided("SG12", divisor=4), 0.995),
    *_STIMULUS,
    _measured_step(),
    *_LIGHTS,
)
READ_ONLY: Final = (_measured_step(),)
"""Of v1 and v2.2, whose firmwares are not known to take any command."""
