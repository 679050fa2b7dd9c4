import { describe, expect, it } from "vitest";
import { complaint, grouped, linearScale, logScale, niceStep, parseNumber, shortest, stepped, unitText } from "./numbers";

describe("shortest", () => {
  it.each([
    [0.019999999552965164, "0.02"],
    [0.9950000047683716, "0.995"],
    [-63.79999923706055, "-63.8"],
    [0.0010000000474974513, "0.001"],
    [-0, "0"],
    [1000000, "1000000"],
    [Math.fround(1e-7), "0.0000001"],
    [Math.fround(1 / 3), "0.33333334"],
    [16777216, "16777216"],
    [Number.NaN, "?"],
  ])("%f is %s", (value, text) => expect(shortest(value)).toBe(text));

  it("means the same 32-bit float, whatever it is", () => {
    for (let k = 1; k < 2000; k++) {
      const value = Math.fround(Math.sin(k * 12.9898) * 10 ** ((k % 9) - 4));
      expect(Math.fround(Number(shortest(value)))).toBe(value);
    }
  });
});

describe("parseNumber", () => {
  it.each([
    ["1.5", 1.5],
    [" -2,5 ", -2.5],
    ["1e-3", 0.001],
    [".5", 0.5],
    ["\u22123", -3],
    ["+7.", 7],
  ])("%s", (text, value) => expect(parseNumber(text)).toBe(value));

  it.each(["", "abc", "1.2.3", "1,000,000", "0x10", "Infinity", "nan", "1e999", "--1", "1 2"])("%s is none", (text) =>
    expect(parseNumber(text)).toBeUndefined(),
  );
});

describe("complaint", () => {
  const range = { minimum: Math.fround(0.1), maximum: 2, integer: false };
  it("lets the limits pass, also as decimals beside their 32-bit floats", () => {
    expect(complaint(0.1, range, "1")).toBeUndefined();
    expect(complaint(2, range, "1")).toBeUndefined();
  });
  it("says the range with its unit", () => {
    expect(complaint(2.1, range, "mV")).toBe("give a number from 0.1 to 2\u00a0mV");
    expect(complaint(undefined, range, "1")).toBe("this is no number; give a number from 0.1 to 2");
    expect(complaint(1.5, { ...range, integer: true }, "us")).toBe("give a whole number from 0.1 to 2\u00a0µs");
  });
});

it("units", () => {
  expect(unitText("1")).toBe("");
  expect(unitText("step")).toBe("\u00a0steps");
  expect(grouped(600000)).toBe("600\u202f000");
  expect(grouped(12)).toBe("12");
});

describe("steps", () => {
  it.each([
    [200, false, 1],
    [0.2, false, 0.001],
    [139, false, 1],
    [1e6, true, 5000],
    [3, true, 1],
    [50, false, 0.5],
    [0, false, 1],
  ])("of a span of %f", (span, integer, step) => expect(niceStep(span, integer)).toBe(step));

  const range = { minimum: 0, maximum: 1, step: 0.1, integer: false };
  it("stay on their grid", () => {
    expect(stepped(0.2, 1, range)).toBe(0.3);
    expect(stepped(0.25, 1, range)).toBe(0.3);
    expect(stepped(0.25, -1, range)).toBe(0.2);
    expect(stepped(0.1 + 0.2, 1, range)).toBe(0.4);
    expect(stepped(0.95, 10, range)).toBe(1);
    expect(stepped(0, -1, range)).toBe(0);
  });
});

describe("scales", () => {
  it("linear: both ends, and back", () => {
    const scale = linearScale(-110, 29, 0.5);
    expect(scale.positions).toBe(278);
    expect([scale.toValue(0), scale.toValue(278)]).toEqual([-110, 29]);
    expect(scale.toValue(scale.toPosition(-65))).toBe(-65);
    expect(scale.toPosition(1e9)).toBe(278);
    expect(scale.toPosition(-1e9)).toBe(0);
  });
  it("linear: a step that does not divide the span ends at the maximum", () => {
    const scale = linearScale(0, 1, 0.3);
    expect(scale.toValue(scale.positions)).toBe(1);
  });
  it("logarithmic: whole numbers, rising, both ends", () => {
    const scale = logScale(10, 1_000_000);
    expect([scale.toValue(0), scale.toValue(240)]).toEqual([10, 1_000_000]);
    for (let k = 1; k <= 240; k++) {
      expect(scale.toValue(k)).toBeGreaterThanOrEqual(scale.toValue(k - 1));
      expect(Number.isInteger(scale.toValue(k))).toBe(true);
    }
    expect(scale.toValue(scale.toPosition(100))).toBeCloseTo(100, -1);
  });
});
