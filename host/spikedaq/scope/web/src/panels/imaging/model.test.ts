import { afterEach, beforeEach, expect, it, vi } from "vitest";

const page = vi.hoisted(() => ({ ask: vi.fn(), watch: vi.fn(), past: vi.fn(), tell: (_said: unknown) => {} }));
vi.mock("../../state", async () => {
  const { signal } = await import("@preact/signals");
  return {
    connected: signal(true),
    connection: { ask: page.ask, watch: page.watch, past: page.past },
    device: signal({ state: "running" }),
    onImaging: (listener: typeof page.tell) => {
      page.tell = listener;
      return () => undefined;
    },
  };
});
vi.mock("./api", () => ({
  fetchTable: () => Promise.resolve({ indicators: [], settings: [] }),
  fetchState: () => Promise.resolve({ device: "alpha", pitch_steps: 100 }),
  order: vi.fn(),
}));
const { ImagingModel, windowS } = await import("./model");

const watched: { level: number; stream: string | undefined; ended: boolean; frame: (frame: object) => void }[] = [];
const open = () => watched.filter(({ ended }) => !ended);

beforeEach(() => {
  vi.useFakeTimers();
  watched.length = 0;
  page.ask.mockReset().mockResolvedValue({ channels: [], derived: [{ stream: "imaging", channels: [], pitch_steps: 20 }] });
  page.past.mockReset().mockResolvedValue({});
  page.watch.mockReset().mockImplementation((_bench, _device, level, frame, stream) => {
    const one = { level, stream, ended: false, frame };
    watched.push(one);
    return () => (one.ended = true);
  });
});
afterEach(() => {
  vi.useRealTimers();
});

const samples = (first: number) => ({ boot: 1, run: 1, mode: "current", level: 7, first, count: 0, channels: 8, low: [], high: [] });

it("the news of every second does not have everything sent anew; another window has", async () => {
  const model = new ImagingModel("lab", "alpha");
  model.start();
  for (let frames = 1; frames < 5; frames++) page.tell({ bench: "lab", device: "alpha", pitch_steps: 100, frames });
  await vi.advanceTimersByTimeAsync(0);
  expect(watched.length).toBe(2);
  windowS.value = 30;
  expect([watched.length, open().length]).toEqual([4, 2]);
  model.stop();
  expect(open()).toEqual([]);
});

it("a description that comes after the panel was closed watches nothing any more", async () => {
  let answer!: (about: object) => void;
  page.ask.mockReturnValue(new Promise((resolve) => (answer = resolve)));
  const model = new ImagingModel("lab", "alpha");
  model.start();
  watched[0]!.frame(samples(0));
  expect(page.ask).toHaveBeenCalledTimes(1);
  model.stop();
  answer({ channels: [], derived: [{ stream: "imaging", channels: [], pitch_steps: 1 }] });
  await vi.advanceTimersByTimeAsync(0);
  expect(open()).toEqual([]);
});
