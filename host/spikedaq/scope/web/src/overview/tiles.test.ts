import { expect, test } from "vitest";
import type { BenchState, DeviceStatus, FileStatus } from "../state";
import { filtered, levelFor, recordedAs, SpikeRate, sorted, suggestedSession, tilesOf } from "./tiles";

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

const file = (state: string, rows: number) => ({ state, rows_on_disk: rows }) as FileStatus;

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

test("a tile says recording only of a board whose rows are on disk, and waiting for a window is nothing bad", () => {
  const [tile] = tilesOf([bench("lab", [status("alpha")])]);
  const [away] = tilesOf([bench("lab", [status("alpha")], { here: false })]);
  expect(recordedAs(tile!, file("recording", 0), 0)).toEqual({ text: "nothing on disk yet", kind: "plain" });
  expect(recordedAs(tile!, file("recording", 9), 0)).toEqual({ text: "● recording", kind: "recording" });
  expect(recordedAs(tile!, file("recording", 9), 6001)).toEqual({ text: "no growth for 6 s", kind: "bad" });
  expect(recordedAs(tile!, file("armed", 0), 60_000)).toEqual({ text: "waits for a window", kind: "plain" });
  expect(recordedAs(tile!, file("waiting", 9), 0)).toMatchObject({ kind: "bad" });
  expect(recordedAs(away!, file("recording", 9), 0)).toEqual({ text: "not known, the bench is away", kind: "bad" });
  expect(recordedAs(tile!, file("closed", 9), 0)).toBeNull();
  expect(recordedAs(tile!, null, 0)).toBeNull();
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
