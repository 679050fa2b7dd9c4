"""Verifies sessions in the background, one at a time, and keeps what was found."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikedaq.durable import replaced
from spikedaq.library.believable import believable_count, believable_text
from spikedaq.library.session_card import MANIFEST_FILE, DeviceCard, stamp_of
from spikedaq.model import CommandRejected

RESULT_FILE = ".verified.json"
MAX_WAITING = 16
MAX_PROBLEMS = 50
"""Kept of one session: what is wrong with a thousand files is not read by anybody."""
_MAX_RESULT_BYTES = 2**20
_MAX_KEPT = 256
_VERSION = 1
_LINE_BYTES = 2**26
"""Of the child's last line: the findings of 100,000 files."""
_END_S = 5.0


class Checks:
    """Runs `python -m spikedaq.library FOLDER`: damage that ends HDF5 ends that process and nothing else."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Path, None] = OrderedDict()
        self._running: Path | None = None
        self._progress: tuple[int, int] = 0, 0
        self._task: asyncio.Task[None] | None = None
        self._stopped: set[Path] = set()
        self._unwritten: OrderedDict[Path, dict[str, Any]] = OrderedDict()

    def begin(self, folder: Path) -> None:
        """Verify a session as soon as those before it are done; one that is on its way already is not begun anew.

        Raises
        ------
        CommandRejected
            ``busy``: too many wait.
        """
        is_being_stopped = folder in self._stopped
        if (folder == self._running and not is_being_stopped) or folder in self._waiting:
            return
        if len(self._waiting) >= MAX_WAITING:
            raise CommandRejected(f"{MAX_WAITING} sessions wait to be verified; ask again later", code="busy")
        self._waiting[folder] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="verify")

    def stop(self, folder: Path) -> bool:
        """End the verification of a session, which keeps no result; return whether there was one."""
        if self._waiting.pop(folder, self) is None:
            return True
        if folder != self._running:
            return False
        self._stopped.add(folder)
        if self._task is not None:
            self._task.cancel()
        return True

    def tell(self, folder: Path, devices: list[DeviceCard]) -> dict[str, Any]:
        """Return what is known of a session's verification; for a thread.

        ``state`` is ``never``, ``waiting``, ``running``, ``good``, ``failed`` or ``changed``: something of it is
        another since it was verified.
        """
        if folder in self._waiting:
            return {"state": "waiting"}
        if folder == self._running:
            done, total = self._progress
            return {"state": "running", "done_bytes": done, "total_bytes": total}
        result = self._unwritten.get(folder) or _read(folder)
        if result is None:
            return {"state": "never"}
        state = "good" if result["ok"] else "failed"
        if result["stamps"] != _stamps(folder, [device.name for device in devices]):
            state = "changed"
        return {
            "state": state,
            "utc_ns": result["utc_ns"],
            "ok": result["ok"],
            "counts": result["counts"],
            "problems": result["problems"],
            "n_problems": result["n_problems"],
        }

    async def close(self) -> None:
        """End what is under way."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting:
            folder, _ = self._waiting.popitem(last=False)
            self._running, self._progress = folder, (0, 0)
            try:
                try:
                    result = await self._verify(folder)
                except OSError as error:
                    result = _result(folder, [], f"it could not be verified: {error.strerror}; ask again later", {})
                if not await asyncio.to_thread(_write, folder, result):
                    self._unwritten[folder] = result
                    while len(self._unwritten) > _MAX_KEPT:
                        self._unwritten.popitem(last=False)
                else:
                    self._unwritten.pop(folder, None)
            except asyncio.CancelledError:
                if folder not in self._stopped:
                    raise
            finally:
                self._stopped.discard(folder)
                self._running = None

    async def _verify(self, folder: Path) -> dict[str, Any]:
        # What changes while it is read is another recording than the one that was verified.
        stamps = await asyncio.to_thread(_stamps, folder, None)
        findings: list[dict[str, Any]] = []
        said = ""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "spikedaq.library", str(folder),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES, start_new_session=True,
        )  # fmt: skip
        try:
            if process.stdout is not None:
                async for line in process.stdout:
                    value = json.loads(line)
                    if "done" in value:
                        self._progress = int(value["done"]), int(value["total"])
                    findings = value.get("findings", findings)
                    said = value.get("error", said)
            status = await process.wait()
        except ValueError:  # a line that is longer than any, or none of ours
            status = 1
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if status != 0 and not said:
            how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
            said = f"the check itself ended with {how}; run spikedaq verify {folder} on the daemon's computer"
        return _result(folder, findings, said, stamps)


def _result(folder: Path, findings: list[dict[str, Any]], said: str, stamps: dict[str, Any]) -> dict[str, Any]:
    problems = [f for f in findings if f["problem"]]
    texts = [
        {"path": os.path.relpath(f["path"], folder), "verdict": f["verdict"], "text": f["text"][:500]} for f in problems
    ]
    if said:
        texts.insert(0, {"path": ".", "verdict": "unchecked", "text": said[:500]})
    return {
        "version": _VERSION,
        "utc_ns": time.time_ns(),
        "ok": not texts,
        "counts": dict(Counter(f["verdict"] for f in findings)),
        "problems": texts[:MAX_PROBLEMS],
        "n_problems": len(texts),
        "stamps": stamps,
    }


def _stamps(folder: Path, devices: list[str] | None) -> dict[str, Any]:
    """Return size and time of each device's manifest: they tell whether files were closed, made again or deleted."""
    if devices is None:
        try:
            devices = [path.name for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
        except OSError:
            devices = []
    found = {name: stamp_of(folder / name / MANIFEST_FILE) for name in devices if not name.startswith(".")}
    return {name: [stamp[0], stamp[1]] for name, stamp in sorted(found.items()) if stamp is not None}


def _read(folder: Path) -> dict[str, Any] | None:
    path = folder / RESULT_FILE
    try:
        if path.lstat().st_size > _MAX_RESULT_BYTES:
            return None
        raw = json.loads(path.read_text("utf-8"))
        checked: dict[str, Any] = {
            "utc_ns": believable_count(raw["utc_ns"]),
            "ok": bool(raw["ok"]),
            "counts": {believable_text(k, 100): believable_count(v) for k, v in list(raw["counts"].items())[:100]},
            "problems": [
                {key: believable_text(p[key], 500) for key in ("path", "verdict", "text")}
                for p in raw["problems"][:MAX_PROBLEMS]
            ],
            "n_problems": believable_count(raw["n_problems"]),
            "stamps": {str(k): v for k, v in raw["stamps"].items()},
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return checked if raw.get("version") == _VERSION else None


def _write(folder: Path, result: Mapping[str, Any]) -> bool:
    """Keep a result beside what it is about; return False where that cannot be written."""
    try:
        with replaced(folder / RESULT_FILE) as file:
            json.dump(result, file, indent=1)
    except OSError:
        return False
    return True
