"""What `spikedaq spikes --live` and `spikedaq average --live` show of a running bench, and say in the end."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.live import Live
from rich.table import Table as Screen

from spikedaq.analysis import Table
from spikedaq.cli.analysed import rule_of
from spikedaq.cli.batch import write_all
from spikedaq.cli.common import console, print_json
from spikedaq.formats.found_spikes import NEURON_CHANNELS
from spikedaq.formats.live_analysis import LiveAnalysis
from spikedaq.formats.live_recording import LiveRecording
from spikedaq.formats.loop_averages import LoopRule, left_out
from spikedaq.inlet import connect
from spikedaq.model import MODEL_STEP_MS, ConfigError, StoreError

_POLL_S = 0.05
_QUIET_S = 3.0
"""Samples come many times a second; after this long without one the devices are stopped, or the daemon is gone."""


def run_live(arguments: argparse.Namespace, loop_rule: LoopRule | None = None) -> int:
    """Follow a bench until Ctrl-C or for ``--seconds``; then sum up and write tables where asked to."""
    _refuse_recordings_options(arguments)
    if loop_rule is not None:
        _ = loop_rule.length  # refuses what is shorter than a step
    devices = [str(path) for path in arguments.paths] + ([arguments.device] if arguments.device else [])
    with (
        connect(arguments.url, key=arguments.key) as bench,
        LiveAnalysis(bench, devices, rule_of(arguments), loop_rule) as analysis,
    ):
        with _interruptible() as is_over:
            _follow(arguments, analysis, f"bench {bench.name}, {bench.client.url}; Ctrl-C ends and sums up", is_over)
        return _sum_up(arguments, analysis)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C was pressed: between two pieces, not in the middle of one.

    A second Ctrl-C ends at once, whatever is going on.
    """
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _refuse_recordings_options(arguments: argparse.Namespace) -> None:
    for name in ("start", "stop", "fi", "sta", "plot"):
        if getattr(arguments, name, None) not in (None, False):
            raise ConfigError(
                f"--{name} is of a recording; leave it out with --live, or record, and look at the recording"
            )
    out = arguments.out
    if out is not None and not arguments.overwrite and out.is_dir() and any(out.iterdir()):
        # Rather than after an hour of following.
        raise StoreError(f"{out} is not empty; choose another place with --out, or replace it with --overwrite")
    if arguments.threshold is None:
        raise ConfigError("--threshold auto needs the whole recording; with --live give the threshold in mV")


def _follow(arguments: argparse.Namespace, analysis: LiveAnalysis, title: str, is_over: Callable[[], bool]) -> None:
    out = console()
    end_s = None if arguments.seconds is None else time.monotonic() + arguments.seconds
    told: dict[tuple[str, str], int] = {}

    def run(show: Callable[[float], None]) -> None:
        news_s = time.monotonic()
        next_s = news_s + arguments.every
        while not is_over() and (end_s is None or time.monotonic() < end_s):
            n, now_s = analysis.poll(_POLL_S), time.monotonic()
            news_s = now_s if n else news_s
            if now_s >= next_s:
                show(now_s - news_s)
                next_s = max(next_s + arguments.every, now_s)

    if arguments.json:
        run(lambda quiet_s: _print_lines(analysis, told, quiet_s))
    elif out.is_terminal:
        with Live(console=out, auto_refresh=False, transient=True) as live:
            run(lambda quiet_s: live.update(_screen(analysis, title, quiet_s), refresh=True))
    else:
        run(lambda quiet_s: _print_texts(analysis, quiet_s))


def _quiet_text(quiet_s: float) -> str:
    return f"no samples for {quiet_s:.0f} s: see spikedaq status" if quiet_s >= _QUIET_S else ""


def _print_lines(analysis: LiveAnalysis, told: dict[tuple[str, str], int], quiet_s: float) -> None:
    """Print one JSON document for each neuron: its numbers so far, and the spikes since the last one."""
    for recording in analysis.recordings:
        if told.get((recording.name, "")) == recording.n_samples and recording not in analysis.newest:
            continue  # of an earlier boot; nothing is added to it
        told[recording.name, ""] = recording.n_samples
        for channel in recording.neurons:
            key, n = (recording.name, channel), recording.n_spikes(channel)
            new_ms = recording.new_spikes_ms(channel, told.get(key, 0))
            told[key] = n
            print_json({**_numbers(recording, channel), "quiet_s": round(quiet_s, 1), "new_spike_times_ms": new_ms})


