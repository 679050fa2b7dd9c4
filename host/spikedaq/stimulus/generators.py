"""The table of generators. A form and the command line are made from it."""

from __future__ import annotations

import difflib
from typing import Any

from spikedaq.model import ConfigError
from spikedaq.stimulus import plans
from spikedaq.stimulus.parameters import Generator, Parameter, shown

_MAX_MS = 600_000.0
"""Ten minutes: what `MAX_ROWS` can hold."""
_NYQUIST_HZ = 5000.0
"""Half of a row's rate: a faster one would be seen as a slower one."""
_MAX_SEED = 2**53 - 1
"""What a JSON number holds exactly in every language."""


def _percent(name: str, default: float, description: str, *, minimum: float = -100.0) -> Parameter:
    return Parameter(name, "%", "float", minimum, 100.0, default, description)


def _ms(name: str, default: float, description: str, *, minimum: float = 0.1) -> Parameter:
    return Parameter(name, "ms", "float", minimum, _MAX_MS, default, description)


def _hz(name: str, default: float, description: str, *, minimum: float = 0.0) -> Parameter:
    return Parameter(name, "Hz", "float", minimum, _NYQUIST_HZ, default, description)


def _count(name: str, default: int, description: str) -> Parameter:
    return Parameter(name, "1", "integer", 1, 100_000, default, description)


def _around(post_ms: float) -> tuple[Parameter, ...]:
    return (
        _ms("pre_ms", 0.0, "baseline before it", minimum=0.0),
        _percent("pre_level", 0.0, "level of the baseline before it"),
        _ms("post_ms", post_ms, "baseline after it", minimum=0.0),
        _percent("post_level", 0.0, "level of the baseline after it"),
    )


_SEED = Parameter("seed", "1", "integer", 0, _MAX_SEED, 1, "the same seed gives the same noise")
_HOLD = _ms("hold_ms", 1.0, "each draw is held for so long")
_DURATION = _ms("duration_ms", 1000.0, "how long it lasts")


_WAVE = (
    _percent("amplitude", 50.0, "from the mean to the peak", minimum=0.0),
    _percent("mean", 0.0, "level that it swings about"),
    _hz("frequency_hz", 20.0, "cycles per second of model time"),
    Parameter("phase_deg", "deg", "float", -360.0, 360.0, 0.0, "phase of the first row; 90 begins at the peak"),
    _ms("duration_ms", 250.0, "how long it lasts"),
)
_CHIRP = (
    _percent("amplitude", 100.0, "from the mean to the peak", minimum=0.0),
    _percent("mean", 0.0, "level that it swings about"),
)

GENERATORS: tuple[Generator, ...] = (
    Generator(
        "steps", "Steps", "levels one after the other, each a constant amount above the one before",
        (
            _count("count", 10, "number of steps"),
            _percent("first", 5.0, "level of the first step"),
            Parameter("increment", "%", "float", -200.0, 200.0, 5.0, "from each step to the next"),
            _ms("on_ms", 25.0, "length of each step"),
            _ms("off_ms", 75.0, "length of the rest after each step", minimum=0.0),
            _percent("off_level", 0.0, "level of the rest"),
            *_around(100.0),
        ),
        plans.steps,
    ),
    Generator(
        "ramp", "Ramp", "a straight line from one level to another",
        (
            _percent("start", 0.0, "level of the first row"),
            _percent("end", 100.0, "level of the last row"),
            _DURATION,
            _ms("hold_ms", 0.0, "how long the last level is held", minimum=0.0),
            *_around(100.0),
        ),
        plans.ramp,
    ),
    Generator("sine", "Sine", "a sine about a mean", (*_WAVE, *_around(100.0)), plans.sine),
    Generator("triangle", "Triangle", "a triangle about a mean", (*_WAVE, *_around(100.0)), plans.triangle),
    Generator(
        "chirp_linear", "Chirp, linear", "a sine whose frequency changes by the same amount in equal times",
        (
            *_CHIRP,
            _hz("start_hz", 0.0, "frequency at the beginning"),
            _hz("end_hz", 50.0, "frequency at the end"),
            _DURATION,
            *_around(100.0),
        ),
        plans.chirp_linear,
    ),
    Generator(
        "chirp_exponential", "Chirp, exponential", "a sine whose frequency changes by the same factor in equal times",
        (
            *_CHIRP,
            _hz("start_hz", 1.0, "frequency at the beginning", minimum=0.01),
            _hz("end_hz", 50.0, "frequency at the end", minimum=0.01),
            _DURATION,
            *_around(100.0),
        ),
        plans.chirp_exponential,
    ),
    Generator(
        "chirp_amplitude", "Chirp, amplitude", "a sine of one frequency whose amplitude changes linearly",
        (
            _percent("start", 0.0, "amplitude of the first row", minimum=0.0),
            _percent("end", 100.0, "amplitude of the last row", minimum=0.0),
            _percent("mean", 0.0, "level that it swings about"),
            _hz("frequency_hz", 10.0, "cycles per second of model time"),
            _DURATION,
            *_around(100.0),
        ),
        plans.chirp_amplitude,
    ),
    Generator(
        "noise_gaussian", "Noise, Gaussian", "random levels about a mean; what is beyond 100 % is cut, and counted",
        (
            _percent("mean", 0.0, "mean level"),
            _percent("sd", 20.0, "standard deviation", minimum=0.0),
            _HOLD,
            _DURATION,
            _SEED,
            *_around(100.0),
        ),
        plans.noise_gaussian,
    ),
    Generator(
        "noise_binary", "Noise, binary", "two levels in random order",
        (
            _percent("low", 0.0, "one level"),
            _percent("high", 50.0, "the other level"),
            Parameter("probability", "1", "float", 0.0, 1.0, 0.5, "probability of the high level"),
            _HOLD,
            _DURATION,
            _SEED,
            *_around(100.0),
        ),
        plans.noise_binary,
    ),
    Generator(
        "pulses", "Pulses", "equal pulses at equal distances",
        (
            _count("count", 10, "number of pulses"),
            _percent("amplitude", 50.0, "level of the pulses"),
            _percent("level", 0.0, "level between the pulses"),
            _ms("width_ms", 5.0, "length of each pulse"),
            _ms("period_ms", 100.0, "from the beginning of one pulse to that of the next"),
            *_around(0.0),
        ),
        plans.pulses,
    ),
    Generator(
        "constant", "Constant", "one level",
        (_percent("level", 50.0, "the level"), _DURATION, *_around(0.0)),
        plans.constant,
    ),
)  # fmt: skip
_BY_NAME = {one.name: one for one in GENERATORS}


def generator(name: object) -> Generator:
    """Return a generator by its name.

    Raises
    ------
    ConfigError
        There is none of that name; the text names the nearest one, or all.
    """
    found = _BY_NAME.get(name) if isinstance(name, str) else None
    if found is None:
        near = difflib.get_close_matches(shown(name).strip("'"), _BY_NAME, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_BY_NAME)}"
        raise ConfigError(f"there is no stimulus generator {shown(name)}; {hint}")
    return found


def table() -> list[dict[str, Any]]:
    """Return every generator with its parameters as plain values, for a form or JSON."""
    return [one.to_map() for one in GENERATORS]
