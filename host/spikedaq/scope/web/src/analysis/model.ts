/** What is open on the analysis page, what is looked at, and what was found: kept while other views are shown. */
import { computed, signal } from "@preact/signals";
import { Refused } from "../net/connection";
import * as api from "./api";

export const opened = signal<api.Opened | null>(null);
export const look = signal<api.Look>({});
export const seen = signal<api.Seen | null>(null);
/** How that was looked at: while a newer look is under way or refused, it is not `look`. */
export const seenBy = signal<api.Look>({});
/** What is under way, in words; empty where nothing is. */
export const busy = signal("");
export const progress = signal<{ done: number; total: number } | null>(null);
export const problem = signal("");
/** Where the threshold is dragged to, while it is; null otherwise. */
export const dragged = signal<number | null>(null);
/** The part of the trace that is shown closer, in ms; null for all of it. */
export const zoom = signal<{ first: number; last: number } | null>(null);
export const closeTrace = signal<api.Trace | null>(null);

export const part = computed(() => opened.value?.parts.find((one) => one.name === look.value.part));
export const threshold = computed(() => dragged.value ?? seen.value?.spikes?.threshold_mv ?? null);

const POLL_MS = 300;
/** A trace that is shown closer is of one range of one channel. */
const RANGE = ["part", "start_s", "stop_s", "channel"] as const;
const DEFAULTS: api.Look = { near_mv_per_ms: 20 };
let current = new AbortController();
let looking = new AbortController();
let zooming = new AbortController();
let again: (() => void) | null = null;

/** Open what was opened last once more. */
export function openAgain(): void {
  again?.();
}

export const canOpenAgain = (): boolean => again !== null;

export function openSession(what: { bench: string; session: string; folder?: string; device: string; files?: string[] }): void {
  void start(`fetching ${what.session}, ${what.device}`, (signal) => api.open(what, signal));
  again = () => openSession(what);
}

export function openFile(file: File, limit: { csv_bytes: number; nwb_bytes: number } | null): void {
  const isCsv = file.name.toLowerCase().endsWith(".csv");
  const most = limit && (isCsv ? limit.csv_bytes : limit.nwb_bytes);
  if (most !== null && file.size > most) {
    closeAll();
    problem.value = `${file.name} has ${Math.round(file.size / 1e6)} MB, and at most ${most / 1e6} MB can be uploaded; cut it, or use spikedaq spikes on your own computer`;
    return;
  }
  void start(`uploading ${file.name}`, (signal) => api.upload(file, signal));
  again = () => openFile(file, limit);
}

/** Put away what is open; whatever is under way for it ends. */
export function closeAll(): void {
  current.abort();
  looking.abort();
  zooming.abort();
  if (opened.value) api.close(opened.value.handle);
  opened.value = seen.value = closeTrace.value = zoom.value = dragged.value = progress.value = null;
  busy.value = problem.value = "";
  again = null;
}

/** End what is under way: a look leaves what was seen before, anything else leaves nothing. */
export function giveUp(): void {
  if (!seen.value) {
    closeAll();
    return;
  }
  looking.abort();
  look.value = seenBy.value;
  dragged.value = progress.value = null;
  busy.value = "";
}

async function start(what: string, open: (signal: AbortSignal) => Promise<api.Opened>): Promise<void> {
  closeAll();
  const mine = new AbortController();
  current = mine;
  busy.value = what;
  try {
    const first = await open(mine.signal);
    if (mine.signal.aborted) {
      api.close(first.handle);
      return;
    }
    opened.value = first;
    const ready = await wait(first.handle, mine.signal, what);
    opened.value = ready;
    const chosen = ready.parts.find((one) => one.mode === "current") ?? ready.parts[0];
    look.value = chosen ? forPart(DEFAULTS, chosen) : { ...DEFAULTS };
    await see();
  } catch (error) {
    if (mine.signal.aborted) return;
    if (opened.value) api.close(opened.value.handle);
    opened.value = progress.value = null;
    busy.value = "";
    problem.value = words(error);
  }
}

