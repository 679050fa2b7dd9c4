/** The stock CSV of a session: made on the page's server, with progress, then downloaded. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { words } from "../device/files";
import { type CsvJob, type Session, get, path, post } from "./library";
import { bytesText } from "./words";

const POLL_MS = 500;
const TEXTS: Record<string, string> = {
  waiting: "waits for its turn",
  fetching: "bringing the recording here",
  converting: "writing the CSV",
};

export function CsvDownload({ bench, session, nothing }: { bench: string; session: Session; nothing: string | undefined }) {
  const job = useSignal<CsvJob | null>(null);
  const error = useSignal("");
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(timer.current), []);

  const fail = (refused: unknown) => {
    error.value = words(refused);
    job.value = null;
  };
  function poll(): void {
    timer.current = setTimeout(() => {
      const id = job.value?.id;
      if (id === undefined) return;
      get<CsvJob>("recordings/csv", { id }).then(take, fail);
    }, POLL_MS);
  }
  function take(told: CsvJob): void {
    job.value = told;
    if (told.state === "failed") {
      error.value = told.text;
      job.value = null;
    } else if (told.state === "ready") {
      const tables = told.files.filter(({ name }) => name.endsWith(".csv"));
      // One table is what somebody wants to open; several come together.
      save(told.id, tables.length === 1 ? tables[0]!.name : null);
    } else {
      poll();
    }
  }
  function begin(): void {
    error.value = "";
    post<CsvJob>("recordings/csv", { bench, session: session.session, folder: session.folder }).then(take, fail);
  }
  function cancel(): void {
    const id = job.value?.id;
    clearTimeout(timer.current);
    job.value = null;
    if (id !== undefined) post("recordings/csv", { id }, undefined, "DELETE").catch(fail);
  }

  const now = job.value;
  const busy = now !== null && now.state !== "ready";
  return (
    <>
      <button
        type="button"
        class="small"
        disabled={nothing !== undefined || busy}
        title={nothing ?? "the stock nine-column CSV, made for you; it may take a while"}
        data-testid="download-csv"
        onClick={begin}
      >
        Download CSV
      </button>
      {busy && (
        <div class="csv" data-testid="csv-progress">
          {now.total > 0 ? (
            <progress aria-label="CSV" max={now.total} value={now.done} />
          ) : (
            <progress aria-label="CSV" />
          )}
          <span class="faint small-text" role="status">
            {TEXTS[now.state]}
          </span>
          <button type="button" class="small" onClick={cancel}>
            Cancel
          </button>
        </div>
      )}
      {now?.state === "ready" && (
        <ul class="file-list" data-testid="csv-files">
          {now.files.map(({ name, n_bytes }) => (
            <li key={name}>
              <button type="button" class="quiet small" onClick={() => save(now.id, name)}>
                ↓ {name}
              </button>
              <span class="faint small-text">{bytesText(n_bytes)}</span>
            </li>
          ))}
        </ul>
      )}
      {now?.warnings.map((warning) => (
        <p key={warning} class="faint small-text">
          {warning}
        </p>
      ))}
      {error.value && (
        <p class="refused" role="alert" data-testid="csv-error">
          {error.value}
        </p>
      )}
    </>
  );
}

function save(id: string, name: string | null): void {
  const link = document.createElement("a");
  link.href = path("recordings/csv/file", { id, name });
  link.download = "";
  link.click();
}
