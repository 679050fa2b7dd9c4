"""How recordings are shown in a terminal: the list of them, and one with its files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from spikedaq.cli.common import bytes_text, console, gaps_text, printable, span_text


def sessions_table(sessions: list[dict[str, Any]]) -> Table:
    """Return a line for each session."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("name", "start", "duration", "size", "gaps", "verified"):
        table.add_column(heading, justify="right" if heading in ("duration", "size") else "left",
                         no_wrap=heading not in ("name", "verified"), overflow="fold")  # fmt: skip
    for session in sessions:
        gaps = gaps_text(session["gaps"])
        table.add_row(
            Text(printable(session["session"]), style="bold"),
            start_text(session["started_utc_ns"]),
            duration_text(session),
            bytes_text(session["n_bytes"]),
            Text(gaps, style="" if gaps == "none" else "yellow"),
            Text(verified_text(session), style="bold red" if is_bad(session) else ""),
        )
    return table


def start_text(utc_ns: int) -> str:
    """Return a start in this computer's time."""
    try:
        return f"{datetime.fromtimestamp(utc_ns / 1e9).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return "?"


def duration_text(session: dict[str, Any]) -> str:
    """Return how long a session lasted, or that it goes on, or how it ended."""
    lasted = "-" if session["duration_s"] is None else span_text(max(0.0, session["duration_s"]))
    if session["running"]:
        return f"{lasted}, under way"
    return lasted if session["state"] == "complete" else f"{lasted}, {printable(session['state'])}"


def verified_text(session: dict[str, Any]) -> str:
    """Return what is known of a session's verification."""
    found = session["verification"]
    state = found["state"]
    if session["problem"]:
        return "cannot be read"
    if state == "running":
        share = found["done_bytes"] / found["total_bytes"] if found.get("total_bytes") else 0.0
        return f"{100 * share:.0f} %"
    if state == "good":
        return f"good {start_text(found['utc_ns'])}"
    if state == "failed":
        return f"FAILED: {printable(found['problems'][0]['verdict']).replace('_', ' ')}"
    return {"never": "no", "waiting": "waits", "changed": "changed since"}.get(state, printable(state))


def is_bad(session: dict[str, Any]) -> bool:
    """Whether somebody has to do something about a session."""
    missing = any(device["missing_files"] for device in session["devices"].values())
    return bool(session["problem"]) or session["verification"]["state"] == "failed" or missing


def show_session(session: dict[str, Any]) -> None:
    """Print a session and its files."""
    out = console()
    reason = f" ({printable(session['reason'])})" if session["reason"] else ""
    where = printable(f"{session['folder']}/{session['session']}")
    state = printable(session["state"]).replace("_", " ")
    out.print(Text(f"{printable(session['session'])}: {state}{reason}, in {where}"), soft_wrap=True)
    notes = "" if session["n_notes"] is None else f", {session['n_notes']} notes"
    pinned = ", pinned" if session["pinned"] else ""
    out.print(
        f"began {start_text(session['started_utc_ns'])}, {duration_text(session)}, {bytes_text(session['n_bytes'])}, "
        f"gaps: {gaps_text(session['gaps'])}{notes}{pinned}, verified: {verified_text(session)}",
        soft_wrap=True,
    )
    if session["notes"]:
        out.print(Text(printable(session["notes"])), soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("device", "file", "state", "samples", "size", "gaps"):
        right = heading in ("samples", "size")
        table.add_column(heading, justify="right" if right else "left", overflow="fold", no_wrap=heading != "file")
    for file in session["files"]:
        bad = file["state"] in ("missing", "not_closed")
        state = file["state"].replace("_", " ") + (", pinned" if file["pinned"] else "")
        samples = str(file["n_samples"]) if "n_samples" in file else "-"
        gaps = gaps_text(file["gaps"]) if "gaps" in file else "-"
        name = Text(printable(file["name"]))
        table.add_row(printable(file["device"]), name, Text(state, style="bold red" if bad else ""), samples,
                      bytes_text(file["n_bytes"]), gaps)  # fmt: skip
    if session["files"]:
        out.print(table)
    problems = [device["problem"] for device in session["devices"].values() if device["problem"]]
    problems += [f"{p['path']}: {p['verdict']}: {p['text']}" for p in session["verification"].get("problems", ())]
    for text in dict.fromkeys([session["problem"] or "", *problems]):
        if text:
            out.print(Text(printable(text), style="red"), soft_wrap=True)
