"""Names of boards that no configuration names: given by users, kept in the data folder."""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path

import structlog

from spikedaq.daemon.data_folder import write_json

_FILE = "board-names.json"
_SHORT_CHARACTERS = 4

log = structlog.get_logger(__name__)


class BoardNames:
    """What boards are called, by unique id.

    Parameters
    ----------
    folder : Path
        The data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._names: dict[str, str] = {}
        try:
            read = json.loads(self._path.read_text("utf-8"))
            self._names = {str(unique_id): str(name) for unique_id, name in read.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError) as error:
            log.warning("the boards' names cannot be read, they get new ones", file=str(self._path), reason=str(error))

    def of(self, unique_id: str, taken: Container[str]) -> str:
        """Return a board's name: as given, else ``spikeling-`` and the end of its id, as much as tells it apart."""
        given = self._names.get(unique_id)
        if given is not None and given not in taken:
            return given
        for n in range(_SHORT_CHARACTERS, len(unique_id) + 1, 2):
            name = f"spikeling-{unique_id[-n:]}"
            if name not in taken:
                return name
        return f"spikeling-{unique_id}-2"

    def give(self, unique_id: str, name: str) -> None:
        """Call a board so from now on; for a thread.

        Raises
        ------
        StoreError
            It cannot be written down; then nothing changes.
        """
        names = {other: known for other, known in self._names.items() if known != name} | {unique_id: name}
        write_json(self._path, names)
        self._names = names
