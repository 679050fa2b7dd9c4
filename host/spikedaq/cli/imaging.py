"""`spikedaq imaging`: what a microscope would see of the neurons, simulated live or from a recording."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from spikedaq.cli.common import add_json_option, add_url_option, console, positive_seconds, print_json
from spikedaq.model import ConfigError, SpikedaqError, StoreError

if TYPE_CHECKING:
    from spikedaq.formats.imaging import ComputedImaging, Simulation


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "imaging", help="simulate calcium imaging: of a live device, for all to see on the bus, or of a recording"
    )
    parser.add_argument(
        "recording",
        type=Path,
        nargs="?",
        metavar="RECORDING",
        help="a session's or device's folder, an .nwb file, a stock CSV, or a folder with any of these in it; without "
        "one a live device is followed",
    )
    parser.add_argument("--device", metavar="NAME", help="which device, where there are several")
    parser.add_argument("--indicator", metavar="NAME", help="such as GCaMP6f (default: Generic); --list shows all")
    parser.add_argument(
        "--set",
        action="append",
        type=_setting,
        metavar="NAME=VALUE",
        help="another setting, such as frame_rate_hz=30; may be given several times",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of the noise (default: 0)")
    parser.add_argument("--like", type=Path, metavar="FILE", help="settings, seed and first step of an imaging file")
    parser.add_argument("--out", type=Path, metavar="PATH", help="write to a folder, or to NAME.nwb or NAME.csv only")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    parser.add_argument("--list", action="store_true", help="show indicators and settings, and end")
    parser.add_argument("--repair", type=Path, metavar="FILE", help="make an imaging file of a killed run open again")
    live = parser.add_argument_group("of a live device")
    live.add_argument("--record", action="store_true", help="write beside the recording that is going on")
    live.add_argument("--stream", metavar="NAME", default="imaging", help="name on the bus (default: imaging)")
    live.add_argument("--replace", action="store_true", help="take the place of a stream that you left behind")
    live.add_argument("--seconds", type=positive_seconds, metavar="N", help="end after this long")
    add_url_option(live)
    offline = parser.add_argument_group("of a recording")
    offline.add_argument("--first-step", type=int, metavar="N", help="begin at this model step, at rest")
    add_json_option(parser)
    parser.set_defaults(run=run_imaging)


def _setting(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no setting; write NAME=VALUE, such as laser=0.5")
    return name.strip(), value.strip()


def run_imaging(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    if arguments.list:
        return _list(as_json=arguments.json)
    if arguments.repair is not None:
        return _repair(arguments.repair, as_json=arguments.json)
    simulation, like = simulation_of(arguments)
    if arguments.recording is not None:
        live = [name for name in ("record", "replace", "seconds", "url") if getattr(arguments, name)]
        if live:
            raise ConfigError(
                f"--{live[0]} is of a live device, and {arguments.recording} is a recording; leave it out"
            )
        return _offline(arguments, simulation, like)
    if arguments.first_step is not None:
        raise ConfigError("--first-step is of a recording; name one, or leave it out")
    # HDF5, numpy and the daemon's client take half a second to load; the list does without.
    from spikedaq.cli.imaging_live import run_live  # noqa: PLC0415

    return run_live(arguments, simulation)


def simulation_of(arguments: argparse.Namespace) -> tuple[Simulation, dict[str, Any]]:
    """Return what to simulate, and what ``--like`` says of the boot and device; options go before ``--like``."""
    from spikedaq.analysis.imaging_settings import ImagingSettings  # noqa: PLC0415
    from spikedaq.analysis.indicators import GENERIC, indicator_named  # noqa: PLC0415
    from spikedaq.formats.imaging import Simulation  # noqa: PLC0415
    from spikedaq.store import open_imaging  # noqa: PLC0415

    settings, seed, first_step, name, like = ImagingSettings(), 0, None, GENERIC.name, {}
    if arguments.like is not None:
        with open_imaging(arguments.like) as file:
            meta = file.meta
        settings, seed, first_step, name = settings.changed(meta.settings), meta.seed, meta.first_step, meta.indicator
        like = {"boot_id": meta.boot_id, "device": meta.device}
    if arguments.indicator is not None:
        indicator = indicator_named(arguments.indicator)
        settings, name = settings.with_indicator(indicator), indicator.name
    settings = settings.changed(dict(arguments.set or ()))
    seed = seed if arguments.seed is None else arguments.seed
    if not 0 <= seed < 2**64:
        raise ConfigError(f"the seed {seed} must be from 0 to 2**64 - 1")
    first_step = first_step if arguments.first_step is None else arguments.first_step
    if first_step is not None and first_step < 0:
        raise ConfigError(f"the first step {first_step} must not be negative")
    return Simulation(settings, seed, name, first_step), like


def _offline(arguments: argparse.Namespace, simulation: Simulation, like: dict[str, Any]) -> int:
    """Simulate each recording; of a folder of them a bad one is told, and does not stop the rest."""
    from spikedaq.formats.imaging import compute_imaging  # noqa: PLC0415
    from spikedaq.formats.search import find_sources, is_recording_folder  # noqa: PLC0415

    root, out = arguments.recording, console()
    searched = root.is_dir() and not is_recording_folder(root)
    paths = find_sources(root).recordings if searched else [root]
    if not paths:
        raise StoreError(f"{root} holds no recording: no session, no .nwb file, and no CSV of the stock software")
    done: list[ComputedImaging] = []
    failed: list[tuple[Path, str]] = []
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    more = (TextColumn("samples"), TimeRemainingColumn())
    with Progress(*columns, *more, console=out, disable=arguments.json or not out.is_terminal) as progress:
        for path in paths:
            task = progress.add_task(f"imaging {path.name}" if searched else "imaging", total=None)
            is_csv = path.suffix.lower() == ".csv"
            device = arguments.device if is_csv or path.is_file() else arguments.device or like.get("device")

            def show(n: int, total: int, task: Any = task) -> None:
                progress.update(task, completed=n, total=total or None)

            try:
                done += compute_imaging(
                    path,
                    _folder_for(arguments.out, path.parent.relative_to(root)) if searched else arguments.out,
                    simulation,
                    device=device,
                    boot_id=None if is_csv else like.get("boot_id"),
                    overwrite=arguments.overwrite,
                    progress=show,
                )
            except SpikedaqError as error:
                if not searched:
                    raise
                failed.append((path, str(error)))
    if arguments.json:
        documents = [{**each.to_map(), **simulation.described()} for each in done]
        print_json([*documents, *({"path": str(path), "error": why} for path, why in failed)])
    else:
        _show_computed(done)
    for path, why in failed:
        print(f"spikedaq: error: {why if str(path) in why else f'{path}: {why}'}", file=sys.stderr)
    return 1 if failed else 0


def _folder_for(out: Path | None, within: Path) -> Path | None:
    """Return the folder under ``--out`` for what lies in a folder of the searched one."""
    if out is None:
        return None
    if out.suffix.lower() in (".nwb", ".csv"):
        raise ConfigError(f"{out} is one file, and a folder may hold several recordings; give a folder with --out")
    try:
        (out / within).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {out / within}: {error.strerror}; choose another place with --out") from error
    return out / within


def _show_computed(done: list[ComputedImaging]) -> None:
    for each in done:
        tally = each.tally
        spikes = ", ".join(map(str, tally.n_spikes))
        gaps = f"{tally.gaps} gaps of {tally.missing_steps} steps" if tally.gaps else "no gaps"
        print(f"{each.device}: {tally.n_frames} frames, {spikes} spikes of vm, syn1, syn2, {gaps}")
        for path in each.files:
            print(f"  {path}")


def _list(*, as_json: bool) -> int:
    from spikedaq.analysis.imaging_settings import setting_infos  # noqa: PLC0415
    from spikedaq.analysis.indicators import INDICATORS  # noqa: PLC0415

    infos = setting_infos()
    if as_json:
        print_json({"indicators": [asdict(each) for each in INDICATORS], "settings": [asdict(each) for each in infos]})
        return 0
    table = Table("indicator", "Kd uM", "Hill", "rise ms", "decay ms", "max dF/F0", box=None)
    for each in INDICATORS:
        numbers = (each.kd_um, each.hill, each.rise_ms, each.decay_ms, each.dff_max)
        table.add_row(each.name, *(f"{number:g}" for number in numbers))
    settings = Table("setting", "default", "range", "unit", "", box=None)
    for info in infos:
        span = " ".join(info.choices) or f"{info.minimum:g} to {info.maximum:g}"
        default = info.default if isinstance(info.default, str) else f"{info.default:g}"
        settings.add_row(info.name, default, span, "" if info.unit == "1" else info.unit, info.about)
    out = console()
    out.print(table)
    out.print()
    out.print(settings)
    return 0


def _repair(path: Path, *, as_json: bool) -> int:
    from spikedaq.store import repair_imaging  # noqa: PLC0415

    n = repair_imaging(path)
    if as_json:
        print_json({"file": str(path), "frames": n})
    else:
        print(f"{path}: {n} frames", file=sys.stdout)
    return 0
