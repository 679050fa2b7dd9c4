/** How a trial stands: phase, progress, abort, and what came of it. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { benches, connected, myName } from "../../state";
import { isMe, shortOrigin } from "../device/about";
import { words } from "../device/files";
import { whyNotRecord } from "./may";
import { abortTrial, fetchTrial, phaseText, resultText, trials } from "./trial";

export function TrialView({ bench }: { bench: string }) {
  const error = useSignal("");
  const aborting = useSignal(false);
  const here = connected.value && benches.value.get(bench)?.here;
  useEffect(() => {
    if (here) fetchTrial(bench).catch(() => undefined);
  }, [bench, here]);
  const trial = trials.value.get(bench);
  useEffect(() => {
    aborting.value = false;
    error.value = "";
  }, [trial?.session, trial?.state]);
  if (trial === undefined) return null;
  const by = isMe(trial.by, myName.value) ? "you" : shortOrigin(trial.by);
  if (trial.state === "running") {
    const locked = whyNotRecord(bench, trial.device) ?? (aborting.value ? "it is being ended" : undefined);
    return (
      <div class="trial" data-testid="trial" data-state={trial.state} data-phase={trial.phase}>
        <div class="row spread">
          <span role="status">
            <b>Trial</b> with {trial.stimulus} <span class="faint">by {by}</span>
          </span>
          <button
            type="button"
            class="small"
            disabled={locked !== undefined}
            title={locked ?? "stop the recording in order; what it has until then is kept"}
            data-testid="trial-abort"
            onClick={() => {
              aborting.value = true;
              abortTrial(bench).catch((refused: unknown) => {
                error.value = words(refused);
                aborting.value = false;
              });
            }}
          >
            {aborting.value ? "Ending …" : "Abort"}
          </button>
        </div>
        {trial.total_s > 0 ? (
          <progress aria-label="Trial" max={trial.total_s} value={trial.done_s} />
        ) : (
          <progress aria-label="Trial" />
        )}
        <span class="faint">{phaseText(trial)}</span>
        {error.value && (
          <p class="refused" role="alert">
            {error.value}
          </p>
        )}
      </div>
    );
  }
  const failed = trial.state !== "done";
  return (
    <div class="trial" data-testid="trial" data-state={trial.state} data-phase={trial.phase}>
      <p class={failed ? "refused" : ""} role={failed ? "alert" : "status"} data-testid="trial-result">
        {!failed && `✓ ${trial.session}: `}
        {resultText(trial)}
      </p>
    </div>
  );
}
