/** What is recorded now: honestly, from what readers can see on disk. */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { type BenchState, type RecordingStatus, benches, connection } from "../../state";
import { words } from "../device/files";
import { grouped } from "../device/numbers";
import { Growth, isUnderWay, sessionShown, shownState } from "./growth";
import { whyNotRecord } from "./may";
import { takeRecording } from "./told";
import { bytesText, gapsText, hasGaps, momentText, spanText } from "./words";

export function Now({ bench }: { bench: string }) {
  const growth = useMemo(() => new Growth(), [bench]);
  const error = useSignal("");
  const stopping = useSignal(false);
  const state = benches.value.get(bench);
  const recording = state?.status?.recording;
  if (!state?.status || !recording || !isUnderWay(recording)) {
    return (
      <p class="now-line" role="status" data-testid="now" data-state="none">
        <span class="pill">not recording</span>
        {recording && (
          <span class="faint small-text">
            last: {recording.session}, {recording.state}
            {recording.reason && ` (${recording.reason})`}
          </span>
        )}
      </p>
    );
  }
  const nowMs = performance.now();
  const shown = Object.entries(recording.devices).map(([name, file]) => {
    const still = growth.take(name, recording.session, file.rows_on_disk, nowMs);
    return { name, file, shown: shownState(file.state, file.rows_on_disk, still, state.here) };
  });
  const all = sessionShown(recording.state, shown.map((one) => one.shown), state.here);
  const locked = whyNotRecord(bench);

  async function stop(): Promise<void> {
    error.value = "";
    stopping.value = true;
    try {
      takeRecording(bench, await connection.ask<RecordingStatus>(bench, "record_stop", { session: recording!.session }));
    } catch (refused) {
      error.value = words(refused);
    }
    stopping.value = false;
  }

  return (
    <div class="now" data-testid="now" data-state={all.kind === "good" ? "recording" : "other"}>
      <div class="row spread">
        <span class={`pill ${all.kind}`} role="status" data-testid="now-state">
          {all.kind === "good" ? "● " : all.kind === "bad" ? "⚠ " : ""}
          {all.text}
        </span>
        <button
          type="button"
          class="primary"
          disabled={locked !== undefined || stopping.value}
          title={locked ?? "close the files"}
          data-testid="record-stop"
          onClick={() => void stop()}
        >
          {stopping.value ? "Closing …" : "■ Stop"}
        </button>
      </div>
      <p class="session-name" data-testid="now-session">
        {recording.session}
      </p>
      <p class="faint small-text">
        in {recording.folder}, since {momentText(recording.started_utc_ns)}
        {recording.restarts > 0 && `; the recorder was started again ${recording.restarts} times`}
      </p>
      {error.value && (
        <p class="refused" role="alert" data-testid="stop-error">
          {error.value}
        </p>
      )}
      <table class="files-now">
        <thead>
          <tr>
            <th>device</th>
            <th>on disk</th>
            <th>size</th>
            <th>gaps</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ name, file, shown: how }) => (
            <tr key={name} data-testid={`now-${name}`} data-rows={file.rows_on_disk} data-state={how.text}>
              <th scope="row">
                {name}
                <span class={`state ${how.kind}`}>{how.text}</span>
              </th>
              <td title={`${grouped(file.samples)} samples, ${grouped(file.rows_on_disk)} of them can be read on disk`}>
                {grouped(file.rows_on_disk)}
                <span class="faint"> of {grouped(file.samples)} samples</span>
                {file.windows > 0 && <span class="faint">, {file.windows} windows</span>}
              </td>
              <td>{bytesText(file.bytes)}</td>
              <td class={hasGaps(file.gaps) ? "some" : ""}>{gapsText(file.gaps)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown
        .filter(({ file }) => file.error)
        .map(({ name, file }) => (
          <p key={name} class="refused" role="alert">
            {name}: {file.error}
          </p>
        ))}
      <p class="faint small-text" data-testid="disk-left">
        {diskText(state, recording)}
      </p>
    </div>
  );
}

interface Disk {
  free_bytes: number | null;
  time_left_s: number | null;
  elsewhere?: Record<string, { free_bytes: number | null; time_left_s: number | null }>;
}

/** How long the disk lasts that a session is on. */
export function diskText(state: BenchState, recording: RecordingStatus): string {
  const disk = state.status!.disk as unknown as Disk | null;
  const of = disk?.elsewhere?.[recording.session] ?? disk;
  if (!of) return "free space is not known";
  const left = of.time_left_s === null ? "how long it lasts is known after 20 s" : `lasts ${spanText(of.time_left_s)} more`;
  return `${bytesText(of.free_bytes)} free, ${left}`;
}
