"""The configuration as it is now, for all who read it; a reload changes it for everybody at once."""

from __future__ import annotations

from collections.abc import Callable

from spikedaq.daemon.config import DaemonConfig

ConfigListener = Callable[[DaemonConfig, DaemonConfig], None]
"""Called with the configuration before and after. It must not raise or wait."""


class LiveConfig:
    """Holds the effective configuration.

    Whoever uses a key marked RELOADED reads it from ``now`` each time it is used, or is one of the ``listeners``.

    Attributes
    ----------
    now : DaemonConfig
    listeners : list of callable
    """

    def __init__(self, config: DaemonConfig) -> None:
        self.now = config
        self.listeners: list[ConfigListener] = []

    def change(self, config: DaemonConfig) -> None:
        """Put another configuration in force, and tell the listeners."""
        before, self.now = self.now, config
        for listener in self.listeners:
            listener(before, config)
