"""The options of `spikedaq record`: where they may stand, and what is said of them."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

import pytest

from spikedaq.bus import FileStatus, RecordingStatus
from spikedaq.cli import record_from, record_stimulus
from spikedaq.cli.display import recording_caption
from spikedaq.cli.main import build_parser, main
from spikedaq.cli.record_from import progress_text
from spikedaq.experiment import TrialResult
from spikedaq.remote import Missing, Progress, SessionEndedError
from spikedaq.remote.copier import CopierState, CopyState
from spikedaq.remote.missing import DELETED, REPLACED


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--device alpha start s1", "--device stands before 'start', where it says nothing; write it behind 'start'"),
        ("--folder /x start s1", "--folder stands before 'start'"),
        ("--roll 60 start s1", "--roll stands before 'start'"),
        ("--notes x start s1", "--notes stands before 'start'"),
        ("--session s1 stop", "--session stands before 'stop'"),
        ("--seconds 5 stop", "--seconds stands before 'stop'"),
        ("--json status", "--json stands before 'status'"),
        ("--key f dismiss", "--key stands before 'dismiss'"),
        ("--from tcp://127.0.0.1:1 start trial", "--from URL records on this computer, and takes no 'start'"),
    ],
)
def test_options_before_an_action_are_refused(line: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are those of recording from elsewhere: nobody is to believe that they hold for the action."""
    with pytest.raises(SystemExit) as ended:
        main(["record", *line.split()])
    assert ended.value.code == 2
    assert text in capsys.readouterr().err


def test_options_behind_an_action_are_its_own() -> None:
    """They go where they are written, and none of those of recording from elsewhere is set by them."""
    line = "record start s1 --device alpha --folder /x --roll 60 --notes n --json --from 2026-05-01T09:00 --key k"
    arguments = build_parser().parse_args(line.split())
    record_from.refuse_before(arguments, "start")
    assert (arguments.device, arguments.folder, arguments.roll, arguments.notes) == (["alpha"], "/x", 60.0, "n")
    assert (arguments.json, arguments.from_time, arguments.key) == (True, "2026-05-01T09:00", "k")


def test_a_key_can_be_named_for_recording_from_elsewhere() -> None:
    """As the error says that somebody without one gets."""
    arguments = build_parser().parse_args(["record", "--from", "tcp://bench:5571", "--key", "mine.key"])
    assert arguments.here_key == "mine.key"


