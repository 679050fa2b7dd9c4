"""What is known of each block's boot, from before it in the journal or, where that lacks something, from behind it."""

from __future__ import annotations

from pathlib import Path

from spikedaq.journal import Item, JournalSource
from spikedaq.model import Block, ClockMap, DeviceInfo
from spikedaq.recorder.lookahead import Facts, Lookahead, facts_of, filled, guessed_clock, is_complete


class FactFinder:
    """Finds the facts of blocks as they come; those of the newest are kept."""

    def __init__(self, journal: Path, session: str) -> None:
        self._journal = journal
        self._session = session
        self._facts: Facts | None = None
        self._revision = -1
        self._lookahead: Lookahead | None = None

    def of(self, block: Block, item: Item, source: JournalSource, *, last: bool) -> tuple[DeviceInfo, ClockMap] | None:
        """Return what is known of a block's device and of its clock, None where it has to wait for that."""
        facts = self._find(block, item, source, last=last)
        if facts is None:
            return None
        clock = facts.clock or guessed_clock(block.boot_id, block.first_tick, item.t_received_ns)
        self._facts = facts if facts.clock is clock else Facts(facts.info, clock)
        return filled(facts.info, block.samples.shape[1], block.mode), clock

    def clock(self, boot_id: int, source: JournalSource | None) -> ClockMap | None:
        """Newest clock map of a boot before this place in the journal, else the one that its first block found."""
        found = [source.state.clock_map] if source is not None else []
        found += [self._facts.clock] if self._facts is not None else []
        return next((c for c in found if c is not None and c.boot_id == boot_id), None)

    def _find(self, block: Block, item: Item, source: JournalSource, *, last: bool) -> Facts | None:
        state = source.state
        facts = self._facts
        if facts is not None and facts.info.boot_id == block.boot_id and state.revision == self._revision:
            clock = state.clock_map
            if clock is None or clock.boot_id != block.boot_id or clock is facts.clock:
                return facts
            return Facts(facts.info, clock)
        before = facts_of(state, block.boot_id)
        if before is not None and is_complete(before):
            self._revision, self._lookahead = state.revision, None
            return before
        if self._lookahead is None or self._lookahead.boot_id != block.boot_id:
            self._lookahead = Lookahead(self._journal, item.end_offset, state, block.boot_id, self._session)
        found = self._lookahead.search(last=last)
        if found is None:
            return None
        self._revision, self._lookahead = state.revision, None
        # The map before a block holds for it even where the descriptions come from behind it.
        clock = before.clock if before is not None and before.clock is not None else found.clock
        return Facts(found.info, clock)
