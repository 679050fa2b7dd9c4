"""A model of power cuts: what a disk may hold of a data folder whose computer stopped, drawn at random.

Every file keeps what its last fsync brought to the disk. Of what was written since, each page (4 KiB) may be there or
not, by itself, in any state that it was seen in, now and then torn within; a file has any length that it had. Of the
renames, deletions and new names since a folder's last fsync the first few have happened, and the rest has not.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path

PAGE = 4096
SECTOR = 512
Names = dict[str, dict[str, int]]
"""Inode by name, by folder relative to the root."""


class PowerModel:
    """Watches a data folder, and makes what a power cut leaves of it.

    Parameters
    ----------
    root : Path
        The data folder; what it holds now is on the disk.
    work : Path
        For logs and copies.
    """

    def __init__(self, root: Path, work: Path) -> None:
        self.root = root
        self.log = work / "log"
        self.kept = work / "kept"
        self.stopped = work / "stopped"
        """The data folder as the programs saw it last, without any loss."""
        self.n_bytes_unsure = 0
        self._seen: dict[int, list[bytes]] = {}
        self.begin()

    def environment(self, boot: int) -> dict[str, str]:
        """What the bench's processes are started with."""
        here = Path(__file__).parent / "power_log"
        return {
            "SPIKEDAQ_POWER_LOG": str(self.log), "SPIKEDAQ_POWER_ROOT": str(self.root),
            "SPIKEDAQ_POWER_BOOT": f"boot-{boot}",
            "PYTHONPATH": os.pathsep.join([str(here), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]),
        }  # fmt: skip

    def begin(self) -> None:
        """Take what is there now as being on the disk."""
        shutil.rmtree(self.log, ignore_errors=True)
        self.log.mkdir(parents=True)
        self._seen.clear()
        self._base = {p.stat().st_ino: p.read_bytes() for p in self.root.rglob("*") if p.is_file()}
        self._names = _names(self.root)

    def processes(self) -> list[int]:
        """Everything that was started with this model's environment."""
        mark, found = f"SPIKEDAQ_POWER_LOG={self.log}".encode(), []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if mark in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def watch(self, seconds: float) -> None:
        """Look now and then what the files hold, until so much time has passed: pages may stay in any such state."""
        end = time.monotonic() + seconds
        paused = threading.Event()
        while (left := end - time.monotonic()) > 0:
            paused.wait(min(left, 0.3))
            for path in self.root.rglob("*"):
                try:
                    if path.suffix in (".spj", ".nwb", ".json"):
                        self._seen.setdefault(path.stat().st_ino, []).append(path.read_bytes())
                except OSError:
                    continue

    def cut(self, rng: random.Random) -> None:
        """Stop everything at once; put in place of the data folder what the disk may hold of it."""
        while stopped := [pid for pid in self.processes() if _state(pid) not in "TZX"]:
            for pid in stopped:
                _signal(pid, signal.SIGSTOP)
        shutil.rmtree(self.stopped, ignore_errors=True)
        shutil.copytree(self.root, self.stopped)
        last = {p.stat().st_ino: p.read_bytes() for p in self.root.rglob("*") if p.is_file()}
        now = _names(self.root)
        for pid in self.processes():
            _signal(pid, signal.SIGKILL)
        names, synced = self._replay(now, rng)
        image = self.kept
        shutil.rmtree(image, ignore_errors=True)
        image.mkdir(parents=True)
        self._build("", image, names, synced, last, rng)
        shutil.rmtree(self.root)
        shutil.copytree(image, self.root)
        self.begin()

    def _replay(self, now: Names, rng: random.Random) -> tuple[Names, dict[int, list[bytes]]]:
        """Return the names on the disk, and by inode the content that is there for sure followed by what came after."""
        names = {folder: dict(own) for folder, own in self._names.items()}
        versions = {inode: [content] for inode, content in self._base.items()}
        waiting: dict[str, list[dict[str, object]]] = {}
        log = self.log / "log.jsonl"
        for line in log.read_text().splitlines() if log.exists() else []:
            entry = json.loads(line)
            if entry["op"] == "sync":
                versions[entry["inode"]] = [(self.log / entry["kept"]).read_bytes()]
            elif entry["op"] == "folder":
                names[entry["path"]] = dict(entry["names"])
                waiting.pop(entry["path"], None)
            else:
                path = entry.get("target") or entry["path"]
                waiting.setdefault(str(Path(path).parent).removeprefix("."), []).append(entry)
        for folder in now:
            own = names.setdefault(folder, {})
            pending = waiting.get(folder, [])
            for entry in pending[: rng.randrange(len(pending) + 1)]:
                _apply(own, entry, now[folder])
            for name, inode in now[folder].items():
                if name not in own and rng.random() < 0.5 and not any(_name(e) == name for e in pending):
                    own[name] = inode
        return names, versions

    def _build(
        self, folder: str, image: Path, names: Names, synced: dict[int, list[bytes]], last: dict[int, bytes],
        rng: random.Random,
    ) -> None:  # fmt: skip
        for name, inode in names.get(folder, {}).items():
            relative = f"{folder}/{name}".removeprefix("/")
            if relative in names:
                (image / name).mkdir()
                self._build(relative, image / name, names, synced, last, rng)
                continue
            durable = synced.get(inode, [b""])
            later = [*self._seen.get(inode, []), *([last[inode]] if inode in last else [])]
            (image / name).write_bytes(self._torn(durable[0], later, rng))

    def _torn(self, durable: bytes, later: list[bytes], rng: random.Random) -> bytes:
        """Draw one content of a file."""
        # What was seen before the last fsync is gone: only what differs from it and is no older can be told by length.
        later = [content for content in later if len(content) >= len(durable)] or later[-1:]
        kind = rng.random()
        if not later or later[-1] == durable or kind < 0.25:
            return durable
        if kind < 0.35:
            return later[-1]
        candidates = [durable, *rng.sample(later, min(3, len(later))), later[-1]]
        size = len(rng.choice(candidates))
        pages = []
        for start in range(0, size, PAGE):
            page = rng.choice(candidates)[start : start + PAGE].ljust(PAGE, b"\0")
            if rng.random() < 0.02:
                other, at = rng.choice(candidates)[start : start + PAGE].ljust(PAGE, b"\0"), SECTOR * rng.randrange(8)
                page = page[:at] + other[at:]
            pages.append(page)
        self.n_bytes_unsure += size
        return b"".join(pages)[:size]


def _names(root: Path) -> Names:
    folders = [root, *(p for p in root.rglob("*") if p.is_dir())]
    return {
        str(folder.relative_to(root)).removeprefix("."): {p.name: p.stat().st_ino for p in folder.iterdir()}
        for folder in folders
    }


def _name(entry: dict[str, object]) -> str:
    return Path(str(entry.get("target") or entry["path"])).name


def _apply(own: dict[str, int], entry: dict[str, object], now: dict[str, int]) -> None:
    if entry["op"] == "gone":
        own.pop(_name(entry), None)
    elif entry["op"] == "made":
        own[_name(entry)] = now.get(_name(entry), 0)
    else:
        own.pop(Path(str(entry["source"])).name, None)
        own[_name(entry)] = int(str(entry["inode"]))


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
