import { describe, expect, it } from "vitest";
import type { Frame } from "../net/frame";
import { Columns, fillColumns } from "./columns";
import { TraceStore } from "./store";

function frame(first: number, low: number[], high: number[] = low, more: Partial<Frame> = {}): Frame {
  return {
    bench: "b", device: "d", run: 1, boot: 7, mode: "current", step_us: 100, step: 0, t_ms: 1000, level: 0, first,
    count: low.length, channels: 1, low: Int16Array.from(low), high: Int16Array.from(high), ...more,
  };
}

describe("TraceStore", () => {
  it("merges what comes twice: a bin only grows", () => {
    const store = new TraceStore(3);
    store.take(frame(10, [5, 6], [7, 8]));
    store.take(frame(11, [4, 9], [6, 12]));
    expect([store.begin, store.end]).toEqual([10, 13]);
    expect([store.lowAt(0, 11), store.highAt(0, 11)]).toEqual([4, 8]);
    expect([store.lowAt(0, 12), store.highAt(0, 12)]).toEqual([9, 12]);
  });

  it("knows what never came, also of the bin before a hole", () => {
    const store = new TraceStore(2);
    store.take(frame(100, [1, 1, 1]));
    store.take(frame(110, [1]));
    expect(store.holes).toBe(1);
    expect(store.unknown(100, 111)).toEqual([102, 110]);
    store.take(frame(102, [1, 2, 3], [1, 2, 3], { past: 4 }));
    expect(store.unknown(100, 111)).toEqual([105, 110]);
    store.take(frame(107, [1], [1], { past: 4 }));
    expect(store.unknown(100, 111)).toEqual([105, 110]);
    store.markKnown(105, 110);
    expect(store.unknown(100, 111)).toBeNull();
    expect(store.lowAt(0, 106)).toBeGreaterThan(store.highAt(0, 106));
    expect(store.end).toBe(111);
  });

  it("never keeps more pages than it may, and keeps those that are looked at and the newest", () => {
    const store = new TraceStore(0, 8 * 512);
    store.focus(1000, 1400);
    const page = Array.from({ length: 512 }, (_, k) => k);
    for (let k = 0; k < 500; k++) store.take(frame(k * 512, page));
    expect(store.nPages).toBe(8);
    expect(store.lowAt(0, 1200)).toBe(1200 % 512);
    expect(store.lowAt(0, 499 * 512 + 7)).toBe(7);
    expect(store.isKnown(100 * 512)).toBe(false);
  });

  it("begins anew with another run, unless somebody is looking", () => {
    const store = new TraceStore(0);
    store.take(frame(0, [1, 2]));
    store.frozen = true;
    store.take(frame(0, [9, 9], [9, 9], { run: 2 }));
    expect(store.lowAt(0, 0)).toBe(1);
    store.frozen = false;
    store.take(frame(5, [9], [9], { run: 2 }));
    expect([store.begin, store.end, store.lowAt(0, 5), store.isKnown(0)]).toEqual([5, 6, 9, false]);
  });

  it("notes a past of another clamp mode instead of mixing channels", () => {
    const store = new TraceStore(1);
    store.take(frame(100, [1]));
    store.take(frame(90, [8, 8], [8, 8], { past: 1, mode: "voltage" }));
    expect(store.foreign).toEqual([{ mode: "voltage", first: 180, stop: 184 }]);
    expect(store.isKnown(90)).toBe(false);
  });

  it("tells times over a stop, where steps stand still", () => {
    const store = new TraceStore(0);
    store.take(frame(0, [1], [1], { step: 0, t_ms: 1000 }));
    store.take(frame(1000, [1], [1], { step: 1000, t_ms: 1100 }));
    store.take(frame(1001, [1], [1], { step: 1001, t_ms: 6100 }));
    expect(store.timeOfStep(500)).toBeCloseTo(1050);
    expect(store.timeOfStep(1011)).toBeCloseTo(6101);
    expect(store.stepAtTime(3000)).toBe(1001);
    const found: number[][] = [];
    store.stretches(900, 1100, (a, b, t) => found.push([a, b, t]));
    expect(found).toEqual([[900, 1001, 1090], [1001, 1100, 6100]]);
  });

  it("replaces a guessed time by the fitted one", () => {
    const store = new TraceStore(0);
    store.take(frame(0, [1], [1], { t_ms: null }), 5000);
    expect([store.isTimeGuessed, store.timeOfStep(10)]).toEqual([true, 5001]);
    store.take(frame(1, [1], [1], { t_ms: 4000 }), 5040);
    expect([store.isTimeGuessed, store.timeOfStep(10)]).toEqual([false, 4001]);
  });
});

describe("fillColumns", () => {
  it("hides no spike, however many bins a column has, and whatever the origin", () => {
    const store = new TraceStore(0);
    const values = new Array<number>(2000).fill(-6500);
    values[1234] = 3000;
    store.take(frame(0, values));
    for (let origin = 0; origin < 8; origin++) {
      const columns = new Columns();
      columns.reset(150);
      fillColumns(columns, store, 0, [{ firstBin: 0, stopBin: 2000, u: 0, uPerBin: 0.1 }], origin, 1.5);
      const spiky = Array.from({ length: 150 }, (_, c) => c).filter((c) => columns.high[c] === 3000);
      expect(spiky).toContain(Math.floor(123.4 / 1.5) - origin);
      expect(spiky.length).toBeLessThanOrEqual(2);
      expect(columns.low[spiky[0]!]).toBe(-6500);
    }
  });

  it("leaves no column empty but where samples are missing", () => {
    const store = new TraceStore(0);
    store.take(frame(0, new Array<number>(300).fill(1)));
    store.take(frame(400, new Array<number>(600).fill(1)));
    const columns = new Columns();
    columns.reset(997); // not a divisor
    fillColumns(columns, store, 0, [{ firstBin: 0, stopBin: 1000, u: 0, uPerBin: 1 }], 0, 1000 / 997);
    const empty = Array.from({ length: 997 }, (_, c) => c).filter((c) => columns.isEmpty(c));
    expect(empty[0]).toBe(Math.ceil((300 * 997) / 1000));
    expect(empty.at(-1)).toBe(Math.floor((400 * 997) / 1000) - 1);
    expect(empty.length).toBe(empty.at(-1)! - empty[0]! + 1);
  });
});
