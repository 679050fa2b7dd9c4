import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Frame } from "../net/frame";
import type { Stretch } from "../trace/columns";
import { EventLog } from "../trace/event_log";
import type { Follower } from "../trace/follower";
import { EMPTY_HIGH, EMPTY_LOW } from "../trace/pages";
import { TraceStore } from "../trace/store";
import { FakeCanvas } from "./fake_canvas";
import { Roll } from "./roll";
import { TimeAxis } from "./time_axis";

vi.hoisted(() => {
  const nowhere = { getItem: () => null, setItem: () => {} };
  Object.assign(globalThis, { localStorage: nowhere, devicePixelRatio: 1 });
});
const { Painter } = await import("./painter");
const { findShades } = await import("./shades");

const WIDTH = 120;
const HEIGHT = 24;
const WINDOW_MS = 173;

beforeAll(() => {
  vi.stubGlobal("document", { documentElement: {}, createElement: () => ({ getContext: () => null }) });
  vi.stubGlobal("getComputedStyle", () => ({ getPropertyValue: (name: string) => name }));
});

/** Numbers that are the same at each run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const CHANNELS = ["vm", "stimulus"].map((name) => ({
  name, unit: "mV", scale_mantissa: 1, scale_exponent: 0, offset_mantissa: 0,
}));

/** A device with a board's worth of mishaps: lost frames, gaps, a clock that is fitted anew, late events. */
class Device {
  readonly drawn = new TraceStore(3);
  readonly events = new EventLog();
  readonly nAbout = 1;
  readonly problem = "";
  private step = 4000;
  private driftMs = 0;

  constructor(
    readonly key: { bench: string; device: string },
    private readonly next: () => number,
    private readonly mishaps: boolean,
  ) {}

  channels() {
    return CHANNELS;
  }

  come(most = 300): void {
    const { next } = this;
    const from = this.step;
    this.step += Math.floor(next() * most);
    if (this.mishaps && next() < 0.1) return; // this frame is not sent
    if (this.mishaps && next() < 0.05) this.driftMs += (next() - 0.5) * 6;
    this.frame(from, this.step, {});
    if (this.mishaps && next() < 0.1) this.frame(Math.max(4000, from - 1500), from, { past: 1 });
    this.events.see(1, this.step);
    while (next() < 0.4) this.events.take({ kind: "spike", boot: 1, step: this.step - Math.floor(next() * 400) });
    if (next() < 0.3) this.events.take({ kind: "trigger", boot: 1, step: this.step - Math.floor(next() * 100) });
    if (this.mishaps && next() < 0.04) this.events.take({ kind: "gap", boot: 1, step: from, count: 60, cause: "lost" });
  }

  get endMs(): number {
    return this.drawn.timeOfStep(this.drawn.end * 8);
  }

  private frame(from: number, stop: number, more: Partial<Frame>): void {
    const [first, last] = [Math.floor(from / 8), Math.ceil(stop / 8)];
    const count = last - first;
    const low = new Int16Array(2 * count);
    const high = new Int16Array(2 * count);
    for (let k = 0; k < 2 * count; k++) {
      const bin = first + (k % count);
      const isEmpty = this.mishaps && bin % 97 < 9;
      low[k] = isEmpty ? EMPTY_LOW : Math.round(40 * Math.sin(bin / 5) - 50);
      high[k] = isEmpty ? EMPTY_HIGH : low[k]! + (bin % 31 === 0 ? 90 : bin % 7);
    }
    this.drawn.take({
      bench: "b", device: "d", run: 1, boot: 1, mode: "current", step_us: 100, level: 3, step: from,
      t_ms: 70_000_000.3 + from / 10 + this.driftMs, first, count, channels: 2, low, high, ...more,
    } as Frame);
  }
}

function panes() {
  return CHANNELS.map(({ name }) => {
    const fake = new FakeCanvas(WIDTH, HEIGHT);
    const context = fake as unknown as CanvasRenderingContext2D;
    return { channel: name, context, roll: new Roll(), fake, width: WIDTH, height: HEIGHT, version: 0, setScales: () => {} };
  });
}

