import { describe, expect, it } from "vitest";
import { ServerClock } from "./server_clock";

describe("ServerClock", () => {
  it("takes the middle of a round trip, and keeps the best of them", () => {
    const clock = new ServerClock();
    clock.take(1000, 1002, 51_001);
    expect([clock.offsetMs, clock.uncertaintyMs]).toEqual([50_000, 1]);
    clock.take(3000, 3100, 53_090); // slow, and off by 40 ms, which it may be
    expect(clock.offsetMs).toBe(50_000);
    clock.take(5000, 5001, 55_001);
    expect([clock.offsetMs, clock.uncertaintyMs]).toEqual([50_000.5, 0.5]);
  });

  it("takes a worse reading at once where it contradicts: a page's clock stood still while its computer slept", () => {
    const clock = new ServerClock();
    clock.take(1000, 1001, 51_000.5);
    clock.take(3000, 3010, 53_005 + 3_600_000);
    expect(clock.offsetMs).toBe(50_000 + 3_600_000);
  });

  it("ages, so that a clock that drifts is followed", () => {
    const clock = new ServerClock();
    clock.take(0, 1, 1000.5);
    for (let k = 1; k <= 30; k++) clock.take(2000 * k, 2000 * k + 4, 1000 + 2000 * k + 2 + 0.2 * k);
    expect(Math.abs(clock.offsetMs - 1006)).toBeLessThan(4);
  });
});
