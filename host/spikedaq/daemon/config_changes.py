"""What differs between two configurations, and what of it a running daemon can take up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct
from msgspec.structs import fields

from spikedaq.daemon.config import RELOADED, DaemonConfig, DeviceConfig


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One key with another value.

    Attributes
    ----------
    key : str
        As ``[recording] roll_s``, or ``bench`` outside of any table.
    reloaded : bool
        Whether a reload takes it up; else it holds from the next start.
    """

    key: str
    before: Any
    after: Any
    reloaded: bool

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.before)} -> {_shown(self.after)}"


@dataclass(slots=True)
class DeviceChanges:
    """What becomes of the devices.

    Attributes
    ----------
    added : list of DeviceConfig
    removed : list of str
    renamed : list of (str, DeviceConfig)
        The same board or link under another name.
    moved : list of DeviceConfig
        The same name with another board or link.
    adjusted : list of DeviceConfig
        The same board: other parameters, or recorded or not.
    """

    added: list[DeviceConfig] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, DeviceConfig]] = field(default_factory=list)
    moved: list[DeviceConfig] = field(default_factory=list)
    adjusted: list[DeviceConfig] = field(default_factory=list)

    @property
    def ended(self) -> list[str]:
        """Names under which a device is ended, if only to begin again."""
        return [*self.removed, *(name for name, _ in self.renamed), *(device.name for device in self.moved)]

    @property
    def begun(self) -> list[DeviceConfig]:
        """Devices that begin, maybe again."""
        return [*self.added, *(device for _, device in self.renamed), *self.moved]

    def lines(self) -> list[str]:
        """Return what changes, one line each."""
        lines = [f"device {device.name} is added ({_place(device)})" for device in self.added]
        lines += [f"device {name} is removed" for name in self.removed]
        lines += [f"device {name} is called {device.name} now" for name, device in self.renamed]
        lines += [f"device {device.name} is {_place(device)} now" for device in self.moved]
        lines += [f"device {device.name} has other settings" for device in self.adjusted]
        return lines


def key_changes(before: DaemonConfig, after: DaemonConfig) -> list[KeyChange]:
    """Return the keys that differ; of the devices nothing."""
    return list(_differences(before, after, ""))


def device_changes(before: DaemonConfig, after: DaemonConfig) -> DeviceChanges:
    """Return what differs in the devices; a name tells who is who, and where it is new the board or its link."""
    changes = DeviceChanges()
    old = {device.name: device for device in before.devices}
    new = {device.name: device for device in after.devices}
    gone = {_identity(device): name for name, device in old.items() if name not in new}
    for name, device in new.items():
        was = old.get(name)
        if was is not None and _identity(was) == _identity(device) and was.url == device.url:
            if was != device:
                changes.adjusted.append(device)
        elif was is not None:
            changes.moved.append(device)
        elif _identity(device) in gone:
            changes.renamed.append((gone.pop(_identity(device)), device))
        else:
            changes.added.append(device)
    changes.removed = list(gone.values())
    return changes


def is_reloaded(kind: Any) -> bool:
    """Whether the annotation of a key marks it as one that SIGHUP reads anew."""
    metas = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return any(isinstance(meta, Meta) and meta.extra == RELOADED for meta in metas)


def _differences(before: Struct, after: Struct, table: str) -> Iterator[KeyChange]:
    hints = get_type_hints(type(before), include_extras=True)
    for info in fields(before):
        old, new = getattr(before, info.name), getattr(after, info.name)
        if old == new or info.name == "devices":
            continue
        if isinstance(old, Struct) and isinstance(new, Struct):
            yield from _differences(old, new, re.sub(r"^\.", "", f"{table}.{info.encode_name}"))
        else:
            key = f"[{table}] {info.encode_name}" if table else info.encode_name
            yield KeyChange(key, old, new, is_reloaded(hints[info.name]))


def _identity(device: DeviceConfig) -> str:
    return device.unique_id or device.url or device.name


def _place(device: DeviceConfig) -> str:
    return ", ".join(part for part in (device.unique_id and f"board {device.unique_id}", device.url) if part)


def _shown(value: Any) -> str:
    if isinstance(value, tuple) and any(isinstance(item, Struct) for item in value):
        return ", ".join(str(getattr(item, "name", "a table")) for item in value)
    if isinstance(value, tuple) and value and all(hasattr(table, "name") for table in value):
        return ", ".join(table.name for table in value)
    return "nothing" if value in (None, ()) else repr(value) if isinstance(value, str) else str(value)
