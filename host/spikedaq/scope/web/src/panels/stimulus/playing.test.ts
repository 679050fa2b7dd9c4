import { describe, expect, it } from "vitest";
import type { PlayedStimulus } from "../../state";
import { PlayFollower, playingText, progressOf } from "./playing";

const told: PlayedStimulus = {
  state: "playing",
  name: "a.csv",
  by: "anna@here",
  rows: 3000,
  loop: true,
  boot: 7,
  step: 1000,
  tick: 100000,
  t_ns: 5e9,
  loops: 1,
};
const trigger = (step: number, value = 1) => ({ kind: "trigger", boot: 7, step, t_ms: step / 10, value });

describe("PlayFollower", () => {
  it("takes a status as it is", () => {
    const follower = new PlayFollower();
    follower.status(told, 0);
    expect(follower.now).toEqual(told);
    follower.status(null, 10);
    expect(follower.now).toBeNull();
  });

  it("an event counts before the next status, and an older status does not overrule it", () => {
    const follower = new PlayFollower();
    follower.status(told, 0);
    expect(follower.event(trigger(4000), 100)).toBe(true);
    expect(follower.now).toMatchObject({ step: 4000, loops: 2, name: "a.csv", t_ns: 400e6 });
    follower.status(told, 200);
    expect(follower.now!.step).toBe(4000);
    follower.status({ ...told, step: 7000, loops: 3 }, 300);
    expect(follower.now!.step).toBe(7000);
  });

  it("a first event is a waveform that nobody has named yet; the status names it", () => {
    const follower = new PlayFollower();
    follower.event(trigger(1000), 0);
    expect(follower.now).toMatchObject({ name: null, state: "playing", step: 1000 });
    follower.status(null, 100);
    expect(follower.now).not.toBeNull();
    follower.status(told, 200);
    expect(follower.now!.name).toBe("a.csv");
  });

  it("ends with its event, and stays ended while the status still says otherwise", () => {
    const follower = new PlayFollower();
    follower.status({ ...told, loop: false }, 0);
    follower.event({ kind: "stimulus_end", boot: 7, step: 4000 }, 300);
    follower.status({ ...told, loop: false }, 400);
    expect(follower.now!.state).toBe("ended");
    follower.status({ ...told, loop: false }, 5000);
    expect(follower.now!.state).toBe("playing");
  });

  it("the square wave is none; other events say nothing", () => {
    const follower = new PlayFollower();
    follower.status(told, 0);
    for (const event of [{ kind: "spike", boot: 7, step: 1 }, { kind: "note" }, { kind: "stimulus_end", boot: 8, step: 5 }]) {
      expect(follower.event(event, 1)).toBe(false);
    }
    follower.event(trigger(5000, 0), 100);
    expect(follower.now).toBeNull();
  });
});

describe("progressOf", () => {
  it("a loop begins anew", () => {
    expect(progressOf(told, 5000 + 450, 100)).toEqual({ part: 0.5, modelMs: 150, totalMs: 300 });
  });
  it("slow motion takes longer", () => {
    expect(progressOf(told, 5000 + 3000, 2000).part).toBeCloseTo(0.5);
  });
  it("once does not go beyond its end, nor before its beginning", () => {
    expect(progressOf({ ...told, loop: false }, 9e9, 100).part).toBe(1);
    expect(progressOf({ ...told, loop: false }, 4000, 100).part).toBe(0);
  });
  it("says nothing where nothing is known", () => {
    expect(progressOf({ ...told, t_ns: null }, 6000, 100).part).toBeNull();
    expect(progressOf({ ...told, rows: null }, 6000, 100)).toEqual({ part: null, modelMs: 1000, totalMs: null });
  });
});

it("playingText", () => {
  expect(playingText(null)).toBe("the device's own square wave");
  expect(playingText({ ...told, loops: 3 })).toBe("a.csv, in a loop (3)");
  expect(playingText({ ...told, loop: false })).toBe("a.csv, once");
  expect(playingText({ ...told, state: "ended" })).toBe("a.csv was played once; silence since");
  expect(playingText({ ...told, name: null, loop: null })).toBe("a waveform, begun before the daemon");
});
