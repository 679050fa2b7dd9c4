import { describe, expect, it } from "vitest";
import type { About, Parameter } from "../device/about";
import { groupsOf, labelOf, meaningOf, originOf, presetOf, rangeOf, scaleOf } from "./groups";

function parameter(name: string, more: Partial<Parameter> = {}): Parameter {
  return {
    name,
    unit: "1",
    type: "float",
    minimum: 0,
    maximum: 1,
    default: 0,
    value: 0,
    holder: "knob",
    read_only: false,
    has_knob: false,
    ...more,
  };
}

function about(parameters: Parameter[]): About {
  const preset = { name: "x", a: 0, b: 0, c: 0, d: 0, v_rest: 0 };
  return { name: "alpha", board: "", boot_id: 1, step_us: 100, stimulus_capacity: 0, presets: [preset, preset], parameters };
}

describe("groupsOf", () => {
  it("puts each parameter into exactly one group, and what nobody knows into the last", () => {
    const names = ["syn1_gain", "preset", "noise_sd", "wings", "a", "i_clamp", "led", "step_us"];
    const groups = groupsOf(about(names.map((name) => parameter(name))));
    expect(groups.map((group) => group.title)).toEqual([
      "Membrane",
      "Currents and noise",
      "Synapses",
      "Time",
      "Outputs",
      "Others",
    ]);
    expect(groups.flatMap((group) => group.parameters.map((p) => p.name)).sort()).toEqual([...names].sort());
    expect(groups.at(-1)!.parameters.map((p) => p.name)).toEqual(["wings"]);
    expect(labelOf("wings")).toBe("wings");
  });
  it("has none for a device without parameters", () => expect(groupsOf(about([]))).toEqual([]));
});

describe("ranges", () => {
  const current = parameter("i_clamp", { minimum: -1000, maximum: 1000, unit: "a.u." });
  it("a slider reaches what is usual, a number all that the device takes", () => {
    const scale = scaleOf(current);
    expect([scale.toValue(0), scale.toValue(scale.positions)]).toEqual([-100, 100]);
    expect(rangeOf(current)).toEqual({ minimum: -1000, maximum: 1000, step: 0.5, integer: false });
  });
  it("a device that takes less than what is usual decides", () => {
    const scale = scaleOf({ ...current, minimum: -10, maximum: 10 });
    expect([scale.toValue(0), scale.toValue(scale.positions)]).toEqual([-10, 10]);
    const outside = scaleOf({ ...current, minimum: 500, maximum: 600 });
    expect([outside.toValue(0), outside.toValue(outside.positions)]).toEqual([500, 600]);
  });
  it("whole numbers move by whole numbers", () => {
    expect(rangeOf(parameter("wings", { type: "integer", maximum: 10 })).step).toBe(1);
    const step = parameter("step_us", { type: "integer", minimum: 10, maximum: 1e6, value: 100 });
    const scale = scaleOf(step);
    expect(Number.isInteger(scale.toValue(17))).toBe(true);
    expect([scale.toValue(0), scale.toValue(scale.positions)]).toEqual([50, 20000]);
  });
});

describe("meaningOf", () => {
  it.each([
    [100, "real time: a step is 0.1 ms of model time"],
    [2000, "20 times slower than real time"],
    [50, "2 times faster than real time"],
    [Number.NaN, ""],
  ])("step_us %d", (value, text) => expect(meaningOf(parameter("step_us", { value }))).toBe(text));
  it("a period in steps is a frequency in model time", () => {
    expect(meaningOf(parameter("stim_period", { value: 500 }))).toBe("50 ms, 20 Hz of model time; on for the first half");
  });
});

describe("originOf", () => {
  it("says who holds it", () => {
    expect(originOf(parameter("a", { holder: "host" }))).toBe("host");
    expect(originOf(parameter("i_clamp", { has_knob: true }))).toBe("knob");
    expect(originOf(parameter("i_clamp"))).toBe("default");
    expect(originOf(parameter("c", { default: -65, value: -50 }))).toBe("preset");
    expect(originOf(parameter("c", { default: -65, value: -65 }))).toBe("default");
  });
});

it("presetOf knows a custom neuron", () => {
  expect(presetOf(about([parameter("preset", { value: 1 })]))).toBe(1);
  for (const value of [255, 2, -1, 0.5, Number.NaN]) expect(presetOf(about([parameter("preset", { value })]))).toBeUndefined();
  expect(presetOf(about([]))).toBeUndefined();
});
