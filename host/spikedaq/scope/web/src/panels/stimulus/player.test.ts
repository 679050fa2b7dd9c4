import { beforeEach, expect, it, vi } from "vitest";

const bench = vi.hoisted(() => ({ ask: vi.fn(), fetchRows: vi.fn() }));
vi.mock("../../state", () => ({ connection: { ask: bench.ask } }));
vi.mock("./waveform", async (original) => ({ ...(await original<object>()), fetchRows: bench.fetchRows }));
const { cancel, failures, play, uploads } = await import("./player");

const SINE = { name: "Sine", spec: { sequence: [], repeat: 1 } };
const asked = () => bench.ask.mock.calls.map(([, , args]) => ("play" in args && args.play ? "play" : args.first_row));

beforeEach(() => {
  bench.ask.mockReset().mockResolvedValue({});
  bench.fetchRows.mockReset();
});

it("a waveform is sent in parts, then played", async () => {
  bench.fetchRows.mockResolvedValue(new Int16Array(10_001));
  await play("lab", "alpha", SINE, true);
  expect(asked()).toEqual([0, 10_000, "play"]);
  expect(bench.ask).toHaveBeenLastCalledWith("lab", "stimulus", { device: "alpha", play: true, loop: true, name: "Sine" });
  expect(uploads.value.size).toBe(0);
});

it.each([1, 10_001])("one of %d rows that is cancelled while its last part is sent is not played", async (rows) => {
  bench.fetchRows.mockResolvedValue(new Int16Array(rows));
  bench.ask.mockImplementation(async (_bench, _op, args) => {
    if (args.first_row + args.rows.length === rows) cancel("lab", "alpha");
  });
  await play("lab", "alpha", SINE, false);
  expect(asked()).not.toContain("play");
  expect(uploads.value.size).toBe(0);
  expect(failures.value.size).toBe(0);
});

it("while one is sent to a device, no other is; to another device it is", async () => {
  let answer!: (rows: Int16Array) => void;
  bench.fetchRows.mockReturnValueOnce(new Promise((resolve) => (answer = resolve))).mockResolvedValue(new Int16Array(1));
  const first = play("lab", "alpha", SINE, false);
  await play("lab", "alpha", SINE, true);
  await play("lab", "beta", SINE, false);
  answer(new Int16Array(1));
  await first;
  expect(bench.fetchRows).toHaveBeenCalledTimes(2);
});

it("what is refused is said, and does not stand in the way of the next", async () => {
  bench.fetchRows.mockRejectedValueOnce(new Error("no such stimulus")).mockResolvedValue(new Int16Array(1));
  await play("lab", "alpha", SINE, false);
  expect(failures.value.get("lab/alpha")).toBe("no such stimulus");
  await play("lab", "alpha", SINE, false);
  expect(failures.value.size).toBe(0);
});
