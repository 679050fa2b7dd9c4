"""`spikedaq demo` with its page, as a newcomer meets it."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from helpers.chromium import RECONNECTING, Complaints
from helpers.demo_page import demo
from helpers.page_frames import PageFrames, wait_until_it_moves
from spikedaq.inlet import ControlClient

NEWCOMER_S = 60.0


def test_a_newcomer_sees_spikes_within_a_minute(page: Page, tmp_path: Path, complaints: Complaints) -> None:
    """From the command to a trace that moves; Ctrl-C then ends everything, the page says that it is cut off."""
    complaints.expect(RECONNECTING)
    began_s = time.monotonic()
    with demo(tmp_path / "data") as (process, address, _):
        frames = PageFrames(page)
        page.goto(address)
        wait_until_it_moves(page)
        frames.wait_for_live(page, "alpha")
        assert time.monotonic() - began_s < NEWCOMER_S
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        rest = process.stdout.read()
        assert process.wait(60) == 0
        assert re.search(r"session \S+ is complete", rest), rest
        expect(page.get_by_text("not connected, trying again")).to_be_visible()


def test_a_recording_that_the_page_began_is_ended_with_the_demo(tmp_path: Path) -> None:
    """What is recorded is whatever was begun last, by whomever; the demo closes it and says where it is."""
    with demo(tmp_path / "data") as (process, _, url):
        with ControlClient(url) as client:
            client.call("record_stop", session=None, timeout_s=60)
            client.call("record_start", session="by-the-page", timeout_s=60)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert "session by-the-page is complete" in rest
    assert list((tmp_path / "data").glob("recordings/by-the-page/*/*.nwb"))
