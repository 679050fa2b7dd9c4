/** Waveforms as the page's server makes them of a generator or a file (docs/reference/stimulus.md), and their way to a device. */
import { request } from "../device/files";
import { grouped, shortest } from "../device/numbers";

export interface GeneratorParameter {
  name: string;
  unit: string;
  type: "float" | "integer";
  minimum: number;
  maximum: number;
  default: number;
  description: string;
}

export interface Generator {
  name: string;
  title: string;
  description: string;
  parameters: GeneratorParameter[];
}

export interface Spec {
  sequence: { generator: string; values: Record<string, number> }[];
  repeat: number;
}

/** What a waveform is made of: a specification, or a file. */
export type Source = { name: string; spec: Spec } | { name: string; file: File };

export interface Preview {
  n_rows: number;
  duration_ms: number;
  minimum_percent: number;
  maximum_percent: number;
  mean_percent: number;
  n_clipped: number;
  ignored_columns: string[];
  n_ignored_triggers: number;
  least_percent: number[];
  greatest_percent: number[];
}

export const MAX_FILE_BYTES = 8_000_000;
/** A second of model time: a board at 500000 baud takes half a second for it, and a page shows how far it is. */
export const PART_ROWS = 10_000;

export async function fetchGenerators(): Promise<Generator[]> {
  const said = (await (await request("api/stimulus/generators")).json()) as { generators: Generator[] };
  return said.generators;
}

export async function fetchPreview(source: Source, signal?: AbortSignal): Promise<Preview> {
  return (await (await post("preview", source, signal)).json()) as Preview;
}

export async function fetchCsv(source: Source): Promise<Blob> {
  return (await post("csv", source)).blob();
}

/** Rows of 0.01 %. */
export async function fetchRows(source: Source): Promise<Int16Array> {
  return new Int16Array(await (await post("rows", source)).arrayBuffer());
}

function post(what: "preview" | "csv" | "rows", source: Source, signal?: AbortSignal): Promise<Response> {
  const isFile = "file" in source;
  const init: RequestInit = {
    method: "POST",
    headers: { "content-type": isFile ? "text/csv" : "application/json" },
    body: isFile ? source.file : JSON.stringify(source.spec),
  };
  return request(`api/stimulus/${what}?${new URLSearchParams({ name: source.name })}`, signal ? { ...init, signal } : init);
}

/** Why a file is not even sent; undefined where it is. */
export function tooLarge(name: string, bytes: number): string | undefined {
  if (bytes <= MAX_FILE_BYTES) return undefined;
  return `${name} has ${shortest(Number((bytes / 1e6).toPrecision(3)))} MB; a stimulus has at most ${MAX_FILE_BYTES / 1e6} MB`;
}

/** Why a device cannot hold a waveform, with both numbers; undefined where it can. */
export function doesNotFit(device: string, capacity: number, rows: number): string | undefined {
  if (capacity === 0) return `${device} takes no waveform, only the settings of its square wave; flash the spikedaq firmware`;
  if (rows <= capacity) return undefined;
  return (
    `${device} holds ${grouped(capacity)} rows (${seconds(capacity)} of model time), the stimulus has ${grouped(rows)} ` +
    `(${seconds(rows)}); make it shorter, or loop a part of it`
  );
}

function seconds(rows: number): string {
  return `${Number((rows / 10_000).toPrecision(4))} s`;
}

/** A duration in a unit that is easily read. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Number(ms.toPrecision(4))} ms`;
  return `${Number((ms / 1000).toPrecision(4))} s`;
}

/** One request `stimulus` of an upload. */
export interface Part {
  rows: number[];
  first_row: number;
  n_rows: number;
  play: false;
}

/** The parts that a waveform is sent in. */
export function* partsOf(rows: Int16Array): IterableIterator<Part> {
  for (let first = 0; first < rows.length; first += PART_ROWS) {
    yield { rows: Array.from(rows.subarray(first, first + PART_ROWS)), first_row: first, n_rows: rows.length, play: false };
  }
}
