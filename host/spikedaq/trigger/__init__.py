"""Conditions over blocks and events, exact to the step. Pure: no I/O, no clock."""

from spikedaq.trigger.conditions import Condition, Edge, Firing, Level, OnEvent, SpikeCount, StimulusStart
from spikedaq.trigger.watch import MIN_HOLDOFF_US, Watch

__all__ = [
    "MIN_HOLDOFF_US",
    "Condition",
    "Edge",
    "Firing",
    "Level",
    "OnEvent",
    "SpikeCount",
    "StimulusStart",
    "Watch",
]