async function wait(handle: string, signal: AbortSignal, what: string): Promise<api.Opened> {
  for (;;) {
    const state = await api.status(handle, signal);
    if (state.state === "failed") throw new Refused("failed", state.text);
    if (state.state === "ready") return { handle, ...state };
    busy.value = state.state === "fetching" ? what : `reading ${state.name}`;
    progress.value = state.total ? { done: state.done, total: state.total } : null;
    await new Promise((done) => setTimeout(done, POLL_MS));
    signal.throwIfAborted();
  }
}

/** What is looked at when a part is chosen: from its beginning, as much as fits. */
export function forPart(now: api.Look, chosen: api.Part): api.Look {
  const { start_s: _, stop_s: __, ...rest } = now;
  const channel = rest.channel && chosen.channels.includes(rest.channel) ? { channel: rest.channel } : {};
  const { channel: ___, ...others } = rest;
  return { ...others, ...channel, part: chosen.name, ...(chosen.fits_until_s === null ? {} : { stop_s: chosen.fits_until_s }) };
}

/** Change what is looked at, undefined for the default, and look. */
export function change(to: { [K in keyof api.Look]?: api.Look[K] | undefined }): void {
  const merged: Record<string, unknown> = { ...look.value, ...to };
  look.value = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as api.Look;
  void see();
}

async function see(): Promise<void> {
  const handle = opened.value?.handle;
  if (!handle) return;
  looking.abort();
  const mine = new AbortController();
  looking = mine;
  const by = look.value;
  busy.value = "analysing";
  problem.value = "";
  const telling = setInterval(() => {
    api.status(handle, mine.signal).then(
      (state) => {
        if (looking === mine && busy.value) progress.value = state.total && state.done < state.total ? state : null;
      },
      () => undefined,
    );
  }, POLL_MS);
  try {
    const found = await api.look(handle, by, mine.signal);
    if (mine.signal.aborted) return;
    const before = seenBy.value;
    const isOther = seen.value === null || RANGE.some((key) => before[key] !== by[key]);
    seen.value = found;
    seenBy.value = by;
    dragged.value = null;
    if (isOther) zoomTo(null);
  } catch (error) {
    if (mine.signal.aborted) return;
    problem.value = words(error);
    dragged.value = null;
  } finally {
    clearInterval(telling);
    if (looking === mine) {
      busy.value = "";
      progress.value = null;
    }
  }
}

/** Show a part of the trace closer, from the server with all that the screen can show. */
export function zoomTo(to: { first: number; last: number } | null): void {
  zooming.abort();
  zoom.value = to;
  if (!to) closeTrace.value = null;
  const handle = opened.value?.handle;
  if (!to || !handle) return;
  const mine = new AbortController();
  zooming = mine;
  api.trace(handle, { ...seenBy.value, first_ms: to.first, last_ms: to.last }, mine.signal).then(
    (found) => {
      if (!mine.signal.aborted) closeTrace.value = found;
    },
    (error) => {
      if (!mine.signal.aborted) problem.value = words(error);
    },
  );
}

/** How many spikes a threshold finds, from the curve that was counted once; undefined where it is not on it. */
export function countAt(sweep: api.Sweep, thresholdMv: number): number | undefined {
  const first = sweep.thresholds_mv[0];
  if (first === undefined) return undefined;
  const k = Math.round((thresholdMv - first) / sweep.step_mv);
  const at = sweep.thresholds_mv[k];
  return at !== undefined && Math.abs(at - thresholdMv) < sweep.step_mv / 1000 ? sweep.n_spikes[k] : undefined;
}

/** The nearest threshold of the curve. */
export function snapped(sweep: api.Sweep, thresholdMv: number): number {
  const { thresholds_mv: all, step_mv: step } = sweep;
  const k = Math.round((thresholdMv - all[0]!) / step);
  return all[Math.min(Math.max(k, 0), all.length - 1)]!;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

addEventListener("pagehide", () => {
  if (opened.value) api.close(opened.value.handle);
});
