"""What users attach to the channels of a recording: properties and a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import ConfigError

Probe = dict[str, Any]


class Properties:
    """One value for each channel, by key.

    Parameters
    ----------
    channel_ids : tuple of int or str
    values : mapping of str to array, shape (n_channels, ...), optional
    """

    def __init__(
        self, channel_ids: tuple[int | str, ...], values: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> None:
        self.channel_ids = channel_ids
        self.values: dict[str, npt.NDArray[Any]] = dict(values or {})

    def set(self, key: str, values: Sequence[Any] | npt.NDArray[Any], ids: Sequence[int | str] | None = None) -> None:
        """Attach values; of some channels only where the key is known already."""
        if not isinstance(key, str) or not key:
            raise ConfigError(f"a property's name is a text, not {key!r}")
        array = np.asarray(values)
        wanted = self.channel_ids if ids is None else tuple(ids)
        if array.ndim == 0 or len(array) != len(wanted):
            n = "no" if array.ndim == 0 else len(array)
            raise ConfigError(f"property {key!r} has {n} values for {len(wanted)} channels; give one for each")
        if ids is None:
            self.values[key] = array.copy()
            return
        if key not in self.values:
            raise ConfigError(f"property {key!r} is new: give a value for each channel, {', '.join(map(str, wanted))}")
        columns = [self.channel_ids.index(one) for one in wanted]
        known = self.values[key]
        changed = known.astype(np.result_type(known.dtype, array.dtype))
        changed[columns] = array
        self.values[key] = changed

    def get(self, key: str) -> npt.NDArray[Any]:
        """Return a copy of the values of a property."""
        if key not in self.values:
            known = ", ".join(self.values) or "none"
            raise ConfigError(f"there is no property {key!r}; there are: {known}")
        return self.values[key].copy()

    def of(self, columns: Sequence[int]) -> Properties:
        """Return those of some channels."""
        ids = tuple(self.channel_ids[k] for k in columns)
        return Properties(ids, {key: values[list(columns)] for key, values in self.values.items()})


def check_probe(probe: Any, n_channels: int) -> Probe:
    """Return a probe as the dictionary that probeinterface makes of a group of probes.

    Parameters
    ----------
    probe : dict, or an object of probeinterface
        A probe or a group of them; it must be wired to channels (``device_channel_indices``).
    n_channels : int

    Raises
    ------
    ConfigError
        It is none, or its wiring does not fit the channels.
    """
    given = probe.to_dict() if hasattr(probe, "to_dict") else probe
    if not isinstance(given, dict):
        raise ConfigError(f"a probe is an object of probeinterface or its dictionary, not {type(probe).__name__}")
    probes = given.get("probes", [given])
    wired: list[int] = []
    for k, one in enumerate(probes):
        if not isinstance(one, dict) or "contact_positions" not in one:
            raise ConfigError(f"probe {k} has no contact_positions; give what probeinterface writes")
        positions = np.asarray(one["contact_positions"], dtype=float)
        if positions.ndim != 2 or positions.shape[1] not in (2, 3):
            raise ConfigError(f"probe {k} has contact_positions of shape {positions.shape}, not (n_contacts, 2 or 3)")
        indices = one.get("device_channel_indices")
        if indices is None:
            raise ConfigError(f"probe {k} is not wired; call its set_device_channel_indices(...) first")
        if len(indices) != len(positions):
            raise ConfigError(f"probe {k} has {len(positions)} contacts and {len(indices)} device_channel_indices")
        wired += [int(index) for index in indices if int(index) >= 0]
    if beyond := [index for index in wired if index >= n_channels]:
        raise ConfigError(
            f"the probe is wired to channel {beyond[0]}; the recording has channels 0 to {n_channels - 1}"
        )
    if len(set(wired)) != len(wired):
        raise ConfigError("two contacts of the probe are wired to one channel; each channel has at most one")
    return {
        "specification": given.get("specification", "probeinterface"),
        "version": given.get("version", "0.2.21"),
        "probes": [_plain(one) for one in probes],
    }


def rewired(probe: Probe, columns: Sequence[int]) -> Probe:
    """Return a probe for a recording that has some of the channels; contacts of the others are wired to none (-1)."""
    new = {old: k for k, old in enumerate(columns)}
    probes = []
    for one in probe["probes"]:
        probes.append({**one, "device_channel_indices": [new.get(int(k), -1) for k in one["device_channel_indices"]]})
    return {**probe, "probes": probes}


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return value.item() if isinstance(value, np.generic) else value
