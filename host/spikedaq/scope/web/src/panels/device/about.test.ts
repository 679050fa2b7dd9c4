import { describe, expect, it, vi } from "vitest";

vi.mock("../../state", async () => {
  const { signal } = await import("@preact/signals");
  return { benches: signal(new Map()), connected: signal(false), connection: {}, myName: signal(""), onEvent: () => () => {} };
});
const { isMe, shortOrigin, withEvent, withUnknown } = await import("./about");

const about = {
  name: "alpha",
  board: "native",
  boot_id: 7,
  step_us: 100,
  stimulus_capacity: 0,
  presets: [],
  parameters: [
    {
      name: "i_clamp",
      unit: "a.u.",
      type: "float" as const,
      minimum: -1000,
      maximum: 1000,
      default: 0,
      value: 5,
      holder: "knob" as const,
      read_only: false,
      has_knob: true,
    },
  ],
};

describe("isMe", () => {
  it("knows itself by name and address, and by key and name", () => {
    expect(isMe("anna#1a2b3c@127.0.0.1", "anna#1a2b3c")).toBe(true);
    expect(isMe("lab (anna#1a2b3c)@10.0.0.2", "anna#1a2b3c")).toBe(true);
  });
  it("takes nobody else for itself", () => {
    expect(isMe("anna#1a2b3c4@127.0.0.1", "anna#1a2b3c")).toBe(false);
    expect(isMe("board", "anna#1a2b3c")).toBe(false);
    expect(isMe("anything", "")).toBe(false);
  });
});

it("says shortly who it was", () => {
  expect(shortOrigin("board")).toBe("the board");
  expect(shortOrigin("anna#1a2b3c@127.0.0.1")).toBe("anna#1a2b3c");
  expect(shortOrigin("x".repeat(40))).toHaveLength(24);
});

describe("withEvent", () => {
  const event = (more: Record<string, unknown>) => ({ kind: "parameter", boot: 7, name: "i_clamp", value: 9, ...more });
  it("takes a new value, and leaves the holder to describe", () => {
    expect(withEvent(about, event({})).parameters[0]).toMatchObject({ value: 9, holder: "knob" });
  });
  it("leaves everything else alone", () => {
    for (const more of [{ boot: 8 }, { name: "nothing" }, { value: null }, { value: 5 }, { kind: "spike" }]) {
      expect(withEvent(about, event(more))).toBe(about);
    }
  });
});

it("what a board does not tell is not 0", () => {
  const told = JSON.parse('{"parameters": [{"name": "led", "value": null, "default": null}, {"name": "buzzer", "value": 0, "default": 1}]}');
  expect(withUnknown(told).parameters).toEqual([
    { name: "led", value: Number.NaN, default: Number.NaN },
    { name: "buzzer", value: 0, default: 1 },
  ]);
});
