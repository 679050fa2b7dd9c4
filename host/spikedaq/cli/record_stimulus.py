"""`spikedaq record --stimulus FILE`: a baseline, the stimulus once, a tail, and the end of the recording."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from spikedaq.cli.common import console, gaps_text, print_json
from spikedaq.cli.record_mode import duration_or_none
from spikedaq.cli.session_options import NEXT, add_name_options, given_parts, name_from_parts
from spikedaq.cli.stimulus import only_device
from spikedaq.cli.stimulus_source import Source, open_source, setting
from spikedaq.inlet import Bench, connect
from spikedaq.model import ConfigError, name_part

if TYPE_CHECKING:
    from spikedaq.experiment import Progress, Trial, TrialError, TrialResult

_DEFAULT_S = 3.0
EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130
EXIT_FLAWED = 3
"""It was recorded, and samples are missing, or what was played is not what was asked for."""
ONLY_HERE = (
    "here_stimulus", "here_set", "here_repeat", "here_no_clipping", "here_baseline", "here_after", "here_url",
    "here_name_group", "here_name_condition", "here_name_mode", "here_name_protocol", "here_name_run",
)  # fmt: skip
"""Options that say nothing without ``--stimulus``."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``record --stimulus``; their names differ from those that the actions have."""
    add = parser.add_argument_group("record a baseline, a stimulus once, and a tail").add_argument
    add("--stimulus", dest="here_stimulus", metavar="FILE|GENERATOR", help="what is played; see 'spikedaq stimulus'")
    add("--set", dest="here_set", action="append", type=setting, metavar="NAME=VALUE", help="of the generator")
    add("--repeat", dest="here_repeat", type=int, metavar="N", help="the stimulus so often, one after the other")
    add("--no-clipping", dest="here_no_clipping", action="store_true", default=None, help="refuse rows beyond 100 %%")
    add("--baseline", dest="here_baseline", type=duration_or_none, metavar="TIME", help="before it, default 3 s")
    add("--after", dest="here_after", type=duration_or_none, metavar="TIME", help="after it, default 3 s")
    add(
        "--url",
        dest="here_url",
        metavar="URL",
        help="the daemon's control endpoint (default: $SPIKEDAQ_URL, or on this computer)",
    )
    note = ", with --stimulus (default: the preset, the stimulus, the next run)"
    add_name_options(parser, prefix="here_", note=note)


def run_stimulus(arguments: argparse.Namespace) -> int:
    """Record one trial; 0 done, 3 done with flaws, 1 failed, 130 interrupted."""
    from spikedaq.experiment import Trial, TrialCancelled, TrialError, record_trial  # noqa: PLC0415 - loads numpy

    a = arguments
    for option, value in (("--roll", a.here_roll), ("--seconds", a.here_seconds)):
        if value is not None:
            a.refuse(f"{option} is about recording with --from; a stimulus has --baseline and --after")
    source = open_source(
        a.here_stimulus, a.here_set, repeat=a.here_repeat or 1, no_clipping=bool(a.here_no_clipping)
    )  # fmt: skip
    with connect(a.here_url, key=a.here_key) as bench:
        devices = a.here_device or [only_device(bench.client, None)]
        trial = Trial(
            session=_session(a, bench, devices[0], source),
            device=devices[0],
            rows=source.waveform.rows,
            stimulus=source.name,
            spec=source.waveform.spec,
            baseline_s=_DEFAULT_S if a.here_baseline is None else a.here_baseline,
            after_s=_DEFAULT_S if a.here_after is None else a.here_after,
            others=tuple(devices[1:]),
            folder=None if a.here_folder is None else str(a.here_folder),
            notes=a.here_notes or "",
        )
        try:
            with _terminated_as_interrupted(), _Teller(trial, as_json=bool(a.here_json)) as teller:
                result = record_trial(bench, trial, on_progress=teller.tell)
        except TrialError as error:
            _show_error(error, as_json=bool(a.here_json))
            return EXIT_INTERRUPTED if isinstance(error, TrialCancelled) else EXIT_FAILURE
    return _show(result, as_json=bool(a.here_json))


def _session(a: argparse.Namespace, bench: Bench, device: str, source: Source) -> str:
    """Return the session's name: the one given, or that by the convention, with what is known for what is not said."""
    from spikedaq.experiment import mode_part  # noqa: PLC0415 - loads numpy

    parts = given_parts(a, prefix="here_")
    if a.here_session is not None:
        if parts:
            raise ConfigError(f"--session and --{next(iter(parts))} both name the session; leave one of them")
        return str(a.here_session)
    if "mode" not in parts:
        parts["mode"] = mode_part(bench, device)
    parts.setdefault("protocol", name_part(source.name) or "stimulus")
    parts.setdefault("run", NEXT)
    return name_from_parts(parts, bench, today=datetime.now().astimezone().date())


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Take SIGTERM, and a terminal that is closed, for a Ctrl-C, so that the recording is stopped in order."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # A command that was begun with nohup goes on without its terminal.
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Teller:
    """Says how it goes: a line of JSON each time for scripts, a bar on a terminal, else a line per phase."""

    def __init__(self, trial: Trial, *, as_json: bool) -> None:
        self._trial = trial
        self._as_json = as_json
        out = console()
        hidden = as_json or not out.is_terminal
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[clock]}", markup=False),
        )
        self._bar = Bar(*columns, console=out, disable=hidden, transient=True)
        self._is_plain = hidden and not as_json
        self._task = self._bar.add_task("start", total=None, clock="")
        self._said = ""

    def tell(self, progress: Progress) -> None:
        if self._as_json:
            print_json(progress.to_map())
            return
        texts = {
            "start": "waiting for the device",
            "baseline": f"baseline of {self._trial.session}",
            "stimulus": f"{self._trial.device} plays {self._trial.stimulus}",
            "after": "after the stimulus",
            "stop": "closing the files",
        }
        text = texts.get(str(progress.phase), "")
        if self._is_plain and text and text != self._said:
            print(text, flush=True)
        self._said = text
        clock = progress.text or (f"{progress.done_s:.1f} of {progress.total_s:.1f} s" if progress.total_s else "")
        self._bar.update(
            self._task, description=text, total=progress.total_s or None, completed=progress.done_s, clock=clock
        )

    def __enter__(self) -> _Teller:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)


def _show_error(error: TrialError, *, as_json: bool) -> None:
    if as_json:
        print_json({"error": str(error), "code": error.code, "phase": str(error.phase), "recording": error.recording})
    print(f"spikedaq: {error}", file=sys.stderr)


def _show(result: TrialResult, *, as_json: bool) -> int:
    flawed = bool(result.gaps or result.n_rows_different or result.warnings)
    if as_json:
        print_json(result.to_map())
        return EXIT_FLAWED if flawed else 0
    print(f"{result.session}: {result.recording['folder']}")
    seen = ", not compared with what was played: in voltage clamp no channel shows it"
    if result.n_rows_seen is not None:
        wrong = result.n_rows_different
        seen = f", {result.n_rows_seen} of them seen in the stimulus channel" + (f", {wrong} wrong" if wrong else "")
    print(
        f"{result.baseline_s:.3f} s before, {result.n_rows} rows of {result.stimulus} from step {result.first_step}"
        f"{seen}, {result.after_s:.3f} s after"
    )
    print(f"missing samples: {gaps_text(result.gaps)}")
    for warning in result.warnings:
        print(f"spikedaq: warning: {warning}", file=sys.stderr)
    return EXIT_FLAWED if flawed else 0
