"""Sessions on disk as a daemon and its recorder leave them, of any bytes: whoever does not open them cannot tell."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

T0_UTC_NS = 1_777_628_096_000_000_000  # 2026-05-01T09:34:56Z
UNIQUE_ID = "00112233445566ff"


def file_name(session: str, device: str, number: int) -> str:
    return f"{session}_{device}_20260501T093456Z_{number:04d}.nwb"


def entry(session: str, device: str, number: int, data: bytes, started_utc_ns: int, **changes: Any) -> dict[str, Any]:
    """A line of a manifest: ten seconds of 10 kHz per file, three samples lost in each."""
    start_s = 10.0 * number
    return {
        "name": file_name(session, device, number), "number": number, "sha256": hashlib.sha256(data).hexdigest(),
        "n_bytes": len(data), "n_samples": 99_997, "first_step": 100_000 * number,
        "last_step": 100_000 * number + 99_999, "boot_id": 1, "start_s": start_s, "stop_s": start_s + 9.9999,
        "start_utc_ns": started_utc_ns + round(start_s * 1e9),
        "stop_utc_ns": started_utc_ns + round((start_s + 10) * 1e9),
        "gaps": {"lost": 3, "overrun": 0, "dropped": 0}, "saturated_blocks": 0, "closed_reason": "rolled",
        "cursor": 1000 * (number + 1), "n_notes": 1, **changes,
    }  # fmt: skip


def make_session(
    shelf: Path,
    name: str,
    *,
    devices: tuple[str, ...] = ("alpha",),
    n_files: int = 2,
    started_utc_ns: int = T0_UTC_NS,
    state: str = "complete",
    n_bytes: int = 1000,
    journals: Path = Path("/nowhere/journal"),
    open_bytes: int = 0,
    seed: int = 1,
    **plan: Any,
) -> Path:
    """Make a session's folder; return it."""
    rng = random.Random(f"{seed} {name}")
    folder = shelf / name
    folder.mkdir(parents=True)
    document = {
        "version": 1, "session": name, "bench": "bench", "started_utc_ns": started_utc_ns, "started_host_ns": 5,
        "roll": {"seconds": 10.0}, "mode": {"kind": "continuous"}, "notes": "", "experimenter": None,
        "reserve_bytes": 0, "state": state, "reason": "user" if state == "complete" else None,
        "devices": [
            {"name": d, "unique_id": UNIQUE_ID, "journal": str(journals / d), "start_offset": 0} for d in devices
        ],
        "config": {"bench": "bench", "filler": "x" * 3000}, **plan,
    }  # fmt: skip
    (folder / "session.json").write_text(json.dumps(document))
    for device in devices:
        (folder / device).mkdir()
        files = []
        for number in range(n_files):
            data = rng.randbytes(n_bytes)
            (folder / device / file_name(name, device, number)).write_bytes(data)
            files.append(entry(name, device, number, data, started_utc_ns))
        write_manifest(folder, device, files)
        if open_bytes:
            (folder / device / file_name(name, device, n_files)).write_bytes(rng.randbytes(open_bytes))
    return folder


def write_manifest(folder: Path, device: str, files: list[dict[str, Any]]) -> None:
    document = {
        "version": 1, "session": folder.name, "device": device, "unique_id": UNIQUE_ID, "state": "complete",
        "reason": "user", "host_boot_id": "b", "references": {"b": 5}, "files": files, "progress": None,
    }  # fmt: skip
    (folder / device / "manifest.json").write_text(json.dumps(document, indent=1))


def read_manifest(folder: Path, device: str) -> list[dict[str, Any]]:
    return json.loads((folder / device / "manifest.json").read_text())["files"]
