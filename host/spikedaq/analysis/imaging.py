"""The imaging simulation: membrane potential to spikes to calcium to an indicator's fluorescence, frame by frame.

All of it happens in model time, 0.1 ms per step, however slowly a board steps. Formulas: docs/reference/imaging.md.
"""

from __future__ import annotations

import math

import numpy as np

from spikedaq.analysis.imaging_block import NEURONS, FloatArray, ImagingBlock, ImagingState, IntArray
from spikedaq.analysis.imaging_settings import ImagingSettings
from spikedaq.model import MODEL_STEP_MS, ConfigError
from spikedaq.noise import IndexedNoise

# Constants of the stock software's imaging simulation, December 2025.
THRESHOLD_MV = -20.0
REFRACTORY_MS = 3.0
_SIGMOID_SLOPE_PER_UM, _SIGMOID_MIDDLE_UM = 10.0, 0.15
_BLEACH_PER_S, _RECOVERY_PER_S, _LEAST_UNBLEACHED = 0.20, 0.05, 0.05
_PMT_NOISE = 0.02

_DT_S = MODEL_STEP_MS / 1000.0
_REFRACTORY_STEPS = round(REFRACTORY_MS / MODEL_STEP_MS)
# exp(-40) is less than what float64 can tell from nothing beside the value at rest.
_SETTLED_TIME_CONSTANTS = 40.0
_CALCIUM_NOISE, _FRAME_NOISE = 1, 2


