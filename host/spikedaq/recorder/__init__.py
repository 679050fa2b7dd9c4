"""The recorder process: makes recording files out of journals, and can be killed at any moment."""

from spikedaq.recorder.at_work import NO_FD, AtWork, shared_memory
from spikedaq.recorder.locks import DAEMON_LOCK, UNFINISHED, held, holder
from spikedaq.recorder.manifest import Manifest, ManifestFile, mark_deleted, read_entries, read_manifest, read_newest
from spikedaq.recorder.mode import MAX_PRE_S, Continuous, Mode, Scheduled, Triggered, mode_from
from spikedaq.recorder.pins import is_pinned, pin, unpin
from spikedaq.recorder.plan import DevicePlan, SessionPlan, clock_roll, read_plan
from spikedaq.recorder.process import (
    EXIT_BAD_PLAN,
    EXIT_BUSY,
    EXIT_DISK,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    run,
)
from spikedaq.recorder.recover import Deed, recover
from spikedaq.recorder.reporter import DISK_FULL, LEFT_OUT, WRITE_FAILED
from spikedaq.recorder.verify import PROBLEMS, Finding, Verdict, verify

__all__ = [
    "DAEMON_LOCK",
    "DISK_FULL",
    "EXIT_BAD_PLAN",
    "EXIT_BUSY",
    "EXIT_DISK",
    "EXIT_DONE",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "LEFT_OUT",
    "MAX_PRE_S",
    "NO_FD",
    "PROBLEMS",
    "UNFINISHED",
    "WRITE_FAILED",
    "AtWork",
    "Continuous",
    "Deed",
    "DevicePlan",
    "Finding",
    "Manifest",
    "ManifestFile",
    "Mode",
    "Scheduled",
    "SessionPlan",
    "Triggered",
    "Verdict",
    "clock_roll",
    "held",
    "holder",
    "is_pinned",
    "mark_deleted",
    "mode_from",
    "pin",
    "read_entries",
    "read_manifest",
    "read_newest",
    "read_plan",
    "recover",
    "run",
    "shared_memory",
    "unpin",
    "verify",
]
