import { describe, expect, it } from "vitest";
import { today } from "./form";
import { MODE, readMode } from "./mode";
import { TRIGGER, conditionText, readTrigger } from "./triggers";

describe("the mode of a recording", () => {
  it("is left to the daemon unless something is chosen", () => {
    expect(readMode(MODE)).toEqual({ mode: null, wrong: {} });
    expect(readMode({ ...MODE, kind: "continuous" }).mode).toEqual({ kind: "continuous" });
  });

  it("has each trigger's own window unless one is given", () => {
    expect(readMode({ ...MODE, kind: "triggered" }).mode).toEqual({ kind: "triggered" });
    expect(readMode({ ...MODE, kind: "triggered", triggers: ["a"], pre_s: "0,5", post_s: "1" }).mode).toEqual({
      kind: "triggered",
      triggers: ["a"],
      pre_s: 0.5,
      post_s: 1,
    });
    expect(Object.keys(readMode({ ...MODE, kind: "triggered", pre_s: "1" }).wrong)).toEqual(["post_s"]);
  });

  it("has windows that are no longer than their distance", () => {
    expect(readMode({ ...MODE, kind: "scheduled" }).mode).toEqual({ kind: "scheduled", every_s: 600, for_s: 60 });
    expect(Object.keys(readMode({ ...MODE, kind: "scheduled", every_s: "10", for_s: "11" }).wrong)).toEqual(["for_s"]);
    expect(Object.keys(readMode({ ...MODE, kind: "scheduled", every_s: "0" }).wrong)).toEqual(["every_s"]);
    expect(Object.keys(readMode({ ...MODE, kind: "scheduled", for_s: "x" }).wrong)).toEqual(["for_s"]);
  });
});

describe("a trigger", () => {
  it("is what docs/reference/triggers.md takes", () => {
    expect(readTrigger({ ...TRIGGER, name: "spikes" }, "alpha").definition).toEqual({
      name: "spikes",
      when: "level",
      channel: "vm",
      level: -30,
      edge: "rising",
      hysteresis: 5,
      devices: ["alpha"],
      holdoff_s: 0.1,
      pre_s: 0.5,
      post_s: 1,
    });
  });

  it("marks with a window of nothing", () => {
    expect(readTrigger({ ...TRIGGER, name: "m", action: "mark", pre_s: "junk" }, "alpha").definition).toMatchObject({ pre_s: 0, post_s: 0 });
  });

  it.each([
    [{ name: "" }, "name"],
    [{ name: "a/b" }, "name"],
    [{ name: "..", level: "1" }, "name"],
    [{ name: "a", level: "" }, "level"],
    [{ name: "a", hysteresis: "-1" }, "hysteresis"],
    [{ name: "a", holdoff_s: "0" }, "holdoff_s"],
    [{ name: "a", pre_s: "3601" }, "pre_s"],
  ])("%o is refused", (change, field) => {
    const read = readTrigger({ ...TRIGGER, ...change }, "alpha");
    expect(read.definition).toBeNull();
    expect(Object.keys(read.wrong)).toEqual([field]);
  });

  it("is told in a line", () => {
    expect(conditionText({ when: "level", channel: "vm", level: -30 })).toBe("vm rising through -30");
    expect(conditionText({ when: "hand" })).toBe("by hand only");
  });
});

it("a day is that of this computer", () => {
  expect(today(new Date(2026, 4, 1, 23, 59))).toBe("2026-05-01");
});
