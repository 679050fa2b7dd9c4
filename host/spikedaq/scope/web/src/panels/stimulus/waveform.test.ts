import { describe, expect, it } from "vitest";
import { defaultTexts, labelOf, readTexts, specOf } from "./form";
import { doesNotFit, durationText, partsOf, tooLarge } from "./waveform";

const sine = {
  name: "sine",
  title: "Sine",
  description: "",
  parameters: [
    { name: "amplitude", unit: "%", type: "float" as const, minimum: 0, maximum: 100, default: 50, description: "" },
    { name: "duration_ms", unit: "ms", type: "float" as const, minimum: 0.1, maximum: 600000, default: 250, description: "" },
    { name: "count", unit: "1", type: "integer" as const, minimum: 1, maximum: 10, default: 3, description: "" },
  ],
};

describe("forms", () => {
  it("begin with the defaults, which are right", () => {
    expect(readTexts(sine, defaultTexts(sine))).toEqual({ values: { amplitude: 50, duration_ms: 250, count: 3 }, wrong: {} });
  });
  it("say at each field what is wrong", () => {
    const { values, wrong } = readTexts(sine, { amplitude: "101", duration_ms: "0.25", count: "2.5" });
    expect(values).toEqual({});
    expect(wrong).toEqual({
      amplitude: "give a number from 0 to 100\u00a0%",
      duration_ms: "a row is 0.1 ms; give 0.3 ms",
      count: "give a whole number from 1 to 10",
    });
  });
  it("take a decimal comma", () => expect(readTexts(sine, { amplitude: "12,5" }).values["amplitude"]).toBe(12.5));
  it("names without units", () => expect(sine.parameters.map(labelOf)).toEqual(["Amplitude", "Duration", "Count"]));
  it("make specifications", () => {
    expect(specOf("sine", { amplitude: 1 }, 2)).toEqual({ sequence: [{ generator: "sine", values: { amplitude: 1 } }], repeat: 2 });
  });
});

describe("partsOf", () => {
  it("has every row once, in order", () => {
    const rows = Int16Array.from({ length: 25_001 }, (_, k) => (k % 20001) - 10000);
    const parts = [...partsOf(rows)];
    expect(parts.map(({ first_row, rows: part, n_rows }) => [first_row, part.length, n_rows])).toEqual([
      [0, 10000, 25001],
      [10000, 10000, 25001],
      [20000, 5001, 25001],
    ]);
    expect(parts.flatMap((part) => part.rows)).toEqual(Array.from(rows));
    expect(parts.every((part) => part.play === false)).toBe(true);
  });
  it("of one row is one", () => expect([...partsOf(new Int16Array([5]))]).toHaveLength(1));
});

describe("what does not fit", () => {
  it("is said with both numbers", () => {
    expect(doesNotFit("alpha", 500, 500)).toBeUndefined();
    expect(doesNotFit("alpha", 600000, 600001)).toBe(
      "alpha holds 600\u202f000 rows (60 s of model time), the stimulus has 600\u202f001 (60 s); make it shorter, or loop a part of it",
    );
    expect(doesNotFit("nano", 0, 1)).toContain("takes no waveform");
  });
  it("is not even sent", () => {
    expect(tooLarge("a.csv", 8_000_000)).toBeUndefined();
    expect(tooLarge("a.csv", 2_147_483_648)).toBe("a.csv has 2150 MB; a stimulus has at most 8 MB");
  });
});

it("durations", () => expect([0.1, 999.9, 1000, 61234.5].map(durationText)).toEqual(["0.1 ms", "999.9 ms", "1 s", "61.23 s"]));
