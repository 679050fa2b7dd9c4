import { beforeEach, describe, expect, it, vi } from "vitest";
import { EventLog } from "../trace/event_log";
import type { Follower } from "../trace/follower";
import { TraceStore } from "../trace/store";
import type { Frame } from "../net/frame";

vi.hoisted(() => Object.assign(globalThis, { localStorage: { getItem: () => null, setItem: () => {} } }));
const { SweepFeed } = await import("./sweep_feed");
const settings = await import("./settings");

const MS_PER_STEP = 0.1;
const vm = { name: "vm", unit: "mV", scale_mantissa: 1, scale_exponent: -2, offset_mantissa: 0 };

function rig() {
  const [store, events, feed] = [new TraceStore(0), new EventLog(), new SweepFeed()];
  const follower = { store, events, channels: () => [vm] } as unknown as Follower;
  const come = (first: number, values: number[], more: Partial<Frame> = {}) => {
    const low = Int16Array.from(values);
    store.take({
      bench: "b", device: "d", run: 1, boot: 1, mode: "current", step_us: 100, step: first, t_ms: first / 10, level: 0, first,
      count: values.length, channels: 1, low, high: low, ...more,
    } as Frame);
    events.see(more.boot ?? 1, first + values.length);
    feed.update(follower, MS_PER_STEP);
  };
  return { feed, events, come };
}

const quiet = (n: number) => new Array<number>(n).fill(-7000);

describe("SweepFeed", () => {
  beforeEach(() => {
    settings.display.value = "sweep";
    settings.windowMs.value = 10;
    settings.trigger.value = { ...settings.trigger.peek(), source: "spike", run: "normal", pre: 0.2, holdOffMs: 0, level: -20, hysteresis: 5 };
  });

  it("takes spikes from when it first looked on, each once, and none that the history tells later", () => {
    const { feed, events, come } = rig();
    come(1000, quiet(100));
    events.take({ kind: "spike", boot: 1, step: 1150 });
    come(1100, quiet(200));
    expect(feed.sweeper.shown).toBe(1150);
    events.take({ kind: "spike", boot: 1, step: 300 });
    come(1300, quiet(200));
    expect([feed.sweeper.shown, feed.sweeper.count]).toEqual([1150, 1]);
  });

  it("compares a level in the channel's unit with what comes", () => {
    settings.trigger.value = { ...settings.trigger.peek(), source: "level", channel: "vm" };
    const { feed, come } = rig();
    come(0, [...quiet(100), -2001, -2000, 500, ...quiet(200)]);
    expect(feed.sweeper.shown).toBe(101);
  });

  it("forgets the boot before", () => {
    const { feed, events, come } = rig();
    come(100_000, quiet(100));
    events.take({ kind: "spike", boot: 1, step: 100_110 });
    come(100_100, quiet(200));
    expect(feed.sweeper.shown).toBe(100_110);
    come(50, quiet(100), { run: 2, boot: 2 });
    expect(feed.sweeper.shown).toBeNull();
    events.take({ kind: "spike", boot: 2, step: 160 });
    come(150, quiet(200), { run: 2, boot: 2 });
    expect(feed.sweeper.shown).toBe(160);
  });

  it("does not offer while the trace rolls", () => {
    const { feed, events, come } = rig();
    come(0, quiet(100));
    settings.display.value = "roll";
    events.take({ kind: "spike", boot: 1, step: 110 });
    come(100, quiet(300));
    expect([feed.sweeper.shown, feed.isSweep]).toEqual([null, false]);
  });
});
