"""What the commands print, without a daemon."""

from __future__ import annotations

import io
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from spikedaq.bus import DeviceStatus, FileStatus, Message, RecordingStatus
from spikedaq.cli import demo, sim
from spikedaq.cli.common import bytes_text, clock_text, console, gaps_text, number_text, print_json
from spikedaq.cli.devices import assignment
from spikedaq.cli.display import Growth, shorten_left, status_line, status_table
from spikedaq.cli.main import main
from spikedaq.cli.status import print_status
from spikedaq.cli.watch import Board
from spikedaq.link import parse_url
from spikedaq.model import LinkOpenError


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def status(**changes: object) -> DeviceStatus:
    recording = FileStatus("recording", file="/data/s/alpha/s_alpha_20260501T000000Z_0001.nwb", bytes=3_400_000)
    values: dict[str, object] = {
        "state": "running", "rate_hz": 9999.6, "nominal_hz": 10000.0, "clock_u_ns": 52_000,
        "recording": {**recording.to_map(), "session": "s"}, "free_bytes": 18_000_000_000,
    }  # fmt: skip
    return DeviceStatus(device="alpha", url="sim:alpha", **{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n", "text"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3_400_000, "3.4 MB"), (18e9, "18.0 GB")],
)  # fmt: skip
def test_sizes(n: float | None, text: str) -> None:
    assert bytes_text(n) == text


def test_quantities_have_units_and_unknown_ones_say_so() -> None:
    assert clock_text(None) == "not fitted"
    assert clock_text(52_400) == "±52 us"
    assert clock_text(2_500_000) == "±2.5 ms"
    assert gaps_text({"lost": 0, "overrun": 0, "dropped": 0}) == "none"
    assert gaps_text({"lost": 3, "overrun": 0, "dropped": 1}) == "3 lost, 1 dropped"
    assert number_text(0.20000000298023224) == "0.2"


def test_a_line_says_everything_and_has_no_control_characters() -> None:
    growth = Growth(Clock())
    text = status_line(status(), growth)
    assert text == (
        "alpha: running 10000 Hz, gaps none, clock ±52 us, "
        "file s_alpha_20260501T000000Z_0001.nwb 3.4 MB growing, 18.0 GB free"
    )
    hostile = status_line(status(state="lost", detail="gone\x1b[31m\nnow", recording=None), growth)
    assert hostile.endswith("not recording, 18.0 GB free, gone [31m now")
    assert hostile.isprintable()


def test_a_line_says_what_the_link_lost_and_got_back() -> None:
    link = {"frames_resent": 12, "frames_missing": 1, "frames_held": 0, "duplicates": 0, "resend_requests": 14}
    text = status_line(status(link=link), Growth())
    assert ", link 12 frames sent again, 1 missing" in text
    assert "link" not in status_line(status(), Growth())


def test_a_file_that_does_not_grow_is_noticed_and_one_that_does_is_not() -> None:
    clock = Clock()
    growth = Growth(clock)
    growth.update(status())
    clock.s = 4.9
    assert growth.stalled_s("alpha") is None
    clock.s = 6.0
    assert growth.stalled_s("alpha") == 6.0
    assert "3.4 MB NOT growing for 6 s" in status_line(status(), growth)
    bigger = FileStatus("recording", file="/x.nwb", bytes=3_500_000).to_map()
    growth.update(status(recording=bigger))
    assert growth.stalled_s("alpha") is None
    growth.update(status(recording=None))
    clock.s = 60.0
    assert growth.stalled_s("alpha") is None


def test_a_failed_recorder_is_told_with_its_reason() -> None:
    failed = FileStatus("failed", file="/x.nwb", error="No space left on device").to_map()
    assert "failed: No space left on device" in status_line(status(recording=failed), Growth())


def rendered(width: int, *statuses: DeviceStatus, stale: frozenset[str] = frozenset()) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(status_table(statuses, Growth(), width=width, stale=stale))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 100, 130, 200])
def test_the_table_fits_the_terminal_with_one_row_per_device(width: int) -> None:
    lines = rendered(width, status(), status())
    assert len(lines) == 3
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "10000 Hz" in lines[1]
    assert "0001.nwb" in lines[1]
    assert "3.4 MB" in lines[1]
    assert "18.0 GB" in lines[1]


def test_a_device_without_news_is_not_shown_as_running() -> None:
    clock = Clock()
    board = Board(clock)
    board.take(message("alpha", "status", status().to_map()))
    assert board.stale() == frozenset()
    clock.s = 10.0
    assert board.stale() == {"alpha"}
    assert "no news" in rendered(120, status(), stale=board.stale())[1]
    assert board.take(message("alpha", "status", {"device": "alpha"})) is None


def message(device: str, stream: str, header: dict[str, object]) -> Message:
    return Message(f"lab/{device}/{stream}/", header, b"")


