/** Panes with a shared time axis, rolling. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { connection } from "../state";
import { TraceStore } from "../trace/store";
import { isDark } from "../ui/theme";

const TIME_BASES_S = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600];
const DEFAULT_SHOWN = ["vm", "stimulus", "i_total"];
const MAX_LEVEL = 13;

interface ChannelInfo {
  name: string;
  unit: string;
  scale_mantissa: number;
  scale_exponent: number;
  offset_mantissa: number;
}

interface Description {
  step_us: number;
  channels: ChannelInfo[];
  clamp_channels: ChannelInfo[];
}

export function Oscilloscope({ bench, device }: { bench: string; device: string }) {
  const panes = useRef<HTMLDivElement>(null);
  const [windowS, setWindowS] = useState(2);
  const [about, setAbout] = useState<Description | null>(null);

  useEffect(() => {
    void connection.ask<Description>(bench, "describe", { device }).then(setAbout, () => setAbout(null));
  }, [bench, device]);

  useEffect(() => {
    const root = panes.current;
    if (root === null || about === null) return undefined;
    const pixels = Math.max(300, root.clientWidth);
    const samples = (windowS * 1e6) / about.step_us;
    const level = Math.min(MAX_LEVEL, Math.max(0, Math.floor(Math.log2(samples / pixels))));
    const store = new TraceStore(level);
    const unwatch = connection.watch(bench, device, level, (frame) => store.take(frame));
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--faint");
    const line = style.getPropertyValue("--line");
    const shown = about.channels.map((c, k) => ({ ...c, k })).filter((c) => DEFAULT_SHOWN.includes(c.name));
    const plots = shown.map(({ name, unit, k }, row) => {
      const holder = document.createElement("div");
      holder.className = "pane";
      root.append(holder);
      return new uPlot(
        {
          width: holder.clientWidth,
          height: holder.clientHeight,
          legend: { show: false },
          cursor: { sync: { key: "scope" } },
          scales: { x: { time: false, auto: false }, y: { auto: true } },
          axes: [
            { show: row === shown.length - 1, stroke: ink, grid: { stroke: line }, ticks: { stroke: line } },
            { stroke: ink, label: `${name} (${unit})`, size: 60, grid: { stroke: line }, ticks: { stroke: line } },
          ],
          series: [{}, { stroke: style.getPropertyValue(`--trace-${k}`), width: 1, points: { show: false } }],
        },
        [[], []],
        holder,
      );
    });
    let frame = 0;
    const draw = () => {
      frame = requestAnimationFrame(draw);
      const newest = store.timeOfStep(store.end * store.binSteps);
      if (!Number.isFinite(newest)) return;
      const now = Math.max(newest, Math.min(connection.nowMs(), newest + 100));
      shown.forEach(({ k, scale_mantissa, scale_exponent, offset_mantissa }, row) => {
        const xs: number[] = [];
        const ys: (number | null)[] = [];
        const unit = 10 ** scale_exponent;
        const begin = Math.max(store.begin, Math.floor(store.stepAtTime(now - windowS * 1000) / store.binSteps));
        for (let bin = begin; bin < store.end; bin++) {
          const x = (store.timeOfStep(bin * store.binSteps) - now) / 1000;
          const low = store.lowAt(k, bin);
          const high = store.highAt(k, bin);
          xs.push(x, x);
          if (low > high) ys.push(null, null);
          else {
            const a = (low * scale_mantissa + offset_mantissa) * unit;
            const b = (high * scale_mantissa + offset_mantissa) * unit;
            ys.push(bin % 2 ? a : b, bin % 2 ? b : a);
          }
        }
        const plot = plots[row]!;
        plot.batch(() => {
          plot.setData([xs, ys], true);
          plot.setScale("x", { min: -windowS, max: 0 });
        });
      });
    };
    draw();
    const resized = new ResizeObserver(() => {
      for (const plot of plots) {
        const holder = plot.root.parentElement!;
        plot.setSize({ width: holder.clientWidth, height: holder.clientHeight });
      }
    });
    resized.observe(root);
    return () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
      unwatch();
      for (const plot of plots) plot.destroy();
      root.replaceChildren();
    };
  }, [bench, device, about, windowS, isDark.value]);

  return (
    <div class="traces">
      <div class="tools" role="toolbar" aria-label="Oscilloscope">
        <label class="row">
          Window
          <select
            name="time base"
            value={String(windowS)}
            onChange={(event) => setWindowS(Number(event.currentTarget.value))}
          >
            {TIME_BASES_S.map((s) => (
              <option key={s} value={String(s)}>
                {s < 1 ? `${s * 1000} ms` : s < 60 ? `${s} s` : `${s / 60} min`}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class="panes" ref={panes} />
    </div>
  );
}
