/** One device of one bench at a glance. */
import { bytesText } from "../panels/recording/words";
import { selected } from "../state";
import { TileTrace } from "./tile_trace";
import type { Shown, Tile } from "./tiles";

interface Props {
  tile: Tile;
  spikesPerS: number;
  /** How its recording stands; null where none goes on. */
  recorded: Shown | null;
  isLeftOut: boolean;
  leaveOut: (out: boolean) => void;
}

export function DeviceTile({ tile, spikesPerS, recorded, isLeftOut, leaveOut }: Props) {
  const { bench, device, status, alarms } = tile;
  const { recording, lease } = status;
  const isRunning = status.state === "running";
  return (
    <article class="tile" data-testid={`tile-${bench}-${device}`}>
      <a
        class="tile-link"
        href={`#/scope?device=${encodeURIComponent(device)}`}
        title={`Show ${device} of ${bench} on the scope`}
        onClick={() => {
          selected.value = { bench, device };
        }}
      >
        <h3>
          {device} <span class="faint">{bench}</span>
        </h3>
        {status.nominal_hz > 0 && <TileTrace bench={bench} device={device} rateHz={status.nominal_hz} />}
      </a>
      <p class="tile-facts">
        <span class={`pill ${isRunning ? "good" : "bad"}`} title={status.detail} data-testid="state">
          {status.state}
        </span>
        {isRunning && (
          <span title="Spikes per second, over the last five seconds" data-testid="spike-rate">
            {Number.isFinite(spikesPerS) ? `${spikesPerS.toFixed(1)} spikes/s` : "counting spikes"}
          </span>
        )}
        {recording && recorded && (
          <span
            class={`pill ${recorded.kind}`}
            data-testid="recording"
            title={`${recording.session ?? ""} ${recording.samples} samples, ${bytesText(recording.bytes)}`}
          >
            {recorded.text}
          </span>
        )}
        {recording?.error && <span class="pill bad">{recording.error}</span>}
        {lease && (
          <span class="pill" title={`ends in ${Math.round(lease.left_s)} s unless it is used`} data-testid="lease">
            lease: {lease.holder}
          </span>
        )}
        {alarms.map((alarm) => (
          <span key={`${alarm.kind} ${alarm.subject}`} class="pill bad" title={alarm.text} data-testid="alarm">
            alarm: {alarm.kind.replaceAll("_", " ")}
          </span>
        ))}
      </p>
      <label class="tile-choice" title="Whether a recording of all benches records this board">
        <input type="checkbox" checked={!isLeftOut} onChange={(event) => leaveOut(!event.currentTarget.checked)} />
        record with the class
      </label>
    </article>
  );
}