function pictureOf(devices: Device[], rightMs: number) {
  const followers = devices as unknown as Follower[];
  const axis = new TimeAxis("wall", devices[0]!.drawn);
  const shown = { left: rightMs - WINDOW_MS, right: rightMs, zero: rightMs };
  const uPerColumn = WINDOW_MS / WIDTH;
  const stretches: Stretch[][] = devices.map((d) => axis.stretches(d.drawn, shown.left, shown.right, []));
  return { followers, stretches, axis, shown, origin: Math.floor(shown.left / uPerColumn), uPerColumn, isSweep: false };
}

function roll(seed: number, nDevices: number, mishaps: boolean, check: (n: number, drawn: FakeCanvas[], afresh: FakeCanvas[]) => void) {
  const next = random(seed);
  const devices = Array.from({ length: nDevices }, (_, k) => new Device({ bench: "b", device: `d${k}` }, next, mishaps));
  const [painter, moving] = [new Painter(), panes()];
  for (const device of devices) device.come();
  for (let n = 0; n < 150; n++) {
    for (const device of devices) if (next() < 0.6) device.come();
    const picture = pictureOf(devices, devices[0]!.endMs + next() * 12);
    for (const { fake } of moving) fake.nDrawn = 0;
    painter.paint(moving, picture);
    const fresh = panes();
    new Painter().paint(fresh, picture);
    check(n, moving.map(({ fake }) => fake), fresh.map(({ fake }) => fake));
  }
}

describe("Painter", () => {
  it.each([
    [1, 1, false],
    [2, 1, true],
    [3, 2, true],
    [4, 2, false],
    [5, 3, true],
  ])("moves what was drawn and adds what is new: the same picture as drawn afresh (seed %i, %i devices, mishaps %s)", (seed, n, mishaps) => {
    roll(seed, n, mishaps, (at, drawn, afresh) => {
      drawn.forEach((canvas, row) => {
        // The first column is joined to one that a fresh picture does not know.
        const isRight = (pixel: string, k: number) => k % WIDTH === 0 || pixel === afresh[row]!.pixels[k];
        const wrong = canvas.pixels.flatMap((pixel, k) => (isRight(pixel, k) ? [] : [`${k % WIDTH}, ${Math.floor(k / WIDTH)}: ${pixel}`]));
        expect(wrong, `frame ${at}, pane ${row}`).toEqual([]);
      });
    });
  });

  it("draws a few columns of each frame, not all", () => {
    const device = new Device({ bench: "b", device: "d" }, () => 0.4, false);
    const [painter, moving] = [new Painter(), panes()];
    for (let n = 0; n < 50; n++) device.come(120);
    for (let n = 0; n < 100; n++) {
      device.come(20); // two to three columns
      for (const { fake } of moving) fake.nDrawn = 0;
      painter.paint(moving, pictureOf([device], device.endMs));
      if (n > 0) for (const { fake } of moving) expect(fake.nDrawn).toBeLessThan(8);
      else for (const { fake } of moving) expect(fake.nDrawn).toBeGreaterThan(60);
    }
  });
});

describe("findShades", () => {
  it("tells from left to right, so that each has its label where there is room", () => {
    const device = new Device({ bench: "b", device: "d" }, () => 0.4, false);
    for (let n = 0; n < 50; n++) device.come(120);
    const end = device.drawn.end * 8;
    device.events.take({ kind: "gap", boot: 1, step: end - 400, count: 100, cause: "stopped" });
    device.drawn.foreign = [{ first: end - 1600, stop: end - 900, mode: "voltage" }];
    const texts = findShades(pictureOf([device], device.endMs), WIDTH).map(({ text }) => text);
    expect(texts).toEqual(["voltage clamp: other channels", "100 samples device was stopped"]);
  });

  it("calls nothing deleted that never was", () => {
    const device = new Device({ bench: "b", device: "d" }, () => 0.4, false);
    device.come();
    device.drawn.keptFrom = 4000;
    device.drawn.markKnown(0, 500);
    expect(findShades(pictureOf([device], device.endMs), WIDTH)).toEqual([]);
    device.drawn.wasDeleted = true;
    expect(findShades(pictureOf([device], device.endMs), WIDTH).map(({ text }) => text)).toEqual(["no longer kept"]);
  });
});
