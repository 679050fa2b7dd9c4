import { expect, test } from "vitest";
import type { BenchState, DeviceStatus, FileStatus } from "../state";
import { filtered, Growth, levelFor, SpikeRate, sorted, suggestedSession, tilesOf } from "./tiles";

function status(name: string, state = "running"): DeviceStatus {
  return { name, state, board: "v3", detail: "", recording: null, lease: null } as unknown as DeviceStatus;
}

function bench(name: string, devices: DeviceStatus[], more: Partial<BenchState> = {}): BenchState {
  return {
    bench: name,
    url: `tcp://${name}`,
    here: true,
    error: "",
    status: { devices, alarms: [] } as unknown as BenchState["status"],
    ...more,
  } as BenchState;
}

const file = (bytes: number, rows: number, path = "a.nwb") =>
  ({ state: "recording", bytes, rows_on_disk: rows, file: path }) as FileStatus;

const LAB = [
  bench("lab10", [status("beta"), status("alpha", "lost")]),
  bench("lab2", [status("alpha")]),
  bench("lab3", [status("gamma")], { here: false, error: "no answer" }),
];

test("every device of every bench has a tile, also where its bench is away", () => {
  const tiles = tilesOf(LAB);
  expect(tiles.map((tile) => tile.key)).toEqual(["lab10/beta", "lab10/alpha", "lab2/alpha", "lab3/gamma"]);
  expect(tiles[3]!.status).toMatchObject({ state: "bench away", detail: "no answer" });
});

test("an alarm stands at the device that it is about, and at no other whose name begins alike", () => {
  const alarms = ["alpha", "alpha: file x", "alphabet", "disk"].map((subject) => ({ kind: "k", subject, text: "" }));
  const [tile] = tilesOf([bench("lab", [status("alpha")], { status: { devices: [status("alpha")], alarms } as never })]);
  expect(tile!.alarms.map((alarm) => alarm.subject)).toEqual(["alpha", "alpha: file x"]);
});

test("a bench with a larger number comes later, not earlier", () => {
  expect(sorted(tilesOf(LAB), "bench").map((tile) => tile.key)).toEqual([
    "lab2/alpha",
    "lab3/gamma",
    "lab10/alpha",
    "lab10/beta",
  ]);
});

test("by state, what is wrong comes first", () => {
  const keys = sorted(tilesOf(LAB), "state").map((tile) => tile.key);
  expect(keys).toEqual(["lab3/gamma", "lab10/alpha", "lab2/alpha", "lab10/beta"]);
});

test("by name, those of one name stand together", () => {
  const keys = sorted(tilesOf(LAB), "name").map((tile) => tile.key);
  expect(keys).toEqual(["lab2/alpha", "lab10/alpha", "lab10/beta", "lab3/gamma"]);
});

test("each word of a filter must stand somewhere, in any case", () => {
  const keys = (filter: string) => filtered(tilesOf(LAB), filter).map((tile) => tile.key);
  expect(keys("")).toHaveLength(4);
  expect(keys("LAB10 alpha")).toEqual(["lab10/alpha"]);
  expect(keys("lost")).toEqual(["lab10/alpha"]);
  expect(keys("lab10 gamma")).toEqual([]);
  expect(keys(".*")).toEqual([]);
});

test("a file grows while its bytes or its samples do, and for four seconds after", () => {
  const growth = new Growth();
  expect(growth.isGrowing("a", file(100, 10), 0)).toBe(true);
  expect(growth.isGrowing("a", file(100, 10), 3999)).toBe(true);
  expect(growth.isGrowing("a", file(100, 10), 4000)).toBe(false);
  expect(growth.isGrowing("a", file(100, 11), 4001)).toBe(true);
  expect(growth.isGrowing("b", file(5, 5), 9000)).toBe(true);
  // A new file is smaller than the last one was.
  expect(growth.isGrowing("a", file(1, 0, "b.nwb"), 9000)).toBe(true);
});

test("spikes per second are of the last five seconds, and unknown in the first", () => {
  const rate = new SpikeRate(0);
  for (let t = 100; t <= 900; t += 100) rate.spike(t);
  expect(rate.perSecond(950)).toBeNaN();
  expect(rate.perSecond(1000)).toBe(9);
  for (let t = 1000; t <= 10_000; t += 50) rate.spike(t);
  expect(rate.perSecond(10_000)).toBe(20);
  expect(rate.perSecond(15_000)).toBe(0);
});

test("four seconds at 10 kHz on 240 pixels are bins of 128 steps", () => {
  expect(levelFor(10_000, 4, 240)).toBe(7); // 40000 / 240 = 166.7, between 2**7 and 2**8
  expect(levelFor(500, 4, 240)).toBe(3);
  expect(levelFor(10, 4, 240)).toBe(0);
  expect(levelFor(0, 4, 240)).toBe(0);
  expect(levelFor(Number.NaN, 4, 0)).toBe(0);
  expect(levelFor(1e9, 1000, 1)).toBe(13);
});

test("a suggested session is a name that the daemon takes", () => {
  expect(suggestedSession(new Date(2026, 4, 1, 9, 5))).toBe("2026-05-01_class_0905");
});
