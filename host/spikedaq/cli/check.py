"""`spikedaqd --check`: what can be known of a configuration without touching a device or a running daemon."""

from __future__ import annotations

import os
from pathlib import Path

from spikedaq.daemon import DaemonConfig, DeviceChanges, config_from, device_changes, key_changes
from spikedaq.daemon.recording_mode import wanted
from spikedaq.daemon.triggers import load_triggers
from spikedaq.inlet import ControlClient
from spikedaq.keys import KeyRing
from spikedaq.link import PortScanner, parse_url
from spikedaq.model import CommandRejected, ConfigError, SpikedaqError, StoreError
from spikedaq.outlet import check_endpoint, held

_ASK_TIMEOUT_S = 2.0


def check(config: DaemonConfig) -> int:
    """Check a configuration, and say what was understood; where its daemon runs already, what a reload would do.

    Raises
    ------
    ConfigError
        An endpoint or port that cannot be bound, a data folder that cannot be written, or a recording mode whose
        triggers are not there.
    """
    has_keys = config.security.keys is not None
    if config.security.keys is not None:
        ring = KeyRing(config.security.keys)
        ring.daemon_key()
        if not ring.allowed():
            print(f"keys: nobody is allowed yet; do so with: spikedaq keys allow NAME KEY --folder {ring.folder}")
    folder = config.data.absolute()
    running = _running(config)
    endpoints = {"--control": config.control, "--publish": config.publish}
    if config.history is not None:
        endpoints["'history'"] = config.history
    for endpoint in endpoints.values():
        check_endpoint(endpoint, keys=has_keys)
    if running is None:
        with held(endpoints, keys=has_keys):
            if config.metrics is not None:
                # A library that only this needs.
                from spikedaq.daemon.health.metrics_server import check_port  # noqa: PLC0415

                check_port(config.metrics)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        raise ConfigError(f"the data folder {folder} cannot be made: {existing} is not a folder; choose another --data")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(f"the data folder {folder} cannot be written: {existing} is not ours; choose another --data")
    _check_triggers(config)
    print(f"bench {config.bench}, control {config.control}, publish {config.publish}, data {folder}")
    _print_devices(config)
    if running is not None:
        _print_reload(*running, config)
    return 0


def _check_triggers(config: DaemonConfig) -> None:
    """Refuse a recording mode that no recording could begin with: a trigger that nobody has defined."""
    triggers = {trigger.name: trigger for trigger in config.triggers}
    try:
        saved = load_triggers(config.data)
    except StoreError as error:
        print(f"triggers: {error}")
    else:
        triggers = {**{trigger.name: trigger for trigger in saved.defined}, **triggers}
    try:
        wanted(config.recording, triggers=triggers)
    except (ConfigError, CommandRejected) as error:
        raise ConfigError(f"[recording.mode] triggers: {error}") from error


def _print_devices(config: DaemonConfig) -> None:
    for device in config.devices:
        where = f"{device.url or ''}{f' board {device.unique_id}' if device.unique_id else ''}".strip()
        print(f"device {device.name}: {where}{_absence(device.url)}")
    ports = PortScanner().scan(config.discovery.usb, config.discovery.links)
    looks = config.adopts or any(device.url is None for device in config.devices)
    if looks:
        there = ", ".join(port.url for port in ports) or "none is there now"
        print(f"ports that are looked at for boards: {there}")
    if config.adopts:
        print("boards that no [[device]] names are used, too ([discovery] enabled)")
    elif not config.devices:
        print("no devices: give some with --device NAME=URL, or [[device]] in the configuration")


def _absence(url: str | None) -> str:
    """Say so where a port is not there or not ours: no mistake of the configuration, but worth knowing."""
    if url is None:
        return ""
    parsed = parse_url(url)
    parsed = parsed.inner or parsed
    if parsed.scheme not in ("serial", "pty") or parsed.is_pattern:
        return ""
    if not Path(parsed.target).exists():
        return " (not there now)"
    return "" if os.access(parsed.target, os.R_OK | os.W_OK) else " (no permission to open it: see the group dialout)"


def _running(config: DaemonConfig) -> tuple[int, DaemonConfig] | None:
    """Return process and configuration of the daemon that serves this very data folder, if it runs and can be asked."""
    try:
        with ControlClient(config.control, timeout_s=_ASK_TIMEOUT_S) as client:
            status = client.call("status")
            values = {**client.call("configuration"), "data": status["data"]}
            theirs = config_from(values, source="the running daemon", base=Path("/"))
    except (SpikedaqError, KeyError, TypeError):
        return None
    return (int(status["pid"]), theirs) if theirs.data == config.data.absolute() else None


def _print_reload(pid: int, theirs: DaemonConfig, ours: DaemonConfig) -> None:
    absolute = config_from({**ours.to_json(), "data": str(ours.data.absolute())}, source="the file", base=Path("/"))
    keys = key_changes(theirs, absolute)
    devices: DeviceChanges = device_changes(theirs, absolute)
    lines = [*(str(change) for change in keys if change.reloaded), *devices.lines()]
    fixed = [str(change) for change in keys if not change.reloaded]
    print(f"spikedaqd runs with this data folder (process {pid}); a reload would change:")
    for line in lines or ["nothing"]:
        print(f"  {line}")
    if fixed:
        print("but is refused, because these need a restart:")
        for line in fixed:
            print(f"  {line}")
