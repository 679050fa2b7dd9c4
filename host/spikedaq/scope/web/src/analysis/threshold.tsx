/** The threshold: the curve of counts with a line to drag, a slider and a field for the same, and the count there. */
import { useMemo } from "preact/hooks";
import type { Seen } from "./api";
import { FigureView } from "./figure_view";
import { thresholdFigure } from "./figures";
import { numberText } from "./figure";
import { NumberInput } from "./inputs";
import { change, countAt, dragged, seenBy, snapped, threshold } from "./model";

export function ThresholdPanel({ seen }: { seen: Seen }) {
  const { sweep, spikes } = seen;
  const at = threshold.value;
  const figure = useMemo(() => thresholdFigure(sweep, at), [sweep, at]);
  if (!spikes) return null;
  const isPlain = !seenBy.value.hysteresis_mv && !seenBy.value.refractory_ms;
  const live = dragged.value === null ? spikes.n_spikes : countAt(sweep, dragged.value);
  const drag = (to: number) => {
    dragged.value = snapped(sweep, to);
  };
  const drop = () => {
    if (dragged.value !== null) change({ threshold_mv: dragged.value });
  };
  const suggested = sweep.suggested;
  return (
    <FigureView
      figure={figure}
      recording={seen.name}
      note={isPlain ? undefined : "The curve counts without hysteresis and refractory time."}
      handlers={{
        down: ({ x, frame, event }) => {
          (event.target as Element).setPointerCapture(event.pointerId);
          drag(frame.ofX(x));
        },
        move: ({ x, frame, event }) => {
          if (event.buttons & 1 && dragged.value !== null) drag(frame.ofX(x));
        },
        up: drop,
      }}
    >
      <div class="threshold">
        <output class="count" aria-live="polite" data-testid="analysis-count">
          {live ?? "…"} {live === 1 ? "spike" : "spikes"}
        </output>
        <input
          type="range"
          aria-label="Threshold"
          aria-valuetext={at === null ? "none" : `${numberText(at)} mV`}
          min={sweep.thresholds_mv[0]}
          max={sweep.thresholds_mv.at(-1)}
          step={sweep.step_mv}
          value={at ?? sweep.thresholds_mv[0]}
          data-testid="analysis-slider"
          onInput={(event) => drag(Number(event.currentTarget.value))}
          onChange={drop}
        />
        <NumberInput
          label="Threshold"
          unit="mV"
          value={at ?? undefined}
          placeholder="−20"
          testId="analysis-threshold"
          onChange={(threshold_mv) => change({ threshold_mv })}
        />
        <button
          type="button"
          disabled={suggested === null}
          title={
            suggested === null
              ? "No range of 5 mV or more has one and the same count"
              : `The middle of ${numberText(suggested.low_mv)} to ${numberText(suggested.high_mv)} mV, the widest range with one count`
          }
          data-testid="analysis-auto"
          onClick={() => change({ threshold_mv: "auto" })}
        >
          Suggest
        </button>
      </div>
    </FigureView>
  );
}
