/** One session of the list: what is known of it, verification, downloads. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { role } from "../../state";
import { words } from "../device/files";
import { CsvDownload } from "./csv_download";
import { type Session, type SessionFile, fetchToDisk, get, post } from "./library";
import { bytesText, gapsText, hasGaps, momentText, percent, spanText, verifiedText } from "./words";

const MAX_FILES_SHOWN = 50;

export function SessionRow({ bench, session, onChange }: { bench: string; session: Session; onChange: () => void }) {
  const open = useSignal(false);
  const { verification: found } = session;
  const damaged = found.state === "failed" || session.problem !== null || missing(session) > 0;
  return (
    <li data-testid={`session-${session.session}`} data-state={session.state} data-verified={found.state}>
      <details open={open.value} onToggle={(event) => (open.value = event.currentTarget.open)}>
        <summary>
          <b class="session-name">{session.session}</b>
          <span class="faint small-text line">
            {momentText(session.started_utc_ns)}
            {session.duration_s !== null && `, ${spanText(session.duration_s)}`}, {bytesText(session.n_bytes)}
          </span>
          <span class="small-text line">
            {session.running ? "under way" : session.state === "complete" ? "" : `${session.state}, `}
            {session.running && ", "}
            <span class={hasGaps(session.gaps) ? "some" : ""}>gaps: {gapsText(session.gaps)}</span>,{" "}
            <span class={damaged ? "bad" : found.state === "good" ? "good" : ""} data-testid="verified">
              {verifiedText(found)}
            </span>
          </span>
        </summary>
        {open.value && <Details bench={bench} session={session} onChange={onChange} />}
      </details>
    </li>
  );
}

function missing(session: Session): number {
  return Object.values(session.devices).reduce((n, device) => n + device.missing_files, 0);
}

function Details({ bench, session, onChange }: { bench: string; session: Session; onChange: () => void }) {
  const error = useSignal("");
  const files = useSignal<readonly SessionFile[] | null>(null);
  const query = { bench, session: session.session, folder: session.folder };
  const { verification: found } = session;
  const verifying = found.state === "running" || found.state === "waiting";
  const devices = Object.entries(session.devices);
  const closed = files.value?.filter(({ state }) => state === "closed") ?? [];
  const leftOut = files.value?.filter(({ state }) => state === "open" || state === "not_closed").length ?? 0;
  const nothing =
    files.value === null
      ? "its files are being listed"
      : closed.length === 0
        ? "no file of it is closed yet; stop the recording first"
        : undefined;
  const mayNot = role.value === "controller" ? undefined : "you may watch, not change; open the page with a controller's token";

  useEffect(() => {
    let gone = false;
    get<{ files: SessionFile[] }>("recordings/session", { ...query, files: "1" }).then(
      (told) => {
        if (!gone) files.value = told.files;
      },
      (refused: unknown) => {
        if (!gone) error.value = words(refused);
      },
    );
    return () => {
      gone = true;
    };
  }, [bench, session.session, session.folder, session.n_bytes, session.state]);

  async function attempt(work: () => Promise<unknown>): Promise<void> {
    error.value = "";
    try {
      await work();
    } catch (refused) {
      error.value = words(refused);
    }
    onChange();
  }

  const one = closed.length === 1 ? closed[0] : undefined;
  return (
    <div class="session-details">
      {session.notes && <p class="notes">{session.notes}</p>}
      {session.reason && <p class="faint small-text">ended: {session.reason}</p>}
      {session.problem && (
        <p class="refused" role="alert">
          {session.problem}
        </p>
      )}
      {missing(session) > 0 && (
        <p class="refused" role="alert">
          {missing(session)} files that the manifest lists are gone
        </p>
      )}
      <p class="faint small-text">
        {devices.map(([name, { n_samples, files: n }]) => `${name}: ${n_samples} samples in ${n} files`).join("; ")}
        {session.n_notes ? `; ${session.n_notes} notes` : ""}; in {session.folder}
      </p>
      <div class="row">
        {verifying ? (
          <>
            {found.state === "running" && <progress aria-label="Verification" max={100} value={percent(found)} />}
            <button type="button" class="small" disabled={mayNot !== undefined} title={mayNot} onClick={() => void attempt(() => post("recordings/verify-stop", query))}>
              Cancel verifying
            </button>
          </>
        ) : (
          <button
            type="button"
            class="small"
            disabled={mayNot !== undefined || session.running}
            title={mayNot ?? (session.running ? "it is being recorded" : "compare every byte with the manifest")}
            data-testid="verify"
            onClick={() => void attempt(() => post("recordings/verify", query))}
          >
            Verify
          </button>
        )}
        <button
          type="button"
          class="small"
          disabled={nothing !== undefined}
          title={nothing ?? (one ? one.name : `${closed.length} files in their folders, with the manifests, as a ZIP archive`)}
          data-testid="download-nwb"
          onClick={() =>
            void attempt(() =>
              one && leftOut === 0
                ? fetchToDisk("recordings/file", { ...query, device: one.device, name: one.name })
                : fetchToDisk("recordings/zip", query),
            )
          }
        >
          {files.value === null || (one && leftOut === 0) ? "Download NWB" : `Download NWB (${closed.length} files, ZIP)`}
        </button>
        <CsvDownload bench={bench} session={session} nothing={nothing} />
      </div>
      {leftOut > 0 && (
        <p class="faint small-text">
          {leftOut} files are still open and not in the download{session.running ? "; stop the recording to have all" : "; on the daemon's computer: spikedaq recover"}
        </p>
      )}
      {error.value && (
        <p class="refused" role="alert" data-testid="session-error">
          {error.value}
        </p>
      )}
      {(found.problems ?? []).map((problem) => (
        <p key={`${problem.path} ${problem.verdict}`} class="refused">
          {problem.path}: {problem.text}
        </p>
      ))}
      {closed.length > 1 && (
        <details class="inner">
          <summary>{closed.length} files</summary>
          <ul class="file-list">
            {closed.slice(-MAX_FILES_SHOWN).map((file) => (
              <li key={`${file.device}/${file.name}`}>
                <button
                  type="button"
                  class="quiet small"
                  title={`download ${file.name}`}
                  onClick={() => void attempt(() => fetchToDisk("recordings/file", { ...query, device: file.device, name: file.name }))}
                >
                  ↓ {file.name}
                </button>
                <span class="faint small-text">{bytesText(file.n_bytes)}</span>
              </li>
            ))}
          </ul>
          {closed.length > MAX_FILES_SHOWN && <p class="faint small-text">the newest {MAX_FILES_SHOWN} are shown</p>}
        </details>
      )}
    </div>
  );
}
