/** The trace with threshold and spikes; a stretch of it is shown closer by dragging over it, or by buttons. */
import { useMemo, useRef } from "preact/hooks";
import type { Seen } from "./api";
import { FigureView } from "./figure_view";
import { traceFigure } from "./figures";
import { closeTrace, seenBy, threshold, zoom, zoomTo } from "./model";

const LEAST_MS = 1;
const LEAST_DRAG_PX = 5;

export function TracePanel({ seen }: { seen: Seen }) {
  const begun = useRef<number | null>(null);
  const near = zoom.value && closeTrace.value ? zoom.value : null;
  const at = threshold.value;
  const figure = useMemo(() => traceFigure(seen, near ? closeTrace.value! : seen.trace, at, near), [seen, near, closeTrace.value, at]);
  const shown = zoom.value ?? { first: 0, last: seen.duration_ms };
  const per = shown.last - shown.first > 20_000 ? 1000 : 1;
  const go = (first: number, last: number) => {
    const span = Math.min(Math.max(last - first, LEAST_MS), seen.duration_ms);
    const from = Math.min(Math.max(first, 0), seen.duration_ms - span);
    zoomTo(span >= seen.duration_ms ? null : { first: from, last: from + span });
  };
  const scale = (factor: number) => {
    const middle = (shown.first + shown.last) / 2;
    const half = ((shown.last - shown.first) / 2) * factor;
    go(middle - half, middle + half);
  };
  const shift = (share: number) => {
    const by = (shown.last - shown.first) * share;
    go(shown.first + by, shown.last + by);
  };
  const isWhole = zoom.value === null;
  return (
    <FigureView
      figure={figure}
      recording={seen.name}
      height={260}
      note={isWhole ? "Drag over a stretch to see it closer." : undefined}
      handlers={{
        down: ({ x, event }) => {
          begun.current = x;
          (event.target as Element).setPointerCapture(event.pointerId);
        },
        up: ({ x, frame }) => {
          const from = begun.current;
          begun.current = null;
          if (from === null || Math.abs(x - from) < LEAST_DRAG_PX) return;
          const [a, b] = [frame.ofX(Math.min(x, from)) * per, frame.ofX(Math.max(x, from)) * per];
          go(a, b);
        },
      }}
    >
      <span class="row" role="group" aria-label="Time shown">
        <button type="button" disabled={isWhole} title="Earlier" aria-label="Earlier" onClick={() => shift(-0.5)}>
          ◀
        </button>
        <button type="button" title="Closer" aria-label="Closer" data-testid="analysis-closer" onClick={() => scale(0.5)}>
          +
        </button>
        <button type="button" disabled={isWhole} title="Farther" aria-label="Farther" onClick={() => scale(2)}>
          −
        </button>
        <button type="button" disabled={isWhole} title="Later" aria-label="Later" onClick={() => shift(0.5)}>
          ▶
        </button>
        <button type="button" disabled={isWhole} title="The whole time range" data-testid="analysis-whole" onClick={() => zoomTo(null)}>
          Whole
        </button>
        {seenBy.value.start_s !== undefined && <span class="note">from {seenBy.value.start_s} s of the recording</span>}
      </span>
    </FigureView>
  );
}
