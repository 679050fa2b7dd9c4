/** Whether a file grows, as far as this page has seen it: a state that nobody confirms is not believed. */

import type { RecordingStatus } from "../../state";

const ENDED = ["complete", "interrupted"];

export function isUnderWay(recording: RecordingStatus | null | undefined): recording is RecordingStatus {
  return recording !== null && recording !== undefined && !ENDED.includes(recording.state);
}

/** Whether a note goes into files: one on a device into its own, one on all (null) into those that there are. */
export function isRecorded(recording: RecordingStatus | null | undefined, device: string | null): boolean {
  return isUnderWay(recording) && (device === null || device in recording.devices);
}

/** A chunk of a second of samples reaches the disk at once; at a slow pace, and on a busy computer, later. */
export const PATIENCE_MS = 6000;

interface Seen {
  key: string;
  rows: number;
  changedMs: number;
}

export class Growth {
  private seen = new Map<string, Seen>();

  /** Take how many rows of a device a reader can see; return for how long there have been no more, in ms. */
  take(device: string, key: string, rows: number, nowMs: number): number {
    const before = this.seen.get(device);
    if (before === undefined || before.key !== key || before.rows !== rows) {
      this.seen.set(device, { key, rows, changedMs: nowMs });
      return 0;
    }
    return nowMs - before.changedMs;
  }
}

export interface Shown {
  /** "recording" only while the file grows. */
  text: string;
  kind: "good" | "plain" | "bad";
}

const WORDS: Record<string, Shown> = {
  waiting: { text: "no samples come", kind: "bad" },
  armed: { text: "waits for a window", kind: "plain" },
  stalled: { text: "stalled: samples come, the file does not grow", kind: "bad" },
  closing: { text: "closing", kind: "plain" },
  closed: { text: "closed", kind: "plain" },
  failed: { text: "failed", kind: "bad" },
};

/** How the recording of a device stands, in words. */
export function shownState(state: string, rowsOnDisk: number, stillMs: number, isHere: boolean): Shown {
  if (!isHere) return { text: "not known, the bench is away", kind: "bad" };
  if (state !== "recording") return WORDS[state] ?? { text: state, kind: "plain" };
  if (rowsOnDisk <= 0) return { text: "nothing on disk yet", kind: "plain" };
  if (stillMs > PATIENCE_MS) return { text: `no growth for ${Math.round(stillMs / 1000)} s`, kind: "bad" };
  return { text: "recording", kind: "good" };
}

/** What a session is called in one word, of its own state and of those of its devices. */
export function sessionShown(state: string, devices: readonly Shown[], isHere: boolean): Shown {
  if (!isHere) return { text: "not known, the bench is away", kind: "bad" };
  if (state !== "recording") return { text: state, kind: state === "stalled" || state === "waiting" ? "bad" : "plain" };
  if (devices.length > 0 && devices.every(({ kind }) => kind === "good")) return { text: "recording", kind: "good" };
  return devices.find(({ kind }) => kind === "bad") ?? devices.find(({ kind }) => kind === "plain") ?? { text: "no devices", kind: "bad" };
}
