/** What a device plays now: by its status, which comes once a second, and its events, which come at once. */
import type { DeviceEvent, PlayedStimulus } from "../../state";

/** A status was true a while before it came: for so long it does not overrule an event. */
const STATUS_AGE_MS = 1200;

export class PlayFollower {
  now: PlayedStimulus | null = null;
  private heardMs = Number.NEGATIVE_INFINITY;

  /** Take what the status says. */
  status(told: PlayedStimulus | null, atMs: number): void {
    const isOlder = told === null || (this.now !== null && told.boot === this.now.boot && told.step < this.now.step);
    if (isOlder && this.now !== null && atMs - this.heardMs < STATUS_AGE_MS) return;
    const endedHere = told?.state === "playing" && this.now?.state === "ended" && told.step === this.now.step;
    if (endedHere && atMs - this.heardMs < STATUS_AGE_MS) return;
    this.now = told;
  }

  /** Take an event of the device; tell whether it says something about the stimulus. */
  event(event: DeviceEvent, atMs: number): boolean {
    if (typeof event.boot !== "number" || typeof event.step !== "number") return false;
    const { now } = this;
    const same = now !== null && now.boot === event.boot;
    if (event.kind === "trigger" && event.value) {
      this.now = {
        ...(same ? now : UNKNOWN),
        state: "playing",
        boot: event.boot,
        step: event.step,
        t_ns: typeof event.t_ms === "number" ? event.t_ms * 1e6 : null,
        loops: same ? now.loops + 1 : 1,
      };
    } else if (event.kind === "trigger") {
      this.now = null;
    } else if (event.kind === "stimulus_end" && same && event.step !== now.step) {
      this.now = { ...now, state: "ended" };
    } else {
      return false;
    }
    this.heardMs = atMs;
    return true;
  }
}

const UNKNOWN = { name: null, by: null, rows: null, loop: null, tick: 0 };

export interface Progress {
  /** Of the loop at hand, 0 to 1; null where it cannot be known. */
  part: number | null;
  modelMs: number | null;
  totalMs: number | null;
}

/** How far a waveform is. `nowMs` is on the bench's clock; a step takes `stepUs`. */
export function progressOf(now: PlayedStimulus, nowMs: number, stepUs: number): Progress {
  const totalMs = now.rows === null ? null : now.rows / 10;
  if (now.state === "ended") return { part: 1, modelMs: totalMs, totalMs };
  if (now.t_ns === null || !(stepUs > 0)) return { part: null, modelMs: null, totalMs };
  let modelMs = Math.max(0, ((nowMs - now.t_ns / 1e6) * 100) / stepUs);
  if (totalMs !== null && totalMs > 0) modelMs = now.loop === false ? Math.min(modelMs, totalMs) : modelMs % totalMs;
  return { part: totalMs ? modelMs / totalMs : null, modelMs, totalMs };
}

/** In words. */
export function playingText(now: PlayedStimulus | null): string {
  if (now === null) return "the device's own square wave";
  const what = now.name ?? "a waveform";
  if (now.state === "ended") return `${what} was played once; silence since`;
  if (now.loop === null) return `${what}, begun before the daemon`;
  return now.loop ? `${what}, in a loop (${now.loops})` : `${what}, once`;
}
