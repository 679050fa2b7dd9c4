"""The neuron and the stimulus panel in a real browser, on real daemons with virtual boards."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, FilePayload, Locator, Page, expect

from harness import START_S, DaemonProcess, wait_for
from helpers.chromium import Complaints
from helpers.page_frames import PageFrames, wait_in
from helpers.page_server import BenchMaker, PageProcess, ServerMaker
from helpers.stock_process import stock_process
from spikedaq.inlet import ControlClient
from spikedaq.scope.frames import decode_bins

REFUSED = r"status of 4\d\d"
"""What Chromium says of an answer that refuses; the page says it in words."""
STIMULUS = 1
"""Index of the channel, in whole per cent (protocol/README.md, section 4.2)."""


@pytest.fixture
def bench(shared_bench: DaemonProcess) -> Iterator[DaemonProcess]:
    """The shared bench; what a test did to alpha is undone."""
    yield shared_bench
    with ControlClient(shared_bench.url, name="test", timeout_s=START_S) as client:
        client.call("stimulus", device="alpha", stop=True)
        client.call("reset", device="alpha", scope="parameters")
        client.call("set", device="alpha", values={"preset": 0, "i_clamp": 15})


@pytest.fixture
def neuron(page: Page, bench: DaemonProcess, shared_server: PageProcess) -> Page:
    """A page that shows alpha's neuron."""
    page.goto(shared_server.address)
    expect(row(page, "i_clamp")).to_have_attribute("data-value", "15")
    return page


@pytest.fixture
def stimulus(neuron: Page) -> Page:
    """A page that shows alpha's stimulus panel, with a preview."""
    neuron.get_by_role("tab", name="Stimulus").click()
    expect(neuron.get_by_test_id("stimulus-facts")).to_be_visible()
    return neuron


def row(page: Page, name: str) -> Locator:
    return page.get_by_test_id(f"parameter-{name}")


def field(page: Page, name: str) -> Locator:
    return row(page, name).get_by_role("spinbutton")


def parameter(bench: DaemonProcess, name: str) -> dict[str, Any]:
    described = bench.call("describe", device="alpha")["parameters"]
    return next(one for one in described if one["name"] == name)


def csv(text: str, name: str = "mine.csv") -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


def spike_steps(frames: PageFrames) -> list[int]:
    return sorted(
        event["step"]
        for text in frames.texts
        if text["say"] == "events" and text["device"] == "alpha"
        for event in text["events"]
        if event["kind"] == "spike"
    )


def shortest_interval(frames: PageFrames, page: Page) -> int:
    """Steps between the nearest two of the next thirty spikes that the page is told of."""
    frames.texts.clear()
    wait_in(page, "thirty spikes", lambda: len(spike_steps(frames)) >= 30)
    steps = spike_steps(frames)
    return min(after - before for before, after in pairwise(steps))


def test_a_preset_is_seen_in_the_stream(page: Page, bench: DaemonProcess, shared_server: PageProcess) -> None:
    """Tonic spikes have some 25 ms between them; in a burst, 3 to 5."""
    frames = PageFrames(page)
    page.goto(shared_server.address)
    expect(row(page, "i_clamp")).to_have_attribute("data-value", "15")
    assert shortest_interval(frames, page) > 150
    page.get_by_label("Preset").select_option(label="2: Tonic bursting")
    expect(row(page, "c")).to_have_attribute("data-value", "-50")
    assert parameter(bench, "preset")["value"] == 2
    assert shortest_interval(frames, page) < 100


def test_a_custom_neuron_and_its_way_back(neuron: Page, bench: DaemonProcess) -> None:
    """Changing one of a to d makes the neuron custom, which the page says; a preset can be chosen again."""
    field(neuron, "d").fill("2,5")
    field(neuron, "d").press("Enter")
    expect(row(neuron, "d")).to_have_attribute("data-value", "2.5")
    expect(neuron.get_by_label("Preset")).to_have_value("custom")
    assert parameter(bench, "preset")["value"] == 255
    neuron.get_by_label("Preset").select_option("0")
    expect(row(neuron, "d")).to_have_attribute("data-value", "6")


