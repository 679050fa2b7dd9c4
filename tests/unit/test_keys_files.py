"""Key files: for their owner alone, refused otherwise; who is allowed, and who no longer."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from spikedaq.keys import (
    AllowedKeys,
    ClientKey,
    KeyRing,
    Role,
    client_key_path,
    read_client_key,
    write_client_key,
)
from spikedaq.model import ConfigError

A, B, C = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    made = KeyRing(tmp_path / "keys")
    made.write_daemon_key(A, B)
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_made_for_their_owner_whatever_the_umask(ring: KeyRing, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ring.allow("anna", C, Role.OBSERVER)
        write_client_key(tmp_path / "new" / "client.key", ClientKey("anna", A, B, C))
    finally:
        os.umask(before)
    assert [mode(path) for path in (ring.daemon_path, ring.allowed_path)] == [0o600, 0o600]
    assert mode(tmp_path / "new" / "client.key") == 0o600
    assert mode(tmp_path / "new") == 0o700
    assert not list(ring.folder.glob(".*")), "temporary files stay"


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o666, 0o601])
def test_files_that_others_may_touch_are_refused_with_the_remedy(ring: KeyRing, tmp_path: Path, bits: int) -> None:
    ring.allow("anna", C, Role.OBSERVER)
    own = tmp_path / "client.key"
    write_client_key(own, ClientKey("anna", A, B))
    for path, read in (
        (ring.daemon_path, ring.daemon_key),
        (ring.allowed_path, ring.allowed),
        (own, lambda: read_client_key(own)),
    ):
        path.chmod(bits)
        with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
            read()


def test_keys_come_back_as_they_went_and_are_not_shown(ring: KeyRing, tmp_path: Path) -> None:
    assert ring.daemon_key() == (A, B)
    path = tmp_path / "k"
    for daemon in (None, C):
        key = ClientKey("anna", A, B, daemon, str(path))
        write_client_key(path, key)
        assert read_client_key(path) == key
        assert B.hex() not in repr(key)
        assert repr(B) not in repr(key)
        with pytest.raises(ConfigError, match="exists already"):
            write_client_key(path, key)
        path.unlink()
    with pytest.raises(ConfigError, match="exists already"):
        ring.write_daemon_key(C, C)
    assert ring.daemon_key() == (A, B)


@pytest.mark.parametrize(
    "text",
    ["", "public = 1", 'public = "00"', f'public = "{A.hex()}"', f'public = "{"g" * 64}"\nsecret = "{B.hex()}"', "[",
     "\0", f'public = "{A.hex()}"\nsecret = "{B.hex()}"\nother = 1'],
)  # fmt: skip
def test_what_is_no_key_is_refused_and_its_content_is_not_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        read_client_key(path)
    assert str(path) in str(caught.value)
    assert B.hex() not in str(caught.value)


def test_absent_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="spikedaq keys new --daemon"):
        KeyRing(tmp_path).daemon_key()
    with pytest.raises(ConfigError, match="No such file"):
        read_client_key(tmp_path / "k")
    assert KeyRing(tmp_path).allowed() == {}


def test_allowing_and_revoking(ring: KeyRing) -> None:
    ring.allow("anna", A, Role.OBSERVER)
    ring.allow("ben", B, Role.CONTROLLER)
    ring.allow("anna", A, Role.CONTROLLER)
    assert {key.name: key.role for key in ring.allowed().values()} == {"anna": "controller", "ben": "controller"}
    for name, key, says in (
        ("anna", C, "another key"),
        ("carl", A, "allowed already, as 'anna'"),
        ("a b", C, "key name"),
        ("x" * 33, C, "at most 32"),
    ):
        with pytest.raises(ConfigError, match=says):
            ring.allow(name, key, Role.OBSERVER)
    ring.revoke("anna")
    assert [key.name for key in ring.allowed().values()] == ["ben"]
    with pytest.raises(ConfigError, match="there are: ben"):
        ring.revoke("anna")


def test_the_list_is_as_it_is_at_each_look(ring: KeyRing) -> None:
    allowed = AllowedKeys(ring)
    assert allowed.get(A) is None
    ring.allow("anna", A, Role.OBSERVER)
    found = allowed.get(A)
    assert found is not None
    assert found.role is Role.OBSERVER
    ring.allow("anna", A, Role.CONTROLLER)
    found = allowed.get(A)
    assert found is not None
    assert found.role is Role.CONTROLLER
    ring.revoke("anna")
    assert allowed.get(A) is None


@pytest.mark.parametrize("spoil", ["loose", "text", "role", "twice"])
def test_a_list_that_cannot_be_used_allows_nobody(ring: KeyRing, spoil: str) -> None:
    """Also who was allowed before: nobody knows whether he still is."""
    ring.allow("anna", A, Role.OBSERVER)
    allowed = AllowedKeys(ring)
    assert allowed.get(A) is not None
    text = ring.allowed_path.read_text()
    if spoil == "loose":
        ring.allowed_path.chmod(0o644)
    else:
        new = {"text": "[[", "role": text.replace("observer", "king"), "twice": text + text.split("\n", 1)[1]}[spoil]
        ring.allowed_path.write_text(new)
    assert allowed.get(A) is None
    assert str(ring.allowed_path) in allowed.error
    ring.allowed_path.write_text(text)
    ring.allowed_path.chmod(0o600)
    assert allowed.get(A) is not None
    assert not allowed.error


def test_a_list_that_the_system_cannot_read_allows_nobody_and_is_tried_again(ring: KeyRing) -> None:
    """A failing disk, a folder that may not be entered: said in ``error``, never raised into whoever asks."""
    ring.allow("anna", A, Role.OBSERVER)
    allowed = AllowedKeys(ring)
    assert allowed.get(A) is not None
    kept = ring.allowed_path.rename(ring.folder / "kept")
    # Its address 0 is never there to be read: EIO.
    ring.allowed_path.symlink_to("/proc/self/mem")
    assert allowed.get(A) is None
    assert f"{ring.allowed_path} cannot be read (Input/output error)" in allowed.error
    kept.replace(ring.allowed_path)
    assert allowed.get(A) is not None
    long = KeyRing(ring.folder / ("x" * 300))
    for look in (long.allowed, long.daemon_key, lambda: long.write_daemon_key(A, B)):
        with pytest.raises(ConfigError, match="File name too long"):
            look()
    assert AllowedKeys(long).get(A) is None


def test_what_ends_without_a_change_of_the_file_is_noticed(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptors left, for a moment: who is allowed is let in again once there are some."""
    ring.allow("anna", A, Role.OBSERVER)
    allowed = AllowedKeys(ring)
    with monkeypatch.context() as patch:
        patch.setattr("os.open", lambda *_: (_ for _ in ()).throw(OSError(24, "Too many open files")))
        assert allowed.get(A) is None
    assert "Too many open files" in allowed.error
    assert allowed.get(A) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_owner_is_noticed(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error tells to use chown, which changes neither the content nor the mode."""
    ring.allow("anna", A, Role.OBSERVER)
    os.chown(ring.allowed_path, 4321, -1)
    allowed = AllowedKeys(ring)
    assert allowed.get(A) is None
    assert "belongs to another user; make it yours: chown 0" in allowed.error
    os.chown(ring.allowed_path, 0, -1)
    assert allowed.get(A) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_leaves_files_to_whom_they_are(ring: KeyRing, tmp_path: Path) -> None:
    """With sudo a new list is the service's as the old one was; a first one is of the folder's owner."""
    os.chown(ring.folder, 4321, 4322)
    ring.allow("anna", A, Role.OBSERVER)
    assert (ring.allowed_path.stat().st_uid, ring.allowed_path.stat().st_gid) == (4321, 4322)
    ring.allowed_path.chmod(0o600)


def test_changes_at_the_same_time_are_all_kept(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads, changes and writes the list while nobody else does."""
    reading, go_on = threading.Event(), threading.Event()
    read = KeyRing.allowed

    def slowly(self: KeyRing) -> object:
        found = read(self)
        if not reading.is_set():
            reading.set()
            assert go_on.wait(10)
        return found

    monkeypatch.setattr(KeyRing, "allowed", slowly)
    first = threading.Thread(target=ring.allow, args=("anna", A, Role.OBSERVER))
    first.start()
    assert reading.wait(10)
    descriptor = os.open(ring.folder, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    second = threading.Thread(target=ring.allow, args=("ben", B, Role.OBSERVER))
    second.start()
    go_on.set()
    first.join(10)
    second.join(10)
    os.close(descriptor)
    assert sorted(key.name for key in ring.allowed().values()) == ["anna", "ben"]


def test_where_a_clients_key_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SPIKEDAQ_KEY", raising=False)
    assert client_key_path() == (tmp_path / "spikedaq" / "client.key", False)
    monkeypatch.setenv("SPIKEDAQ_KEY", "/k")
    assert client_key_path() == (Path("/k"), True)
    assert client_key_path("/given") == (Path("/given"), True)
