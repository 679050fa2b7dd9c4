/** A waveform as a picture: the least and the greatest value of each column, so that no pulse is lost. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { isDark } from "../../ui/theme";
import type { Preview } from "./waveform";

const HEIGHT = 150;
/** From here on the time axis is in seconds. */
const SECONDS_FROM_MS = 5000;

export function PreviewPlot({ preview }: { preview: Preview }) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const root = holder.current;
    if (root === null) return undefined;
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--faint");
    const line = style.getPropertyValue("--line");
    const trace = style.getPropertyValue("--trace-1");
    const perUnit = preview.duration_ms >= SECONDS_FROM_MS ? 1000 : 1;
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "11px system-ui" };
    const plot = new uPlot(
      {
        width: root.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false }, y: { range: (_, low, high) => spread(low, high) } },
        axes: [
          { ...axis, label: perUnit === 1 ? "model time (ms)" : "model time (s)", labelSize: 16, labelFont: axis.font, size: 26 },
          { ...axis, label: "%", labelSize: 14, labelFont: axis.font, size: 38 },
        ],
        series: [
          {},
          { stroke: trace, width: 1, points: { show: false } },
        ],
      },
      dataOf(preview, perUnit),
      root,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: root.clientWidth, height: HEIGHT }));
    resized.observe(root);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [preview, isDark.value]);
  const text = `${preview.n_rows} rows from ${preview.minimum_percent} to ${preview.maximum_percent} %`;
  return <div class="preview" ref={holder} role="img" aria-label={`Preview: ${text}`} data-testid="stimulus-preview" />;
}

/** Each column as its least and greatest value, held until the next one: rows are steps. */
function dataOf(preview: Preview, perUnit: number): uPlot.AlignedData {
  const columns = preview.least_percent.length;
  const width = preview.duration_ms / columns / perUnit;
  const xs: number[] = [];
  const ys: number[] = [];
  let before = 0;
  for (let column = 0; column < columns; column++) {
    const low = preview.least_percent[column]!;
    const high = preview.greatest_percent[column]!;
    // Begin with the end that is nearer to where the line is.
    const [first, last] = Math.abs(before - low) <= Math.abs(before - high) ? [low, high] : [high, low];
    xs.push(column * width, column * width, (column + 1) * width);
    ys.push(first, last, last);
    before = last;
  }
  return [xs, ys];
}

function spread(low: number, high: number): [number, number] {
  const bottom = Math.min(0, low);
  const top = Math.max(0, high);
  const room = Math.max(1, (top - bottom) * 0.08);
  return [bottom - room, top + room];
}