def alarms(*standing: dict[str, object], more: int = 0, **changes: object) -> Message:
    return message(
        "bench", "alarms", {"alarms": list(standing), "more": more, "raised": None, "ended": None, **changes}
    )


def shown(board: Board) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(board.render("bench", 120))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_alarms_are_shown_while_they_stand_and_told_once() -> None:
    alarm: dict[str, object] = {"kind": "disk_full", "subject": "s", "text": "make\x1b[31m room", "since_ns": 5}
    board = Board(Clock())
    assert board.lines(alarms(alarm, more=3)) == ["ALARM disk_full s: make [31m room"], "also one that stood before"
    assert board.lines(alarms(alarm, more=3, raised=alarm)) == []
    assert "disk_full s: make [31m room\nand 3 more alarms" in shown(board)
    assert board.lines(alarms()) == ["alarm ended: disk_full s: make [31m room"]
    assert board.lines(alarms(ended=alarm)) == []
    assert "disk_full" not in shown(board)


def test_off_a_terminal_silence_and_a_device_that_goes_are_told_once() -> None:
    clock = Clock()
    board = Board(clock)
    assert len(board.lines(message("alpha", "status", status().to_map()))) == 1
    clock.s = 3.5
    assert board.lines(None) == ["alpha: no news for 3 s; the daemon is gone or stuck"]
    assert board.lines(None) == []
    assert len(board.lines(message("alpha", "status", status().to_map()))) == 1
    clock.s = 7.0
    assert board.lines(None) == ["alpha: no news for 3 s; the daemon is gone or stuck"]
    (line,) = board.lines(message("alpha", "status", status(state="removed").to_map()))
    assert line.startswith("alpha: removed")
    assert board.lines(None) == []


def test_an_alarm_about_a_device_stands_for_the_detail_of_its_state() -> None:
    board = Board(Clock())
    board.take(message("alpha", "status", status(state="lost", detail="gone").to_map()))
    assert "alpha: gone" in shown(board)
    board.take(alarms({"kind": "device_lost", "subject": "alpha", "text": "no port", "since_ns": 5}))
    assert "alpha: gone" not in shown(board)
    assert "device_lost alpha: no port" in shown(board)


def test_a_removed_device_is_not_shown_any_more() -> None:
    board = Board(Clock())
    board.take(message("alpha", "status", status().to_map()))
    assert "alpha" in shown(board)
    board.take(message("alpha", "status", status(state="removed").to_map()))
    assert "alpha" not in shown(board)


@pytest.mark.parametrize("width", [80, 100, 130, 200])
def test_voltage_clamp_is_shown_in_millivolts_where_a_device_is_in_it(width: int) -> None:
    clamped = status(mode="voltage", v_hold_mv=-40.0)
    lines = rendered(width, status(), clamped)
    assert len(lines) == 3
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "clamp" in lines[0].split()
    assert "current" in lines[1]
    assert "-40 mV" in lines[2]
    assert "0001.nwb" in lines[2]
    assert "clamp" not in rendered(width, status())[0].split()
    assert "voltage clamp at -40 mV" in status_line(clamped, Growth())
    assert "clamp" not in status_line(status(), Growth())


def test_the_end_of_a_name_is_what_is_kept() -> None:
    assert shorten_left("s_alpha_0001.nwb", 20) == "s_alpha_0001.nwb"
    assert shorten_left("s_alpha_0001.nwb", 9) == "…0001.nwb"


@pytest.mark.parametrize("synapses", [False, True])
def test_the_demo_makes_links_that_can_be_opened(synapses: bool) -> None:
    devices = demo.demo_devices(rate_hz=5000, synapses=synapses, sockets=Path("/tmp/x"))
    assert len(devices) == (3 if synapses else 2)
    for name, url in devices.items():
        parsed = parse_url(url)
        assert (parsed.scheme, parsed.target, parsed.option("rate", "")) == ("sim", name, "5000")
    seeds = [parse_url(url).option("seed", "") for url in devices.values()]
    assert len(set(seeds)) == len(seeds)
    if synapses:
        target = parse_url(devices["target"])
        assert target.option("syn1", "") == parse_url(devices["exc"]).option("axon", "-")
        assert target.option("syn2", "") == parse_url(devices["inh"]).option("axon", "-")
        assert float(target.option("param.syn1_gain", "")) > 0 > float(target.option("param.syn2_gain", ""))


def test_the_demo_ends_with_real_paths_to_open() -> None:
    files = {name: FileStatus("closed", file=f"/d/s/{name}/f.nwb", samples=5).to_map() for name in ("alpha", "beta")}
    lines = demo.closing_lines(RecordingStatus("s", "complete", "/d/s", devices=files))
    assert lines[0] == "session s is complete: /d/s"
    assert any("h5dump" in line and "/d/s/alpha/f.nwb" in line for line in lines)
    assert any(line.endswith("export /d/s") for line in lines)
    nothing = demo.closing_lines(RecordingStatus("s", "complete", "/d/s", devices={"a": FileStatus("closed").to_map()}))
    assert "no file was written" in nothing[-1]


