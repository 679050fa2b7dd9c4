"""Triggers of a bench: conditions looked for, recorded, told and acted upon (docs/reference/triggers.md)."""

from spikedaq.daemon.triggers.engine import TriggerEngine
from spikedaq.daemon.triggers.saved import SavedTriggers
from spikedaq.daemon.triggers.saved import load as load_triggers
from spikedaq.daemon.triggers.trigger import Trigger

__all__ = ["SavedTriggers", "Trigger", "TriggerEngine", "load_triggers"]
