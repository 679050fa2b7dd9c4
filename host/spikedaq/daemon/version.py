"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """Return it, or ``unknown`` where spikedaq is run without being installed."""
    try:
        return installed("spikedaq")
    except PackageNotFoundError:
        return "unknown"
