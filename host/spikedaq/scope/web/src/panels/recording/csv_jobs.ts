/** Stock CSVs that the page's server makes for this page: they go on while other panels are looked at. */
import { signal } from "@preact/signals";
import { startDownload, words } from "../device/files";
import { type CsvJob, type Session, get, path, post } from "./library";

const POLL_MS = 500;

/** How a CSV stands that was asked for here. */
export interface Making {
  /** Null until the server has answered, and where it failed. */
  job: CsvJob | null;
  isBusy: boolean;
  error: string;
}

type Which = Pick<Session, "session" | "folder">;

/** By `keyOf`. */
export const makings = signal<ReadonlyMap<string, Making>>(new Map());
/** Those under way; one that is not in here any more was cancelled. */
const runs = new Map<string, object>();

export function keyOf(bench: string, { session, folder }: Which): string {
  return JSON.stringify([bench, folder, session]);
}

function put(key: string, making: Making | null): void {
  const now = new Map(makings.value);
  if (making === null) now.delete(key);
  else now.set(key, making);
  makings.value = now;
}

function fail(key: string, refused: unknown): void {
  put(key, { job: null, isBusy: false, error: words(refused) });
}

/** Have the CSV of a session made, and downloaded once it is there; nothing where that is under way. */
export async function make(bench: string, which: Which): Promise<void> {
  const key = keyOf(bench, which);
  if (runs.has(key)) return;
  const mine = {};
  const isCancelled = () => runs.get(key) !== mine;
  runs.set(key, mine);
  put(key, { job: null, isBusy: true, error: "" });
  try {
    let job = await post<CsvJob>("recordings/csv", { bench, session: which.session, folder: which.folder });
    // Nobody could name it while it was being asked for.
    if (isCancelled()) return await drop(job.id);
    while (job.state !== "ready") {
      if (job.state === "failed") throw new Error(job.text);
      put(key, { job, isBusy: true, error: "" });
      await new Promise((done) => setTimeout(done, POLL_MS));
      if (isCancelled()) return;
      job = await get<CsvJob>("recordings/csv", { id: job.id });
      if (isCancelled()) return;
    }
    put(key, { job, isBusy: false, error: "" });
    const tables = job.files.filter(({ name }) => name.endsWith(".csv"));
    // One table is what somebody wants to open; several come together.
    startDownload(path("recordings/csv/file", { id: job.id, name: tables.length === 1 ? tables[0]!.name : null }));
  } catch (refused) {
    if (!isCancelled()) fail(key, refused);
  } finally {
    if (!isCancelled()) runs.delete(key);
  }
}

/** End it, wherever it is. */
export async function cancel(bench: string, which: Which): Promise<void> {
  const key = keyOf(bench, which);
  const id = makings.value.get(key)?.job?.id;
  runs.delete(key);
  put(key, null);
  try {
    if (id !== undefined) await drop(id);
  } catch (refused) {
    if (!runs.has(key)) fail(key, refused);
  }
}

async function drop(id: string): Promise<void> {
  await post("recordings/csv", { id }, undefined, "DELETE");
}

/** Download one file of those that were made; the server keeps them for a while only. */
export async function again(bench: string, which: Which, name: string): Promise<void> {
  const key = keyOf(bench, which);
  const id = makings.value.get(key)?.job?.id;
  if (id === undefined) return;
  try {
    await get("recordings/csv", { id });
    startDownload(path("recordings/csv/file", { id, name }));
  } catch (refused) {
    fail(key, refused);
  }
}
