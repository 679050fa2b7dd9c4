import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Frame } from "../net/frame";
import type { DeviceEvent } from "../state";

const tell = vi.hoisted(() => new Set<(key: object, event: object) => void>());
vi.mock("../state", () => ({
  onEvent: (listener: (key: object, event: object) => void) => {
    tell.add(listener);
    return () => tell.delete(listener);
  },
}));
const { Follower } = await import("./follower");

interface Asked<T> {
  what: { boot: number; level?: number; first: number; stop: number };
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

function rig() {
  const pasts: Asked<object>[] = [];
  const happenings: Asked<object>[] = [];
  const abouts: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  const lost: (() => void)[] = [];
  let live: (frame: Frame) => void = () => {};
  const line = {
    watch: (_b: string, _d: string, _level: number, onFrame: (frame: Frame) => void) => {
      live = onFrame;
      return () => {};
    },
    past: (what: Asked<object>["what"]) => new Promise((resolve, reject) => pasts.push({ what, resolve, reject })),
    happened: (what: Asked<object>["what"]) => new Promise((resolve, reject) => happenings.push({ what, resolve, reject })),
    ask: () => new Promise((resolve, reject) => abouts.push({ resolve, reject })),
    nowMs: () => 0,
    whenLost: (does: () => void) => {
      lost.push(does);
      return () => {};
    },
  };
  const follower = new Follower({ bench: "b", device: "d" }, line as never, 2);
  const come = (first: number, more: Partial<Frame> = {}) =>
    live({
      bench: "b", device: "d", run: 1, boot: 1, mode: "current", step_us: 100, step: 4 * first, t_ms: first / 2.5, level: 2, first,
      count: 10, channels: 1, low: new Int16Array(10), high: new Int16Array(10), ...more,
    } as Frame);
  const happen = (event: DeviceEvent) => tell.forEach((listener) => listener({ bench: "b", device: "d" }, event));
  return { follower, pasts, happenings, abouts, come, happen, lose: () => lost.forEach((does) => does()) };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("Follower", () => {
  beforeEach(() => tell.clear());

  it("forgets what the history told of the boot before, when the device began anew meanwhile", async () => {
    const { follower, pasts, come } = rig();
    come(100_000);
    follower.refill(99_000, 100_010, 0);
    come(500, { run: 2, boot: 2 });
    pasts[0]!.resolve({ kept_from: 390_000, deleted: true });
    await settle();
    expect([follower.store.keptFrom, follower.store.wasDeleted]).toEqual([0, false]);
    expect(follower.store.unknown(100, 510)).toEqual([100, 500]);
    follower.refill(100, 510, 10_000);
    expect(pasts[1]!.what).toMatchObject({ boot: 2, first: 100, stop: 500 });
  });

  it("forgets events that were told of the boot before", async () => {
    const { follower, happenings, come } = rig();
    come(1000);
    follower.refill(0, 1010, 0);
    come(2000, { run: 2, boot: 2 });
    happenings[0]!.resolve({ events: [{ kind: "spike", boot: 1, step: 20 }], complete: true });
    await settle();
    expect(follower.events.spikes.length).toBe(0);
    expect(follower.events.missing(0, 100)).toEqual([0, 100]);
  });

  it("is not led astray by a late event of the boot before", () => {
    const { follower, come, happen } = rig();
    come(1000, { run: 2, boot: 2 });
    happen({ kind: "spike", boot: 2, step: 4050 });
    happen({ kind: "gap", boot: 1, step: 7, count: 5, cause: "lost" });
    expect([follower.events.boot, follower.events.spikes.length]).toEqual([2, 1]);
  });

  it("asks for the spikes before the page was opened, also where an old gap is told live", () => {
    const { follower, happenings, come, happen } = rig();
    come(1000);
    happen({ kind: "gap", boot: 1, step: 40, count: 5, cause: "lost" });
    follower.refill(0, 1010, 0);
    expect(happenings[0]!.what).toMatchObject({ first: 0 });
    expect(happenings[0]!.what.stop).toBeGreaterThan(3900);
  });

  it("asks for what happened while the connection was lost, also where nobody looked meanwhile", async () => {
    const { follower, happenings, come, lose } = rig();
    for (let first = 0; first < 500; first += 10) come(first);
    lose();
    come(1000);
    follower.refill(10, 1010, 0);
    expect(happenings[0]!.what).toMatchObject({ first: 1000, stop: 4036 }); // what was told a moment before may lack some
    await settle();
  });

  it("does not let a zoom wait for the past of the zoom before, nor ask without bound", () => {
    const { follower, pasts, come } = rig();
    come(1000);
    for (let level = 2; level < 9; level++) {
      follower.setLevel(level);
      come(Math.floor(4000 / 2 ** level), { level });
      follower.refill(0, 4000, 0);
      follower.refill(0, 4000, 50);
    }
    expect(pasts.map(({ what }) => what.level)).toEqual([2, 3, 4]);
  });

  it("says why the past cannot be had, and no longer once nothing is lacking", async () => {
    const { follower, pasts, happenings, come } = rig();
    come(10);
    follower.refill(0, 20, 0);
    pasts[0]!.reject(new Error("the history is away"));
    happenings[0]!.resolve({ events: [], complete: true });
    await settle();
    expect(follower.problem).toBe("the history is away");
    follower.refill(10, 19, performance.now() + 3000);
    expect(follower.problem).toBe("");
  });

  it("keeps the channels it knows until the device said others, and says why it does not", async () => {
    const { follower, abouts, come } = rig();
    const about = (name: string) => ({ step_us: 100, channels: [{ name }], clamp_channels: [{ name: `${name} clamped` }] });
    follower.describe(0);
    abouts[0]!.reject(new Error("the device is away"));
    await settle();
    expect([follower.aboutProblem, follower.channels()]).toEqual(["the device is away", []]);
    follower.describe(2500);
    abouts[1]!.resolve(about("vm"));
    await settle();
    come(0);
    come(0, { run: 2, boot: 2, mode: "voltage" });
    expect([follower.aboutProblem, follower.channels()]).toEqual(["", [{ name: "vm clamped" }]]);
    follower.describe(2501);
    abouts[2]!.resolve(about("other"));
    await settle();
    expect(follower.channels()).toEqual([{ name: "other clamped" }]);
    follower.describe(99_999);
    expect(abouts.length).toBe(3);
  });
});
