/** Which recording: of a bench, from its list; or a file of the viewer's own. */
import { useEffect, useRef, useState } from "preact/hooks";
import { benches, connected } from "../state";
import { FileButton } from "../ui/file_button";
import * as api from "./api";
import { openFile, openSession } from "./model";

interface Files {
  session: api.Session;
  device: string;
  files: api.FileOf[];
}

export function Chooser({ onChosen }: { onChosen: () => void }) {
  const names = [...benches.value.keys()];
  const [bench, setBench] = useState("");
  const [match, setMatch] = useState("");
  const [list, setList] = useState<api.SessionPage | null>(null);
  const [problem, setProblem] = useState("");
  const [files, setFiles] = useState<Files | null>(null);
  const [limit, setLimit] = useState<{ csv_bytes: number; nwb_bytes: number } | null>(null);
  /** Answers to older questions are not shown over newer ones, nor below them. */
  const asked = useRef(0);
  const of = names.includes(bench) ? bench : (names[0] ?? "");
  const state = benches.value.get(of);
  const recording = state?.status?.recording;
  // The list is asked for anew when the bench comes back, and when a recording begins or ends.
  const news = `${of} ${state?.here} ${recording?.session} ${recording?.state} ${connected.value}`;
  useEffect(() => {
    api.limits().then(setLimit, () => undefined);
  }, []);
  const ask = (before: api.SessionPage | null) => {
    const number = ++asked.current;
    api.sessions(of, match, before?.next ?? null).then(
      (found) => {
        if (number !== asked.current) return;
        setList({ ...found, sessions: [...(before?.sessions ?? []), ...found.sessions] });
        setProblem("");
      },
      (error: Error) => {
        if (number === asked.current) setProblem(error.message);
      },
    );
  };
  useEffect(() => {
    // What another bench has cannot be opened here.
    setList(null);
    setFiles(null);
  }, [of]);
  useEffect(() => {
    if (of) ask(null);
    return () => {
      asked.current++;
    };
  }, [news, match]);
  const choose = (session: api.Session, device: string) => {
    if ((session.devices[device]?.files ?? 0) <= 1) {
      openSession({ bench: of, session: session.session, folder: session.folder, device });
      onChosen();
      return;
    }
    api.sessionFiles(of, session.session, session.folder).then(
      (found) => setFiles({ session, device, files: found.files.filter((f) => f.device === device && f.state === "closed") }),
      (error: Error) => setProblem(error.message),
    );
  };
  return (
    <div class="chooser">
      <section aria-labelledby="own-file">
        <h2 id="own-file">A file of your own</h2>
        <p>
          A nine-column CSV of the Spikeling software or of <code>spikedaq export</code>
          {limit && ` (up to ${limit.csv_bytes / 1e6} MB)`}, or a recording (.nwb{limit && `, up to ${limit.nwb_bytes / 1e6} MB`}).
        </p>
        <FileButton
          label="Recording or CSV"
          testId="analysis-upload"
          accept=".csv,.nwb,.h5,.hdf5"
          onFile={(file) => {
            openFile(file, limit);
            onChosen();
          }}
        >
          Open a file…
        </FileButton>
      </section>
      <section aria-labelledby="of-bench">
        <h2 id="of-bench">A recording of the bench</h2>
        <div class="tools">
          {names.length > 1 && (
            <select aria-label="Bench" value={of} data-testid="analysis-bench" onChange={(event) => setBench(event.currentTarget.value)}>
              {names.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
          <input
            type="search"
            aria-label="Part of a name"
            placeholder="Part of a name"
            value={match}
            data-testid="analysis-search"
            onInput={(event) => setMatch(event.currentTarget.value)}
          />
          {list && <span class="note">{list.total === 1 ? "1 recording" : `${list.total} recordings`}</span>}
        </div>
        {problem && (
          <p class="wrong" role="alert">
            {problem}
          </p>
        )}
        {files && <FileChoice key={`${files.session.session} ${files.device}`} {...files} bench={of} onDone={() => setFiles(null)} onChosen={onChosen} />}
        {list?.sessions.length === 0 && <p>{match ? "None has such a name." : "Nothing was recorded yet."}</p>}
        {list && list.sessions.length > 0 && (
          <table class="sessions">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Begun</th>
                <th scope="col">Duration</th>
                <th scope="col">Size</th>
                <th scope="col">Open</th>
              </tr>
            </thead>
            <tbody>
              {list.sessions.map((session) => (
                <tr key={`${session.folder}/${session.session}`}>
                  <th scope="row">
                    {session.session}
                    {session.running && <span class="pill">recording</span>}
                  </th>
                  <td>{dateText(session.started_utc_ns)}</td>
                  <td>{durationText(session.duration_s)}</td>
                  <td>{sizeText(session.n_bytes)}</td>
                  <td>
                    {Object.entries(session.devices).map(([device, of]) => {
                      const closed = of.files - of.open_files > 0;
                      return (
                        <button
                          key={device}
                          type="button"
                          disabled={!closed}
                          title={closed ? `Analyse ${device}` : "No file of it is closed yet; stop the recording first"}
                          data-testid={`analyse-${session.session}-${device}`}
                          onClick={() => choose(session, device)}
                        >
                          {device}
                        </button>
                      );
                    })}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {list?.next != null && (
          <button type="button" onClick={() => ask(list)}>
            Older ones
          </button>
        )}
      </section>
    </div>
  );
}

function FileChoice({ session, device, files, bench, onDone, onChosen }: Files & { bench: string; onDone: () => void; onChosen: () => void }) {
  const [first, setFirst] = useState(0);
  const [last, setLast] = useState(files.length - 1);
  const chosen = files.slice(first, last + 1);
  const option = (file: api.FileOf, k: number) => (
    <option key={file.name} value={String(k)}>
      {k + 1}: {file.start_s === undefined ? file.name : `${durationText(file.start_s)} to ${durationText(file.stop_s ?? null)}`}
    </option>
  );
  return (
    <fieldset class="files" data-testid="analysis-files">
      <legend>
        {session.session}, {device}: {files.length} closed files
      </legend>
      <div class="tools">
        <label>
          from{" "}
          <select value={String(first)} onChange={(event) => setFirst(Number(event.currentTarget.value))}>
            {files.map(option)}
          </select>
        </label>
        <label>
          to{" "}
          <select value={String(last)} onChange={(event) => setLast(Number(event.currentTarget.value))}>
            {files.map(option)}
          </select>
        </label>
        <span class="note">{sizeText(chosen.reduce((sum, file) => sum + file.n_bytes, 0))}</span>
        <button
          type="button"
          class="primary"
          disabled={chosen.length === 0}
          title={chosen.length === 0 ? "The last file comes before the first" : undefined}
          data-testid="analysis-open-files"
          onClick={() => {
            openSession({ bench, session: session.session, folder: session.folder, device, files: chosen.map((file) => file.name) });
            onDone();
            onChosen();
          }}
        >
          Open
        </button>
        <button type="button" onClick={onDone}>
          Cancel
        </button>
      </div>
    </fieldset>
  );
}

function dateText(utcNs: number | null): string {
  return utcNs === null ? "–" : new Date(utcNs / 1e6).toLocaleString();
}

function durationText(seconds: number | null): string {
  if (seconds === null) return "–";
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const clock = [Math.floor(whole / 60) % 60, whole % 60].map((n) => String(n).padStart(2, "0")).join(":");
  return `${Math.floor(whole / 3600)}:${clock} h`;
}

function sizeText(bytes: number): string {
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
