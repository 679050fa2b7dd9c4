import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Latest } from "./latest";

describe("Latest", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function rig(answerMs: number, fails = false) {
    const sent: [number, number][] = [];
    let idle = 0;
    const latest = new Latest<number>(
      (value) => {
        sent.push([Date.now() - start, value]);
        return new Promise((resolve, reject) => setTimeout(fails ? () => reject(new Error("refused")) : resolve, answerMs));
      },
      () => idle++,
      80,
      () => Date.now(),
    );
    const start = Date.now();
    return { sent, latest, idle: () => idle };
  }

  it("sends the first at once and the last always", async () => {
    const { sent, latest, idle } = rig(10);
    for (let k = 0; k < 100; k++) {
      latest.put(k);
      await vi.advanceTimersByTimeAsync(1);
    }
    await vi.runAllTimersAsync();
    expect(sent).toEqual([
      [0, 0],
      [80, 79],
      [160, 99],
    ]);
    expect(latest.busy).toBe(false);
    expect(idle()).toBeGreaterThan(0);
  });

  it("has one on its way at a time, however slow the answers are", async () => {
    const { sent, latest } = rig(500);
    for (let k = 0; k < 1000; k += 10) {
      latest.put(k);
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.runAllTimersAsync();
    expect(sent.map(([ms]) => ms)).toEqual([0, 500, 1000]);
    expect(sent.at(-1)![1]).toBe(990);
  });

  it("goes on after one that was refused", async () => {
    const { sent, latest } = rig(10, true);
    latest.put(1);
    latest.put(2);
    await vi.runAllTimersAsync();
    expect(sent.map(([, value]) => value)).toEqual([1, 2]);
    expect(latest.busy).toBe(false);
  });

  it("forgets what was dropped", async () => {
    const { sent, latest } = rig(10);
    latest.put(1);
    latest.put(2);
    latest.drop();
    await vi.runAllTimersAsync();
    expect(sent.map(([, value]) => value)).toEqual([1]);
    latest.put(3);
    await vi.runAllTimersAsync();
    expect(sent.map(([, value]) => value)).toEqual([1, 3]);
  });
});
