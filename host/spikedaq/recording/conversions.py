"""Which function does what a recording offers but this room cannot: other tools' objects, and files of every format.

A recording has `to_neo()` and its like, which stand in rooms above this one, as they use recordings. A table of names,
looked up when one is called, needs no import upward: this room depends on none of them, and each loads its optional
package only when it is wanted.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

CONVERSIONS = {
    "to_neo": "spikedaq.objects.neo_block:to_neo",
    "to_spikeinterface": "spikedaq.objects.spikeinterface_objects:to_spikeinterface",
    "to_dataframe": "spikedaq.recording.tables:to_dataframe",
    "to_xarray": "spikedaq.recording.tables:to_xarray",
    "spike_trains": "spikedaq.recording.detection:spike_trains",
    "save": "spikedaq.recording.saving.save:save",
    "dump": "spikedaq.recording.dumping:dump",
    "load": "spikedaq.recording.dumping:load",
    "to_dict": "spikedaq.recording.dumping:to_dict",
}
"""Name of a method to ``module:function``; the function takes the recording first, then the method's arguments."""


def conversion(name: str) -> Callable[..., Any]:
    """Return the function for a method.

    Raises
    ------
    MissingExtraError
        It needs a package that is not installed.
    """
    module, _, function = CONVERSIONS[name].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
