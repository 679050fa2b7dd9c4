"""For every test."""

from hypothesis import settings

# How long an example takes says how busy the computer is; what is too slow is for the benchmarks.
settings.register_profile("spikedaq", deadline=None)
settings.load_profile("spikedaq")
