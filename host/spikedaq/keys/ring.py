"""The key folder of a daemon: its own key pair, and whom it allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from spikedaq.keys.files import is_there, key_from_hex, locked, make_folder, read_private, write_private
from spikedaq.model import ConfigError, check_session_name

MAX_NAME_CHARS = 32
"""A name is part of the origin that files keep in 64 bytes, together with an address."""
_NEVER = (-1, -1, -1)


class Role(StrEnum):
    """What a key allows."""

    OBSERVER = "observer"
    """Subscribes and asks; changes nothing."""
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class AllowedKey:
    """Somebody who may connect."""

    name: str
    role: Role
    public: bytes


class KeyRing:
    """The folder of a daemon's keys.

    Parameters
    ----------
    folder : Path
        ``daemon.key`` and ``allowed.toml`` are in it, both readable for their owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemon_path = folder / "daemon.key"
        self.allowed_path = folder / "allowed.toml"

    # ---- the daemon's own ----

    def daemon_key(self) -> tuple[bytes, bytes]:
        """Return the daemon's public and secret key.

        Raises
        ------
        ConfigError
            Absent, readable for others, or not a key.
        """
        if not is_there(self.daemon_path):
            raise ConfigError(
                f"there is no daemon's key in {self.folder}; make one: "
                f"spikedaq keys new --daemon --folder {self.folder}"
            )
        values = read_private(self.daemon_path)
        return (
            key_from_hex(values.get("public"), f"'public' in {self.daemon_path}"),
            key_from_hex(values.get("secret"), f"'secret' in {self.daemon_path}"),
        )

    def write_daemon_key(self, public: bytes, secret: bytes) -> None:
        """Keep the daemon's key pair; raises `ConfigError` where there is one, which clients rely on."""
        if is_there(self.daemon_path):
            raise ConfigError(
                f"{self.daemon_path} exists already, and every client knows its public key; nothing changed"
            )
        text = "# The key of a spikedaq daemon: clients know it by the public half. Keep this file to yourself.\n"
        write_private(self.daemon_path, f'{text}public = "{public.hex()}"\nsecret = "{secret.hex()}"\n')

    # ---- whom it allows ----

    def allowed(self) -> Mapping[bytes, AllowedKey]:
        """Return who is allowed, by public key; empty where nobody is yet.

        Raises
        ------
        ConfigError
            The list cannot be used.
        """
        path = self.allowed_path
        if not is_there(path):
            return MappingProxyType({})
        values = read_private(path)
        entries = values.get("key", [])
        if set(values) - {"key"} or not isinstance(entries, list):
            raise ConfigError(f"{path} must hold [[key]] tables and nothing else")
        found: dict[bytes, AllowedKey] = {}
        for number, entry in enumerate(entries, 1):
            key = _allowed_key(entry, f"key {number} in {path}")
            if key.public in found:
                raise ConfigError(f"{path} names one key twice, as {found[key.public].name!r} and as {key.name!r}")
            found[key.public] = key
        return MappingProxyType(found)

    def allow(self, name: str, public: bytes, role: Role) -> None:
        """Allow a key, or give one that is allowed under this name another role.

        Raises
        ------
        ConfigError
            A name that cannot be used, or that stands for another key; a key that is known under another name.
        """
        check_key_name(name)
        make_folder(self.folder)
        with locked(self.folder):
            keys = dict(self.allowed())
            for key in keys.values():
                if key.name == name and key.public != public:
                    raise ConfigError(
                        f"{name!r} has another key already; revoke that first: spikedaq keys revoke {name}"
                    )
                if key.public == public and key.name != name:
                    raise ConfigError(f"this key is allowed already, as {key.name!r}")
            keys[public] = AllowedKey(name, role, public)
            self._write(keys)

    def revoke(self, name: str) -> None:
        """Allow a key no longer; raises `ConfigError` where there is none of this name."""
        with locked(self.folder):
            keys = dict(self.allowed())
            left = {public: key for public, key in keys.items() if key.name != name}
            if len(left) == len(keys):
                known = ", ".join(sorted(key.name for key in keys.values())) or "none"
                raise ConfigError(f"no key is called {name!r}; there are: {known}")
            self._write(left)

    def _write(self, keys: Mapping[bytes, AllowedKey]) -> None:
        lines = ["# Written by spikedaq keys allow|revoke; read again by the daemon when it changes."]
        for key in keys.values():
            lines += ["", "[[key]]", f'name = "{key.name}"', f'role = "{key.role}"', f'public = "{key.public.hex()}"']
        write_private(self.allowed_path, "\n".join(lines) + "\n")


class AllowedKeys:
    """The list of allowed keys as it is at each look; reading it again costs one look at the file while it is the same.

    A list that cannot be read allows nobody: ``error`` says why. Where the system could not read it, the next look
    tries again, since the file need not change for that to end.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._seen: tuple[int, int, int] | None = _NEVER
        self._keys: Mapping[bytes, AllowedKey] = {}
        self.error = ""

    def get(self, public: bytes) -> AllowedKey | None:
        """Return who has this key, None where it is not allowed (any more)."""
        try:
            status = self._ring.allowed_path.stat()
            # Its owner and its mode count, too; changing them changes the ctime alone.
            seen = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        except OSError:
            seen = None
        if seen != self._seen:
            self._seen = seen
            try:
                self._keys, self.error = self._ring.allowed(), ""
            except (ConfigError, OSError) as error:
                self._keys, self.error = {}, str(error)
                if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
                    self._seen = _NEVER
        return self._keys.get(public)


def check_key_name(name: str) -> str:
    """Return the name of a key; raises `ConfigError` where it cannot be one."""
    check_session_name(name, "key name")
    if len(name) > MAX_NAME_CHARS:
        raise ConfigError(f"the key name {name!r} has {len(name)} characters; at most {MAX_NAME_CHARS} are possible")
    return name


def _allowed_key(entry: object, what: str) -> AllowedKey:
    if not isinstance(entry, dict) or set(entry) != {"name", "role", "public"}:
        raise ConfigError(f"{what} must have a name, a role and a public key")
    name, role = entry["name"], entry["role"]
    if not isinstance(name, str):
        raise ConfigError(f"the name of {what} must be a text")
    if role not in list(Role):
        raise ConfigError(f"the role of {what} must be {' or '.join(Role)}")
    return AllowedKey(check_key_name(name), Role(role), key_from_hex(entry["public"], f"the public key of {what}"))
