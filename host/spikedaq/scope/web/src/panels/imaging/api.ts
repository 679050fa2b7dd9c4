/** What the page's server says of imaging simulations, and how it is asked (docs/reference/scope.md, 7). */
import { identity, request } from "../device/files";

export interface Setting {
  name: string;
  unit: string;
  default: number | string;
  about: string;
  minimum: number | null;
  maximum: number | null;
  choices: string[];
}

export interface Indicator {
  name: string;
  kd_um: number;
  hill: number;
  rise_ms: number;
  decay_ms: number;
  dff_max: number;
}

export interface Table {
  indicators: Indicator[];
  settings: Setting[];
}

export type Values = Record<string, number | string>;

export interface ImagingFile {
  name: string;
  bytes: number;
  growing: boolean;
}

export interface Simulated {
  device: string;
  state: "off" | "starting" | "running" | "waiting" | "ending";
  note: string;
  by: string;
  indicator: string;
  /** Decimal digits: it may be more than a JavaScript number holds. */
  seed: string;
  settings: Values;
  frame_rate_hz: number;
  pitch_steps: number;
  /** The session beside which it is recorded, "" beside none; null where it is not recorded. */
  session: string | null;
  files: ImagingFile[];
  frames?: number;
  unpublished?: number;
  reason?: string;
}

/** A derived stream as `describe` tells it. */
export interface Derived {
  stream: string;
  channels: { name: string; unit: string }[];
  pitch_steps: number;
  settings: Values;
  publisher: string;
}

export async function fetchTable(): Promise<Table> {
  return (await (await request("api/imaging/table")).json()) as Table;
}

export async function fetchState(bench: string, device: string): Promise<Simulated> {
  return (await (await request(`api/imaging/state?${new URLSearchParams({ bench, device })}`)).json()) as Simulated;
}

/** Give an order; throws `Refused` with the reason. */
export async function order(what: string, bench: string, device: string, args: Record<string, unknown> = {}): Promise<Simulated> {
  const answer = await request(`api/imaging/${what}?${new URLSearchParams(identity())}`, { method: "POST", body: JSON.stringify({ bench, device, ...args }) });
  return (await answer.json()) as Simulated;
}

export function fileAddress(bench: string, device: string, name: string): string {
  return `api/imaging/file?${new URLSearchParams({ bench, device, name })}`;
}

/** A unit as people write it. */
export function unitOf(unit: string): string {
  return unit === "1" ? "" : unit.replace(/^uM/, "µM").replace(/sqrt\(([^)]*)\)/, "√$1");
}

/** What a setting is when nobody set it: the indicator's constant, else its default. */
export function usual(setting: Setting, indicator: Indicator | undefined): number | string {
  const own = indicator as unknown as Record<string, number | string> | undefined;
  return own !== undefined && setting.name !== "name" && setting.name in own ? own[setting.name]! : setting.default;
}

/** A number of bytes, short. */
export function sizeText(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
