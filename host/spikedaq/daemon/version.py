"""The version of the installed package."""

from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


@cache
def version() -> str:
    """Return it, or ``unknown`` where spikedaq is run without being installed.

    It is looked up once: that parses the package's whole description, and every ``hello`` and ``status`` tells it.
    """
    try:
        return installed("spikedaq")
    except PackageNotFoundError:
        return "unknown"
