"""The contract on a bad cable: what is damaged is had again, or recorded as a gap of exactly its size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from contract.boards import BOARDS
from contract.conftest import NAME, Contract
from harness import DaemonProcess

FAULTS = "flip=3e-5,seed=7"
BAD_FRAMES = 8


@pytest.fixture(params=list(BOARDS))
def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Contract]:
    """Give each board behind a cable that flips three bits in 100,000, streaming."""
    board = BOARDS[request.param](tmp_path)
    try:
        with DaemonProcess(tmp_path / "data", {NAME: f"fault:{FAULTS};{board.url}"}) as daemon:
            contract = Contract(board, daemon)
            contract.wait_running()
            yield contract
            assert daemon.stop() == 0
    finally:
        board.close()


def test_nothing_is_lost_that_the_board_can_send_again(damaged: Contract) -> None:
    """Blocks and gaps follow each other step by step; with frames to be had again there is no gap at all."""
    with damaged.listen() as ear:
        ear.until("damaged frames", lambda: damaged.entry()["bad_frames"] >= BAD_FRAMES and ear.blocks, 60)
        ear.seconds(1)  # for the last of them to be had again
    gaps = [event for event in ear.events if event["kind"] == "gap"]
    pieces = sorted([(b.step, len(b.samples)) for b in ear.blocks] + [(g["step"], g["count"]) for g in gaps])
    for (step, n), (following, _) in pairwise(pieces):
        assert following == step + n
    assert len({block.boot for block in ear.blocks}) == 1
    if damaged.info()["resend_depth"] > 0:
        assert gaps == []
        assert damaged.entry()["link"]["frames_resent"] > 0
    else:
        assert {gap["cause"] for gap in gaps} == {"lost"}
