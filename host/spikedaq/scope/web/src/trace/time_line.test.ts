import { describe, expect, it } from "vitest";
import { TimeLine } from "./time_line";

const NEVER = Number.POSITIVE_INFINITY;

describe("TimeLine", () => {
  it("tells from which step on times are others: also where they stood before", () => {
    const line = new TimeLine();
    expect(line.take(1000, 100, Number.NaN)).toBe(0);
    expect(line.take(2000, 200.2, Number.NaN)).toBe(NEVER); // within half a millisecond of the line
    expect(line.take(3000, 302, Number.NaN)).toBe(0); // the oldest but one: its line goes on before it, too
    expect(line.take(9000, 902, Number.NaN)).toBe(NEVER);
    expect(line.take(9000, 905, Number.NaN)).toBe(8970);
    expect([line.timeOf(2999), line.timeOf(3000), line.timeOf(9000), line.timeOf(9010)]).toEqual([299.9, 302, 905, 906]);
  });

  it("corrects a moment instead of keeping two of one step", () => {
    const line = new TimeLine();
    line.take(0, 0, Number.NaN);
    line.take(500, 60, Number.NaN);
    line.take(500, 70, Number.NaN);
    const found: number[][] = [];
    line.stretches(400, 600, (...stretch) => found.push(stretch));
    expect(found).toEqual([[400, 500, 40], [500, 600, 70]]);
  });

  it("is bounded, and keeps the newest", () => {
    const line = new TimeLine();
    for (let k = 0; k < 5000; k++) line.take(k, 10 * k, Number.NaN);
    let n = 0;
    line.stretches(0, 5000, () => n++);
    expect(n).toBeLessThanOrEqual(1001);
    expect(line.timeOf(4900)).toBe(49_000);
  });

  it("guesses by arrival, once, until it is told better", () => {
    const line = new TimeLine();
    expect(line.take(0, null, Number.NaN)).toBe(NEVER);
    expect(line.timeOf(0)).toBeNaN();
    expect(line.take(0, null, 5000)).toBe(0);
    expect(line.take(400, null, 6000)).toBe(NEVER);
    expect([line.isGuessed, line.timeOf(10)]).toEqual([true, 5001]);
    expect(line.take(400, 4040, Number.NaN)).toBe(0);
    expect([line.isGuessed, line.timeOf(10)]).toEqual([false, 4001]);
  });
});
