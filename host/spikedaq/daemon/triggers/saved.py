"""Which triggers were armed and disarmed by request: kept in the data folder, so that a restart forgets none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from spikedaq.daemon.config_file import trigger_from
from spikedaq.daemon.trigger_config import TriggerConfig
from spikedaq.durable import replaced
from spikedaq.model import ConfigError, StoreError

FILE_NAME = "triggers.json"


@dataclass(slots=True)
class SavedTriggers:
    """What requests have changed: definitions that are in no configuration, and names of whatever is disarmed."""

    defined: list[TriggerConfig] = field(default_factory=list)
    disarmed: list[str] = field(default_factory=list)


def load(folder: Path) -> SavedTriggers:
    """Read what `save` wrote; nothing where it never did.

    Raises
    ------
    StoreError
        It cannot be read or used.
    """
    path = folder / FILE_NAME
    try:
        values = json.loads(path.read_text("utf-8"))
        defined = [trigger_from(table, source=str(path)) for table in values["defined"]]
        return SavedTriggers(defined, [str(name) for name in values["disarmed"]])
    except FileNotFoundError:
        return SavedTriggers()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ConfigError) as error:
        raise StoreError(
            f"{path}, which keeps the triggers that were armed by request, cannot be used ({error}); arm them again"
        ) from error


def save(folder: Path, triggers: SavedTriggers) -> None:
    """Write it in place of what was there, all or nothing. For a thread.

    Raises
    ------
    StoreError
    """
    values = {"defined": [config.to_map() for config in triggers.defined], "disarmed": triggers.disarmed}
    path = folder / FILE_NAME
    try:
        with replaced(path) as file:
            json.dump(values, file, indent=1)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}), so nothing was changed; make room") from error
