/** What the page knows of the benches, as signals: whoever reads one is drawn again when it changes. */
import { computed, signal } from "@preact/signals";
import { Connection, Refused, type Said } from "./net/connection";
import { socketUrl } from "./net/lasting_socket";

export interface Lease {
  device: string | null;
  holder: string;
  left_s: number;
}

export interface FileStatus {
  state: string;
  file: string | null;
  bytes: number;
  samples: number;
  rows_on_disk: number;
  gaps: Record<string, number | null>;
  error: string | null;
  windows: number;
  session?: string;
}

/** The waveform that a device plays or has played (docs/reference/bus.md, 1.3). */
export interface PlayedStimulus {
  state: "playing" | "ended";
  name: string | null;
  by: string | null;
  rows: number | null;
  loop: boolean | null;
  boot: number;
  step: number;
  tick: number;
  t_ns: number | null;
  loops: number;
}

export interface DeviceStatus {
  name: string;
  url: string;
  state: string;
  detail: string;
  unique_id: string;
  board: string;
  firmware: string;
  boot: number | null;
  rate_hz: number;
  nominal_hz: number;
  mode: "current" | "voltage";
  v_hold_mv: number | null;
  samples: number;
  sequence: "counted" | "none";
  gaps: Record<string, number | null>;
  recording: FileStatus | null;
  free_bytes: number | null;
  lease: Lease | null;
  clock_u_ns: number | null;
  /** Null while it is the device's square wave; absent from older daemons. */
  stimulus?: PlayedStimulus | null;
}

export interface RecordingStatus {
  session: string;
  state: string;
  folder: string;
  started_utc_ns: number;
  devices: Record<string, FileStatus>;
  restarts: number;
  reason: string | null;
}

export interface Alarm {
  kind: string;
  subject: string;
  text: string;
}

export interface BenchState {
  bench: string;
  url: string;
  /** The daemon answers. */
  here: boolean;
  error: string;
  /** Messages that the page's server missed on the bus. */
  missed?: number;
  /** The daemon's clocks at one moment; `offset_ms` is its CLOCK_BOOTTIME less that of the page's server. */
  clock?: { utc_ns: number; host_ns: number; offset_ms: number; uncertainty_ms: number | null };
  status?: {
    version: string;
    epoch: string;
    data: string;
    free_bytes: number | null;
    devices: DeviceStatus[];
    recording: RecordingStatus | null;
    leases: Lease[];
    alarms: Alarm[];
    disk: Record<string, unknown> | null;
  };
}

/** Something that happened on a device (docs/reference/bus.md, 1.2); times in milliseconds. */
export interface DeviceEvent {
  kind: string;
  boot?: number;
  step?: number;
  t_ms?: number;
  index?: number;
  value?: number | null;
  [key: string]: unknown;
}

export interface DeviceKey {
  bench: string;
  device: string;
}

export interface Toast {
  id: number;
  text: string;
  kind: "info" | "error";
}

const MAX_TOASTS = 4;
const TOAST_MS = 8000;

export const connected = signal(false);
/** Why page and server do not understand one another; empty where they do. */
export const useless = signal("");
export const role = signal<"viewer" | "controller">("viewer");
/** What this page is called at the benches: holder of its leases, origin of its notes. */
export const myName = signal("");
export const benches = signal<ReadonlyMap<string, BenchState>>(new Map());
export const selected = signal<DeviceKey | null>(null);
export const toasts = signal<readonly Toast[]>([]);
/** Somebody else would like a lease that this page has. */
export const leaseWanted = signal<{ bench: string; device: string | null; by: string } | null>(null);

export const devices = computed(() =>
  [...benches.value.values()].flatMap((bench) =>
    (bench.status?.devices ?? []).map((status) => ({ bench: bench.bench, device: status.name, status })),
  ),
);
export const bench = computed(() => (selected.value ? benches.value.get(selected.value.bench) : undefined));
export const device = computed(
  () => devices.value.find((d) => d.bench === selected.value?.bench && d.device === selected.value?.device)?.status,
);

