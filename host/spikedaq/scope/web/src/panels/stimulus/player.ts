/** Uploads to a device, one at a time for each; they go on while another panel is looked at. */
import { signal } from "@preact/signals";
import { connection } from "../../state";
import { words } from "../device/files";
import { type Source, fetchRows, partsOf } from "./waveform";

export interface Upload {
  name: string;
  done: number;
  total: number;
  cancelled: boolean;
}

/** By `bench/device`. */
export const uploads = signal<ReadonlyMap<string, Upload>>(new Map());
/** What went wrong last, by `bench/device`. */
export const failures = signal<ReadonlyMap<string, string>>(new Map());

function put<T>(map: ReadonlyMap<string, T>, key: string, value: T | undefined): ReadonlyMap<string, T> {
  const changed = new Map(map);
  if (value === undefined) changed.delete(key);
  else changed.set(key, value);
  return changed;
}

/** Upload a waveform and play it from the next step on. */
export async function play(bench: string, device: string, source: Source, loop: boolean): Promise<void> {
  const key = `${bench}/${device}`;
  if (uploads.value.has(key)) return;
  const tell = (done: number, total: number) => {
    const before = uploads.value.get(key);
    uploads.value = put(uploads.value, key, { name: source.name, done, total, cancelled: before?.cancelled ?? false });
  };
  failures.value = put(failures.value, key, undefined);
  tell(0, 1);
  try {
    const rows = await fetchRows(source);
    for (const part of partsOf(rows)) {
      tell(part.first_row, rows.length);
      if (uploads.value.get(key)?.cancelled) return;
      await connection.ask(bench, "stimulus", { device, ...part });
    }
    if (uploads.value.get(key)?.cancelled) return;
    await connection.ask(bench, "stimulus", { device, play: true, loop, name: source.name.slice(0, 80) });
  } catch (error) {
    failures.value = put(failures.value, key, words(error));
  } finally {
    uploads.value = put(uploads.value, key, undefined);
  }
}

/** End an upload before its next part, or before it plays; what was there before does not play any more. */
export function cancel(bench: string, device: string): void {
  const key = `${bench}/${device}`;
  const upload = uploads.value.get(key);
  if (upload) uploads.value = put(uploads.value, key, { ...upload, cancelled: true });
}

/** Back to the device's square wave. */
export async function stop(bench: string, device: string): Promise<void> {
  const key = `${bench}/${device}`;
  failures.value = put(failures.value, key, undefined);
  try {
    await connection.ask(bench, "stimulus", { device, stop: true });
  } catch (error) {
    failures.value = put(failures.value, key, words(error));
  }
}
