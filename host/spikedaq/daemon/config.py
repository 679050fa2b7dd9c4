"""What a daemon is told: spikedaq.toml, and the command line over it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from spikedaq.link import parse_url
from spikedaq.model import ConfigError, LinkOpenError, check_session_name

DEFAULT_CONTROL = "tcp://127.0.0.1:5571"
DEFAULT_PUBLISH = "tcp://127.0.0.1:5570"
DEFAULT_RING_BYTES = 2 * 2**30

_TOP = ("bench", "control", "publish", "data", "device", "recording", "journal")
_DEVICE = ("name", "url")
_RECORDING = ("roll_s", "roll_bytes", "experimenter")
_JOURNAL = ("ring_bytes",)


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """A device: the name everybody calls it by, and the URL of its link."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """Everything a daemon is told.

    Attributes
    ----------
    bench : str
        First part of every topic.
    control, publish : str
        ZeroMQ endpoints.
    data : Path
        Holds journal/ and recordings/.
    devices : tuple of DeviceConfig
    roll_s : float or None
        A recording begins a new file after this time, unless its start says otherwise.
    roll_bytes : int or None
        And after this size.
    experimenter : str or None
        "Family, Given", for the files.
    ring_bytes : int
        What is kept of each device's journal when nothing records.
    """

    bench: str = "bench"
    control: str = DEFAULT_CONTROL
    publish: str = DEFAULT_PUBLISH
    data: Path = Path("spikedaq-data")
    devices: tuple[DeviceConfig, ...] = ()
    roll_s: float | None = 3600.0
    roll_bytes: int | None = None
    experimenter: str | None = None
    ring_bytes: int = DEFAULT_RING_BYTES

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, for session.json."""
        return {**asdict(self), "data": str(self.data)}


def load_config(path: Path) -> DaemonConfig:
    """Read ``spikedaq.toml``. A relative data folder counts from the file's.

    Raises
    ------
    ConfigError
        Unreadable, not TOML, an unknown key, or a value that cannot be used.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"the configuration {path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration {path} is not TOML: {error}") from error
    return config_from(values, source=str(path), base=path.parent)


def config_from(values: Mapping[str, Any], *, source: str, base: Path) -> DaemonConfig:
    """Check a configuration's values; raises as `load_config` does."""
    _check_keys(values, _TOP, source)
    recording = _table(values, "recording", _RECORDING, source)
    journal = _table(values, "journal", _JOURNAL, source)
    entries = values.get("device", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"'device' in {source} must be tables: write [[device]] with name and url, once per device")
    devices = []
    for number, entry in enumerate(entries, start=1):
        where = f"{source}, device {number}"
        _check_keys(entry, _DEVICE, where)
        devices.append(DeviceConfig(_text(entry, "name", where), _text(entry, "url", where)))
    fallback = DaemonConfig()
    return checked(
        DaemonConfig(
            bench=_text(values, "bench", source, fallback.bench),
            control=_text(values, "control", source, fallback.control),
            publish=_text(values, "publish", source, fallback.publish),
            data=base / _text(values, "data", source, str(fallback.data)),
            devices=tuple(devices),
            roll_s=_positive(recording, "roll_s", source, fallback.roll_s, (int, float)),
            roll_bytes=_positive(recording, "roll_bytes", source, None, (int,)),
            experimenter=_text(recording, "experimenter", source, "") or None,
            ring_bytes=_positive(journal, "ring_bytes", source, fallback.ring_bytes, (int,)) or fallback.ring_bytes,
        )
    )


def with_overrides(
    config: DaemonConfig,
    *,
    bench: str | None = None,
    control: str | None = None,
    publish: str | None = None,
    data: Path | None = None,
    devices: Sequence[str] = (),
    roll_s: float | None = None,
) -> DaemonConfig:
    """Lay the command line over a configuration.

    Parameters
    ----------
    devices : sequence of str
        ``NAME=URL`` each; added to those of the file, replacing those of the same name.
    """
    changes: dict[str, Any] = {"bench": bench, "control": control, "publish": publish, "data": data, "roll_s": roll_s}
    named = {device.name: device for device in config.devices}
    for text in devices:
        name, equals, url = text.partition("=")
        if not equals or not name or not url:
            raise ConfigError(f"{text!r} is not NAME=URL; write for instance alpha=serial:/dev/ttyUSB0")
        named[name] = DeviceConfig(name, url)
    given = {key: value for key, value in changes.items() if value is not None}
    return checked(replace(config, devices=tuple(named.values()), **given))


def checked(config: DaemonConfig) -> DaemonConfig:
    """Return a configuration whose names and URLs can be used.

    Raises
    ------
    ConfigError
    """
    check_session_name(config.bench, "bench name")
    seen: dict[str, str] = {}
    urls: dict[str, str] = {}
    for device in config.devices:
        check_session_name(device.name, "device name")
        if device.name in seen:
            raise ConfigError(f"two devices are called {device.name!r}; give each its own name")
        try:
            link = parse_url(device.url)
        except LinkOpenError as error:
            raise ConfigError(f"device {device.name!r}: {error}") from error
        if link.port is not None and link.port in urls:
            other = urls[link.port]
            raise ConfigError(f"devices {other!r} and {device.name!r} share {link.port}; one port carries one device")
        seen[device.name] = device.url
        if link.port is not None:
            urls[link.port] = device.name
    return config


def _check_keys(values: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"unknown key {key!r} in {where}; {hint}")


def _table(values: Mapping[str, Any], key: str, known: Sequence[str], source: str) -> Mapping[str, Any]:
    table = values.get(key, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{key!r} in {source} must be a table: [{key}]")
    _check_keys(table, known, f"{source}, [{key}]")
    return table


def _text(values: Mapping[str, Any], key: str, where: str, fallback: str | None = None) -> str:
    value = values.get(key, fallback)
    if not isinstance(value, str):
        raise ConfigError(f"{key!r} in {where} must be a text" + ("" if key in values else "; it is missing"))
    return value


def _positive(values: Mapping[str, Any], key: str, where: str, fallback: Any, kinds: tuple[type, ...]) -> Any:
    value = values.get(key, fallback)
    if value is None:
        return None
    if type(value) not in kinds or not 0 < value < float("inf"):
        raise ConfigError(f"{key!r} in {where} is {value!r}; it must be a positive number")
    return value
