"""Runs the fault campaign, three stages at a time (they mostly wait), and prints what came of it.

Each stage is a process of its own; what it prints about figures ("200 x unplugged, seed 11: ...") goes into the table:
how often, with which seeds, and the worst. A stage that fails, that skips a test, or that is not done when the time is
over, fails the campaign. Sizes are set in the environment: a size that is already set there holds.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTEST = (sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider")
# What a stage says about itself: a count of something done, hours that were simulated, a fuzzer's sum, or pytest's last
# line.
FIGURE = re.compile(
    r"^(\d[\d,]* (?:x |blocks|samples|kills|bytes|runs|inputs|malformed|strangers).*|\d[\d.]* h, .*|fuzz-\w+: .*"
    r"|\d+ (?:passed|failed).*)$",
    re.IGNORECASE,
)
# A test that is skipped would be a stage that is passed without it; SPIKEDAQ_NO_SKIPS= in the environment allows it.
FOR_ALL = {"SPIKEDAQ_NO_SKIPS": "1"}
KILLS = ("test_kill_daemon_and_recorder.py",)
CROWD = "test_crowd.py"
DISKS = ("test_full_disk_episodes.py", "test_power_cut.py")


@dataclass(frozen=True)
class Stage:
    """One part of the campaign; ``alone`` where what it measures says nothing while others run."""

    name: str
    command: tuple[str, ...]
    sizes: dict[str, str] = field(default_factory=dict)
    make_target: str = ""
    alone: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    stage: Stage
    seconds: float
    status: str
    output: str

    @property
    def figures(self) -> list[str]:
        """Lines worth keeping."""
        lines = [line.strip(" .=") for line in self.output.splitlines()]
        return [line for line in lines if FIGURE.match(line)]


def stages() -> list[Stage]:
    """Return every stage: those that run alone, then the others, the longest first."""
    kills = [str(path) for path in sorted((ROOT / "tests" / "fault").glob("test_*.py"))]
    named = ("test_injected_failures.py", "test_link_faults.py", "test_lossless_link.py", CROWD, *KILLS, *DISKS)
    own = [path for path in kills if Path(path).name in named]
    rest = tuple(path for path in kills if path not in own)
    truth = str(ROOT / "tests" / "system" / "test_recording_truth.py")
    return [
        Stage("16 boards, 20 clients", (*PYTEST, f"tests/fault/{CROWD}"), {"SPIKEDAQ_CROWD": "full"}, alone=True),
        Stage("unplug, rename, reboot", (*PYTEST, "tests/fault/test_link_faults.py"), {"SPIKEDAQ_LINK_CYCLES": "200"}),
        Stage("kinds of failure", (*PYTEST, "tests/fault/test_injected_failures.py"), {"SPIKEDAQ_FAILURES": "all"}),
        Stage("kills, full disk, slow clients", (*PYTEST, *rest, truth), {"SPIKEDAQ_KILLS": "10"}),
        # A fifth of what is to be run by hand: 1000 and 200 kills, 50 full disks, 50 power cuts.
        Stage(
            "kill -9",
            (*PYTEST, "-o", "timeout=0", *(f"tests/fault/{name}" for name in KILLS)),
            {
                "SPIKEDAQ_RECORDER_KILLS": "200",
                "SPIKEDAQ_DAEMON_KILLS": "40",
                "SPIKEDAQ_BENCHES": "2",
                "SPIKEDAQ_SLACK": "3",
            },
        ),
        Stage(
            "full disks, power cuts",
            (*PYTEST, "-o", "timeout=0", *(f"tests/fault/{name}" for name in DISKS)),
            {"SPIKEDAQ_FULL_DISKS": "10", "SPIKEDAQ_POWER_CUTS": "10", "SPIKEDAQ_SLACK": "3"},
        ),
        # 10^6 blocks take a core for over ten minutes; run them by hand.
        Stage("lossless link", (*PYTEST, "tests/fault/test_lossless_link.py"), {"SPIKEDAQ_LINK_BLOCKS": "200000"}),
        Stage(
            "triggers and windows",
            (*PYTEST, "tests/system/test_trigger_truth.py", "tests/system/test_recorder_windows.py"),
            {"SPIKEDAQ_TRIGGERS": "1000"},
        ),
        Stage(
            "bad requests, strangers, flips",
            (
                *PYTEST,
                "-o",
                "timeout=0",
                "tests/fuzz/test_control_fuzz.py",
                "tests/system/test_control_security.py",
                "tests/system/test_verify_recover.py",
            ),
            {"FUZZ_REQUESTS": "50000", "SPIKEDAQ_FLIPS": "200"},
        ),
        Stage("clock truth", (*PYTEST, "tests/system/test_clock_truth.py"), {"SPIKEDAQ_CLOCK_HOURS": "8"}),
        Stage("v1 in real time", (*PYTEST, "tests/system/test_v1_real_time.py"), {"SPIKEDAQ_V1_SECONDS": "60"}),
        Stage("fuzz: C++", ("make", "fuzz-cpp"), {"FUZZ_SECONDS": "60"}, make_target="fuzz-cpp"),
        Stage("fuzz: Python", ("make", "fuzz-python"), {"FUZZ_BYTES": "3000000"}, make_target="fuzz-python"),
    ]


def run(stage: Stage, end_s: float) -> Outcome:
    """Run one stage, at most until ``end_s`` of time.monotonic."""
    if stage.make_target and not re.search(
        rf"^{stage.make_target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    ):
        return Outcome(stage, 0.0, "FAILED", f"there is no target {stage.make_target} in the Makefile")
    began_s = time.monotonic()
    print(f"start   {stage.name}", flush=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        # In a group of its own: when time is over everything that the stage has started ends with it.
        process = subprocess.Popen(
            stage.command, cwd=ROOT, env={**FOR_ALL, **stage.sizes, **os.environ}, stdout=said,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            status = "ok" if process.wait(max(1.0, end_s - time.monotonic())) == 0 else "FAILED"
        except subprocess.TimeoutExpired:
            status = "OUT OF TIME"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said.seek(0)
        output = said.read()
    seconds = time.monotonic() - began_s
    print(f"{status:7} {stage.name}, {seconds:.0f} s", flush=True)
    return Outcome(stage, seconds, status, output)


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Lines of the summary."""
    yield f"{'stage':32} {'time':>6}  {'outcome':12} sizes and figures"
    for outcome in outcomes:
        sizes = ", ".join(f"{name}={os.environ.get(name, size)}" for name, size in outcome.stage.sizes.items())
        first, *more = [sizes, *outcome.figures] if sizes else outcome.figures or [""]
        yield f"{outcome.stage.name:32} {outcome.seconds:5.0f}s  {outcome.status:12} {first}"
        yield from (" " * 54 + line for line in more)


def main() -> int:
    """Run the campaign; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="what is not done by then has failed (default 30)")
    parser.add_argument("--jobs", type=int, default=3, help="stages at a time (default 3)")
    parser.add_argument("--only", default="", help="stages whose names hold this")
    arguments = parser.parse_args()
    began_s = time.monotonic()
    end_s = began_s + 60 * arguments.minutes
    chosen = [stage for stage in stages() if arguments.only in stage.name]
    outcomes = [run(stage, end_s) for stage in chosen if stage.alone]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes += pool.map(lambda stage: run(stage, end_s), [stage for stage in chosen if not stage.alone])
    failed = [outcome for outcome in outcomes if outcome.status != "ok"]
    for outcome in failed:
        print(f"\n---- {outcome.stage.name}: {outcome.status}; the end of what it said:\n{outcome.output[-6000:]}")
    print()
    for line in table(outcomes):
        print(line)
    print(f"\n{len(outcomes) - len(failed)} of {len(outcomes)} stages ok in {time.monotonic() - began_s:.0f} s")
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