def _numbers(recording: LiveRecording, channel: str) -> dict[str, Any]:
    n, n_spikes = recording.n_samples, recording.n_spikes(channel)
    numbers: dict[str, Any] = {
        "recording": recording.name,
        "device": recording.device,
        "neuron": NEURON_CHANNELS[channel],
        "channel": channel,
        "n_samples": n,
        "n_gaps": len(recording.breaks),
        "n_spikes": n_spikes,
        "rate_hz": n_spikes * 1000.0 / (n * MODEL_STEP_MS) if n else None,
        "recent_rate_hz": recording.recent_rate_hz(channel),
    }
    if recording.loop_rule is not None:
        n_loops, length, n_used = recording.usual_loop()
        numbers |= {"n_loops": n_loops, "length_ms": length * MODEL_STEP_MS, "n_used": n_used}
    return numbers


def _print_texts(analysis: LiveAnalysis, quiet_s: float) -> None:
    if _quiet_text(quiet_s):
        print(_quiet_text(quiet_s), flush=True)
        return
    for recording in analysis.newest:
        for channel in recording.neurons:
            one = _numbers(recording, channel)
            loops = (
                f", {one['n_used']} of {one['n_loops']} loops of {one['length_ms']:g} ms" if "n_loops" in one else ""
            )
            rate = "-" if one["rate_hz"] is None else f"{one['rate_hz']:.4g}"
            print(
                f"{recording.name} {one['neuron']}: {one['n_spikes']} spikes, {rate} Hz, "
                f"now {one['recent_rate_hz']:.4g} Hz, {one['n_gaps']} gaps{loops}",
                flush=True,
            )


def _screen(analysis: LiveAnalysis, title: str, quiet_s: float) -> Screen:
    screen = Screen(box=None, pad_edge=False, title=title, title_style="dim", title_justify="left")
    for name in ("recording", "of"):
        screen.add_column(name, no_wrap=True)
    with_loops = any(recording.loop_rule is not None for recording in analysis.recordings)
    for name in ("spikes", "rate", "now", "recorded", "gaps", *(("loops", "used", "length") if with_loops else ())):
        screen.add_column(name, justify="right", no_wrap=True)
    for recording in analysis.newest:
        for channel in recording.neurons:
            one = _numbers(recording, channel)
            screen.add_row(
                recording.name,
                channel,
                str(one["n_spikes"]),
                "-" if one["rate_hz"] is None else f"{one['rate_hz']:.4g} Hz",
                f"{one['recent_rate_hz']:.4g} Hz",
                f"{one['n_samples'] * MODEL_STEP_MS / 1000:.1f} s",
                str(one["n_gaps"]),
                *((str(one["n_loops"]), str(one["n_used"]), f"{one['length_ms']:g} ms") if with_loops else ()),
            )
    screen.caption = _quiet_text(quiet_s) or ("" if analysis.recordings else "waiting for the first samples ...")
    screen.caption_justify = "left"
    return screen


def _sum_up(arguments: argparse.Namespace, analysis: LiveAnalysis) -> int:
    recordings = [recording for recording in analysis.recordings if recording.n_samples]
    if not recordings:
        raise StoreError(f"no sample in current clamp came from {', '.join(analysis.devices)}; see spikedaq status")
    documents: list[dict[str, Any]] = []
    tables: dict[str, list[Table]] = {}
    reasons: dict[str, str] = {}
    for recording in recordings:
        loops = recording.loops()
        for channel in recording.neurons:
            mine = tables.setdefault(recording.name, [])
            if recording.loop_rule is None:
                documents.append(recording.document(channel))
                mine += recording.spike_tables(channel)
                continue
            averages = recording.averages(channel, loops)
            documents.append(recording.loop_document(channel, loops, averages))
            reasons[recording.name] = left_out(loops)
            if len(loops.starts):
                mine += recording.loop_tables(channel, loops, averages)
    files = write_all(arguments, {name: those for name, those in tables.items() if those})
    if arguments.json:
        print_json({"summary": True, "neurons": documents, "files": [str(path) for path in files]})
        return 0
    for one in documents:
        what = f"{one['n_spikes']} spikes"
        if "n_loops" in one:
            left = reasons[one["recording"]]
            what += f", {one['n_used']} of {one['n_loops']} loops of {one['length_ms']:g} ms used, left out: {left}"
        else:
            what += f" in {one['recorded_ms'] / 1000:.1f} s, {one['n_gaps']} gaps"
            what += f", {one['rate_hz']:.4g} Hz, CV {one['cv']:.4g}"
        print(f"{one['recording']} {one['neuron']}: {what}")
    for recording in recordings:
        for note in recording.notes:
            print(f"spikedaq: note: {recording.name}: {note}", file=sys.stderr)
    if analysis.unavailable:
        print(f"{analysis.unavailable} stretches of samples could not be had any more; they are gaps")
    for path in files:
        print(path)
    return 0
