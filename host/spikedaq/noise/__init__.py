"""Random numbers by seed: the one home of what stimuli and the imaging simulation draw. Nothing here does I/O."""

from spikedaq.noise.quantile import normal_quantile
from spikedaq.noise.sequences import WIDTH, IndexedNoise, gaussian, uniform

__all__ = ["WIDTH", "IndexedNoise", "gaussian", "normal_quantile", "uniform"]