def test_two_pages_see_one_another(neuron: Page, context: BrowserContext, shared_server: PageProcess) -> None:
    """The value and who it was, without anything being done on the other page."""
    other = context.new_page()
    other.goto(shared_server.address)
    expect(row(other, "noise_sd")).to_have_attribute("data-value", "0")
    field(neuron, "noise_sd").fill("2.5")
    began_s = time.monotonic()
    field(neuron, "noise_sd").press("Enter")
    expect(row(other, "noise_sd")).to_have_attribute("data-value", "2.5")
    expect(row(other, "noise_sd")).to_have_attribute("data-holder", "host")
    expect(row(other, "noise_sd").get_by_text(re.compile(r"^by page#"))).to_be_visible()
    assert time.monotonic() - began_s < 5
    expect(row(neuron, "noise_sd").get_by_text(re.compile("^by "))).to_have_count(0)
    other.get_by_test_id("release-noise_sd").click()
    expect(row(neuron, "noise_sd")).to_have_attribute("data-value", "0")
    expect(row(neuron, "noise_sd")).to_have_attribute("data-holder", "knob")


def test_keys_move_a_value_and_the_last_one_arrives(neuron: Page, bench: DaemonProcess) -> None:
    """Arrows by a step, page keys by ten; thirty presses at once are a few requests."""
    neuron.evaluate(
        """() => {
          window.spikedaqSets = 0;
          const send = WebSocket.prototype.send;
          WebSocket.prototype.send = function (text) {
            if (String(text).includes('"op":"set"')) window.spikedaqSets++;
            return send.call(this, text);
          };
        }"""
    )
    number = field(neuron, "i_clamp")
    number.press("PageUp")
    expect(row(neuron, "i_clamp")).to_have_attribute("data-value", "20")
    number.evaluate(
        """async (box) => {
          for (let k = 0; k < 30; k++) {
            box.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true, cancelable: true }));
            await Promise.resolve();
          }
        }"""
    )
    number.press("ArrowUp")
    expect(row(neuron, "i_clamp")).to_have_attribute("data-value", "5.5")  # 15 + 5 - 15 + 0.5
    assert parameter(bench, "i_clamp")["value"] == 5.5
    assert neuron.evaluate("window.spikedaqSets") <= 6
    slider = row(neuron, "i_clamp").get_by_role("slider")
    slider.focus()
    slider.press("End")
    wait_for("the end of the slider", lambda: parameter(bench, "i_clamp")["value"] == 100)
    slider.press("Home")
    wait_for("its beginning", lambda: parameter(bench, "i_clamp")["value"] == -100)


@pytest.mark.parametrize("text", ["5000", "", "nothing", "1.2.3"])
def test_a_value_that_cannot_be_goes_back(neuron: Page, bench: DaemonProcess, text: str) -> None:
    """With the reason beside it, and nothing sent."""
    number = field(neuron, "i_clamp")
    number.fill(text)
    number.press("Enter")
    expect(row(neuron, "i_clamp").get_by_role("alert")).to_contain_text("from -1000 to 1000")
    expect(number).to_have_value("15")
    assert parameter(bench, "i_clamp")["value"] == 15


def test_what_the_daemon_refuses_is_said_beside_the_field(neuron: Page, bench: DaemonProcess) -> None:
    """A device that is stopped being reached: its words, and the value goes back."""
    neuron.evaluate(
        """() => {
          const send = WebSocket.prototype.send;
          WebSocket.prototype.send = function (text) {
            return send.call(this, String(text).replace('{"i_clamp":7}', '{"i_clamp":7000}'));
          };
        }"""
    )
    field(neuron, "i_clamp").fill("7")
    field(neuron, "i_clamp").press("Enter")
    expect(row(neuron, "i_clamp").get_by_role("alert")).to_have_text(
        "i_clamp of alpha cannot be 7000; give a value from -1000 to 1000 a.u."
    )
    expect(field(neuron, "i_clamp")).to_have_value("15")
    assert parameter(bench, "i_clamp")["value"] == 15


def test_a_switch_and_the_clamp(neuron: Page, bench: DaemonProcess) -> None:
    """What is on or off is a switch; the clamp is one of two."""
    neuron.get_by_test_id("group-virtual").locator("summary").click()
    switch = neuron.get_by_role("switch", name="Stimulus output into the current jack")
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")
    wait_for("the loopback", lambda: parameter(bench, "virtual_loopback")["value"] == 1)
    neuron.get_by_label("Voltage clamp").check()
    wait_for("voltage clamp", lambda: bench.call("status")["devices"][0]["mode"] == "voltage")
    field(neuron, "v_hold").fill("-40")
    field(neuron, "v_hold").press("Enter")
    wait_for("the holding potential", lambda: bench.call("status")["devices"][0]["v_hold_mv"] == -40)
    neuron.get_by_label("Current clamp").check()
    wait_for("current clamp", lambda: bench.call("status")["devices"][0]["mode"] == "current")