def test_a_session_that_was_ended_has_a_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a service manager does not try for ever."""

    def ended(_: object) -> None:
        raise SessionEndedError("the session in /x is complete; choose another name")

    monkeypatch.setattr(record_from, "_session", ended)
    monkeypatch.setattr(record_from, "set_up_logging", lambda **_: None)
    assert main(["record", "--from", "tcp://127.0.0.1:1", "--session", "x"]) == 2
    assert capsys.readouterr().err == "spikedaq: the session in /x is complete; choose another name\n"


def progress(state: str, **copying: object) -> Progress:
    devices = {"alpha": CopyState(), "beta": CopyState(absent=True)}
    return Progress(
        session="s",
        state=state,
        folder="/x",
        files={"alpha": FileStatus("waiting", rows_on_disk=7), "beta": FileStatus("waiting")},
        copying=CopierState(devices=devices, **copying),  # type: ignore[arg-type]
        recording=False,
        current=False,
        free_bytes=None,
        error=None,
    )


def test_it_is_said_since_when_nothing_comes() -> None:
    """With the reason, and with the devices of which the bench has nothing."""
    text = progress_text(progress("waiting", trouble="no spikedaqd answers", came_s=1_800_000_000.0))
    assert text.startswith("waiting for samples: 7 samples on disk")
    assert "the bench has no journal of beta" in text
    since = text.split("nothing has come since ")[1].split(": ")[0]
    assert since.startswith("2027-01-1")
    assert "not connected" not in progress_text(progress("waiting", connected=True))


def test_what_could_not_be_had_is_said_with_its_reason() -> None:
    """In the line that tells how it goes, and in a line for each hole at the end."""
    holes = [
        Missing(1, DELETED, 2_500_000, 1_800_000_000 * 10**9, 1_800_000_100 * 10**9),
        Missing(2, REPLACED, None, 1_800_000_200 * 10**9, None),
    ]
    text = progress_text(replace(progress("recording", connected=True), missing={"alpha": holes}))
    assert "2.5 MB of journal and what came while a journal was not there could not be had" in text
    first, second = record_from.missing_lines({"alpha": holes})
    assert first.startswith("missing of alpha, from 2027-01-1")
    assert first.endswith(": 2500000 bytes of journal, it was deleted there before it could be copied")
    assert second.endswith(" on: an unknown amount, another journal was found in its place there")


@pytest.mark.parametrize(("complete", "lacks", "status"), [(True, False, 0), (True, True, 3), (False, True, 1)])
def test_the_exit_status_says_whether_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, complete: bool, lacks: bool, status: int
) -> None:
    """A recording that is closed and lacks something is told from a whole one, and from one to be taken up again."""

    class Session:
        name = "s"
        missing: ClassVar[dict[str, list[Missing]]] = {"alpha": [Missing(1, DELETED, 7, 1, 2)]} if lacks else {}

        def close(self) -> None:
            pass

    class Recording:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        async def run(self, *_: object) -> bool:
            return complete

    monkeypatch.setattr(record_from, "_session", lambda _: Session())
    monkeypatch.setattr(record_from, "RemoteRecording", Recording)
    monkeypatch.setattr(record_from, "set_up_logging", lambda **_: None)
    monkeypatch.setattr(record_from, "leave_start_out", lambda: None)
    assert main(["record", "--from", "tcp://127.0.0.1:1"]) == status
    assert ("missing of alpha" in capsys.readouterr().err) == (status == 3)


RESULT = TrialResult(
    session="s", device="a", stimulus="sine", recording={"folder": "/d/s"}, boot_id=1, first_step=7, n_rows=10,
    step_us=100, baseline_s=3.0, after_s=3.0, n_rows_seen=10, n_rows_different=0,
)  # fmt: skip


def test_a_trial_in_voltage_clamp_says_that_nothing_was_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """And it is no flaw; a row that differs is."""
    assert record_stimulus._show(replace(RESULT, n_rows_seen=None, n_rows_different=None), as_json=False) == 0
    assert "step 7, not compared with what was played: in voltage clamp no channel shows it" in capsys.readouterr().out
    assert record_stimulus._show(RESULT, as_json=False) == 0
    assert "step 7, 10 of them seen in the stimulus channel, 3.000 s after" in capsys.readouterr().out
    assert record_stimulus._show(replace(RESULT, n_rows_different=2), as_json=False) == record_stimulus.EXIT_FLAWED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_is_a_ctrl_c(number: signal.Signals) -> None:
    """The recording is to be stopped in order; afterwards the signal is what it was."""
    before = signal.signal(number, lambda *_: pytest.fail("the one from before"))
    try:
        with pytest.raises(KeyboardInterrupt), record_stimulus._terminated_as_interrupted():
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 0.5)  # a moment for it to be taken
        assert signal.getsignal(number) is not signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)
        with record_stimulus._terminated_as_interrupted():
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)


def test_the_end_of_a_recording_is_told_until_it_has_ended() -> None:
    ends_utc_ns = 1_777_628_096 * 10**9
    recording = RecordingStatus("s", "recording", "/d/s", ends_utc_ns=ends_utc_ns)
    when = f"{datetime.fromtimestamp(1_777_628_096):%Y-%m-%d %H:%M:%S}"
    assert recording_caption(recording) == f"session s: recording, ends by itself at {when}, in /d/s"
    assert recording_caption(replace(recording, state="complete")) == "session s: complete, in /d/s"


def test_how_long_a_recording_lasts_can_be_said() -> None:
    assert build_parser().parse_args(["record", "start", "s", "--end-after", "10min"]).end_after == 600.0
