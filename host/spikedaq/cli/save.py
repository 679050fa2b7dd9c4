"""`spikedaq save`: the samples of a recording as a binary folder, Zarr, or one NWB file."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

from spikedaq.cli.common import add_json_option, print_json, samples_progress
from spikedaq.model import ConfigError, RecordingWarning


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser("save", help="write the samples of a recording in another form, also to S3")
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a recording file, a folder, a pattern, a CSV, what was saved, or an address in S3",
    )
    parser.add_argument(
        "--out", required=True, metavar="PATH", help="a folder, a .zarr folder, a .nwb file, or s3://bucket/key"
    )
    parser.add_argument(
        "--format",
        choices=("binary", "nwb", "zarr"),
        help="default: by the ending of --out, and binary without one of them",
    )
    parser.add_argument("--device", metavar="NAME", help="only this device of a session")
    parser.add_argument(
        "--mode", choices=("current", "voltage", "common"), help="which samples, where the clamp changed"
    )
    parser.add_argument("--start", type=float, metavar="S", help="only from this time on, in seconds")
    parser.add_argument("--stop", type=float, metavar="S", help="only before this time, in seconds")
    parser.add_argument("--channels", nargs="+", metavar="NAME", help="only these, in this order")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; -1: one per processor")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there, when all is written")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Save one recording."""
    # HDF5 and numpy take 0.3 s to load; the other commands do without.
    import spikedaq  # noqa: PLC0415
    from spikedaq.recording import Recording  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordingWarning)  # `spikedaq info` prints them
        opened = spikedaq.open(*arguments.paths, device=arguments.device, mode=arguments.mode)
        with opened:
            if not isinstance(opened, Recording):
                raise ConfigError(f"there are several devices, {', '.join(opened)}; name one with --device")
            part = opened if arguments.channels is None else opened.channel_slice(arguments.channels)
            if arguments.start is not None or arguments.stop is not None:
                part = part.time_slice(arguments.start, arguments.stop)
            saved = _save(part, arguments)
    where = [str(path) for path in saved.paths]
    if arguments.json:
        counts = {"n_frames": saved.num_frames, "n_segments": saved.num_segments, "n_channels": saved.num_channels}
        print_json({"saved": where, **counts})
    else:
        print(f"{where[0]}: {saved.num_frames} samples of {saved.num_channels} channels, {saved.num_segments} segments")
    saved.close()
    return 0


def _save(recording: Any, arguments: argparse.Namespace) -> Any:
    form = arguments.format or {".nwb": "nwb", ".zarr": "zarr"}.get(Path(arguments.out).suffix, "binary")
    with samples_progress(arguments) as progress:
        task = progress.add_task("save", total=None)
        return recording.save(
            arguments.out,
            format=form,
            n_jobs=arguments.jobs,
            overwrite=arguments.overwrite,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
