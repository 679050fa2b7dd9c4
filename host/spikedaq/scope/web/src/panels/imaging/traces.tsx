/** Vm, dF/F0 and calcium of the three neurons, one below the other on one axis of model time. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { isDark } from "../../ui/theme";
import { type ImagingModel, NEURONS, windowS } from "./model";
import { grown, points } from "./series";

const HEIGHT = 118;
const DRAW_MS = 80;
const VALUES_MS = 300;
/** Beside their colours, neurons differ by their dashes. */
const DASHES: (number[] | undefined)[] = [undefined, [7, 3], [2, 3]];
const DASH_NAMES = ["solid", "dashed", "dotted"];

interface Pane {
  name: "vm" | "dff" | "ca";
  title: string;
  unit: string;
  range: [number, number];
  digits: number;
}

const PANES: Pane[] = [
  { name: "vm", title: "Vm", unit: "mV", range: [-100, 50], digits: 0 },
  { name: "dff", title: "ΔF/F0", unit: "%", range: [-10, 50], digits: 0 },
  { name: "ca", title: "Calcium", unit: "µM", range: [0, 0.1], digits: 3 },
];
const WINDOWS_S = [2, 5, 10, 30, 60];

export function Traces({ model }: { model: ImagingModel }) {
  const fits = useSignal(0);
  return (
    <div class="imaging-traces">
      <div class="row">
        <label class="row">
          Show
          <select
            name="imaging-window"
            value={windowS.value}
            onChange={(event) => (windowS.value = Number(event.currentTarget.value))}
          >
            {WINDOWS_S.map((seconds) => (
              <option key={seconds} value={seconds}>
                {seconds} s of model time
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="quiet small" title="scales that hold what is shown now, and no more" onClick={() => fits.value++}>
          Fit
        </button>
      </div>
      {PANES.map((pane) => (
        <PaneView key={pane.name} pane={pane} model={model} fit={fits.value} />
      ))}
    </div>
  );
}

function channelsOf(pane: Pane, model: ImagingModel): number[] {
  return pane.name === "vm" ? model.potentials.value.map(({ column }) => column) : NEURONS.map((neuron) => model.channel(pane.name, neuron));
}

function PaneView({ pane, model, fit }: { pane: Pane; model: ImagingModel; fit: number }) {
  const holder = useRef<HTMLDivElement>(null);
  const range = useRef<[number, number]>([...pane.range]);
  const values = useSignal<(number | null)[]>([null, null, null]);
  const series = pane.name === "vm" ? model.vm : model.frames;

  useEffect(() => {
    if (fit > 0) range.current = pane.name === "vm" ? [...pane.range] : [0, Number.MIN_VALUE];
  }, [fit]);

  useEffect(() => {
    const root = holder.current;
    if (root === null) return undefined;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const plot = new uPlot(
      {
        width: root.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        padding: [6, 8, 0, 0],
        scales: {
          x: { time: false, range: () => [-windowS.peek(), 0] },
          y: { range: () => range.current },
        },
        axes: [
          { ...axis, size: 18, space: 60, values: (_, ticks) => ticks.map((tick) => `${tick === 0 ? 0 : tick} s`) },
          { ...axis, size: 44, space: 24 },
        ],
        series: [
          {},
          ...NEURONS.map((_, k) => ({
            stroke: colour(`--trace-${k}`),
            width: 1.5,
            points: { show: false },
            ...(DASHES[k] && { dash: DASHES[k] }),
          })),
        ],
      },
      [[], [], [], []],
      root,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: root.clientWidth, height: HEIGHT }));
    resized.observe(root);
    let drawn = "";
    let drawnMs = 0;
    let valuesMs = 0;
    let request = 0;
    const draw = (nowMs: number) => {
      request = requestAnimationFrame(draw);
      const version = `${model.vm.version} ${model.frames.version} ${windowS.peek()}`;
      if (nowMs - drawnMs < DRAW_MS || version === drawn) return;
      [drawn, drawnMs] = [version, nowMs];
      // Traces that ended scroll out with the samples that go on.
      const endStep = Math.max(model.vm.stepOf(model.vm.end), model.frames.boot === model.vm.boot ? model.frames.stepOf(model.frames.end) : 0);
      const isOther = pane.name !== "vm" && model.frames.boot !== model.vm.boot && model.vm.boot !== -1;
      const channels = channelsOf(pane, model);
      const scale = pane.name === "vm" ? (model.potentials.value[0]?.scale ?? 1) : 1;
      const data: uPlot.AlignedData = isOther || channels.length === 0 ? [[], [], [], []] : points(series, channels, endStep, windowS.peek() * 10_000, (raw) => raw * scale);
      let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (const column of data.slice(1)) {
        for (const value of column) {
          if (typeof value !== "number") continue;
          low = Math.min(low, value);
          high = Math.max(high, value);
        }
      }
      if (low <= high) range.current = grown(range.current, low, high);
      plot.setData(data);
      if (nowMs - valuesMs > VALUES_MS) {
        valuesMs = nowMs;
        values.value = channels.map((channel) => {
          const newest = isOther ? null : series.newest(channel);
          return newest === null ? null : newest * scale;
        });
      }
    };
    request = requestAnimationFrame(draw);
    return () => {
      cancelAnimationFrame(request);
      resized.disconnect();
      plot.destroy();
    };
  }, [model, isDark.value]);

  return (
    <figure class="imaging-pane" data-testid={`imaging-pane-${pane.name}`}>
      <figcaption>
        <b>
          {pane.title} ({pane.unit})
        </b>
        {NEURONS.map((neuron, k) => {
          const value = values.value[k] ?? null;
          return (
            <span key={neuron} class={`neuron neuron-${k}`} title={`${neuron}: ${DASH_NAMES[k]} line`} data-testid={`imaging-${pane.name}-${neuron}`} data-value={value ?? ""}>
              {neuron} {value === null ? "–" : rounded(value, pane.digits)}
            </span>
          );
        })}
      </figcaption>
      <div ref={holder} role="img" aria-label={`${pane.title} of the three neurons over the last seconds of model time`} />
    </figure>
  );
}

function rounded(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text;
}