/** Who may change the device now: its lease, or nobody's. */
export function holdsLease(lease: Lease | null): boolean {
  return lease === null || lease.holder.startsWith(`${myName.value}@`) || lease.holder.includes(`(${myName.value})`);
}

type EventListener = (key: DeviceKey, event: DeviceEvent) => void;
const eventListeners = new Set<EventListener>();

/** Be told of events of all devices, of spikes and triggers only of those that are watched; returns what ends it. */
export function onEvent(listener: EventListener): () => void {
  eventListeners.add(listener);
  return () => eventListeners.delete(listener);
}

type TrialListener = (bench: string, trial: unknown) => void;
const trialListeners = new Set<TrialListener>();

/** Be told how trials stand that run in the page's server; returns what ends it. */
export function onTrial(listener: TrialListener): () => void {
  trialListeners.add(listener);
  return () => trialListeners.delete(listener);
}

type ImagingListener = (said: Said) => void;
const imagingListeners = new Set<ImagingListener>();

/** Be told how the imaging simulations of this page's server go; returns what ends it. */
export function onImaging(listener: ImagingListener): () => void {
  imagingListeners.add(listener);
  return () => imagingListeners.delete(listener);
}

export const connection = new Connection(() => socketUrl(localStorage.getItem("spikedaq.name") ?? ""));

connection.onState = (is) => {
  connected.value = is;
};

connection.onUseless = (why) => {
  useless.value = why;
};

connection.onSaid = (said: Said) => {
  if (said.say === "hello") {
    role.value = said["role"] as "viewer" | "controller";
    myName.value = said["name"] as string;
  } else if (said.say === "bench") {
    takeBench(said as unknown as BenchState);
  } else if (said.say === "events") {
    const key = { bench: said.bench!, device: said["device"] as string };
    for (const event of said["events"] as DeviceEvent[]) for (const listener of eventListeners) listener(key, event);
  } else if (said.say === "imaging") {
    for (const listener of imagingListeners) listener(said);
  } else if (said.say === "lease_wanted") {
    takeLeaseWanted(said.bench!, said["device"] as string | null, said["by"] as string);
  } else if (said.say === "wrong") {
    toast(said["text"] as string, "error");
  } else if (said.say === "trial") {
    for (const listener of trialListeners) listener(said.bench!, said["trial"]);
  }
};

function takeBench(state: BenchState): void {
  const known = new Map([...benches.value].filter(([, other]) => other.url !== state.url));
  benches.value = known.set(state.bench, state);
  if (selected.value === null && devices.value.length > 0) {
    const wanted = new URLSearchParams(location.hash.split("?")[1] ?? "");
    const first = devices.value.find((d) => d.device === wanted.get("device")) ?? devices.value[0]!;
    selected.value = { bench: first.bench, device: first.device };
  }
}

function takeLeaseWanted(of: string, name: string | null, by: string): void {
  const mine = devices.value.some(
    (d) => d.bench === of && (name === null || d.device === name) && d.status.lease && holdsLease(d.status.lease),
  );
  if (mine && by !== myName.value) leaseWanted.value = { bench: of, device: name, by };
}

/** Now, on the clock that a bench's samples have their times on. */
export function benchNowMs(name: string): number {
  return connection.nowMs() + (benches.value.get(name)?.clock?.offset_ms ?? 0);
}

let nextToast = 1;

/** Say something for a while. */
export function toast(text: string, kind: "info" | "error" = "info"): void {
  const entry = { id: nextToast++, text, kind };
  toasts.value = [...toasts.value.slice(1 - MAX_TOASTS), entry];
  setTimeout(() => dismiss(entry.id), TOAST_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((entry) => entry.id !== id);
}

/** Ask a bench, and say in the page what it refused; undefined then. */
export async function ask<T>(of: string, op: string, args: Record<string, unknown> = {}): Promise<T | undefined> {
  try {
    return await connection.ask<T>(of, op, args);
  } catch (error) {
    toast(error instanceof Refused ? error.message : String(error), "error");
    return undefined;
  }
}
