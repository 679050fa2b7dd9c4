"""A client's own key: who it is to a daemon, and which daemon it believes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from spikedaq.keys.files import config_folder, is_there, key_from_hex, read_private, write_private
from spikedaq.model import ConfigError

KEY_VARIABLE = "SPIKEDAQ_KEY"


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A key pair, and the public key of the daemon it is for.

    Attributes
    ----------
    daemon : bytes or None
        Public key of the daemon; without it no connection can be made, because anybody could play the daemon.
    source : str
        The file, for errors.
    """

    name: str
    public: bytes
    secret: bytes = field(repr=False)
    daemon: bytes | None = None
    source: str = ""


def client_key_path(given: str | os.PathLike[str] | None = None) -> tuple[Path, bool]:
    """Return where the client's key is: as given, else ``$SPIKEDAQ_KEY``, else ``client.key`` of the user's folder.

    Returns
    -------
    path : Path
    chosen : bool
        Somebody named it; otherwise it may well be absent.
    """
    named = given or os.environ.get(KEY_VARIABLE)
    return (Path(named), True) if named else (config_folder() / "client.key", False)


def read_client_key(path: Path) -> ClientKey:
    """Read a client's key file.

    Raises
    ------
    ConfigError
        Absent, readable for others, or not a key file.
    """
    values = read_private(path)
    unknown = set(values) - {"name", "public", "secret", "daemon"}
    if unknown:
        raise ConfigError(
            f"{path} has unknown entries: {', '.join(sorted(unknown))}; make a new one: spikedaq keys new"
        )
    name = values.get("name", "")
    if not isinstance(name, str):
        raise ConfigError(f"'name' in {path} must be a text")
    return ClientKey(
        name,
        key_from_hex(values.get("public"), f"'public' in {path}"),
        key_from_hex(values.get("secret"), f"'secret' in {path}"),
        key_from_hex(values["daemon"], f"'daemon' in {path}") if "daemon" in values else None,
        str(path),
    )


def write_client_key(path: Path, key: ClientKey) -> None:
    """Write a client's key file, for its owner alone; raises `ConfigError` where there is a file already."""
    if is_there(path):
        raise ConfigError(f"{path} exists already; it would be lost. Move it away, or choose another file with --out")
    lines = [
        "# A key of spikedaq. Who has this file may do what the key may: keep it to yourself.",
        f'name = "{key.name}"',
        f'public = "{key.public.hex()}"',
        f'secret = "{key.secret.hex()}"',
    ]
    if key.daemon is not None:
        lines += ["# The daemon that is believed; any other that answers is refused.", f'daemon = "{key.daemon.hex()}"']
    write_private(path, "\n".join(lines) + "\n")
