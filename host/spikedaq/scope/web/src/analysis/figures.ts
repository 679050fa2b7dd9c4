/** The figures of one look. */
import type { Averaged, Loops, Seen, Sweep, Trace } from "./api";
import { type Figure, type Layer, numberText, shortText } from "./figure";

const LABELS: Record<string, string> = {
  vm: "Vm",
  syn1_vm: "Synapse 1 Vm",
  syn2_vm: "Synapse 2 Vm",
  i_total: "Total current",
  syn1_i: "Synapse 1 input",
  syn2_i: "Synapse 2 input",
  stimulus: "Stimulus",
  rate: "Rate",
};
const SECONDS_FROM_MS = 20_000;
const MAX_DRAWN = 20_000;

export interface Shown {
  figure: Figure;
  /** What there is to say below it. */
  note?: string;
}

/** Instead of a figure: why there is none. */
export interface Missing {
  id: string;
  title: string;
  why: string;
}

function timeAxis(durationMs: number): { per: number; label: string } {
  return durationMs > SECONDS_FROM_MS ? { per: 1000, label: "Model time (s)" } : { per: 1, label: "Model time (ms)" };
}

const scaled = (values: readonly number[], per: number): readonly number[] => (per === 1 ? values : values.map((v) => v / per));

export function traceFigure(seen: Seen, trace: Trace, thresholdMv: number | null, zoom: { first: number; last: number } | null): Figure {
  const span = zoom ? zoom.last - zoom.first : seen.duration_ms;
  const { per, label } = timeAxis(span);
  const layers: Layer[] = [{ kind: "range", x: scaled(trace.times_ms, per), low: trace.low, high: trace.high, color: 0 }];
  if (thresholdMv !== null) {
    layers.push({ kind: "level", of: "y", at: thresholdMv, color: 1, dashed: true, name: `threshold ${numberText(thresholdMv)} mV` });
  }
  const [first, last] = zoom ? [zoom.first, zoom.last] : [0, seen.duration_ms];
  const times = seen.spike_times_ms?.filter((t) => t >= first && t <= last) ?? [];
  if (times.length && times.length <= MAX_DRAWN) {
    const top = Math.max(...trace.high.map((v) => v ?? Number.NEGATIVE_INFINITY));
    layers.push({ kind: "marks", shape: "dot", size: 1.8, x: scaled(times, per), y: times.map(() => top + 3), color: 3, name: "spikes" });
  }
  return {
    id: "trace",
    title: `${LABELS[seen.channel]} of ${seen.name}`,
    x: { label, min: first / per, max: last / per },
    y: { label: `${LABELS[seen.channel]} (mV)` },
    layers,
  };
}

export function thresholdFigure(sweep: Sweep, thresholdMv: number | null): Figure {
  const layers: Layer[] = [
    { kind: "line", x: sweep.thresholds_mv, y: sweep.n_spikes, color: 0, name: "spikes found" },
  ];
  if (thresholdMv !== null) {
    layers.push({ kind: "level", of: "x", at: thresholdMv, color: 1, dashed: true, name: `threshold ${numberText(thresholdMv)} mV` });
  }
  return {
    id: "threshold",
    title: "Spikes at each threshold",
    x: { label: "Threshold (mV)" },
    y: { label: "Spikes", min: 0, whole: true },
    layers,
  };
}

export function rasterFigure(seen: Seen): Shown {
  const { loops, spike_times_ms: times } = seen;
  if (loops.problem !== undefined) {
    const { per, label } = timeAxis(seen.duration_ms);
    return {
      figure: {
        id: "raster",
        title: "Spikes",
        x: { label, min: 0, max: seen.duration_ms / per },
        y: { label: "", min: 0, max: 2, whole: true },
        layers: [{ kind: "marks", shape: "tick", x: scaled(times, per), y: times.map(() => 1), color: 0 }],
      },
      note: `In one row: ${loops.problem}.`,
    };
  }
  const shown = loops.raster.loops.length;
  const more = shown < loops.n_spikes_in_loops ? ` The first ${shown} of ${loops.n_spikes_in_loops} spikes are drawn.` : "";
  return {
    figure: {
      id: "raster",
      title: "Raster over stimulus loops",
      x: { label: "Time in loop (ms)", min: 0, max: loops.length_ms },
      y: { label: "Loop", min: -0.5, max: Math.max(loops.n_loops - 0.5, 0.5), whole: true },
      layers: [{ kind: "marks", shape: "tick", x: loops.raster.times_ms, y: loops.raster.loops, color: 0 }],
    },
    note: loopsText(loops) + more,
  };
}

