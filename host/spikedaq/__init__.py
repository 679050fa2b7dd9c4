"""Acquisition, recording and sharing of Spikeling data."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("spikedaq")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
