"""Reads spikedaq.toml, lays the command line over it, and refuses what cannot be meant."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from msgspec import Struct, ValidationError, convert
from msgspec.structs import fields, replace

from spikedaq.daemon.config import DaemonConfig, DeviceConfig
from spikedaq.daemon.recording_mode import wanted
from spikedaq.daemon.trigger_config import TriggerConfig, condition_of
from spikedaq.link import parse_url
from spikedaq.model import ConfigError, LinkOpenError, check_session_name

_TYPES = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_PATH = re.compile(r"(?P<text>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_BOUND = re.compile(r"Expected `\w+` (?P<sign>[<>]=?) (?P<bound>.+)$")


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
    _check_keys(DaemonConfig, values, source, "")
    try:
        config = convert(values, DaemonConfig, dec_hook=_decode)
    except ValidationError as error:
        raise ConfigError(_in_words(str(error), source, DaemonConfig)) from None
    devices = tuple(_in_lower_case(device, source, number) for number, device in enumerate(config.devices, start=1))
    keys = config.security.keys
    security = replace(config.security, keys=base / keys.expanduser() if keys else None)
    recording = config.recording
    if recording.folders is not None:
        folders = tuple(Path(os.path.normpath(base / folder.expanduser())) for folder in recording.folders)
        recording = replace(recording, folders=folders)
    return checked(replace(config, data=base / config.data, devices=devices, security=security, recording=recording))


def _in_lower_case(device: DeviceConfig, source: str, number: int) -> DeviceConfig:
    if device.url is None and device.unique_id is None:
        raise ConfigError(
            f"device {number} in {source}, {device.name!r}, has neither 'url' nor 'unique_id'; give one: `spikedaq "
            "devices` lists the boards that are plugged in"
        )
    return device if device.unique_id is None else replace(device, unique_id=device.unique_id.lower())


def trigger_from(values: Mapping[str, Any], *, source: str) -> TriggerConfig:
    """Check one trigger's table, from wherever it came; raises as `load_config` does."""
    _check_keys(TriggerConfig, values, source, "")
    try:
        config = convert(values, TriggerConfig)
    except ValidationError as error:
        raise ConfigError(_in_words(str(error), source, TriggerConfig)) from None
    condition_of(config)
    return config


def with_overrides(
    config: DaemonConfig,
    *,
    bench: str | None = None,
    control: str | None = None,
    publish: str | None = None,
    data: Path | None = None,
    devices: Sequence[str] = (),
    roll_s: float | None = None,
    keys: Path | None = None,
) -> DaemonConfig:
    """Lay the command line over a configuration.

    Parameters
    ----------
    devices : sequence of str
        ``NAME=URL`` each; added to those of the file, replacing those of the same name.
    """
    changes: dict[str, Any] = {"bench": bench, "control": control, "publish": publish, "data": data}
    named = {device.name: device for device in config.devices}
    for text in devices:
        name, equals, url = text.partition("=")
        if not equals or not name or not url:
            raise ConfigError(f"{text!r} is not NAME=URL; write for instance alpha=serial:/dev/ttyUSB0")
        named[name] = DeviceConfig(name, url)
    given = {key: value for key, value in changes.items() if value is not None}
    recording = config.recording if roll_s is None else replace(config.recording, roll_s=roll_s)
    security = config.security if keys is None else replace(config.security, keys=keys)
    return checked(replace(config, devices=tuple(named.values()), recording=recording, security=security, **given))


def checked(config: DaemonConfig) -> DaemonConfig:
    """Return a configuration whose names and URLs can be used.

    Raises
    ------
    ConfigError
    """
    check_session_name(config.bench, "bench name")
    try:
        wanted(config.recording)
    except ConfigError as error:
        raise ConfigError(f"[recording] {error}") from error
    for link_url in config.discovery.links:
        try:
            parse_url(link_url)
        except LinkOpenError as error:
            raise ConfigError(f"[discovery] links: {error}") from error
    seen: set[str] = set()
    boards: dict[str, str] = {}
    ports: dict[str, str] = {}
    for device in config.devices:
        check_session_name(device.name, "device name")
        if device.name in seen:
            raise ConfigError(f"two devices are called {device.name!r}; give each its own name")
        seen.add(device.name)
        if device.unique_id is not None:
            _check_unique_id(device, boards)
        if device.url is None:
            continue
        try:
            link = parse_url(device.url)
        except LinkOpenError as error:
            raise ConfigError(f"device {device.name!r}: {error}") from error
        if link.port is not None and link.port in ports:
            other = ports[link.port]
            raise ConfigError(f"devices {other!r} and {device.name!r} share {link.port}; one port carries one device")
        if link.port is not None:
            ports[link.port] = device.name
    names = [trigger.name for trigger in config.triggers]
    for trigger in config.triggers:
        condition_of(trigger)
        if names.count(trigger.name) > 1:
            raise ConfigError(f"two triggers are called {trigger.name!r}; give each its own name")
    return config


