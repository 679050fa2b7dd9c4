import { describe, expect, it } from "vitest";
import { type Verification, bytesText, gapsText, namePart, percent, spanText, verifiedText } from "./words";

describe("words", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [999.6, "1 kB"],
    [1500, "1.5 kB"],
    [999_700, "1 MB"],
    [37_900_000_000, "37.9 GB"],
    [2.5e12, "2.5 TB"],
    [null, "?"],
    [Number.NaN, "?"],
  ])("%s bytes are %s", (bytes, text) => expect(bytesText(bytes)).toBe(text));

  it.each([
    [0, "0.0 s"],
    [-1, "0.0 s"],
    [9.94, "9.9 s"],
    [59.4, "59 s"],
    [59.6, "1 min 0 s"],
    [90, "1 min 30 s"],
    [3599, "1 h 0 min"],
    [3600, "1 h 0 min"],
    [194_400, "2 d 6 h"],
    [null, "?"],
  ])("%s seconds are %s", (seconds, text) => expect(spanText(seconds)).toBe(text));

  it("tells gaps by cause, and what cannot be counted", () => {
    expect(gapsText({ lost: 0, overrun: 0 })).toBe("none");
    expect(gapsText({ lost: 12_345, overrun: 0, dropped: 1 })).toBe("12\u202f345 lost, 1 dropped");
    expect(gapsText({ lost: null, overrun: 3 })).toBe("not countable");
    expect(gapsText(undefined)).toBe("none");
  });

  it("tells a verification in words, also where it has only begun", () => {
    const running: Verification = { state: "running", done_bytes: 0, total_bytes: 0 };
    expect(percent(running)).toBe(0);
    expect(verifiedText({ ...running, done_bytes: 999, total_bytes: 1000 })).toBe("verifying, 99 %");
    expect(verifiedText({ state: "failed", n_problems: 1 })).toBe("✗ 1 problem");
    expect(verifiedText({ state: "never" })).toBe("not verified");
  });

  // As tests/unit/test_session_names.py has them of name_part.
  it.each([
    ["Tonic spiking", "tonic-spiking"],
    ["  a  b ", "a-b"],
    ["../x", "x"],
    ["µV/s", "v-s"],
    ["a..b", "a-b"],
    ["---", ""],
  ])("%s becomes %s", (text, part) => expect(namePart(text)).toBe(part));
});
