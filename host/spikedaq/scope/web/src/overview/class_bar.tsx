/** One session on all boards of all benches: begun everywhere or nowhere, ended wherever it is. */
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Refused } from "../net/connection";
import { isUnderWay } from "../panels/recording/growth";
import { takeRecording } from "../panels/recording/told";
import { type RecordingStatus, benches, connected, connection, role } from "../state";
import { suggestedSession } from "./tiles";

interface Started {
  session: string;
  benches: { bench: string; devices: string[]; remark: string }[];
}

interface Stopped {
  ended: ({ bench: string } & RecordingStatus)[];
  failed: { bench: string; text: string }[];
}

/** What the last start or stop brought, each thing a line; kept while other views are shown. */
const result = signal<{ isGood: boolean; lines: string[] } | null>(null);
const busy = signal<"" | "starting" | "stopping">("");

export function ClassBar({ leftOut }: { leftOut: ReadonlySet<string> }) {
  const [session, setSession] = useState(() => suggestedSession(new Date()));
  const [notes, setNotes] = useState("");
  const recording = [...benches.value.values()].filter((bench) => isUnderWay(bench.status?.recording));
  const refusal = reasonAgainst();
  return (
    <section class="class-bar" aria-label="Record on all benches">
      <form
        class="tools"
        onSubmit={(event) => {
          event.preventDefault();
          void start(session.trim(), notes, [...leftOut]);
        }}
      >
        <label class="row">
          Session of the class
          <input
            name="session"
            value={session}
            required
            size={26}
            spellcheck={false}
            disabled={refusal !== undefined}
            title={refusal}
            onInput={(event) => setSession(event.currentTarget.value)}
          />
        </label>
        <label class="row">
          Notes
          <input
            name="notes"
            value={notes}
            disabled={refusal !== undefined}
            title={refusal}
            onInput={(event) => setNotes(event.currentTarget.value)}
          />
        </label>
        <button class="primary" type="submit" disabled={refusal !== undefined} title={refusal} data-testid="start-all">
          {busy.value === "starting" ? "Starting ..." : "Record on all"}
        </button>
        <button
          type="button"
          disabled={refusal !== undefined || recording.length === 0}
          title={refusal ?? (recording.length === 0 ? "Nothing is being recorded" : undefined)}
          data-testid="stop-all"
          onClick={() => void stop()}
        >
          {busy.value === "stopping" ? "Stopping ..." : "Stop on all"}
        </button>
        <span role="status" data-testid="class-state">
          {recording.length > 0 &&
            `recording: ${recording.map((bench) => `${bench.bench} (${bench.status!.recording!.session})`).join(", ")}`}
        </span>
      </form>
      {result.value && (
        <div class={`class-result ${result.value.isGood ? "good" : "bad"}`} role="alert" data-testid="class-result">
          <ul>
            {result.value.lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
          <button
            type="button"
            class="quiet"
            aria-label="Dismiss"
            onClick={() => {
              result.value = null;
            }}
          >
            ×
          </button>
        </div>
      )}
    </section>
  );
}

function reasonAgainst(): string | undefined {
  if (role.value === "viewer") return "You may watch, not change: this page was opened with a viewer's token";
  if (!connected.value) return "The page has no connection now";
  if (busy.value) return `The class is ${busy.value}`;
  return undefined;
}

async function start(session: string, notes: string, without: string[]): Promise<void> {
  await doing("starting", async () => {
    const started = await connection.everywhere<Started>("record_start", { session, notes, without });
    return {
      isGood: true,
      lines: [
        `session ${started.session} is being recorded`,
        ...started.benches.map(
          ({ bench, devices, remark }) => `${bench}: ${devices.join(", ")}${remark ? ` (${remark})` : ""}`,
        ),
      ],
    };
  });
}

async function stop(): Promise<void> {
  await doing("stopping", async () => {
    const { ended, failed } = await connection.everywhere<Stopped>("record_stop", {});
    for (const { bench, ...recording } of ended) takeRecording(bench, recording);
    const lines = ended.flatMap(({ bench, session, state, folder, devices }) => [
      `${bench}: session ${session} is ${state}, in ${folder}`,
      ...Object.entries(devices).map(
        ([name, file]) => `${bench}/${name}: ${file.samples} samples, ${gapsText(file.gaps)}${file.error ? `, ${file.error}` : ""}`,
      ),
    ]);
    return {
      isGood: failed.length === 0,
      lines: [...failed.map(({ bench, text }) => `${bench} was not stopped, try again: ${text}`), ...lines],
    };
  });
}

async function doing(what: "starting" | "stopping", work: () => Promise<{ isGood: boolean; lines: string[] }>) {
  busy.value = what;
  try {
    result.value = await work();
  } catch (error) {
    // Each bench's reason stands on a line of its own.
    const text = error instanceof Refused ? error.message : String(error);
    result.value = { isGood: false, lines: text.split("; ") };
  } finally {
    busy.value = "";
  }
}

function gapsText(gaps: Record<string, number | null>): string {
  const known = Object.entries(gaps).filter(([, n]) => n);
  return known.length === 0 ? "no gaps" : `gaps: ${known.map(([cause, n]) => `${n} ${cause}`).join(", ")}`;
}
