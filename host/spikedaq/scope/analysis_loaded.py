"""Samples of one window that the analysis page looks at, and figures of them that do not depend on the threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spikedaq.formats.samples import Samples

MAX_KEPT = 16
"""Trace, phase plane, and the sweep of either direction, of each of the three neurons, and some to spare. A phase plane
takes some 5 MB, and a page may ask for it with any bound."""


@dataclass
class Loaded:
    """Samples of one window.

    Attributes
    ----------
    samples : Samples
    shape : map or None
        The neuron's ``a`` and ``b``, where they are known.
    kept : map
        What `once` has made, that used longest ago first.
    """

    samples: Samples
    shape: dict[str, Any] | None
    kept: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """Return what was made for a key, or make it; of more than `MAX_KEPT` the one used longest ago is dropped."""
        value = self.kept.pop(key) if key in self.kept else make()
        self.kept[key] = value
        while len(self.kept) > MAX_KEPT:
            del self.kept[next(iter(self.kept))]
        return value
