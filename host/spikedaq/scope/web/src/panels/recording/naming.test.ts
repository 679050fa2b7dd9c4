import { afterEach, beforeEach, expect, it, vi } from "vitest";

const server = vi.hoisted(() => ({ get: vi.fn() }));
vi.mock("./library", () => ({ get: server.get }));
vi.mock("../device/files", () => ({ words: (error: unknown) => (error as Error).message }));
const { isNameOld, name, parts } = await import("./form");
const { lookUpName } = await import("./naming");

const told = (text: string) => ({ name: text, run: 1, taken: false, wrong: {}, next_problem: null });

beforeEach(() => {
  vi.useFakeTimers();
  server.get.mockReset();
  name.value = null;
});
afterEach(() => {
  vi.useRealTimers();
});

it("a name is old from the first letter that is typed until the server has answered for the last", async () => {
  server.get.mockResolvedValueOnce(told("d_a_1"));
  const first = lookUpName("lab", { ...parts.value, mode: "a" });
  expect(isNameOld.value).toBe(true);
  await vi.advanceTimersByTimeAsync(300);
  expect([name.value!.name, isNameOld.value]).toEqual(["d_a_1", false]);

  let answer!: (value: unknown) => void;
  server.get.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
  first();
  const second = lookUpName("lab", { ...parts.value, mode: "ab" });
  await vi.advanceTimersByTimeAsync(300);
  second();
  server.get.mockResolvedValueOnce(told("d_abc_1"));
  lookUpName("lab", { ...parts.value, mode: "abc" });
  answer(told("d_ab_1"));
  await vi.advanceTimersByTimeAsync(299);
  expect([name.value!.name, isNameOld.value]).toEqual(["d_a_1", true]);
  await vi.advanceTimersByTimeAsync(1);
  expect([name.value!.name, isNameOld.value]).toEqual(["d_abc_1", false]);
});

it("a server that does not answer leaves no name", async () => {
  server.get.mockRejectedValueOnce(new Error("away"));
  lookUpName("lab", parts.value);
  await vi.advanceTimersByTimeAsync(300);
  expect([name.value!.name, name.value!.wrong, isNameOld.value]).toEqual([null, { name: "away" }, false]);
});