class Imager:
    """One simulation of three neurons. How samples are cut into blocks changes no bit of what comes out.

    Parameters
    ----------
    settings : ImagingSettings
    seed : int
        Of both noises. They are drawn by boot, and step or frame number: the same for whoever computes the same part.
    state : ImagingState, optional
        Of another simulation, to go on with other settings; taken over.
    """

    def __init__(self, settings: ImagingSettings, *, seed: int = 0, state: ImagingState | None = None) -> None:
        if not 0 <= seed < 2**64:
            raise ConfigError(f"the seed {seed} of the imaging simulation must be from 0 to 2**64 - 1")
        self.settings = settings
        self.seed = seed
        self.state = state or ImagingState()
        s = settings
        tau_fast_ms = s.ca_decay_ms * s.ca_rise_ms / (s.ca_decay_ms + s.ca_rise_ms)
        self._keep_slow = math.exp(-MODEL_STEP_MS / s.ca_decay_ms)
        self._keep_fast = math.exp(-MODEL_STEP_MS / tau_fast_ms)
        self._rise, self._fall = _share(s.rise_ms), _share(s.decay_ms)
        self._keep_light = math.exp(-_BLEACH_PER_S * (s.laser - 1.0) * _DT_S)
        self._recovery = 1.0 - math.exp(-_RECOVERY_PER_S * (1.0 - s.laser) * _DT_S)
        self._noise_um = s.ca_noise * math.sqrt(_DT_S)
        self._gain = s.laser * s.pmt * s.scale
        self._pmt_noise = _PMT_NOISE * max(0.0, s.pmt - 1.0) ** 2
        settled_ms = _SETTLED_TIME_CONSTANTS * (s.ca_decay_ms + s.rise_ms + s.decay_ms)
        self._settled_steps = math.ceil(settled_ms / MODEL_STEP_MS)
        self._rest = float(self._target(np.array([s.ca_baseline_um]))[0])
        level = s.ca_baseline_um if s.response == "linear" else 1.0 + s.dff_max * self._rest
        self._f0 = self._gain * level
        if not self.state.saturation:
            self.state.saturation = [self._rest] * len(NEURONS)
        self._open_noise(self.state.boot_id or 0)

    def _open_noise(self, boot_id: int) -> None:
        self._calcium_noise = IndexedNoise(self.seed, boot_id, _CALCIUM_NOISE)
        self._frame_noise = IndexedNoise(self.seed, boot_id, _FRAME_NOISE)

    def feed(self, boot_id: int, first_step: int, vm_mv: FloatArray) -> ImagingBlock:
        """Take the next block.

        Parameters
        ----------
        boot_id, first_step : int
            Where it belongs. Another boot begins at rest; a later step than the next one is a gap.
        vm_mv : float64 array, shape (n_samples, 3)
            Millivolts; NaN never makes a spike.

        Raises
        ------
        ValueError
            The block begins before what was already taken of this boot, or has another shape.
        """
        if vm_mv.ndim != 2 or vm_mv.shape[1] != len(NEURONS) or not len(vm_mv):
            raise ValueError(f"a block has the shape {vm_mv.shape}, and must be (n_samples, {len(NEURONS)})")
        restarted = self.state.boot_id != boot_id
        if restarted:
            self.state = ImagingState(boot_id, first_step, saturation=[self._rest] * len(NEURONS))
            self._open_noise(boot_id)
        state = self.state
        gap = first_step - (first_step if state.next_step is None else state.next_step)
        if gap < 0:
            raise ValueError(f"a block begins at step {first_step}, before step {state.next_step}, which is next")
        if gap:
            self._pass_gap(gap)
        n = len(vm_mv)
        calcium = np.empty((n, len(NEURONS)))
        found = self._spikes(first_step, vm_mv)
        for k, rows in enumerate(found):
            calcium[:, k] = self._calcium(k, n, rows)
        if self._noise_um > 0:
            calcium += self._noise_um * self._calcium_noise.normal(first_step, n)[:, : len(NEURONS)]
        np.maximum(calcium, 0.0, out=calcium)
        saturation = np.empty((n, len(NEURONS)))
        if self.settings.response != "linear":
            targets = self._target(calcium)
            for k in range(len(NEURONS)):
                saturation[:, k] = self._saturate(k, targets[:, k])
        spikes = [(first_step + i, k) for k, rows in enumerate(found) for i in rows]
        state.next_step = first_step + n
        held, steps, missing, values = self._frames(first_step, calcium, saturation)
        when = np.array(sorted(spikes), np.int64).reshape(-1, 2)
        return ImagingBlock(boot_id, first_step, gap, restarted, calcium, held, when, steps, missing, values)

    def _frames(
        self, first_step: int, calcium: FloatArray, saturation: FloatArray
    ) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
        """Take the frames of a block: fluorescence held over its samples, then steps, missing steps and values."""
        state, s, pitch = self.state, self.settings, self.settings.steps_per_frame
        n, start = len(calcium), -first_step % pitch
        light = self._light(n)
        at = np.arange(start, n, pitch)
        steps = first_step + at.astype(np.int64)
        missing = np.zeros(len(at), np.int64)
        ca = calcium[at]
        gain = (self._gain * light[at])[:, None]
        level = ca if s.response == "linear" else 1.0 + s.dff_max * saturation[at]
        light_au = s.offset + gain * level
        sigma = np.sqrt(s.floor_noise**2 + (s.shot_noise * np.sqrt(light_au)) ** 2 + (self._pmt_noise * gain) ** 2)
        if len(at):
            missing[0], state.missing_steps = state.missing_steps, 0
            noise = self._frame_noise.normal(int(steps[0]) // pitch, len(at))
            light_au = light_au + sigma * noise[:, : len(NEURONS)]
        dff = np.full_like(light_au, np.nan)
        if self._f0 > 0:
            dff = 100.0 * ((light_au - s.offset) - self._f0) / self._f0
        held = np.empty((n, len(NEURONS)))
        held[:start] = state.held
        if len(at):
            held[start:] = np.repeat(light_au, pitch, axis=0)[: n - start]
            state.held = light_au[-1].copy()
        return held, steps, missing, np.concatenate((light_au, dff, ca), axis=1)

    def _spikes(self, first_step: int, v: FloatArray) -> list[list[int]]:
        """Return the rows of the spikes of each neuron."""
        state = self.state
        is_above = v >= THRESHOLD_MV
        was_below = np.empty_like(is_above)
        np.less(v[:-1], THRESHOLD_MV, out=was_below[1:])
        was_below[0] = [mv < THRESHOLD_MV for mv in state.last_mv]
        state.last_mv = v[-1].tolist()
        found: list[list[int]] = [[] for _ in NEURONS]
        for i, k in zip(*(index.tolist() for index in np.nonzero(was_below & is_above)), strict=True):
            if first_step + i - state.last_spike[k] >= _REFRACTORY_STEPS:
                state.last_spike[k] = first_step + i
                found[k].append(i)
        return found

    def _calcium(self, k: int, n: int, spikes: list[int]) -> FloatArray:
        """Return calcium without noise, micromolar."""
        state, added = self.state, self.settings.ca_per_spike_um
        slow, state.slow_um[k] = _decaying(state.slow_um[k], self._keep_slow, added, spikes, n)
        fast, state.fast_um[k] = _decaying(state.fast_um[k], self._keep_fast, added, spikes, n)
        return self.settings.ca_baseline_um + slow - fast

    def _target(self, ca: FloatArray) -> FloatArray:
        """Return the saturation that stays at this calcium."""
        s = self.settings
        if s.response == "sigmoid":
            share: FloatArray = 1.0 / (1.0 + np.exp(-_SIGMOID_SLOPE_PER_UM * (ca - _SIGMOID_MIDDLE_UM)))
            return share
        bound: FloatArray = ca**s.hill
        occupied: FloatArray = bound / (bound + s.kd_um**s.hill)
        return occupied

    def _saturate(self, k: int, targets: FloatArray) -> list[float]:
        """Follow the targets, step by step: which time constant holds depends on what came out before."""
        rise, fall = self._rise, self._fall
        now = self.state.saturation[k]
        out = []
        for target in targets.tolist():
            now += (rise if target > now else fall) * (target - now)
            if now > 1.0:
                now = 1.0
            elif now < 0.0:
                now = 0.0
            out.append(now)
        self.state.saturation[k] = now
        return out

    def _pass_gap(self, steps: int) -> None:
        """Let missing steps pass as if there had been neither spikes nor noise in them."""
        state = self.state
        state.last_mv = [math.nan] * len(NEURONS)
        state.held = np.full(len(NEURONS), np.nan)
        state.missing_steps += steps
        for k in range(len(NEURONS)):
            if steps >= self._settled_steps:
                state.slow_um[k] = state.fast_um[k] = 0.0
                state.saturation[k] = self._rest
                continue
            ca = self._calcium(k, steps, [])
            if self.settings.response != "linear":
                self._saturate(k, self._target(np.maximum(ca, 0.0)))
        exponent = steps * _DT_S * (self.settings.laser - 1.0)
        if exponent > 0:
            state.unbleached = max(_LEAST_UNBLEACHED, state.unbleached * math.exp(-_BLEACH_PER_S * exponent))
        else:
            state.unbleached = 1.0 - (1.0 - state.unbleached) * math.exp(_RECOVERY_PER_S * exponent)

    def _light(self, n: int) -> FloatArray:
        """Return the unbleached share after each of the next steps, (n,), and go on by them."""
        state, laser = self.state, self.settings.laser
        light = np.full(n, state.unbleached)
        if laser > 1.0:
            light[:] = self._keep_light
            light[0] *= state.unbleached
            np.multiply.accumulate(light, out=light)
            # Once at the bound it stays there, as the product of the bound is below it.
            np.maximum(light, _LEAST_UNBLEACHED, out=light)
        elif laser < 1.0 and state.unbleached < 1.0:
            now = state.unbleached
            for i in range(n):
                now += (1.0 - now) * self._recovery
                light[i] = now
        state.unbleached = float(light[-1])
        return light


def _share(tau_ms: float) -> float:
    """Return the share of the way that a first-order process goes in one step; all of it without a time constant."""
    return 1.0 - math.exp(-MODEL_STEP_MS / tau_ms) if tau_ms > 0 else 1.0


def _decaying(value: float, keep: float, added: float, spikes: list[int], n: int) -> tuple[FloatArray, float]:
    """Return what ``value`` is after each of ``n`` steps of ``value * keep`` plus ``added`` at spikes, and the last.

    Products are taken one after the other, as the formula has it, so that blocks of any length give the same bits.
    """
    out = np.full(n, keep)
    start = 0
    for stop in (*spikes, n):
        if stop > start:
            part = out[start:stop]
            part[0] *= value
            np.multiply.accumulate(part, out=part)
            value = float(part[-1])
        if stop < n:
            value = value * keep + added
            out[stop] = value
        start = stop + 1
    return out, value