def test_resets_ask_first(neuron: Page, bench: DaemonProcess) -> None:
    """Handing back every parameter needs a second word; cancelled, nothing changes."""
    neuron.get_by_test_id("reset-parameters").click()
    neuron.get_by_role("button", name="Cancel").click()
    assert parameter(bench, "i_clamp")["value"] == 15
    neuron.get_by_test_id("reset-parameters").click()
    neuron.get_by_test_id("reset-yes").click()
    expect(row(neuron, "i_clamp")).to_have_attribute("data-value", "0")
    expect(row(neuron, "i_clamp")).to_have_attribute("data-holder", "knob")


def test_a_neuron_is_kept_and_taken_from_a_file(
    neuron: Page, bench: DaemonProcess, tmp_path: Path, complaints: Complaints
) -> None:
    """The stock program's CSV both ways; one that is wrong is refused by line and column."""
    complaints.expect(REFUSED)
    with neuron.expect_download() as saving:
        neuron.get_by_role("button", name="Save neuron").click()
    saved = tmp_path / "saved.csv"
    saving.value.save_as(saved)
    assert saving.value.suggested_filename == "alpha_neuron.csv"
    header, values, _ = saved.read_text().split("\n")
    assert values == "0.02,0.2,-65,6,0,0.001,0.025,0,0.995,0,0.99"
    neuron.get_by_test_id("neuron-file").set_input_files(csv(f"{header}\n0.02,0.2,-65,6,0,0.001,0.025,0,995,0,0.99\n"))
    expect(neuron.get_by_test_id("neuron-error")).to_contain_text("mine.csv, line 2: Syn1 Decay (1/ms) is 995")
    neuron.get_by_test_id("neuron-file").set_input_files(
        csv(f"{header}\n0.02,0.2,-50,2,50,0.001,0.025,40,0.995,0,0.9\n")
    )
    neuron.get_by_test_id("neuron-apply").click()
    expect(row(neuron, "c")).to_have_attribute("data-value", "-50")
    wait_for("the neuron", lambda: parameter(bench, "syn1_gain")["value"] == 10)
    assert parameter(bench, "photo_gain")["value"] == 5


def test_who_has_no_lease_sees_why_and_can_ask(neuron: Page, bench: DaemonProcess) -> None:
    """Everything that changes is disabled, with the reason; it works again when the lease is given back."""
    with ControlClient(bench.url, name="teacher") as teacher:
        teacher.call("lease_take", device="alpha")
        expect(neuron.get_by_test_id("lock")).to_contain_text("teacher@127.0.0.1 has the lease")
        expect(field(neuron, "i_clamp")).to_be_disabled()
        expect(neuron.get_by_label("Preset")).to_be_disabled()
        expect(neuron.get_by_test_id("lock").get_by_role("button", name="Ask for it")).to_be_enabled()
        teacher.call("set", device="alpha", values={"i_clamp": 3})
        expect(row(neuron, "i_clamp")).to_have_attribute("data-value", "3")
        expect(row(neuron, "i_clamp").get_by_text("by teacher")).to_be_visible()
        teacher.call("lease_release", device="alpha")
    expect(field(neuron, "i_clamp")).to_be_enabled()


def test_a_viewer_may_look_only(page: Page, bench: DaemonProcess, guarded_server: PageProcess) -> None:
    """Nothing that changes a device can be pressed, and each says why; saving a file can."""
    page.goto(f"{guarded_server.address}?token={guarded_server.viewer_token}")
    expect(row(page, "i_clamp")).to_have_attribute("data-value", "15")
    panel = page.get_by_role("region", name="Neuron")
    boxes = panel.locator(
        "input:not([type=file]), select, [role=switch], [data-testid^=reset-], [data-testid^=release-]"
    )
    assert boxes.count() > 20
    expect(boxes.and_(panel.locator(":enabled"))).to_have_count(0)
    expect(panel.locator("fieldset").first).to_have_attribute("title", re.compile("you may watch, not change"))
    expect(page.get_by_role("button", name="Load neuron…")).to_be_disabled()
    page.get_by_role("tab", name="Stimulus").click()
    expect(page.get_by_test_id("stimulus-facts")).to_be_visible()
    for name in ("play-once", "play-loop", "play-stop"):
        expect(page.get_by_test_id(name)).to_be_disabled()
        expect(page.get_by_test_id(name)).to_have_attribute("title", re.compile("you may watch, not change"))