export function loopsText(loops: Loops): string {
  const used = `${loops.n_used} of ${loops.n_loops} loops of ${numberText(Number(loops.length_ms.toPrecision(8)))} ms are used`;
  return loops.left_out_text === "none" ? `${used}.` : `${used}; left out: ${loops.left_out_text}.`;
}

export function rateFigure(seen: Seen): Shown | Missing {
  if (seen.rate.problem !== undefined) return { id: "rate", title: "Rate", why: seen.rate.problem };
  const { per, label } = timeAxis(seen.duration_ms);
  return {
    figure: {
      id: "rate",
      title: "Rate over time",
      x: { label, min: 0, max: seen.duration_ms / per },
      y: { label: "Rate (Hz)", min: 0 },
      layers: [{ kind: "bars", edges: scaled(seen.rate.edges_ms, per), y: seen.rate.rate_hz, color: 0 }],
    },
    note: `Bins of ${numberText(seen.rate.bin_ms)} ms of model time.`,
  };
}

export function intervalFigure(seen: Seen): Shown | Missing {
  const { edges_ms: edges, n } = seen.intervals;
  if (!n.length) return { id: "intervals", title: "Inter-spike intervals", why: "fewer than two spikes in one stretch" };
  const { cv, cv2, lv } = seen.spikes!;
  return {
    figure: {
      id: "intervals",
      title: "Inter-spike intervals",
      x: { label: "Interval (ms)", min: 0 },
      y: { label: "Intervals", min: 0, whole: true },
      layers: [{ kind: "bars", edges, y: n, color: 2, name: `CV ${shortText(rounded(cv))}` }],
    },
    note: `CV2 ${shortText(rounded(cv2))}, Lv ${shortText(rounded(lv))}. Intervals with missing samples in them are left out.`,
  };
}

/** Regular spikes vary by some 1e-15, the rounding of their times. */
export function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1e9) / 1e9;
}

function spread(of: Averaged, color: number, spreadName: string, meanName: string): Layer[] {
  return [
    { kind: "band", x: of.times_ms, low: of.low, high: of.high, color, name: spreadName },
    { kind: "range", x: of.times_ms, low: of.mean_low, high: of.mean_high, color, name: meanName },
  ];
}

export function loopFigures(seen: Seen): (Shown | Missing)[] {
  const { loops } = seen;
  if (loops.problem !== undefined) return [{ id: "loops", title: "Average over stimulus loops", why: loops.problem }];
  return Object.entries(loops.averages).map(([what, of], k) => {
    const [channel, unit] = what.split(" ") as [string, string];
    const name = LABELS[channel] ?? channel;
    return {
      figure: {
        id: `loops-${channel}`,
        title: `${name} over stimulus loops`,
        x: { label: "Time in loop (ms)", min: 0, max: loops.length_ms },
        y: { label: `${name} ${unit}`, ...(channel === "rate" ? { min: 0 } : {}) },
        layers: spread(of, [2, 0, 3, 1][k] ?? 0, "± sd", `mean of ${loops.n_used} loops`),
      },
      ...(channel === "rate" ? { note: `Highest ${shortText(loops.peak_rate_hz, "Hz")} at ${shortText(loops.peak_at_ms, "ms")}.` } : {}),
    };
  });
}

export function beforeFigure(seen: Seen): Shown | Missing {
  const { before } = seen;
  const title = "Stimulus before a spike";
  if (before.problem !== undefined) return { id: "before", title, why: before.problem };
  return {
    figure: {
      id: "before",
      title,
      x: { label: "Time from spike (ms)", max: 0 },
      y: { label: "Stimulus (%)" },
      layers: spread(before, 1, "± sem", `mean of ${before.n_used} spikes`),
    },
    ...(before.n_left_out ? { note: `${before.n_left_out} spikes have too little before them and are left out.` } : {}),
  };
}

