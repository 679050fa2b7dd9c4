"""A trial on the virtual board: enough before, the waveform sample by sample, enough after; every early end."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import DaemonProcess, read_truth, wait_for
from spikedaq.experiment import Phase, Progress, Trial, TrialCancelled, TrialError, record_trial
from spikedaq.inlet import connect
from spikedaq.model import CommandRejected, EventKind
from spikedaq.stimulus import make, spec_of
from spikedaq.store import find_files, open_recording

ROOT = Path(__file__).parents[2]
STIMULUS, TRIGGER = 1, 7
PATIENCE_S = 120.0
"""For a computer that is busy with other things; nothing here waits that long otherwise."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """One board whose square wave is on, so that its silence is not for nothing."""
    folder = tmp_path_factory.mktemp("trial")
    url = f"sim:alpha?preset=2&param.stim_strength=40&truth={folder / 'alpha.truth'}"
    with DaemonProcess(folder / "data", {"alpha": url}) as daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running", PATIENCE_S)
        yield daemon


def command(bench: DaemonProcess, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "spikedaq.cli", "record", "--url", bench.url, *arguments]


def recorded(bench: DaemonProcess, session: str) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """Return steps, raw samples and device events of a session of one file."""
    (path,) = find_files(bench.data / "recordings" / session, "alpha")
    with open_recording(path) as recording:
        n = recording.n_samples
        return recording.steps(0, n), recording.samples(0, n), recording.events


def in_whole_percent(rows: np.ndarray) -> np.ndarray:
    """What the stimulus channel shows of rows: whole per cent, halves away from zero (protocol/README.md, 4.2)."""
    return np.array([int(np.floor(abs(int(r)) / 100 + 0.5)) * (1 if r >= 0 else -1) for r in rows])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_file_has_the_waveform_sample_by_sample_and_three_seconds_around(bench: DaemonProcess) -> None:
    """By the command of the documentation; silence and no other trigger before and behind; the square wave is back."""
    spec = spec_of("chirp_linear", amplitude=93, mean=-4, start_hz=2, end_hz=40, duration_ms=700, post_ms=0)
    waveform = make(spec)
    csv = bench.data.parent / "chirp 1.csv"
    made = ["--set", "amplitude=93", "--set", "mean=-4", "--set", "start_hz=2", "--set", "end_hz=40",
            "--set", "duration_ms=700", "--set", "post_ms=0", "--out", str(csv)]  # fmt: skip
    subprocess.run([sys.executable, "-m", "spikedaq.cli", "stimulus", "make", "chirp_linear", *made], check=True)
    line = command(bench, "--stimulus", str(csv), "--baseline", "3", "--after", "3", "--json")
    done = subprocess.run(line, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    *progress, result = [json.loads(text) for text in done.stdout.splitlines()]
    phases = list(dict.fromkeys(entry["phase"] for entry in progress))
    assert phases == ["start", "baseline", "stimulus", "after", "stop", "done"]
    assert result["session"].endswith("_tonic-bursting_chirp-1_1")
    assert result["recording"]["state"] == "complete"
    assert (result["gaps"], result["warnings"]) == ({}, [])
    assert (result["n_rows"], result["n_rows_seen"], result["n_rows_different"]) == (7000, 7000, 0)

    steps, raw, events = recorded(bench, result["session"])
    np.testing.assert_array_equal(np.diff(steps), 1)
    (trigger,) = [event for event in events if event.kind == EventKind.TRIGGER]
    (ended,) = [event for event in events if event.kind == EventKind.STIMULUS_END]
    first = trigger.step - int(steps[0])
    assert (trigger.step, ended.step, trigger.value) == (result["first_step"], result["first_step"] + 7000, 1)
    assert first >= 30_000
    assert len(raw) - (first + 7000) >= 30_000
    assert result["baseline_s"] >= 3
    assert result["after_s"] >= 3
    # The board's own clock is in real time here: what was promised is what is there.
    assert first >= result["baseline_s"] * 10_000 - 1
    np.testing.assert_array_equal(raw[first : first + 7000, STIMULUS], in_whole_percent(waveform.rows))
    assert not raw[:first, STIMULUS].any()
    assert not raw[first + 7000 :, STIMULUS].any()
    np.testing.assert_array_equal(np.flatnonzero(raw[:, TRIGGER]), [first])

    truth = read_truth(bench.data.parent / "alpha.truth")
    at = int(steps[0]) - int(truth["step"][0])
    np.testing.assert_array_equal(raw, truth["values"][at : at + len(raw)])

    def square_is_back() -> bool:
        values = read_truth(bench.data.parent / "alpha.truth")["values"]
        return bool((values[-2000:, STIMULUS] == 40).any())

    wait_for("the square wave to be back", square_is_back, PATIENCE_S)


def fences(page: str, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_and_the_script_of_the_documentation_do_what_they_say(
    bench: DaemonProcess, tmp_path: Path
) -> None:
    """Each line of the how-to in turn, and the script of the reference page."""
    environment = {**os.environ, "SPIKEDAQ_URL": bench.url, "PYTHONPATH": os.pathsep.join(sys.path)}
    lines = [line for block in fences("how-to/record-a-trial.md", "sh") for line in block.splitlines()]
    assert len(lines) >= 12
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[0] == "spikedaq"
        command = [sys.executable, "-m", "spikedaq.cli", *words[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert bench.call("record_status")["session"].endswith("_g4_dark_tonic-spiking_light_1")
    bench.call("record_stop")
    (script,) = fences("reference/stimuli-and-neurons.md", "python")
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(" {}")
    bench.call("set", device="alpha", values={"preset": 2, "stim_strength": 40})


def trial(name: str, **values: Any) -> Trial:
    rows = make(spec_of("sine", duration_ms=200)).rows
    return Trial(
        session=name, device="alpha", rows=rows, stimulus="sine", **{"baseline_s": 0.2, "after_s": 0.2, **values}
    )


def test_the_function_is_for_scripts_too_and_tells_how_it_goes(bench: DaemonProcess) -> None:
    told: list[Progress] = []
    with connect(bench.url) as client:
        result = record_trial(client, trial("by-script", notes="mine"), on_progress=told.append)
    assert result.recording["state"] == "complete"
    assert [p for p in Phase if any(t.phase is p for t in told)] == list(Phase)
    (path,) = find_files(bench.data / "recordings" / "by-script", "alpha")
    with open_recording(path) as recording:
        notes = recording.meta.notes
    assert notes.startswith(
        "mine\nstimulus sine, 3000 rows, played once by alpha; at least 0.2 s before and 0.2 s after"
    )


def assert_stopped(bench: DaemonProcess, session: str) -> None:
    """The recording is complete, its file readable, and the board has its square wave again."""
    status = bench.call("record_status")
    assert (status["session"], status["state"]) == (session, "complete")
    assert len(recorded(bench, session)[0]) > 0
    values = read_truth(bench.data.parent / "alpha.truth")
    n = len(values)

    def is_back() -> bool:
        return bool((read_truth(bench.data.parent / "alpha.truth")["values"][n:, STIMULUS] == 40).any())

    wait_for("the square wave", is_back, PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_recording_and_says_so(bench: DaemonProcess, number: signal.Signals) -> None:
    """Whoever asks with SIGTERM gets the same; the exit status is that of an interruption."""
    name = f"cut-{number.name}"
    line = command(bench, "--stimulus", "sine", "--baseline", "600", "--session", name)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        wait_for("its baseline", lambda: "baseline" in process.stdout.readline(), PATIENCE_S)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"the trial '{name}' ended in the phase 'baseline': interrupted; the recording was stopped" in said
    assert_stopped(bench, name)


def test_what_a_killed_client_leaves_ends_by_itself(bench: DaemonProcess) -> None:
    """Nobody can tell the daemon then: it was told at the start when the trial is over at the latest."""
    line = command(bench, "--stimulus", "sine", "--set", "duration_ms=200", "--baseline", "600", "--session", "killed")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        wait_for("its baseline", lambda: "baseline" in process.stdout.readline(), PATIENCE_S)
        process.kill()
        process.communicate(timeout=60)
    status = bench.call("record_status")
    assert (status["session"], status["state"]) == ("killed", "recording")
    lasts_s = (status["ends_utc_ns"] - status["started_utc_ns"]) / 1e9
    assert 603 + 60 < lasts_s < 603 + 120
    bench.call("record_stop", timeout_s=60)
    bench.call("stimulus", device="alpha", stop=True)
    bench.call("record_start", session="short", end_after_s=0.5, timeout_s=60)
    wait_for("its end", lambda: bench.call("record_status")["state"] == "complete", PATIENCE_S)
    assert bench.call("record_status")["reason"] == "its time is over"
    assert_stopped(bench, "short")


def test_the_caller_can_end_it_from_another_thread(bench: DaemonProcess) -> None:
    """As a button on a page does; while the stimulus plays."""
    end = threading.Event()

    def told(progress: Progress) -> None:
        if progress.phase is Phase.STIMULUS:
            end.set()

    long = Trial(session="button", device="alpha", rows=np.full(100_000, 50, np.int16), stimulus="x", baseline_s=0.1)
    with connect(bench.url) as client, pytest.raises(TrialCancelled) as caught:
        record_trial(client, long, on_progress=told, cancelled=end.is_set)
    assert caught.value.phase is Phase.STIMULUS
    assert caught.value.recording["state"] == "complete"
    assert_stopped(bench, "button")


def test_what_somebody_else_does_to_it_ends_it_with_the_reason(bench: DaemonProcess) -> None:
    """The stimulus stopped by another client; the recording stopped by another client."""

    def stop_stimulus(progress: Progress) -> None:
        if progress.phase is Phase.STIMULUS:
            bench.call("stimulus", device="alpha", stop=True)

    long = Trial(session="stopped", device="alpha", rows=np.full(50_000, 50, np.int16), stimulus="x", baseline_s=0.1)
    with connect(bench.url) as client:
        with pytest.raises(TrialError, match=r"alpha stopped the stimulus after \d+ of 50000 rows") as caught:
            record_trial(client, long, on_progress=stop_stimulus)
        assert caught.value.recording["state"] == "complete"
        stopped: list[object] = []

        def stop_recording(progress: Progress) -> None:
            if progress.phase is Phase.BASELINE and progress.total_s and not stopped:
                stopped.append(bench.call("record_stop"))

        with pytest.raises(TrialError, match="the recording has ended by itself or by somebody else: user"):
            record_trial(client, trial("ended", baseline_s=600.0), on_progress=stop_recording)
    assert_stopped(bench, "ended")


def test_what_cannot_be_done_records_nothing(bench: DaemonProcess) -> None:
    """Too long for the board, with both numbers; a session that exists; a recording that runs."""
    with connect(bench.url) as client:
        record_trial(client, trial("taken"))
        before = sorted(path.name for path in (bench.data / "recordings").iterdir())
        long = Trial(session="long", device="alpha", rows=np.zeros(600_001, np.int16), stimulus="x")
        with pytest.raises(
            CommandRejected, match=r"alpha holds 600000 stimulus rows .* the stimulus has 600001"
        ) as caught:
            record_trial(client, long)
        assert caught.value.code == "too_large"
        with pytest.raises(CommandRejected, match="'taken' exists already"):
            record_trial(client, trial("taken"))
        with pytest.raises(CommandRejected, match="beta"):
            record_trial(client, Trial(session="b", device="beta", rows=np.zeros(1, np.int16), stimulus="x"))
        assert sorted(path.name for path in (bench.data / "recordings").iterdir()) == before
        client.client.call("record_start", session="running", timeout_s=60)
        with pytest.raises(CommandRejected, match="'running' is being recorded; stop it first") as caught:
            record_trial(client, trial("second"))
        assert caught.value.code == "busy"
        assert client.client.call("record_status")["session"] == "running"
        client.client.call("record_stop", timeout_s=60)
