"""The daemon: configuration, devices, sessions, supervision, control."""

from spikedaq.daemon.config import DaemonConfig, DeviceConfig, DiscoveryConfig, JournalConfig, RecordingConfig
from spikedaq.daemon.config_changes import DeviceChanges, device_changes, key_changes
from spikedaq.daemon.config_file import config_from, load_config, with_overrides
from spikedaq.daemon.service import EXIT_CONFIG, Daemon, run

__all__ = [
    "EXIT_CONFIG",
    "Daemon",
    "DaemonConfig",
    "DeviceChanges",
    "DeviceConfig",
    "DiscoveryConfig",
    "JournalConfig",
    "RecordingConfig",
    "config_from",
    "device_changes",
    "key_changes",
    "load_config",
    "run",
    "with_overrides",
]