export function phaseFigure(seen: Seen): Shown | Missing {
  const { phase } = seen;
  if (!phase.cell) return { id: "phase", title: "Phase plane", why: "no sample has such a derivative" };
  const layers: Layer[] = [
    { kind: "cells", x: phase.v_mv, y: phase.dv_mv_per_ms, n: phase.n, size: phase.cell, color: 0, name: "trajectory" },
  ];
  const notes: string[] = [];
  const line = phase.nullcline;
  if (line) {
    layers.push({ kind: "line", x: line.v_mv, y: line.dv_mv_per_ms, color: 1, name: "dv/dt on the u nullcline" });
    for (const stable of [true, false]) {
      const points = line.fixed_points.filter((p) => p.is_stable === stable).map((p) => p.v_mv);
      if (!points.length) continue;
      const name = stable ? "stable fixed point" : "unstable fixed point";
      layers.push({ kind: "marks", shape: stable ? "dot" : "ring", x: points, y: points.map(() => 0), color: 3, name });
    }
    notes.push(`a = ${numberText(line.a)}, b = ${numberText(line.b)}, I = ${shortText(line.current, "a.u.")} (median).`);
    if (!line.fixed_points.length) notes.push("No fixed point at this current.");
    if (line.changed) notes.push("a or b were changed within the time range; these are the first.");
  } else notes.push("Without nullclines: what a and b were is not known.");
  if (phase.n_left_out) notes.push(`${phase.n_left_out} samples are steeper.`);
  return {
    figure: {
      id: "phase",
      title: "Phase plane",
      x: { label: `${LABELS[seen.channel]} (mV)` },
      y: { label: "dVm/dt (mV/ms)" },
      layers,
    },
    note: notes.join(" "),
  };
}

export function curveFigure(seen: Seen): Shown | Missing {
  const { fi } = seen;
  if (fi.problem !== undefined) return { id: "fi", title: "F-I curve", why: fi.problem };
  const levels = fi.points.map((p) => p.level);
  const layers: Layer[] = [
    { kind: "line", x: levels, y: fi.points.map((p) => p.rate_hz), color: 0, width: 1 },
    { kind: "marks", shape: "dot", x: levels, y: fi.points.map((p) => p.rate_hz), color: 0, name: "rate" },
  ];
  const sds = fi.points.filter((p) => p.rate_sd_hz !== null);
  for (const p of sds) {
    layers.push({ kind: "line", x: [p.level, p.level], y: [p.rate_hz - p.rate_sd_hz!, p.rate_hz + p.rate_sd_hz!], color: 0, width: 1 });
  }
  if (fi.line.length) {
    const name = `gain ${shortText(fi.gain_hz_per_unit)} Hz per ${fi.unit}`;
    layers.push({ kind: "line", x: fi.line.map(([x]) => x), y: fi.line.map(([, y]) => y), color: 1, dashed: true, name });
  }
  if (fi.rheobase !== null) layers.push({ kind: "level", of: "x", at: fi.rheobase, color: 3, dashed: true, name: `rheobase ≤ ${shortText(fi.rheobase, fi.unit)}` });
  const label = LABELS[fi.channel] ?? fi.channel;
  const notes = [`${fi.points.reduce((n, p) => n + p.n_steps, 0)} steps${fi.n_left_out ? `, ${fi.n_left_out} cut and left out` : ""}.`];
  notes.push(
    fi.rheobase === null
      ? "The highest level does not fire: no rheobase."
      : `The rheobase is between ${shortText(fi.silent_below, fi.unit)} and ${shortText(fi.rheobase, fi.unit)}.`,
  );
  return {
    figure: { id: "fi", title: "F-I curve", x: { label: `${label} (${fi.unit})` }, y: { label: "Rate (Hz)", min: 0 }, layers },
    note: notes.join(" "),
  };
}