def test_a_demo_ends_what_an_earlier_one_left_and_records_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Its daemon has taken the session up; it may be of devices that this demo does not have."""
    asked: list[tuple[str, Any]] = []
    session: dict[str, Any] = {"session": "old", "state": "recording", "folder": "/d/old"}

    def call(op: str, **args: Any) -> dict[str, Any]:
        asked.append((op, args.get("session")))
        if op == "record_stop":
            session["state"] = "complete"
        if op == "record_start":
            assert session["state"] == "complete", "the daemon would refuse"
            return {"folder": "/d/new"}
        return session

    demo._begin_recording(console(), SimpleNamespace(call=call))  # type: ignore[arg-type]
    assert [op for op, _ in asked] == ["record_status", "record_status", "record_stop", "record_start"]
    out = capsys.readouterr().out
    assert "ending session old, which a demo that was killed has left in /d/old" in out and "into /d/new" in out
    asked.clear()
    demo._begin_recording(console(), SimpleNamespace(call=call))  # type: ignore[arg-type]
    assert [op for op, _ in asked] == ["record_status", "record_start"]


def test_the_ready_line_of_a_virtual_device_becomes_its_url() -> None:
    assert sim.url_of("ready pty /dev/pts/5\n") == "pty:/dev/pts/5"
    assert sim.url_of("ready tcp 127.0.0.1:4321\n") == "tcp:127.0.0.1:4321"
    with pytest.raises(LinkOpenError, match="did not start"):
        sim.url_of("unknown option\n")


def test_assignments() -> None:
    assert assignment("i_clamp=15") == ("i_clamp", 15.0)
    assert assignment("i_clamp=-1.5e1") == ("i_clamp", -15.0)
    assert assignment("i_clamp=") == ("i_clamp", None)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "nonsense",
        "set alpha",
        "set alpha i_clamp",
        "set alpha i_clamp=x",
        "set alpha =1",
        "record",
        "record start",
        "record start x --mode a",
        "record start x --roll 0",
        "record start x --roll nan",
        "watch --seconds -1",
        "demo --rate 0",
        "demo --rate 3333",
        "demo --rate 1e4",
        "devices --nonsense",
        "device restart alpha",
        "export x --time unix",
    ],
)
def test_wrong_use_is_exit_status_2_and_says_why(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(command.split())
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "..", "a/b", "two words", "../../etc"])
def test_a_session_name_that_cannot_be_is_refused_before_anything_is_asked(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKEDAQ_URL", "nonsense")
    assert main(["record", "start", name]) == 1
    err = capsys.readouterr().err
    assert "session name" in err
    assert len(err.splitlines()) == 1


def test_json_has_null_for_numbers_that_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    """NaN and the infinities; a strict reader takes the rest."""
    print_json({"a": [math.inf, -math.inf, math.nan, 1.5]})
    assert capsys.readouterr().out == '{"a": [null, null, null, 1.5]}\n'


def test_what_others_say_moves_no_cursor_in_the_status() -> None:
    """Alarms, details and holders of leases come from boards, paths and names of clients."""
    bad = "x\x1b[2Jy"
    alarm = {"kind": "disk_full", "subject": bad, "text": bad, "age_s": 3.0}
    entry = {**status(detail=bad, state="lost").to_map(), "name": "alpha"}
    told = {
        "bench": "b", "version": "1", "pid": 1, "uptime_s": 5.0, "free_bytes": 1, "data": "/d", "devices": [entry],
        "alarms": [alarm], "leases": [{"device": None, "holder": bad, "left_s": 5.0}],
    }  # fmt: skip
    out = Console(file=io.StringIO(), width=200)
    print_status(told, out)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text
    assert "  disk_full x [2Jy, for 3.0 s: x [2Jy" in text
    assert "alpha: x [2Jy" in text
    assert "the whole bench: x [2Jy" in text


def test_the_status_names_each_disk_that_is_recorded_on() -> None:
    """The data folder's, and below it that of a session elsewhere, with how long it lasts."""
    elsewhere = {"run": {"free_bytes": 2 * 10**9, "bytes_per_s": 10**6, "time_left_s": 2000.0}}
    told = {
        "bench": "b", "version": "1", "pid": 1, "uptime_s": 5.0, "free_bytes": 10**12, "data": "/d", "devices": [],
        "disk": {"bytes_per_s": 0.0, "time_left_s": None, "elsewhere": elsewhere},
    }  # fmt: skip
    out = Console(file=io.StringIO(), width=200)
    print_status(told, out)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.split(maxsplit=1)[1].strip() for line in text.splitlines() if line.startswith("disk")]
    assert lines == [
        "1.0 TB free, not getting less; /d",
        "2.0 GB free, lasts 33 min 20 s at 1.0 MB/s; another one, of session run",
    ]
