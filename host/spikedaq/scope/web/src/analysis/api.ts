/** What the page asks of its server about recordings: plain HTTP (scope/routes_analysis.py). */
import { request } from "../panels/device/files";

export interface Part {
  name: string;
  device: string;
  mode: "current" | "voltage";
  n_samples: number;
  start_s: number;
  stop_s: number;
  channels: string[];
  /** Up to here it can be looked at, at once, from its beginning; null where all of it can. */
  fits_until_s: number | null;
}

export interface Opened {
  handle: string;
  state: "waiting" | "fetching" | "reading" | "ready" | "failed";
  text: string;
  done: number;
  total: number;
  name: string;
  is_csv: boolean;
  parts: Part[];
  left_out: Record<string, string>;
  max_samples: number;
}

export type Channel = "vm" | "syn1_vm" | "syn2_vm";

/** What is looked at, and how (scope/analysis_look.py); what is absent has its default. */
export interface Look {
  part?: string;
  start_s?: number;
  stop_s?: number;
  channel?: Channel;
  threshold_mv?: number | "auto";
  falling?: boolean;
  hysteresis_mv?: number;
  refractory_ms?: number;
  length_ms?: number;
  tolerance_ms?: number;
  sta_ms?: number;
  fi?: "stimulus" | "i_total";
  bin_ms?: number;
  near_mv_per_ms?: number;
}

type Numbers = (number | null)[];

export interface Trace {
  times_ms: number[];
  low: Numbers;
  high: Numbers;
  is_exact: boolean;
}

export interface Averaged {
  times_ms: number[];
  mean_low: Numbers;
  mean_high: Numbers;
  low: Numbers;
  high: Numbers;
}

export interface Spikes {
  neuron: string;
  threshold_mv: number | null;
  n_gaps: number;
  n_spikes: number;
  recorded_ms: number;
  rate_hz: number | null;
  mean_interval_ms: number | null;
  median_interval_ms: number | null;
  shortest_interval_ms: number | null;
  cv: number | null;
  cv2: number | null;
  lv: number | null;
}

export interface Sweep {
  thresholds_mv: number[];
  n_spikes: number[];
  step_mv: number;
  suggested: { threshold_mv: number; low_mv: number; high_mv: number } | null;
}

export interface Loops {
  problem?: string;
  n_loops: number;
  n_used: number;
  left_out_text: string;
  length_ms: number;
  n_spikes_in_loops: number;
  peak_rate_hz: number | null;
  peak_at_ms: number | null;
  raster: { loops: number[]; times_ms: number[] };
  averages: Record<string, Averaged>;
}

export interface Phase {
  n_left_out: number;
  v_mv: number[];
  dv_mv_per_ms: number[];
  n: number[];
  cell?: [number, number];
  nullcline: {
    a: number;
    b: number;
    changed: boolean;
    current: number;
    v_mv: number[];
    dv_mv_per_ms: Numbers;
    fixed_points: { v_mv: number; is_stable: boolean }[];
  } | null;
}

export interface Curve {
  problem?: string;
  points: { level: number; n_steps: number; rate_hz: number; rate_sd_hz: number | null; steady_hz: number | null }[];
  rheobase: number | null;
  silent_below: number | null;
  gain_hz_per_unit: number | null;
  n_left_out: number;
  channel: string;
  unit: string;
  line: [number, number][];
}

/** Everything that one look found; from `spikes` on absent where `problem` says why. */
export interface Seen {
  name: string;
  device: string;
  channel: Channel;
  channels: Channel[];
  n_samples: number;
  duration_ms: number;
  notes: string[];
  problem?: string;
  trace: Trace;
  spikes?: Spikes;
  spike_times_ms: number[];
  sweep: Sweep;
  rate: { problem?: string; bin_ms: number; edges_ms: number[]; rate_hz: Numbers };
  intervals: { edges_ms: number[]; n: number[] };
  loops: Loops;
  before: Averaged & { problem?: string; n_used: number; n_left_out: number };
  phase: Phase;
  fi: Curve;
  tables: string[];
}

export interface Session {
  session: string;
  folder: string;
  state: string;
  running: boolean;
  started_utc_ns: number | null;
  duration_s: number | null;
  n_bytes: number;
  devices: Record<string, { files: number; open_files: number; n_bytes: number }>;
  problem: string | null;
}

export interface FileOf {
  device: string;
  name: string;
  state: string;
  n_bytes: number;
  start_s?: number;
  stop_s?: number;
}

export interface SessionPage {
  sessions: Session[];
  total: number;
  next: unknown;
  problems: { folder: string; text: string }[];
}

const asked = (path: string, options: RequestInit = {}): Promise<Response> => request(`api/analysis/${path}`, options);

async function json<T>(path: string, options: RequestInit = {}): Promise<T> {
  return (await (await asked(path, options)).json()) as T;
}

function body(value: unknown, signal?: AbortSignal): RequestInit {
  const options: RequestInit = { method: "POST", body: JSON.stringify(value) };
  return signal ? { ...options, signal } : options;
}

export const sessions = (bench: string, match: string, before: unknown): Promise<SessionPage> => {
  const query = new URLSearchParams({ bench, match });
  if (before) query.set("before", JSON.stringify(before));
  return json(`recordings?${query}`);
};

export const sessionFiles = (bench: string, session: string, folder: string): Promise<Session & { files: FileOf[] }> =>
  json(`recording?${new URLSearchParams({ bench, session, folder })}`);

export const open = (
  what: { bench: string; session: string; folder?: string; device: string; files?: string[] },
  signal: AbortSignal,
): Promise<Opened> => json("open", body(what, signal));

export const upload = (file: File, signal: AbortSignal): Promise<Opened> =>
  json(`upload?${new URLSearchParams({ name: file.name })}`, { method: "POST", body: file, signal });

export const limits = (): Promise<{ csv_bytes: number; nwb_bytes: number }> => json("limits");

export const status = (handle: string, signal: AbortSignal): Promise<Omit<Opened, "handle">> =>
  json(`open/${handle}`, { signal });

export const look = (handle: string, wanted: Look, signal: AbortSignal): Promise<Seen> =>
  json(`open/${handle}/look`, body(wanted, signal));

export const trace = (handle: string, wanted: Look & { first_ms: number; last_ms: number }, signal: AbortSignal): Promise<Trace> =>
  json(`open/${handle}/trace`, body(wanted, signal));

export const table = async (handle: string, wanted: Look, name: string): Promise<Blob> =>
  (await asked(`open/${handle}/table`, body({ ...wanted, table: name }))).blob();

/** Give a handle back, also as the page goes away. */
export const close = (handle: string): void => {
  fetch(`api/analysis/open/${handle}`, { method: "DELETE", keepalive: true }).catch(() => undefined);
};
