"""What is no sample and waits for the file that it belongs to, up to a bound, with a count of what was beyond it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from spikedaq.journal import Item
from spikedaq.model import Block, Event
from spikedaq.recorder import rows
from spikedaq.store import RecordingWriter

MAX_WAITING = 10_000
"""Events, notes and requests kept in memory until the file that they belong to is there; beyond it the oldest go. The
journal has them all the same."""


class Waiting:
    """Items of a journal in order, the oldest of which go where there are too many.

    Attributes
    ----------
    n_dropped : int
        Items that went, since a file was last told of it.
    """

    def __init__(self) -> None:
        self.n_dropped = 0
        self._items: deque[Item] = deque(maxlen=MAX_WAITING)
        self._dropped_ns = 0  # when the newest of those that went was received

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def append(self, item: Item) -> None:
        """Take an item; where there is no room for it the oldest goes."""
        if len(self._items) == self._items.maxlen:
            self.n_dropped += 1
            self._dropped_ns = self._items[0].t_received_ns
        self._items.append(item)

    def popleft(self) -> Item:
        """Take the oldest item out."""
        return self._items.popleft()

    def keep(self, items: Iterable[Item]) -> None:
        """Let go of all but these, which nobody wants any more."""
        kept = list(items)
        self._items.clear()
        self._items.extend(kept)

    def lasting(self) -> list[Item]:
        """Return those that wait however long it takes."""
        return [item for item in self._items if rows.is_kept(item)]

    def outliving(self, block: Block) -> list[Item]:
        """Return those that may still be wanted once a block was passed over."""
        return [item for item in self._items if _outlives(item, block)]

    def describe(self) -> str:
        """Say what is missing because of the bound."""
        return (
            f"more than {MAX_WAITING} events, notes and requests waited for this file; the oldest {self.n_dropped} are "
            "not in it, but in the journal as long as that is kept"
        )

    def tell(self, writer: RecordingWriter, offset: int) -> None:
        """Note in the file what is missing in it."""
        if self.n_dropped:
            t_host_ns = max(self._dropped_ns, writer.meta.reference_host_ns)
            writer.rows.append_note(t_host_ns, self.describe(), "recorder", offset)
            self.n_dropped = 0


def _outlives(item: Item, block: Block) -> bool:
    content = item.content
    if isinstance(content, Event):
        return content.boot_id != block.boot_id or content.step >= block.next_step
    return rows.is_kept(item)
