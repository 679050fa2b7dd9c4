import { describe, expect, it } from "vitest";
import type { Frame } from "../../net/frame";
import { CAPACITY, Series, grown, levelFor, points } from "./series";

function frame(first: number, values: number[][], more: Partial<Frame> = {}): Frame {
  const low = Float32Array.from(values.flat());
  const header = { bench: "b", device: "d", run: 1, boot: 7, mode: "current" as const, step_us: 100, step: 0, t_ms: null };
  return { ...header, level: 0, first, count: values[0]!.length, channels: values.length, pitch_steps: 100, phase: 0, low, high: low, ...more };
}

describe("Series", () => {
  it("knows where its bins are", () => {
    const series = new Series();
    expect(series.take(frame(10, [[1, 2, 3]], { phase: 4 }))).toBe(true);
    expect(series.take(frame(12, [[5, 6]], { phase: 4 }))).toBe(false);
    expect([series.begin, series.end, series.stepOf(10)]).toEqual([10, 14, 1004]);
    expect([10, 11, 12, 13, 14].map((bin) => series.at(0, bin)?.[0] ?? null)).toEqual([1, 2, 5, 6, null]);
  });
  it("leaves holes empty", () => {
    const series = new Series();
    series.take(frame(0, [[1, 2]]));
    series.take(frame(5, [[3]]));
    expect(points(series, [0], 600, 1000)[1]).toEqual([1, 2, null, null, null, 3]);
  });
  it("takes the past before what came, never over it", () => {
    const series = new Series();
    series.take(frame(10, [[1]]));
    series.take(frame(8, [[7, 8, 9]], { past: 3 }));
    expect([8, 9, 10].map((bin) => series.at(0, bin)?.[0])).toEqual([7, 8, 1]);
    series.take(frame(0, [[7, 8]], { past: 3, boot: 6 }));
    expect(series.begin).toBe(8);
  });
  it("begins anew with another run", () => {
    const series = new Series();
    series.take(frame(10, [[1]]));
    expect(series.take(frame(3, [[2]], { run: 2 }))).toBe(true);
    expect([series.begin, series.end]).toEqual([3, 4]);
  });
  it("keeps the newest", () => {
    const series = new Series();
    series.take(frame(0, [Array.from({ length: CAPACITY }, (_, k) => k)]));
    series.take(frame(CAPACITY, [[-1]]));
    expect([series.begin, series.at(0, 0), series.at(0, 1), series.newest(0)]).toEqual([1, null, [1, 1], -1]);
  });
});

it("shows both ends of wide bins, in seconds of model time", () => {
  const series = new Series();
  series.take(frame(0, [[1, 2]], { level: 1, high: Float32Array.from([3, 4]) }));
  expect(points(series, [0], 400, 10_000)).toEqual([[-0.04, -0.03, -0.02, -0.01], [1, 3, 2, 4]]);
});

it("picks the zoom", () => {
  expect(levelFor(500, 600)).toBe(0);
  expect(levelFor(100_000, 600)).toBe(8);
});

it("grows by round numbers only", () => {
  expect(grown([0, 10], 2, 8)).toEqual([0, 10]);
  expect(grown([0, 10], 2, 12)).toEqual([0, 15]);
  expect(grown([0, 10], -1, 8)).toEqual([-5, 10]);
});
