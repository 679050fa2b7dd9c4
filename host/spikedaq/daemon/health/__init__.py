"""What is wrong, how it is found out, and who is told."""

from spikedaq.daemon.health.health import Health

__all__ = ["Health"]
