"""The daemon: configuration, devices, sessions, supervision, control."""

from spikedaq.daemon.config import DaemonConfig, DeviceConfig, DiscoveryConfig, JournalConfig, RecordingConfig
from spikedaq.daemon.config_file import load_config, with_overrides
from spikedaq.daemon.service import EXIT_CONFIG, Daemon, run

__all__ = [
    "EXIT_CONFIG",
    "Daemon",
    "DaemonConfig",
    "DeviceConfig",
    "DiscoveryConfig",
    "JournalConfig",
    "RecordingConfig",
    "load_config",
    "run",
    "with_overrides",
]
