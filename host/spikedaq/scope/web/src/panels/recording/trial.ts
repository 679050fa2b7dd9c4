/** Trials that run in the page's server: how they stand, by bench. */
import { signal } from "@preact/signals";
import { onTrial } from "../../state";
import { identity, request } from "../device/files";
import type { Source } from "../stimulus/waveform";
import { get, path, post } from "./library";

export interface Trial {
  session: string;
  device: string;
  stimulus: string;
  by: string;
  state: "running" | "done" | "aborted" | "failed";
  phase: "start" | "baseline" | "stimulus" | "after" | "stop" | "done";
  done_s: number;
  total_s: number;
  text: string;
  code: string;
  result: TrialResult | null;
}

export interface TrialResult {
  first_step: number;
  n_rows: number;
  baseline_s: number;
  after_s: number;
  n_rows_seen: number | null;
  n_rows_different: number | null;
  gaps: Record<string, number>;
  warnings: string[];
}

export const trials = signal<ReadonlyMap<string, Trial>>(new Map());

/** How often the server told of a trial by itself: an answer that was made before is older than what it told. */
const told = new Map<string, number>();

function take(bench: string, trial: Trial | null): void {
  if (trial !== null) trials.value = new Map(trials.value).set(bench, trial);
}

onTrial((bench, trial) => {
  told.set(bench, (told.get(bench) ?? 0) + 1);
  take(bench, trial as Trial);
});

/** Take an answer, unless something newer was told while it was on its way. */
async function takeAnswer(bench: string, asked: () => Promise<Trial | null>): Promise<void> {
  const before = told.get(bench);
  const trial = await asked();
  if (told.get(bench) === before) take(bench, trial);
}

/** Learn of a trial that began before this page did. */
export function fetchTrial(bench: string): Promise<void> {
  return takeAnswer(bench, async () => (await get<{ trial: Trial | null }>("trial", { bench })).trial);
}

export interface TrialWanted {
  session: string;
  device: string;
  others: string[];
  folder: string | null;
  notes: string;
  baseline_s: number;
  after_s: number;
}

/** Begin one; throws `Refused`. */
export async function beginTrial(bench: string, source: Source, wanted: TrialWanted): Promise<void> {
  const stimulus = "file" in source ? { csv: await base64(source.file) } : { spec: source.spec };
  const body = JSON.stringify({ ...wanted, stimulus: source.name.slice(0, 80), ...stimulus });
  await takeAnswer(bench, async () => {
    const answer = await request(path("trial", { bench, ...identity() }), { method: "POST", body });
    return ((await answer.json()) as { trial: Trial }).trial;
  });
}

export async function abortTrial(bench: string): Promise<void> {
  await post("trial/abort", { bench, ...identity() });
}

function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve((reader.result as string).replace(/^[^,]*,?/, ""));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read any more; choose it again`));
    reader.readAsDataURL(file);
  });
}

const PHASES: Record<Trial["phase"], string> = {
  start: "beginning",
  baseline: "baseline",
  stimulus: "stimulus",
  after: "after the stimulus",
  stop: "closing the files",
  done: "done",
};

export function phaseText({ phase, done_s, total_s, text }: Trial): string {
  const times = total_s > 0 ? `, ${done_s.toFixed(1)} of ${total_s.toFixed(1)} s` : "";
  return `${PHASES[phase]}${times}${text ? ` (${text})` : ""}`;
}

/** What came of one, and what is to be known of it. */
export function resultText(trial: Trial): string {
  if (trial.result === null) return trial.text;
  const { first_step, n_rows, baseline_s, after_s, n_rows_seen, n_rows_different, gaps, warnings } = trial.result;
  const missing = Object.entries(gaps).filter(([, n]) => n > 0);
  return [
    `the stimulus began at step ${first_step}, ${n_rows} rows, after ${baseline_s.toFixed(1)} s; ${after_s.toFixed(1)} s behind it`,
    missing.length > 0 ? `missing: ${missing.map(([cause, n]) => `${n} ${cause}`).join(", ")}` : "no sample is missing",
    n_rows_seen === null || n_rows_different === null
      ? "not compared with what was played: in voltage clamp no channel shows it"
      : n_rows_different > 0
        ? `${n_rows_different} rows differ from what was to be played`
        : "what was played is what was wanted",
    ...warnings.filter((text) => !text.includes("rows of the stimulus")),
  ].join("; ");
}
