/** How things stand below the traces: where in time, firing rate, latency, what was missed. */
import { benches, connection } from "../state";
import { CursorTimes } from "./cursors";
import type { Screen } from "./screen";
import { cursorsOn, digits, durationText, timeKind } from "./settings";
import { causeText } from "./shades";

/** What the page's server had missed of each bench when this page was opened. */
const missedBefore = new Map<string, number>();
const LATE_MS = 250;
const STILL_S = 1.5;

export function StatusLine({ screen, bench }: { screen: Screen; bench: string }) {
  const readout = screen.readout.value;
  const state = benches.value.get(bench);
  if (readout === null) return <p class="scope-status">Waiting for samples ...</p>;
  const told = state?.missed ?? 0;
  const before = missedBefore.get(bench) ?? told;
  if (told < before || !missedBefore.has(bench)) missedBefore.set(bench, told);
  const unseen = Math.max(0, told - before);
  const missed = unseen + connection.skipped + readout.holes;
  const isLate = readout.ageP95Ms > LATE_MS;
  return (
    <div
      class="scope-status"
      data-fps={readout.framesPerS.toFixed(1)}
      data-age-p95-ms={readout.ageP95Ms.toFixed(1)}
      data-testid="scope-status"
    >
      {screen.paused.value ? (
        <>
          <span class="pill" data-testid="ago">
            {readout.agoMs < 50 ? "held at the newest" : `${durationText(roundMs(readout.agoMs))} ago`}
            {clockText(readout.tMs, state?.clock)}
          </span>
          {readout.isLoading && <span role="status">loading ...</span>}
          {readout.atOldest && <span class="pill">the history begins here</span>}
        </>
      ) : readout.stillForS > STILL_S ? (
        <span class="pill bad" role="status" data-testid="still">
          no samples for {durationText(Math.round(readout.stillForS) * 1000)}
        </span>
      ) : (
        <span class={isLate ? "pill bad" : "pill good"} title="Age of the newest sample when it is drawn" data-testid="latency">
          live, {readout.isTimeGuessed ? "clock not fitted yet" : `${readout.ageMs.toFixed(0)} ms old, 95 % below ${readout.ageP95Ms.toFixed(0)} ms`}
        </span>
      )}
      <span data-testid="rate" title="Spikes per second, over the last five seconds">
        {Number.isNaN(readout.rateHz) ? "rate: not yet" : `${digits(readout.rateHz)} spikes/s`}
        {!Number.isNaN(readout.rateHz) &&
          Math.abs(readout.modelRateHz - readout.rateHz) > 0.005 * readout.rateHz &&
          ` (${digits(readout.modelRateHz)} Hz in model time)`}
      </span>
      <span
        data-testid="missed"
        class={unseen > 0 ? "pill bad" : ""}
        title={
          `since this page was opened: missed by its server ${unseen} messages of the bus; held back because this page was slow: ` +
          `${connection.skipped}; holes that were fetched again: ${readout.holes}`
        }
      >
        {missed === 0 ? "nothing missed" : unseen === 0 ? `${missed} late, fetched again` : `${unseen} missed on the bus`}
      </span>
      {cursorsOn.value && <CursorTimes />}
      {readout.gaps.map(({ cause, n, count }) => (
        <span key={cause} class={cause === "stopped" ? "pill" : "pill bad"} data-testid="gap">
          {n} gap{n > 1 ? "s" : ""}: {count} samples {causeText(cause)}
        </span>
      ))}
      {timeKind.value === "model" && <span>model time: 0.1 ms a step</span>}
      {readout.problem && (
        <span class="pill bad" role="alert" data-testid="past-problem">
          {readout.problem}
        </span>
      )}
    </div>
  );
}

function roundMs(ms: number): number {
  return ms < 1000 ? Math.round(ms) : Math.round(ms / 100) * 100;
}

function clockText(tMs: number, clock: { utc_ns: number; host_ns: number } | undefined): string {
  if (clock === undefined || !Number.isFinite(tMs)) return "";
  const utcMs = clock.utc_ns / 1e6 + (tMs - clock.host_ns / 1e6);
  return `, ${new Date(utcMs).toLocaleTimeString(undefined, { hour12: false })}`;
}
