import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const server = vi.hoisted(() => ({ get: vi.fn(), post: vi.fn(), downloads: [] as string[] }));
vi.mock("./library", () => ({ get: server.get, post: server.post, path: (what: string, query: object) => `${what} ${JSON.stringify(query)}` }));
vi.mock("../device/files", () => ({
  words: (error: unknown) => (error as Error).message,
  startDownload: (address: string) => server.downloads.push(address),
}));
const { again, cancel, keyOf, make, makings } = await import("./csv_jobs");

const S = { session: "s", folder: "/r" };
const job = (state: string, more = {}) => ({ id: "7", state, done: 0, total: 0, text: "", warnings: [], files: [], ...more });
const READY = job("ready", { files: [{ name: "s_alpha.csv", n_bytes: 9 }, { name: "s_alpha.json", n_bytes: 2 }] });
const now = () => makings.value.get(keyOf("lab", S));
/** An answer that comes when the test says so. */
function held<T>() {
  let answer!: (value: T) => void;
  const promise = new Promise<T>((resolve) => (answer = resolve));
  return { promise, answer };
}

beforeEach(() => {
  vi.useFakeTimers();
  server.get.mockReset();
  server.post.mockReset();
  server.downloads.length = 0;
  makings.value = new Map();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a CSV", () => {
  it("is asked for once, however often the button is pressed, and comes by itself", async () => {
    server.post.mockResolvedValue(job("waiting"));
    server.get.mockResolvedValueOnce(job("converting", { done: 1, total: 2 })).mockResolvedValue(READY);
    const made = make("lab", S);
    expect(now()).toEqual({ isBusy: true, job: null, error: "" });
    await make("lab", S);
    expect(server.post).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(600);
    expect(now()!.job).toMatchObject({ done: 1, total: 2 });
    await vi.advanceTimersByTimeAsync(500);
    await made;
    expect(now()).toEqual({ job: READY, isBusy: false, error: "" });
    expect(server.downloads).toEqual(['recordings/csv/file {"id":"7","name":"s_alpha.csv"}']);
    await vi.advanceTimersByTimeAsync(5000);
    expect(server.get).toHaveBeenCalledTimes(2);
  });

  it("of several tables comes as one archive", async () => {
    server.post.mockResolvedValue(job("ready", { files: [{ name: "a.csv", n_bytes: 1 }, { name: "b.csv", n_bytes: 1 }] }));
    await make("lab", S);
    expect(server.downloads).toEqual(['recordings/csv/file {"id":"7","name":null}']);
  });

  it("that is cancelled while a look at it is on its way stays cancelled, and is not downloaded", async () => {
    server.post.mockResolvedValueOnce(job("converting")).mockResolvedValue({});
    const look = held<unknown>();
    server.get.mockReturnValue(look.promise);
    const made = make("lab", S);
    await vi.advanceTimersByTimeAsync(500);
    await cancel("lab", S);
    look.answer(READY);
    await made;
    await vi.advanceTimersByTimeAsync(5000);
    expect(now()).toBeUndefined();
    expect(server.downloads).toEqual([]);
    expect(server.post).toHaveBeenLastCalledWith("recordings/csv", { id: "7" }, undefined, "DELETE");
    expect(server.get).toHaveBeenCalledTimes(1);
  });

  it("that is cancelled before the server has named it is dropped once it is named", async () => {
    const asked = held<unknown>();
    server.post.mockReturnValueOnce(asked.promise).mockResolvedValue({});
    const made = make("lab", S);
    await cancel("lab", S);
    asked.answer(job("waiting"));
    await made;
    expect(server.post).toHaveBeenLastCalledWith("recordings/csv", { id: "7" }, undefined, "DELETE");
    expect(now()).toBeUndefined();
  });

  it("that fails says why, and can be asked for again", async () => {
    server.post.mockResolvedValueOnce(job("failed", { text: "the disk is full" })).mockResolvedValue(READY);
    await make("lab", S);
    expect(now()).toEqual({ job: null, isBusy: false, error: "the disk is full" });
    await make("lab", S);
    expect(now()!.error).toBe("");
  });

  it("that the server keeps no more is not saved as a page of an error", async () => {
    server.post.mockResolvedValue(READY);
    await make("lab", S);
    server.downloads.length = 0;
    server.get.mockRejectedValue(new Error("this CSV is not kept any more; make it again"));
    await again("lab", S, "s_alpha.csv");
    expect(server.downloads).toEqual([]);
    expect(now()!.error).toBe("this CSV is not kept any more; make it again");
  });
});
