"""Key files: a client's own, and a daemon's folder with the keys that it allows. The cryptography is ZeroMQ's."""

from spikedaq.keys.client import ClientKey, client_key_path, read_client_key, write_client_key
from spikedaq.keys.files import KEY_BYTES, config_folder, key_from_hex
from spikedaq.keys.ring import AllowedKey, AllowedKeys, KeyRing, Role, check_key_name

__all__ = [
    "KEY_BYTES",
    "AllowedKey",
    "AllowedKeys",
    "ClientKey",
    "KeyRing",
    "Role",
    "check_key_name",
    "client_key_path",
    "config_folder",
    "key_from_hex",
    "read_client_key",
    "write_client_key",
]
