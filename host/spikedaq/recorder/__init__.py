"""The recorder process: makes recording files out of journals, and can be killed at any moment."""

from spikedaq.recorder.manifest import Manifest, ManifestFile, read_manifest
from spikedaq.recorder.plan import DevicePlan, SessionPlan, read_plan
from spikedaq.recorder.process import (
    DISK_FULL,
    EXIT_BAD_PLAN,
    EXIT_BUSY,
    EXIT_DISK,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    run,
)

__all__ = [
    "DISK_FULL",
    "EXIT_BAD_PLAN",
    "EXIT_BUSY",
    "EXIT_DISK",
    "EXIT_DONE",
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "DevicePlan",
    "Manifest",
    "ManifestFile",
    "SessionPlan",
    "read_manifest",
    "read_plan",
    "run",
]
