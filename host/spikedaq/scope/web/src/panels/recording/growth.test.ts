import { describe, expect, it } from "vitest";
import type { RecordingStatus } from "../../state";
import { Growth, PATIENCE_MS, isRecorded, sessionShown, shownState } from "./growth";

describe("what is believed of a recording", () => {
  it("is recording only while rows are added on disk", () => {
    const growth = new Growth();
    expect(growth.take("alpha", "s", 100, 0)).toBe(0);
    expect(growth.take("alpha", "s", 200, 1000)).toBe(0);
    expect(growth.take("alpha", "s", 200, 4000)).toBe(3000);
    expect(shownState("recording", 200, 3000, true)).toEqual({ text: "recording", kind: "good" });
    expect(growth.take("alpha", "s", 200, 1000 + PATIENCE_MS + 1000)).toBe(PATIENCE_MS + 1000);
    expect(shownState("recording", 200, PATIENCE_MS + 1000, true)).toEqual({ text: "no growth for 7 s", kind: "bad" });
    expect(growth.take("alpha", "s", 201, 20_000)).toBe(0);
  });

  it("begins anew with a session", () => {
    const growth = new Growth();
    growth.take("alpha", "s", 100, 0);
    expect(growth.take("alpha", "t", 100, 60_000)).toBe(0);
  });

  it("is not recording with nothing on disk, nor when the bench is away", () => {
    expect(shownState("recording", 0, 0, true).kind).toBe("plain");
    expect(shownState("recording", 9, 0, false)).toEqual({ text: "not known, the bench is away", kind: "bad" });
    expect(shownState("stalled", 9, 0, true).kind).toBe("bad");
  });

  it("is as bad as its worst device", () => {
    const good = shownState("recording", 9, 0, true);
    const bad = shownState("failed", 9, 0, true);
    expect(sessionShown("recording", [good, good], true).text).toBe("recording");
    expect(sessionShown("recording", [good, bad], true)).toEqual({ text: "failed", kind: "bad" });
    expect(sessionShown("recording", [], true).kind).toBe("bad");
    expect(sessionShown("armed", [good], true)).toEqual({ text: "armed", kind: "plain" });
  });
});

it("a note on a device that is left out of the recording is in no file", () => {
  const recording = (state: string) => ({ state, devices: { alpha: {} } }) as unknown as RecordingStatus;
  expect([isRecorded(recording("recording"), null), isRecorded(recording("armed"), "alpha")]).toEqual([true, true]);
  expect(isRecorded(recording("recording"), "beta")).toBe(false);
  expect([isRecorded(recording("complete"), "alpha"), isRecorded(null, null)]).toEqual([false, false]);
});
