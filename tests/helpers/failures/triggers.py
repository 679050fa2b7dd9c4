"""What can happen to what an armed trigger needs."""

from __future__ import annotations

import time
from pathlib import Path

from harness import wait_for
from helpers.failures.benches import SIM, bench, reload
from helpers.failures.kinds import alarm, failure
from helpers.faulty_device import FaultyDevice

ON_SPIKES = """
[[trigger]]
name = "pair"
when = "event"
event = "spike"
devices = ["alpha"]
holdoff_s = 0.2
[[trigger.command]]
do = "set"
device = "beta"
values = { i_clamp = 1 }
"""


def fires(daemon: object) -> bool:
    (trigger,) = daemon.call("trigger_list")  # type: ignore[attr-defined]
    return bool(trigger["commands"]["done"] > 0)


@failure("device of an armed trigger is taken out", "trigger_unusable")
def device_taken_out(tmp_path: Path) -> None:
    with bench(tmp_path, {"alpha": SIM, "beta": "sim:beta"}, config=ON_SPIKES) as daemon:
        daemon.running()
        wait_for("a command to be done", lambda: fires(daemon))
        beta = daemon.devices.pop("beta")
        at = time.monotonic()
        reload(daemon)
        alarm("device of an armed trigger is taken out", daemon, at)
        daemon.devices["beta"] = beta
        reload(daemon)
        wait_for("the alarm to end", lambda: "trigger_unusable" not in daemon.alarms())


@failure("device that a trigger commands is unplugged", "trigger_command")
def commanded_device_unplugged(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with (
        FaultyDevice(path, "beta") as board,
        bench(tmp_path, {"alpha": SIM, "beta": f"pty:{path}"}, config=ON_SPIKES) as daemon,
    ):
        daemon.running()
        wait_for("a command to be done", lambda: fires(daemon))
        at = board.do("unplug 3", "unplug")
        alarm("device that a trigger commands is unplugged", daemon, at.time_s)
        wait_for("the alarm to end", lambda: "trigger_command" not in daemon.alarms(), 30)
