import { expect, test, vi } from "vitest";

vi.stubGlobal("addEventListener", () => undefined);
const { countAt, forPart, snapped } = await import("./model");

const sweep = { thresholds_mv: [-0.2, -0.1, 0, 0.1], n_spikes: [4, 3, 2, 0], step_mv: 0.1, suggested: null };

test("the count of a threshold that is on the curve, and of no other", () => {
  expect(countAt(sweep, 0.1)).toBe(0);
  expect(countAt(sweep, -0.2)).toBe(4);
  expect([countAt(sweep, 0.05), countAt(sweep, -0.3), countAt(sweep, 7)]).toEqual([undefined, undefined, undefined]);
});

test("a threshold is dragged from one of the curve to the next, and not beyond", () => {
  expect([0.04, 0.06, -9, 9].map((v) => snapped(sweep, v))).toEqual([0, 0.1, -0.2, 0.1]);
});

test("another part is looked at from its beginning, as far as it fits, on a channel that it has", () => {
  const part = { name: "p", device: "d", mode: "current" as const, n_samples: 9, start_s: 0, stop_s: 9, channels: ["vm"], fits_until_s: 5 };
  expect(forPart({ start_s: 3, stop_s: 4, channel: "syn1_vm", threshold_mv: -30 }, part)).toEqual({ threshold_mv: -30, part: "p", stop_s: 5 });
  expect(forPart({ channel: "vm" }, { ...part, fits_until_s: null })).toEqual({ channel: "vm", part: "p" });
});
