"""The oscilloscope as somebody at a browser uses it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from helpers.chromium import fits_every_screen
from helpers.page_frames import PageFrames, wait_in, wait_until_it_moves
from helpers.page_server import PageProcess

TIME_BASES_MS = [5, 50, 1000, 10_000, 600_000]
PAINTED_ABOVE_ZERO = """canvas => {
  const context = canvas.getContext("2d");
  const marks = 14 * devicePixelRatio;
  const rows = Math.floor(canvas.height / 3) - marks;
  const { data } = context.getImageData(0, marks, canvas.width, rows);
  let columns = 0;
  for (let x = 0; x < canvas.width; x++)
    for (let y = 0; y < rows; y++)
      if (data[4 * (y * canvas.width + x) + 3] > 128) { columns++; break; }
  return columns;
}"""


@pytest.fixture
def scope(page: Page, shared_server: PageProcess) -> Page:
    """The page, with live traces of a neuron that fires 40 times a second."""
    page.goto(shared_server.address)
    expect(page.get_by_test_id("latency")).to_be_visible()
    return page


def vm(scope: Page) -> Locator:
    return scope.locator("[data-testid=pane-vm] canvas.moving")


def test_the_default_view(scope: Page) -> None:
    """Vm, stimulus and total current, with words and units; the other five can be chosen, and stay chosen."""
    panes = scope.locator("section.pane")
    expect(panes).to_have_count(3)
    for text in ("Vm (mV)", "Stimulus (%)", "Total current (a.u.)"):
        expect(scope.get_by_text(text, exact=True)).to_be_visible()
    scope.get_by_test_id("channels").locator("summary").click()
    scope.get_by_test_id("channel-syn1_i").check()
    expect(scope.get_by_test_id("pane-syn1_i")).to_be_visible()
    scope.get_by_test_id("channel-stimulus").uncheck()
    expect(panes).to_have_count(3)
    scope.reload()
    expect(scope.get_by_test_id("pane-syn1_i")).to_be_visible()
    expect(scope.get_by_test_id("pane-stimulus")).to_have_count(0)


@pytest.mark.parametrize("ms", TIME_BASES_MS)
def test_no_time_base_hides_the_spikes(scope: Page, ms: int) -> None:
    """Whatever the zoom: something is painted in the upper third, above 0 mV, where only spikes are."""
    scope.get_by_test_id("time-base").select_option(str(ms))
    scope.wait_for_function(f"canvas => ({PAINTED_ABOVE_ZERO})(canvas) > 0", arg=vm(scope).element_handle())


def test_a_scale_changes_when_it_is_changed_and_stays_when_it_is_kept(scope: Page) -> None:
    limits = scope.get_by_test_id("pane-vm").locator("details.limits")
    summary = limits.locator("summary")
    expect(summary).to_have_text("-100 … 50")
    summary.click()
    limits.get_by_label("Top, mV").fill("40")
    limits.get_by_label("Top, mV").press("Enter")
    expect(summary).to_have_text("-100 … 40")
    limits.get_by_label("Bottom, mV").fill("60")
    limits.get_by_label("Bottom, mV").press("Enter")
    expect(summary).to_have_text("-100 … 40")
    scope.reload()
    expect(summary).to_have_text("-100 … 50")
    scope.get_by_test_id("fit-vm").click()
    expect(summary).not_to_have_text("-100 … 50")
    fitted = summary.inner_text()
    summary.click()
    limits.get_by_role("button", name="Keep").click()
    scope.reload()
    expect(summary).to_have_text(fitted)
    summary.click()
    limits.get_by_role("button", name="Reset").click()
    expect(summary).to_have_text("-100 … 50")


def test_what_is_half_typed_stays_while_the_page_is_drawn_anew(scope: Page) -> None:
    """Limits and trigger level: somebody types slowly, and what stands around the field changes meanwhile."""
    limits = scope.get_by_test_id("pane-vm").locator("details.limits")
    limits.locator("summary").click()
    top = limits.get_by_label("Top, mV")
    top.fill("4")
    scope.get_by_test_id("cursors").dispatch_event("click")  # a real one would end the typing
    expect(scope.get_by_test_id("cursor-A")).to_be_visible()
    expect(top).to_have_value("4")
    scope.get_by_test_id("fit-vm").dispatch_event("click")
    expect(top).not_to_have_value("4")


def test_hold_and_scroll_back_by_keys(scope: Page) -> None:
    """Space holds, page up goes back by a screen, End is live again."""
    scope.get_by_test_id("time-base").select_option("1000")
    panes = scope.get_by_test_id("panes")
    panes.press("Space")
    expect(scope.get_by_test_id("pause")).to_have_attribute("aria-pressed", "true")
    for _ in range(2):
        panes.press("PageUp")
    expect(scope.get_by_test_id("ago")).to_contain_text(re.compile(r"\d s ago, \d\d:\d\d:\d\d"))
    scope.wait_for_function(f"canvas => ({PAINTED_ABOVE_ZERO})(canvas) > 0", arg=vm(scope).element_handle())
    panes.press("End")
    expect(scope.get_by_test_id("latency")).to_contain_text("live")


def test_sweeps_begin_at_the_trigger(scope: Page) -> None:
    """A level that Vm crosses gives sweeps, one that it never reaches none; a single one is held until armed again."""
    scope.get_by_test_id("time-base").select_option("50")
    scope.get_by_test_id("display-sweep").click()
    scope.get_by_test_id("run-normal").click()
    state = scope.get_by_test_id("sweep-state")
    expect(state).to_contain_text(re.compile(r"[1-9]\d* sweeps?"))
    scope.get_by_test_id("trigger-level").fill("90")
    scope.get_by_test_id("trigger-level").press("Enter")
    scope.get_by_test_id("run-auto").click()
    expect(state).to_have_text("no trigger: rolling")
    scope.get_by_test_id("trigger-source").select_option("spike")
    scope.get_by_test_id("run-single").click()
    expect(state).to_have_text("held")
    scope.get_by_test_id("arm").click()
    expect(state).to_have_text("held")


def test_cursors_measure(scope: Page) -> None:
    scope.get_by_test_id("cursors").click()
    cursor = scope.get_by_test_id("cursor-A")
    expect(cursor).to_be_visible()
    before = scope.get_by_test_id("readouts").inner_text()
    assert re.search(r"Δt [\d.]+ m?s · 1/Δt [\d.]+ Hz", before), before
    cursor.press("Shift+ArrowRight")
    expect(scope.get_by_test_id("readouts")).not_to_have_text(before)
    expect(scope.get_by_test_id("values-i_total")).to_contain_text(re.compile(r"A 15\.00 · B 15\.00 · Δ 0\.00"))


def test_the_rate_is_that_of_the_neuron(scope: Page) -> None:
    """Preset 0 at 15 a.u. fires some 40 times a second."""
    expect(scope.get_by_test_id("rate")).to_have_text(re.compile(r"(3[89]|4[01])(\.\d+)? spikes/s"))


def test_it_fits_every_screen(scope: Page) -> None:
    """Readable from 1024 pixels up: traces, what is set, and the panel beside them."""
    scope.get_by_test_id("time-base").select_option("1000")

    def fits() -> None:
        for thing in (vm(scope), scope.get_by_test_id("time-base"), scope.get_by_label("Preset")):
            expect(thing).to_be_in_viewport(ratio=1)
        scope.wait_for_function(f"canvas => ({PAINTED_ABOVE_ZERO})(canvas) > 0", arg=vm(scope).element_handle())

    fits_every_screen(scope, "scope", fits)


def test_two_devices_in_the_same_panes(scope: Page) -> None:
    scope.get_by_test_id("compare").locator("summary").click()
    scope.get_by_test_id("compare-beta").check()
    expect(scope.get_by_test_id("pane-vm").get_by_text("beta")).to_be_visible()
    scope.get_by_test_id("compare-beta").uncheck()
    expect(scope.get_by_test_id("pane-vm").get_by_text("beta")).to_have_count(0)


def test_another_theme_or_size_changes_neither_zoom_nor_what_is_known(page: Page, shared_server: PageProcess) -> None:
    """All is drawn anew, sharp, from the bins that are there: nothing is watched or fetched again."""
    frames, said = PageFrames(page), list[dict[str, Any]]()

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda text: said.append(json.loads(text)))

    page.on("websocket", listen)
    page.goto(shared_server.address)
    page.get_by_test_id("time-base").select_option("5000")
    answered = lambda: sum(text["say"] == "past" for text in frames.texts)  # noqa: E731
    wait_in(page, "the whole window", lambda: 0 < sum(what["do"] == "past" for what in said) == answered())
    wait_until_it_moves(page)
    del said[:]
    for _ in range(2):
        page.get_by_role("button", name=re.compile("^(Auto|Light|Dark)$")).click()
        wait_until_it_moves(page)
    page.set_viewport_size({"width": 1280, "height": 620})
    fits = "canvas => canvas.height === Math.round(canvas.clientHeight * devicePixelRatio)"
    page.wait_for_function(fits, arg=vm(page).element_handle())
    wait_until_it_moves(page)
    assert [what for what in said if what["do"] in ("watch", "past")] == []
