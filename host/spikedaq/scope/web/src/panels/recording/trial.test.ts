import { expect, it, vi } from "vitest";

const server = vi.hoisted(() => ({ get: vi.fn(), request: vi.fn(), tell: (_bench: string, _trial: unknown) => {} }));
vi.mock("../../state", () => ({ onTrial: (listener: typeof server.tell) => (server.tell = listener) }));
vi.mock("./library", () => ({ get: server.get, post: vi.fn(), path: (what: string) => what }));
vi.mock("../device/files", () => ({ identity: () => ({}), request: server.request }));
const { beginTrial, fetchTrial, trials } = await import("./trial");

const trial = (state: string) => ({ session: "s", state });
const wanted = { session: "s", device: "alpha", others: [], folder: null, notes: "", baseline_s: 0, after_s: 0 };
const source = { name: "Sine", spec: { sequence: [], repeat: 1 } };

it("a trial that fails at once is not said to run by the answer that comes late", async () => {
  server.request.mockImplementation(async () => {
    server.tell("lab", trial("running"));
    server.tell("lab", trial("failed"));
    return { json: () => Promise.resolve({ trial: trial("running") }) };
  });
  await beginTrial("lab", source, wanted);
  expect(trials.value.get("lab")!.state).toBe("failed");
});

it("where nothing was told meanwhile, the answer counts", async () => {
  server.get.mockResolvedValue({ trial: trial("done") });
  await fetchTrial("lab");
  expect(trials.value.get("lab")!.state).toBe("done");
  server.get.mockResolvedValue({ trial: null });
  await fetchTrial("other");
  expect(trials.value.has("other")).toBe(false);
});
