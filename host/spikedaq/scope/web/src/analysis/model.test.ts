import { afterEach, describe, expect, test, vi } from "vitest";

const server = vi.hoisted(() => ({ open: vi.fn(), status: vi.fn(), look: vi.fn(), trace: vi.fn(), close: vi.fn() }));
vi.mock("./api", () => server);
vi.stubGlobal("addEventListener", () => undefined);
const model = await import("./model");
const { countAt, forPart, snapped } = model;

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

describe("a look that is changed", () => {
  const part = { name: "p", device: "d", mode: "current", n_samples: 9, start_s: 0, stop_s: 9, channels: ["vm"], fits_until_s: null };
  const found = (n_spikes: number) => ({ n_samples: 9, channel: "vm", spikes: { n_spikes } });
  const open = async () => {
    server.open.mockResolvedValue({ handle: "h" });
    server.status.mockResolvedValue({ state: "ready", parts: [part], total: 0 });
    server.look.mockResolvedValueOnce(found(1));
    model.openSession({ bench: "b", session: "s", device: "d" });
    await vi.waitFor(() => expect(model.seen.value).not.toBeNull());
    await vi.waitFor(() => expect(model.busy.value).toBe(""));
  };
  afterEach(() => {
    model.closeAll();
    server.look.mockReset();
  });

  test("and given up leaves the settings of what is shown", async () => {
    await open();
    server.look.mockImplementation((_handle, _look, signal: AbortSignal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))));
    model.change({ threshold_mv: -10 });
    expect([model.look.value.threshold_mv, model.seenBy.value.threshold_mv]).toEqual([-10, undefined]);
    model.giveUp();
    expect(model.look.value).toEqual(model.seenBy.value);
    expect(model.seen.value).toEqual(found(1));
  });

  test("and refused leaves it to be mended; tables are of what is shown", async () => {
    await open();
    server.look.mockRejectedValueOnce(new Error("no such range"));
    model.change({ start_s: 99 });
    await vi.waitFor(() => expect(model.problem.value).toBe("no such range"));
    expect([model.look.value.start_s, model.seenBy.value.start_s]).toEqual([99, undefined]);
  });

  test("to another range as long does not leave a close view of the old one", async () => {
    await open();
    server.trace.mockResolvedValue({ times_ms: [] });
    model.zoomTo({ first: 1, last: 2 });
    await vi.waitFor(() => expect(model.closeTrace.value).not.toBeNull());
    server.look.mockResolvedValueOnce(found(2)).mockResolvedValueOnce(found(3));
    model.change({ threshold_mv: -10 });
    await vi.waitFor(() => expect(model.seen.value).toEqual(found(2)));
    expect(model.zoom.value).toEqual({ first: 1, last: 2 });
    model.change({ start_s: 1, stop_s: 3 });
    await vi.waitFor(() => expect(model.seen.value).toEqual(found(3)));
    expect([model.zoom.value, model.closeTrace.value]).toEqual([null, null]);
  });
});