def _check_unique_id(device: DeviceConfig, boards: dict[str, str]) -> None:
    unique_id = device.unique_id or ""
    if not re.fullmatch("(?:[0-9a-f]{2}){4,16}", unique_id):
        raise ConfigError(
            f"device {device.name!r}: the unique_id {unique_id!r} is not a board's: 8 to 32 hex digits, as "
            "`spikedaq devices` shows them"
        )
    if unique_id in boards:
        raise ConfigError(f"devices {boards[unique_id]!r} and {device.name!r} are one board, {unique_id}; name it once")
    boards[unique_id] = device.name


# ---- what is wrong, in words ----


def _check_keys(table: type[Struct], values: Mapping[str, Any], source: str, path: str) -> None:
    """Refuse unknown keys of a table and those in it, with the nearest valid name."""
    known = {info.encode_name: info.name for info in fields(table)}
    for key in values:
        if key not in known:
            word = str(key)[:80]  # a request may bring anything
            near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"unknown key {word!r} in {_where(source, path)}; {hint}")
    hints = get_type_hints(table)
    for key, value in values.items():
        inner = next(_tables_in(hints[known[key]]), None)
        if inner is None:
            continue
        if isinstance(value, dict) and not _is_list(hints[known[key]]):
            _check_keys(inner, value, source, f"{path}.{key}")
        elif isinstance(value, list):
            for number, entry in enumerate(value):
                if isinstance(entry, dict):
                    _check_keys(inner, entry, source, f"{path}.{key}[{number}]")


def _tables_in(kind: Any) -> Iterator[type[Struct]]:
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
    for inner in get_args(kind):
        yield from _tables_in(inner)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple or any(_is_list(inner) for inner in get_args(kind))


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    # msgspec makes a ValidationError of it, with the key.
    raise TypeError(f"Expected `str`, got `{type(value).__name__}`")


def _in_words(error: str, source: str, table: type[Struct]) -> str:
    """Say what msgspec says of a value, with the names of the file and of TOML."""
    match = _PATH.match(error)
    text, path = (match["text"], (match["path"] or "").replace("[...]", "[]")) if match else (error, "")
    parent, _, key = ("." + path).rpartition(".")
    of_table = key.endswith("[]")  # the value of a table whose keys are anybody's; which one is not said
    entry = re.fullmatch(r"(.+)\[(\d+)\]", key)
    if entry is not None:
        key = entry[1]
    if "matching regex" in text:
        return (
            f"{key!r} in {_where(source, parent)} has an entry that is not vendor:product; write 1a86:7523, or 1a86:*"
        )
    missing = re.search(r"missing required field `(.+)`", text)
    if missing is not None:
        return f"{missing[1]!r} in {_where(source, '.' + path)} must be given; it is missing"
    bound = _BOUND.search(text)
    if bound is not None:
        signs = {">": "greater than", ">=": "at least", "<": "less than", "<=": "at most"}
        return f"{key!r} in {_where(source, parent)} must be {signs[bound['sign']]} {bound['bound']}"
    wrong = re.match(r"Invalid enum value '(.*)'", text)
    if wrong is not None:
        choices = [str(word) for word in get_args(_kind_at(table, path))]
        near = difflib.get_close_matches(wrong[1][:80], choices, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(choices)}"
        return f"{key!r} in {_where(source, parent)} cannot be {wrong[1][:80]!r}; {hint}"
    expected = re.search(r"[Ee]xpected `(.+?)`", text)
    if expected is None:
        return f"{key!r} in {_where(source, parent)} cannot be used: {text}"
    kinds = [_TYPES.get(kind, kind) for kind in expected[1].split(" | ") if kind != "null"]
    length = re.search(r"of length <= (\d+)", text)
    if length is not None:
        return f"{key!r} in {_where(source, parent)} may have at most {length[1]} entries"
    if of_table or entry is not None:
        name = key.removesuffix("[]")
        return f"every value of {name!r} in {_where(source, parent)} must be {' or '.join(kinds)}"
    if kinds == ["a list"] and next(_tables_in(_kind_at(table, path)), None) is not None:
        return f"{key!r} in {_where(source, parent)} must be tables: write [[{key}]], once for each"
    if kinds == ["a table"]:
        return f"{key!r} in {_where(source, parent)} must be a table: [{key}]"
    return f"{key!r} in {_where(source, parent)} must be {' or '.join(kinds)}"


def _kind_at(table: type[Struct], path: str) -> Any:
    """Return the type of what stands at a path."""
    kind: Any = table
    for part in path.split("."):
        inner = next(_tables_in(kind))
        named = {info.encode_name: info.name for info in fields(inner)}
        kind = get_type_hints(inner)[named[part.partition("[")[0]]]
    return kind


def _where(source: str, path: str) -> str:
    """Name a table: the file itself, ``[recording]``, or ``device 1``."""
    parts = [part for part in path.split(".") if part]
    if not parts:
        return source
    words = []
    for part in parts:
        name, bracket, number = part.partition("[")
        words.append(f"{name} {int(number.rstrip(']')) + 1}" if bracket else f"[{name}]")
    return f"{source}, {', '.join(words)}"
