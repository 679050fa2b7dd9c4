import { describe, expect, it } from "vitest";
import { EventLog, rateHz, StepList } from "./event_log";

describe("StepList", () => {
  it("is in order, each step once, whatever order they come in", () => {
    const list = new StepList();
    for (const step of [5, 1, 9, 5, 3, 9]) list.add(step);
    expect(Array.from({ length: list.length }, (_, k) => list.at(k))).toEqual([1, 3, 5, 9]);
    expect([list.indexOf(0), list.indexOf(4), list.indexOf(9), list.indexOf(10)]).toEqual([0, 2, 3, 4]);
  });

  it("is bounded, and gives up what is far from where one looks", () => {
    const list = new StepList(100);
    for (let step = 0; step < 1000; step++) list.add(step);
    expect(list.length).toBeLessThanOrEqual(100);
    expect(list.at(list.length - 1)).toBe(999);
    for (let step = 1; step <= 50; step++) list.add(-step, -50);
    expect(list.at(0)).toBe(-50);
    expect(list.length).toBeLessThanOrEqual(100);
  });
});

describe("EventLog", () => {
  it("keeps the events of the present boot only, and asks for what it was not told", () => {
    const log = new EventLog();
    log.see(7, 1000);
    log.take({ kind: "spike", boot: 7, step: 1010 });
    log.take({ kind: "spike", boot: 6, step: 1011 });
    expect(log.spikes.length).toBe(1);
    expect(log.missing(500, 2000)).toEqual([500, 1000]);
    log.addRange(600, 800);
    expect(log.missing(500, 2000)).toEqual([500, 600]);
    log.addRange(500, 600);
    expect(log.missing(500, 2000)).toEqual([800, 1000]);
    log.interrupt(1500);
    log.see(7, 1700);
    expect(log.missing(1000, 2000)).toEqual([1500, 1700]);
    log.see(8, 5);
    expect([log.spikes.length, log.missing(0, 100)]).toEqual([0, [0, 5]]);
  });

  it("tells a gap that is told twice once, and only to those whom it concerns", () => {
    const log = new EventLog();
    log.see(1, 0);
    const gap = { kind: "gap", boot: 1, step: 100, count: 50, cause: "lost" };
    log.take(gap);
    log.take(gap);
    expect(log.gapsBetween(149, 200)).toEqual([{ step: 100, count: 50, cause: "lost" }]);
    expect(log.gapsBetween(150, 200)).toEqual([]);
  });
});

describe("rateHz", () => {
  it("counts the last seconds, on the wall or in model time", () => {
    const spikes = new StepList();
    for (let k = 0; k < 400; k++) spikes.add(k * 250); // 40 Hz at 0.1 ms a step
    expect(rateHz(spikes, 100_000, 50_000, 0.1)).toBeCloseTo(40);
    expect(rateHz(spikes, 100_000, 50_000, 2)).toBeCloseTo(2);
    expect(rateHz(spikes, 100_000, 1_000, 0.1)).toBeNaN();
  });
});
