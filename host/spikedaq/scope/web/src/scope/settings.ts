/** How the oscilloscope is set; what is kept for the next run is kept in this browser. */
import { type Signal, effect, signal } from "@preact/signals";
import type { Edge, Run } from "./sweep";

/** Milliseconds across the screen. */
export const TIME_BASES_MS = [
  5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000,
];

export type Range = readonly [number, number];

export interface TriggerSettings {
  source: "level" | "stimulus" | "spike";
  channel: string;
  level: number;
  hysteresis: number;
  edge: Edge;
  /** Part of the screen before the trigger. */
  pre: number;
  run: Run;
  holdOffMs: number;
}

const LABELS: Record<string, string> = {
  vm: "Vm",
  stimulus: "Stimulus",
  i_total: "Total current",
  syn1_vm: "Synapse 1 Vm",
  syn1_i: "Synapse 1 current",
  syn2_vm: "Synapse 2 Vm",
  syn2_i: "Synapse 2 current",
  trigger: "Trigger",
  v_command: "Command voltage",
  i_clamp_out: "Clamp current",
};

/** Wide enough for what a healthy neuron does; nothing changes them but the person at the page. */
const DEFAULT_SCALES: Record<string, Range> = {
  vm: [-100, 50],
  stimulus: [-110, 110],
  i_total: [-50, 50],
  syn1_vm: [-110, 100],
  syn1_i: [-50, 50],
  syn2_vm: [-110, 100],
  syn2_i: [-50, 50],
  trigger: [-0.2, 1.2],
  v_command: [-120, 40],
  i_clamp_out: [-200, 200],
};

export function labelOf(channel: string): string {
  return LABELS[channel] ?? channel.replaceAll("_", " ");
}

/** A unit as it is written behind a number; a pure number has none. */
export function unitOf(unit: string): string {
  return unit === "1" ? "" : unit;
}

export function defaultScale(channel: string): Range {
  return DEFAULT_SCALES[channel] ?? [-100, 100];
}

/** A signal that is kept in this browser; what is there and is no such value counts as not there. */
function kept<T>(name: string, initial: T, isOne: (value: unknown) => boolean): Signal<T> {
  const key = `spikedaq.scope.${name}`;
  let value = initial;
  try {
    const there: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
    if (isOne(there)) value = there as T;
  } catch {
    // not JSON: as if it were not there
  }
  const it = signal(value);
  effect(() => {
    const text = JSON.stringify(it.value);
    try {
      localStorage.setItem(key, text);
    } catch {
      // full, or forbidden to this page: it holds until the page is closed
    }
  });
  return it;
}

const isRange = (value: unknown) =>
  Array.isArray(value) && value.length === 2 && value.every((v) => Number.isFinite(v)) && value[0] < value[1];
const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isNames = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === "string");

export const windowMs = kept("window_ms", 2000, (v) => TIME_BASES_MS.includes(v as number));
export const timeKind = kept<"wall" | "model">("time", "wall", (v) => v === "wall" || v === "model");
export const display = kept<"roll" | "sweep">("display", "roll", (v) => v === "roll" || v === "sweep");
export const shownChannels = kept<Record<"current" | "voltage", string[]>>(
  "channels",
  { current: ["vm", "stimulus", "i_total"], voltage: ["vm", "v_command", "i_clamp_out"] },
  (v) => isMap(v) && isNames(v["current"]) && isNames(v["voltage"]),
);
export const trigger = kept<TriggerSettings>(
  "trigger",
  { source: "level", channel: "vm", level: -20, hysteresis: 5, edge: "rising", pre: 0.2, run: "auto", holdOffMs: 0 },
  (v) =>
    isMap(v) &&
    ["level", "stimulus", "spike"].includes(v["source"] as string) &&
    ["rising", "falling"].includes(v["edge"] as string) &&
    ["auto", "normal", "single"].includes(v["run"] as string) &&
    typeof v["channel"] === "string" &&
    ["level", "hysteresis", "pre", "holdOffMs"].every((name) => Number.isFinite(v[name])),
);
/** Scales that were kept on purpose, by channel. */
export const keptScales = kept<Record<string, Range>>("scales", {}, (v) => isMap(v) && Object.values(v).every(isRange));
/** Scales now, by channel, where they are not the default. */
export const scales = signal<Record<string, Range>>({ ...keptScales.value });
export const cursorsOn = kept("cursors", false, (v) => typeof v === "boolean");
/** Further devices in the same panes: "bench/device". */
export const compared = signal<readonly string[]>([]);

export function scaleOf(channel: string): Range {
  return scales.value[channel] ?? defaultScale(channel);
}

export function setScale(channel: string, [low, high]: Range): void {
  if (!(high - low > 1e-6) || !Number.isFinite(low) || !Number.isFinite(high)) return;
  scales.value = { ...scales.value, [channel]: [low, high] };
}

export function isKept(channel: string): boolean {
  const [now, there] = [scaleOf(channel), keptScales.value[channel] ?? defaultScale(channel)];
  return now[0] === there[0] && now[1] === there[1];
}

export function keepScale(channel: string): void {
  keptScales.value = { ...keptScales.value, [channel]: scaleOf(channel) };
}

export function resetScale(channel: string): void {
  const { [channel]: _now, ...others } = scales.value;
  const { [channel]: _then, ...otherKept } = keptScales.value;
  scales.value = others;
  keptScales.value = otherKept;
}

/** The next longer or shorter time base. */
export function stepTimeBase(by: 1 | -1): void {
  const at = TIME_BASES_MS.indexOf(windowMs.value) + by;
  windowMs.value = TIME_BASES_MS[Math.min(TIME_BASES_MS.length - 1, Math.max(0, at))]!;
}

export function digits(value: number): string {
  return String(+value.toPrecision(4));
}

export function durationText(ms: number): string {
  if (ms < 1) return `${+(ms * 1000).toPrecision(4)} µs`;
  if (ms < 1000) return `${+ms.toPrecision(4)} ms`;
  if (ms < 120_000) return `${+(ms / 1000).toPrecision(4)} s`;
  return `${+(ms / 60_000).toPrecision(4)} min`;
}
