"""The history process: answers what was, from the journals, so that the acquisition loop need not."""

from spikedaq.history.process import EXIT_CONFIG, EXIT_ENDED, serve

__all__ = ["EXIT_CONFIG", "EXIT_ENDED", "serve"]
