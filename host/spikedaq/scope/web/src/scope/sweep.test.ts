import { describe, expect, it } from "vitest";
import type { Frame } from "../net/frame";
import { TraceStore } from "../trace/store";
import { type Edge, LevelDetector, Sweeper, type SweepSettings } from "./sweep";

function fired(values: number[], level: number, hysteresis: number, edge: Edge, piece = values.length): number[] {
  const store = new TraceStore(0);
  const detector = new LevelDetector(0, level, hysteresis, edge);
  const steps: number[] = [];
  for (let first = 0; first < values.length; first += piece) {
    const part = Int16Array.from(values.slice(first, first + piece));
    store.take({
      bench: "b", device: "d", run: 1, boot: 1, mode: "current", step_us: 100, step: first, t_ms: first / 10, level: 0,
      first, count: part.length, channels: 1, low: part, high: part,
    } as Frame);
    detector.scan(store, (step) => steps.push(step));
  }
  return steps;
}

describe("LevelDetector", () => {
  it("fires at the first sample at or above a level, once per crossing", () => {
    expect(fired([0, 0, 5, 9, 9, 0, 3, 7, 0, 0], 5, 0, "rising")).toEqual([2, 7]);
    expect(fired([9, 9, 5, 1, 1, 9, 6, 2, 9, 9], 5, 0, "falling")).toEqual([2, 7]);
  });

  it("does not fire on a plateau, nor where it began above", () => {
    expect(fired([5, 5, 5, 5, 5, 5], 5, 0, "rising")).toEqual([]);
    expect(fired([9, 9, 9, 9], 5, 3, "rising")).toEqual([]);
  });

  it("does not fire on noise within the hysteresis", () => {
    expect(fired([0, 6, 4, 6, 4, 6, 1, 6, 0, 0], 5, 3, "rising")).toEqual([1, 7]);
  });

  it("finds the same whatever the pieces it comes in", () => {
    const values = Array.from({ length: 1000 }, (_, k) => Math.round(100 * Math.sin(k / 7) + 20 * Math.sin(k * 1.7)));
    const whole = fired(values, 50, 60, "rising");
    expect(whole.length).toBeGreaterThan(10);
    for (const piece of [1, 2, 7, 64, 333]) {
      const last = values.length - 1; // the newest bin is never looked at
      expect(fired(values, 50, 60, "rising", piece).filter((s) => s < last)).toEqual(whole);
    }
  });

  it("does not fire across a gap", () => {
    const low = Int16Array.from([0, 32767, 9, 9, 0, 9, 9]);
    const high = Int16Array.from([0, -32768, 9, 9, 0, 9, 9]);
    const store = new TraceStore(0);
    store.take({
      bench: "b", device: "d", run: 1, boot: 1, mode: "current", step_us: 100, step: 0, t_ms: 0, level: 0, first: 0,
      count: 7, channels: 1, low, high,
    } as Frame);
    const steps: number[] = [];
    new LevelDetector(0, 5, 0, "rising").scan(store, (step) => steps.push(step));
    expect(steps).toEqual([5]);
  });
});

const SETTINGS: SweepSettings = { run: "normal", pre: 20, post: 80, holdOff: 0, whole: true, patience: 500 };

describe("Sweeper", () => {
  it("shows a short sweep only once it is whole, and takes no trigger within one", () => {
    const sweeper = new Sweeper();
    for (const step of [100, 150, 185]) sweeper.offer(step);
    sweeper.update(179, SETTINGS);
    expect(sweeper.shown).toBeNull();
    sweeper.update(180, SETTINGS);
    expect(sweeper.shown).toBe(100);
    sweeper.update(300, SETTINGS);
    expect([sweeper.shown, sweeper.count]).toEqual([185, 2]);
  });

  it("holds off", () => {
    const sweeper = new Sweeper();
    for (let step = 100; step < 1000; step += 100) sweeper.offer(step);
    sweeper.update(2000, { ...SETTINGS, holdOff: 350 });
    expect([sweeper.shown, sweeper.count]).toEqual([900, 3]);
  });

  it("shows one sweep and no more, until it is armed again", () => {
    const sweeper = new Sweeper();
    const single: SweepSettings = { ...SETTINGS, run: "single" };
    sweeper.offer(100);
    sweeper.offer(500);
    sweeper.update(2000, single);
    sweeper.offer(1500);
    sweeper.update(3000, single);
    expect([sweeper.shown, sweeper.isDone]).toEqual([100, true]);
    sweeper.arm(3000);
    sweeper.offer(2900);
    sweeper.offer(3100);
    sweeper.update(4000, single);
    expect(sweeper.shown).toBe(3100);
  });

  it("rolls in auto where no trigger comes, and sweeps again when one does", () => {
    const sweeper = new Sweeper();
    const auto: SweepSettings = { ...SETTINGS, run: "auto" };
    sweeper.update(1000, auto);
    sweeper.update(1400, auto);
    expect(sweeper.isFree).toBe(false);
    sweeper.update(1600, auto);
    expect(sweeper.isFree).toBe(true);
    sweeper.offer(1650);
    sweeper.update(1800, auto);
    expect([sweeper.isFree, sweeper.shown]).toEqual([false, 1650]);
    sweeper.update(9000, SETTINGS);
    expect(sweeper.isFree).toBe(false);
  });

  it("is bounded where triggers come faster than sweeps", () => {
    const sweeper = new Sweeper();
    for (let step = 0; step < 100_000; step++) sweeper.offer(step);
    sweeper.update(100_000, SETTINGS);
    expect(sweeper.count).toBeLessThanOrEqual(13);
  });
});
