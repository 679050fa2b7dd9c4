/** Recordings and their analysis. */
import { useMemo, useState } from "preact/hooks";
import { toast } from "../state";
import "./analysis.css";
import * as api from "./api";
import { Chooser } from "./chooser";
import { shortText } from "./figure";
import { FigureOrWhy } from "./figure_view";
import { beforeFigure, curveFigure, intervalFigure, loopFigures, loopsText, phaseFigure, rasterFigure, rateFigure, rounded } from "./figures";
import { busy, canOpenAgain, giveUp, openAgain, opened, problem, progress, seen, seenBy } from "./model";
import { save } from "./save";
import { Settings } from "./settings";
import { ThresholdPanel } from "./threshold";
import { TracePanel } from "./trace_panel";

export function Analysis() {
  const source = opened.value;
  const [wantsOther, setChoosing] = useState(source === null && !busy.value);
  const isChoosing = wantsOther || (source === null && !busy.value);
  return (
    <section class="analysis">
      <div class="head">
        <h1>Analysis</h1>
        {source && (
          <b class="what" data-testid="analysis-name">
            {source.name}
          </b>
        )}
        {!isChoosing && (
          <button type="button" data-testid="analysis-other" onClick={() => setChoosing(true)}>
            Open another
          </button>
        )}
        {isChoosing && source && (
          <button type="button" onClick={() => setChoosing(false)}>
            Back to {source.name}
          </button>
        )}
        <Progress />
      </div>
      <Problem />
      {isChoosing ? (
        <Chooser onChosen={() => setChoosing(false)} />
      ) : (
        source && (
          <div class="body">
            {source.state === "ready" && <Settings seen={seen.value} />}
            {seen.value && <Findings seen={seen.value} />}
          </div>
        )
      )}
    </section>
  );
}

function Progress() {
  if (!busy.value) return null;
  const known = progress.value;
  return (
    <span class="row" role="status" data-testid="analysis-busy">
      {busy.value}
      <progress max={known?.total ?? 1} {...(known ? { value: known.done } : {})} aria-label={busy.value} />
      <button type="button" onClick={giveUp} title="Give it up">
        Cancel
      </button>
    </span>
  );
}

function Problem() {
  if (!problem.value) return null;
  return (
    <p class="problem" role="alert" data-testid="analysis-problem">
      {problem.value}{" "}
      {canOpenAgain() && (
        <button type="button" onClick={openAgain}>
          Open again
        </button>
      )}
    </p>
  );
}

function Findings({ seen: found }: { seen: api.Seen }) {
  const figures = useMemo(
    () =>
      found.spikes === undefined
        ? []
        : [rasterFigure(found), rateFigure(found), intervalFigure(found), ...loopFigures(found), beforeFigure(found), phaseFigure(found), curveFigure(found)],
    [found],
  );
  const leftOut = Object.entries(opened.value?.left_out ?? {});
  return (
    <div class="findings" aria-busy={busy.value !== ""}>
      <Numbers seen={found} />
      {found.problem && <p class="problem">{`No spikes: ${found.problem}.`}</p>}
      {found.notes.map((note) => (
        <p key={note} class="note">
          {`Note: ${note}.`}
        </p>
      ))}
      {leftOut.length > 0 && (
        <details class="note">
          <summary>{leftOut.length === 1 ? "1 file is" : `${leftOut.length} files are`} not in it</summary>
          <ul>
            {leftOut.map(([name, why]) => (
              <li key={name}>
                {name}: {why}
              </li>
            ))}
          </ul>
        </details>
      )}
      <div class="figures">
        <div class="wide">
          <TracePanel seen={found} />
        </div>
        {found.spikes && <ThresholdPanel seen={found} />}
        {figures.map((shown) => (
          <FigureOrWhy key={"figure" in shown ? shown.figure.id : shown.id} shown={shown} recording={found.name} />
        ))}
      </div>
    </div>
  );
}

function Numbers({ seen: found }: { seen: api.Seen }) {
  const { spikes, loops } = found;
  if (!spikes) return null;
  const rows: [string, string, string][] = [
    ["n_spikes", "Spikes", String(spikes.n_spikes)],
    ["rate_hz", "Rate", shortText(spikes.rate_hz, "Hz")],
    ["mean_interval_ms", "Mean interval", shortText(rounded(spikes.mean_interval_ms), "ms")],
    ["shortest_interval_ms", "Shortest", shortText(rounded(spikes.shortest_interval_ms), "ms")],
    ["cv", "CV", shortText(rounded(spikes.cv))],
    ["cv2", "CV2", shortText(rounded(spikes.cv2))],
    ["lv", "Lv", shortText(rounded(spikes.lv))],
    ["recorded_ms", "Recorded", shortText(spikes.recorded_ms, "ms")],
    ["n_gaps", "Gaps", String(spikes.n_gaps)],
    ["loops", "Loops used", loops.problem === undefined ? `${loops.n_used} of ${loops.n_loops}` : "none"],
  ];
  return (
    <div class="numbers">
      <dl>
        {rows.map(([key, label, value]) => (
          <div key={key}>
            <dt>{label}</dt>
            <dd data-testid={`number-${key}`}>{value}</dd>
          </div>
        ))}
      </dl>
      <Tables seen={found} />
      {loops.problem === undefined && loops.left_out_text !== "none" && <p class="note">{loopsText(loops)}</p>}
    </div>
  );
}

const TABLE_TEXTS: [RegExp, string][] = [
  [/_spike\.csv$/, "events, stock"],
  [/_spikerate\.csv$/, "rate, stock"],
  [/^spikes/, "events"],
  [/_means\.csv$/, "averages, stock"],
  [/_rasterplot\.csv$/, "raster, stock"],
  [/^averages/, "averages"],
  [/^loops/, "loops"],
  [/^spike_triggered/, "stimulus before spikes"],
  [/^fi_curve/, "F-I curve"],
];

function Tables({ seen: found }: { seen: api.Seen }) {
  const [under, setUnder] = useState("");
  const fetchTable = (name: string) => {
    const handle = opened.value?.handle;
    if (!handle) return;
    setUnder(name);
    api
      .table(handle, seenBy.value, name)
      .then((blob) => save(blob, name))
      .catch((error: Error) => toast(error.message, "error"))
      .finally(() => setUnder(""));
  };
  return (
    <details class="dropdown tables" data-testid="analysis-tables">
      <summary>Save tables (CSV)</summary>
      <ul class="menu">
        {found.tables.map((name) => (
          <li key={name}>
            <button
              type="button"
              disabled={under !== ""}
              title={under !== "" ? `${under} is being saved` : `Save ${name}`}
              data-testid={`table-${name}`}
              onClick={() => fetchTable(name)}
            >
              {name}
            </button>{" "}
            <span class="note">{TABLE_TEXTS.find(([pattern]) => pattern.test(name))?.[1]}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
