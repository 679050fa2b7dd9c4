"""A page that is left open: simulated hours of traces, spikes and states go through it, in a real browser.

The messages of a real server are kept, and then made anew for the time to come, inside the page: a day has two million
traces. The page's clock goes with them, and it draws them. ``SPIKEDAQ_PAGE_HOURS=24`` by hand, one hour otherwise.
"""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import CDPSession, Page, expect

from helpers.page_frames import PageFrames, wait_until_it_moves
from helpers.page_server import PageProcess

HOURS = float(os.environ.get("SPIKEDAQ_PAGE_HOURS", "1"))
DAY_MB = 50.0
NOISE_MB = 2.0
"""What the heap of an idle page is up or down, from one collection to the next."""
WARM_UP_S = 1200
"""Whatever is bounded is full then: 20000 spikes, at 40 a second, come in 500 s."""

SIMULATE = """
(() => {
  const Real = WebSocket;
  const now = performance.now.bind(performance);
  const day = { frames: 0, drawn: 0, kept: {}, simulated: null, aheadMs: 0 };
  window.day = day;
  performance.now = () => day.simulated ?? now() + day.aheadMs;
  window.WebSocket = class extends Real {
    get onmessage() { return this.hear ?? null; }
    set onmessage(hear) {
      this.hear = hear;
      day.socket = this;
      super.onmessage = hear && ((event) => {
        if (day.simulated !== null) return;
        keep(event.data);
        hear(event);
      });
    }
    send(text) {
      if (day.simulated === null) return super.send(text);
      const said = JSON.parse(text);
      const say = { past: "past", events: "answer", ask: "answer", everywhere: "answer" }[said.do];
      if (say) queueMicrotask(() => hear({ say, id: said.id, ok: false, code: "busy", text: "simulated" }));
    }
  };
  function keep(data) {
    if (typeof data === "string") {
      const said = JSON.parse(data);
      day.kept[said.say] = said;
      for (const event of said.events ?? []) if (event.kind === "spike") day.kept.spikes = { ...said, event };
    } else {
      const length = new DataView(data).getUint32(0, true);
      const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
      if (!("past" in header) && header.t_ms !== null) day.kept.frame = header;
    }
  }
  function hear(said) {
    day.socket.hear({ data: said instanceof ArrayBuffer ? said : JSON.stringify(said) });
  }
  function frame(header, step, steps, tMs) {
    const bin = 2 ** header.level;
    const first = Math.floor(step / bin);
    const count = Math.floor((step + steps - 1) / bin) - first + 1;
    const oldest = Math.max(0, step - 16384 * bin);
    const { packed, flat, ...rest } = header;
    const now = { ...rest, flat: true, step, t_ms: tMs, first, count, oldest };
    let text = JSON.stringify(now);
    text += " ".repeat((4 - (text.length % 4)) % 4);
    const data = new ArrayBuffer(4 + text.length + 2 * header.channels * count);
    new DataView(data).setUint32(0, text.length, true);
    new Uint8Array(data, 4, text.length).set(new TextEncoder().encode(text));
    const values = new Int16Array(data, 4 + text.length);
    for (let k = 0; k < values.length; k++) values[k] = -7000 + 10000 * Math.random();
    return data;
  }
  day.run = async (seconds) => {
    const { frame: template, spikes, bench, clock } = day.kept;
    const begin = day.last ?? { step: template.step, tMs: template.t_ms, pageMs: performance.now() };
    const hostMs = (ms) => begin.tMs + ms;
    const drawing = () => { day.drawn++; if (day.simulated !== null) requestAnimationFrame(drawing); };
    requestAnimationFrame(drawing);
    const n = 25 * seconds;
    for (let k = 1; k <= n; k++) {
      const [step, ms] = [begin.step + 400 * k, 40 * k];
      day.simulated = begin.pageMs + ms;
      hear(frame(template, step, 400, hostMs(ms)));
      const event = { ...spikes.event, step: step + 7, t_ms: hostMs(ms) + 0.7 };
      const events = k % 3 ? [event, { ...event, step: step + 250, t_ms: hostMs(ms) + 25 }] : [event];
      hear({ say: "events", bench: spikes.bench, device: spikes.device, events });
      if (k % 25 === 0) {
        hear(bench);
        hear({ ...clock, asked: day.simulated, host_ms: hostMs(ms) });
      }
      day.frames++;
      if (k % 250 === 0) await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    day.last = { step: begin.step + 400 * n, tMs: hostMs(40 * n), pageMs: begin.pageMs + 40 * n };
    return [day.frames, day.drawn];
  };
})();
"""


def heap_mb(session: CDPSession) -> float:
    """JavaScript memory in use, after a collection."""
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def nodes(session: CDPSession) -> int:
    """Nodes of the document, those included that nothing shows any more."""
    return int(session.send("Memory.getDOMCounters")["nodes"])


@pytest.mark.timeout(300 + 900 * HOURS)
def test_a_page_that_is_left_open_does_not_grow(page: Page, shared_server: PageProcess) -> None:
    """Less than 50 MB a day, and not a node more."""
    page.add_init_script(SIMULATE)
    frames = PageFrames(page)
    page.goto(shared_server.address)
    frames.wait_for_live(page, "alpha")
    wait_until_it_moves(page)
    page.wait_for_function("window.day.kept.frame && window.day.kept.spikes && window.day.kept.clock")
    session = page.context.new_cdp_session(page)
    page.evaluate("(seconds) => window.day.run(seconds)", WARM_UP_S)
    before_mb, before_nodes = heap_mb(session), nodes(session)
    seconds = round(3600 * HOURS)
    n_frames, n_drawn = page.evaluate("(seconds) => window.day.run(seconds)", seconds)
    after_mb, after_nodes = heap_mb(session), nodes(session)
    print(
        f"{HOURS:g} h simulated, {n_frames} traces, {n_drawn} drawn: {before_mb:.2f} MB, then {after_mb:.2f} MB;"
        f" {before_nodes} nodes, then {after_nodes}"
    )
    assert n_frames == 25 * (seconds + WARM_UP_S)
    assert n_drawn > seconds / 10 * 0.9
    # The page has the newest of what went through it, and is alive.
    expect(page.get_by_test_id("latency")).to_contain_text("live")
    assert after_mb - before_mb < NOISE_MB + DAY_MB * HOURS / 24
    assert after_nodes <= before_nodes + 100
