"""The neurons that the stock firmwares hold: numbers as their tables have them, oddities included."""

from __future__ import annotations

from typing import Final

from spikedaq.model import PresetInfo

ESP32: Final[tuple[PresetInfo, ...]] = tuple(
    PresetInfo(name, a, b, c, d, v_rest)
    for name, a, b, c, d, v_rest in (
        ("Tonic spiking", 0.02, 0.20, -65.0, 6.0, -70.0),
        ("Phasic spiking", 0.02, 0.25, -65.0, 6.0, -64.0),
        ("Tonic bursting", 0.02, 0.20, -50.0, 2.0, -70.0),
        ("Phasic bursting", 0.02, 0.25, -55.0, 0.05, -64.0),
        ("Mixed mode", 0.02, 0.20, -55.0, 4.0, -70.0),
        ("Spike-frequency adaptation", 0.01, 0.20, -65.0, 8.0, -70.0),
        ("Class 1", 0.02, -0.10, -55.0, 6.0, -60.0),
        ("Class 2", 0.20, 0.26, -65.0, 0.0, -64.0),
        ("Spike latency", 0.02, 0.20, -65.0, 6.0, -70.0),
        ("Subthreshold oscillations", 0.05, 0.26, -60.0, 0.0, -62.0),
        ("Resonator", 0.10, 0.26, -60.0, -1.0, -62.0),
        ("Integrator", 0.02, -0.10, -55.0, 6.0, -60.0),
        ("Rebound spike", 0.03, 0.25, -60.0, 4.0, -64.0),
        ("Rebound burst", 0.03, 0.25, -52.0, 0.0, -64.0),
        ("Threshold variability", 0.03, 0.25, -60.0, 4.0, -64.0),
        ("Bistability", 0.10, 0.26, -60.0, 0.0, -61.0),
        ("Depolarising after-potential", 1.00, 0.20, -60.0, -21.0, -70.0),
        ("Accommodation", 0.02, 1.00, -55.0, 4.0, -65.0),
        ("Inhibition-induced spiking", 0.02, 1.00, -60.0, 8.0, -63.8),
        ("Inhibition-induced bursting", 0.026, -1.00, -45.0, -2.0, -63.8),
    )
)
"""Of v2.5 and v3, by the index that NEU takes."""

# v2.4 has no resting potential of its own; what its rows 0 to 8 share with the later table is repeated without one.
V24: Final[tuple[PresetInfo, ...]] = (
    *(PresetInfo(p.name, p.a, p.b, p.c, p.d, float("nan")) for p in ESP32[:9]),
    PresetInfo("Custom1", 0.05, 0.26, -60.0, 0.0, float("nan")),
    PresetInfo("Custom2", 0.10, 0.26, -60.0, 0.0, float("nan")),
    PresetInfo("Custom3", 0.02, -0.10, -55.0, 0.0, float("nan")),
)
"""Of v2.4."""
