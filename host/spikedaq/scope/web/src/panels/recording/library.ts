/** What was recorded, asked of the page's server (host/spikedaq/scope/routes_recordings.py, routes_downloads.py). */
import { request, startDownload } from "../device/files";
import type { Verification } from "./words";

export interface Session {
  session: string;
  folder: string;
  state: string;
  running: boolean;
  reason: string | null;
  mode: string;
  notes: string;
  started_utc_ns: number;
  duration_s: number | null;
  n_bytes: number;
  gaps: Record<string, number | null>;
  n_notes: number | null;
  devices: Record<string, { files: number; open_files: number; deleted_files: number; missing_files: number; n_bytes: number; n_samples: number }>;
  problem: string | null;
  verification: Verification;
}

export interface SessionFile {
  device: string;
  name: string;
  state: "closed" | "open" | "not_closed" | "deleted" | "missing";
  n_bytes: number;
}

export interface Page {
  sessions: Session[];
  total: number;
  next: unknown;
  problems: { folder: string; text: string }[];
}

export interface Folders {
  folder: string | null;
  parent: string | null;
  writable: boolean;
  why_not: string | null;
  free_bytes: number | null;
  folders: { name: string; path: string; is_session: boolean }[];
  next: string | null;
}

export interface FolderCheck {
  folder: string;
  ok: boolean;
  why_not: string | null;
  exists: boolean;
  free_bytes: number | null;
  time_left_s: number | null;
}

export interface NameTold {
  name: string | null;
  run: number | null;
  taken: boolean;
  wrong: Record<string, string>;
  next_problem: string | null;
}

export interface CsvJob {
  id: string;
  state: "waiting" | "fetching" | "converting" | "ready" | "failed";
  done: number;
  total: number;
  text: string;
  warnings: string[];
  files: { name: string; n_bytes: number }[];
}

type Query = Record<string, string | null | undefined>;

/** A path of the server with a query; what is null or undefined is left out. */
export function path(what: string, query: Query): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return `api/${what}?${new URLSearchParams(given)}`;
}

export async function get<T>(what: string, query: Query, signal?: AbortSignal): Promise<T> {
  return (await (await request(path(what, query), signal ? { signal } : {})).json()) as T;
}

export async function post<T>(what: string, query: Query, body?: unknown, method = "POST"): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) init.body = JSON.stringify(body);
  return (await (await request(path(what, query), init)).json()) as T;
}

/** Have the browser download something; throws `Refused` with the reason where the server would refuse it. */
export async function fetchToDisk(what: string, query: Query): Promise<void> {
  await get(what, { ...query, check: "1" });
  startDownload(path(what, query));
}