def test_a_stimulus_is_played_once_and_seen_in_the_trace(
    page: Page, context: BrowserContext, bench: DaemonProcess, shared_server: PageProcess
) -> None:
    """What the form says comes out in the stimulus channel; a page that is opened later is told of it."""
    highest: list[int] = []

    def take(payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            header, bins = decode_bins(payload)
            if header["device"] == "alpha" and bins.high.shape[1]:
                highest.append(int(bins.high[STIMULUS].max()))

    page.on("websocket", lambda socket: socket.on("framereceived", take))
    page.goto(shared_server.address)
    page.get_by_role("tab", name="Stimulus").click()
    expect(page.get_by_test_id("playing")).to_have_attribute("data-state", "square")
    page.get_by_test_id("stimulus-generator").select_option("pulses")
    page.get_by_test_id("stimulus-amplitude").fill("37")
    page.get_by_test_id("stimulus-count").fill("30")
    expect(page.get_by_test_id("stimulus-facts")).to_contain_text("0 to 37 %")
    expect(page.get_by_test_id("stimulus-facts")).to_contain_text("30\u202f000 rows, 3 s of model time")
    wait_in(page, "some frames", lambda: len(highest) > 5)
    assert max(highest) == 0
    page.get_by_test_id("play-once").click()
    expect(page.get_by_test_id("playing")).to_have_attribute("data-state", "playing")
    expect(page.get_by_test_id("playing")).to_contain_text("Pulses, once by you")
    wait_in(page, "a pulse in the trace", lambda: max(highest) == 37)
    expect(page.get_by_test_id("playing")).to_have_attribute("data-state", "ended")
    later = context.new_page()
    later.goto(shared_server.address)
    later.get_by_role("tab", name="Stimulus").click()
    expect(later.get_by_test_id("playing")).to_contain_text("Pulses was played once; silence since by page#")
    later.get_by_test_id("play-stop").click()
    expect(page.get_by_test_id("playing")).to_have_attribute("data-state", "square")
    assert max(highest) == 37


def test_a_stimulus_from_a_file_loops_until_it_is_stopped(stimulus: Page, bench: DaemonProcess) -> None:
    """Sample-exact: the daemon was given each row of the file, and the board plays them."""
    stimulus.get_by_label("CSV file").check()
    lines = "".join(f"{k % 101},0.0,7\n" for k in range(25_000))
    stimulus.get_by_test_id("stimulus-file").set_input_files(csv(f"Stim,Trigger,Number of Steps\n{lines}", "saw.csv"))
    expect(stimulus.get_by_test_id("stimulus-facts")).to_contain_text("25\u202f000 rows")
    expect(stimulus.get_by_test_id("stimulus-facts")).to_contain_text("not used: Number of Steps")
    stimulus.get_by_test_id("play-loop").click()
    expect(stimulus.get_by_test_id("playing")).to_have_attribute("data-state", "playing")
    told = wait_for("the daemon", lambda: bench.call("status")["devices"][0]["stimulus"])
    assert isinstance(told, dict)
    assert (told["name"], told["rows"], told["loop"]) == ("saw.csv", 25_000, True)
    with stimulus.expect_download() as saving:
        stimulus.get_by_test_id("stimulus-save").click()
    assert saving.value.suggested_filename == "saw.csv"
    stimulus.get_by_test_id("play-stop").click()
    expect(stimulus.get_by_test_id("playing")).to_have_attribute("data-state", "square")


def test_a_malformed_file_is_refused_by_line_and_value(
    stimulus: Page, complaints: Complaints, bench: DaemonProcess
) -> None:
    """In the page, with nothing to play; markup in a name or a value is text."""
    complaints.expect(REFUSED)
    stimulus.get_by_label("CSV file").check()
    name = "<img src=x onerror=alert(1)>.csv"
    stimulus.get_by_test_id("stimulus-file").set_input_files(csv("Stim,Trigger\n1,1.0\n<b>2</b>,0.0\n", name))
    expect(stimulus.get_by_test_id("stimulus-error")).to_have_text(
        f"{name}, line 3: Stim is '<b>2</b>'; give a number such as 12.5 or 1.2e-3"
    )
    expect(stimulus.get_by_test_id("play-once")).to_be_disabled()
    assert bench.call("status")["devices"][0]["stimulus"] is None
    stimulus.get_by_test_id("stimulus-file").set_input_files(csv("Stim,Trigger\n1e1,1.0\n", "good.csv"))
    expect(stimulus.get_by_test_id("stimulus-facts")).to_contain_text("10 to 10 %")
    expect(stimulus.get_by_test_id("stimulus-error")).to_have_count(0)


def test_a_file_that_is_too_large_is_not_even_sent(stimulus: Page, tmp_path: Path) -> None:
    """The page says so; the server would, too (tests/unit/scope)."""
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    stimulus.get_by_label("CSV file").check()
    stimulus.get_by_test_id("stimulus-file").set_input_files(large)
    expect(stimulus.get_by_test_id("stimulus-error")).to_have_text("large.csv has 100 MB; a stimulus has at most 8 MB")


def test_a_stimulus_that_is_too_long_is_refused_with_both_numbers(stimulus: Page, bench: DaemonProcess) -> None:
    """Before anything is sent; a field that is out of range says so beside itself."""
    stimulus.get_by_test_id("stimulus-generator").select_option("constant")
    stimulus.get_by_test_id("stimulus-duration_ms").fill("100000")
    expect(stimulus.get_by_test_id("play-error")).to_contain_text("alpha holds 600\u202f000 rows (60 s of model time)")
    expect(stimulus.get_by_test_id("play-error")).to_contain_text("1\u202f000\u202f000 (100 s)")
    expect(stimulus.get_by_test_id("play-once")).to_be_disabled()
    stimulus.get_by_test_id("stimulus-duration_ms").fill("0.15")
    expect(stimulus.get_by_text("a row is 0.1 ms; give 0.2 ms")).to_be_visible()
    expect(stimulus.get_by_test_id("play-once")).to_be_disabled()
    assert bench.call("status")["devices"][0]["stimulus"] is None


def test_a_file_that_was_changed_since_it_was_chosen_is_named(
    stimulus: Page, bench: DaemonProcess, tmp_path: Path, complaints: Complaints
) -> None:
    """Somebody edits the CSV in a spreadsheet and plays it: it is not the server that is away."""
    complaints.expect("ERR_UPLOAD_FILE_CHANGED")
    path = tmp_path / "edited.csv"
    path.write_text("Stim,Trigger\n1,1.0\n", "utf-8")
    stimulus.get_by_label("CSV file").check()
    stimulus.get_by_test_id("stimulus-file").set_input_files(path)
    expect(stimulus.get_by_test_id("stimulus-facts")).to_contain_text("1 to 1 %")
    path.write_text("Stim,Trigger\n1,1.0\n2,0.0\n", "utf-8")
    os.utime(path, (0, 0))
    stimulus.get_by_test_id("play-once").click()
    expect(stimulus.get_by_test_id("play-error")).to_have_text(
        "edited.csv was changed or removed since it was chosen; choose it again"
    )
    assert bench.call("status")["devices"][0]["stimulus"] is None


def test_led_and_buzzer_of_a_board_that_has_them(
    page: Page, make_bench: BenchMaker, make_server: ServerMaker, tmp_path: Path
) -> None:
    """A stock v2.5, which does not tell how they are: that is not "off", nor "on"."""
    with stock_process(tmp_path, "s25") as board:
        page.goto(make_server(make_bench("old", {"alpha": f"pty:{board.port}"})).address)
        page.get_by_test_id("group-outputs").locator("summary").click()
        led, buzzer = (page.get_by_role("switch", name=name) for name in ("LED", "Buzzer"))
        expect(led).to_have_text("not known")
        expect(page.get_by_label("Preset")).to_contain_text("not known")
        for switch in (led, buzzer):
            switch.click()
            expect(switch).to_have_attribute("aria-checked", "true")
            expect(switch).to_have_text("on")
        buzzer.press("Space")
        expect(buzzer).to_have_text("off")
        wait_for("the last command", lambda: board.executed()[-1:] == ["BZ0"])
        assert [line for line in board.executed() if line.startswith(("LED", "BZ"))] == ["LED1", "BZ1", "BZ0"]
