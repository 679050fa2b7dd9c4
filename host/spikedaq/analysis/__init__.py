"""What recordings say: spikes, rates, stimulus loops, F-I curves, the phase plane, imaging. Arrays in, arrays out.

Definitions and formulas are in docs/reference/analysis.md. The imaging simulation is in modules of its own.
"""

from spikedaq.analysis.averages import Average, TriggeredAverage, average, spike_triggered_average
from spikedaq.analysis.fi import FiCurve, FiPoint, StepResponse, fi_curve, step_response
from spikedaq.analysis.intervals import (
    SpikeTrain,
    cv,
    cv2,
    describe_spikes,
    inter_spike_intervals_ms,
    local_variation,
)
from spikedaq.analysis.loops import Loop, LoopFault, Loops, Raster, aligned, find_loops, raster, trigger_rises
from spikedaq.analysis.phase import (
    FixedPoint,
    dvm_dt_mv_per_ms,
    fixed_points,
    resting_dvm_dt_mv_per_ms,
    u_nullcline_u,
    v_nullcline_u,
)
from spikedaq.analysis.rates import bin_edges_ms, binned_rate_hz, held_rate_hz, kernel_rate_hz
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.analysis.spikes import (
    DEFAULT_THRESHOLD_MV,
    ThresholdRange,
    find_spikes,
    suggest_threshold,
    threshold_sweep,
)
from spikedaq.analysis.steps import StimulusStep, StimulusSteps, find_steps, noise_sd
from spikedaq.analysis.stretches import breaks_of_steps, stretches
from spikedaq.analysis.tables import NEURONS, Table

__all__ = [
    "DEFAULT_THRESHOLD_MV",
    "NEURONS",
    "Average",
    "FiCurve",
    "FiPoint",
    "FixedPoint",
    "Loop",
    "LoopFault",
    "Loops",
    "Raster",
    "SpikeTrain",
    "SpikeTrains",
    "StepResponse",
    "StimulusStep",
    "StimulusSteps",
    "Table",
    "ThresholdRange",
    "TriggeredAverage",
    "aligned",
    "average",
    "bin_edges_ms",
    "binned_rate_hz",
    "breaks_of_steps",
    "cv",
    "cv2",
    "describe_spikes",
    "dvm_dt_mv_per_ms",
    "fi_curve",
    "find_loops",
    "find_spikes",
    "find_steps",
    "fixed_points",
    "held_rate_hz",
    "inter_spike_intervals_ms",
    "kernel_rate_hz",
    "local_variation",
    "noise_sd",
    "raster",
    "resting_dvm_dt_mv_per_ms",
    "spike_triggered_average",
    "step_response",
    "stretches",
    "suggest_threshold",
    "threshold_sweep",
    "trigger_rises",
    "u_nullcline_u",
    "v_nullcline_u",
]
