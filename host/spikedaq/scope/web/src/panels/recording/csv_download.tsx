/** The stock CSV of a session: made on the page's server, with progress, then downloaded. */
import { again, cancel, keyOf, make, makings } from "./csv_jobs";
import type { Session } from "./library";
import { bytesText } from "./words";

const TEXTS: Record<string, string> = {
  waiting: "waits for its turn",
  fetching: "bringing the recording here",
  converting: "writing the CSV",
};

export function CsvDownload({ bench, session, nothing }: { bench: string; session: Session; nothing: string | undefined }) {
  const making = makings.value.get(keyOf(bench, session));
  const job = making?.job;
  const isBusy = making?.isBusy ?? false;
  return (
    <>
      <button
        type="button"
        class="small"
        disabled={nothing !== undefined || isBusy}
        title={nothing ?? (isBusy ? "it is being made" : "the stock nine-column CSV, made for you; it may take a while")}
        data-testid="download-csv"
        onClick={() => void make(bench, session)}
      >
        Download CSV
      </button>
      {isBusy && (
        <div class="csv" data-testid="csv-progress">
          {job && job.total > 0 ? <progress aria-label="CSV" max={job.total} value={job.done} /> : <progress aria-label="CSV" />}
          <span class="faint small-text" role="status">
            {job ? TEXTS[job.state] : "asking for it"}
          </span>
          <button type="button" class="small" data-testid="csv-cancel" onClick={() => void cancel(bench, session)}>
            Cancel
          </button>
        </div>
      )}
      {job?.state === "ready" && (
        <ul class="file-list" data-testid="csv-files">
          {job.files.map(({ name, n_bytes }) => (
            <li key={name}>
              <button type="button" class="quiet small" onClick={() => void again(bench, session, name)}>
                ↓ {name}
              </button>
              <span class="faint small-text">{bytesText(n_bytes)}</span>
            </li>
          ))}
        </ul>
      )}
      {job?.warnings.map((warning) => (
        <p key={warning} class="faint small-text">
          {warning}
        </p>
      ))}
      {making?.error && (
        <p class="refused" role="alert" data-testid="csv-error">
          {making.error}
        </p>
      )}
    </>
  );
}
