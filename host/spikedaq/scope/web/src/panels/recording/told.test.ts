import { expect, it, vi } from "vitest";
import type { BenchState, FileStatus, RecordingStatus } from "../../state";
import { isOngoing, tilesOf } from "../../overview/tiles";

vi.mock("../../state", async () => {
  const { signal } = await import("@preact/signals");
  return { benches: signal(new Map()) };
});
const { benches } = await import("../../state");
const { takeRecording } = await import("./told");

const file = (state: string, rows = 7) => ({ state, rows_on_disk: rows, samples: rows, session: "s" }) as FileStatus;
const told = (state: string, devices: Record<string, FileStatus>) => ({ session: "s", state, devices }) as RecordingStatus;
const device = (name: string, recording: FileStatus | null) => ({ name, recording });

it("a stop that a bench has answered ends it on the page, of its boards and no other's", () => {
  const state = {
    bench: "lab",
    url: "tcp://lab",
    here: true,
    status: { devices: [device("alpha", file("recording")), device("beta", null)], recording: told("recording", {}), alarms: [] },
  } as unknown as BenchState;
  benches.value = new Map([["lab", state], ["other", { ...state, bench: "other" }]]);
  takeRecording("lab", told("complete", { alpha: file("closed", 9) }));
  takeRecording("nowhere", told("complete", {}));
  const lab = benches.value.get("lab")!;
  expect(lab.status!.recording!.state).toBe("complete");
  const ongoing = tilesOf(benches.value.values()).map((tile) => tile.status.recording && isOngoing(tile.status.recording));
  expect(ongoing).toEqual([false, null, true, null]);
  expect(lab.status!.devices[0]!.recording).toMatchObject({ rows_on_disk: 9, session: "s" });
  expect([...benches.value.keys()]).toEqual(["lab", "other"]);
  expect(state.status!.recording!.state).toBe("recording");
});

it("a bench of which nothing is known yet stays so", () => {
  benches.value = new Map([["lab", { bench: "lab" } as BenchState]]);
  takeRecording("lab", told("complete", {}));
  expect(benches.value.get("lab")).toEqual({ bench: "lab" });
});
