/** A figure as data: what is drawn, in its own units. The same figure goes to the screen, to PNG and to SVG. */

export type Values = readonly (number | null)[];

export interface Axis {
  /** With the unit. */
  label: string;
  min?: number;
  max?: number;
  /** Ticks at whole numbers only. */
  whole?: boolean;
}

interface Named {
  /** Number of the colour, from 0. */
  color: number;
  /** In the legend; layers without a name are not in it. */
  name?: string;
}

export type Layer =
  | (Named & { kind: "line"; x: Values; y: Values; dashed?: boolean; width?: number })
  /** Least and greatest value of each column: a stroke for each, joined to the next. */
  | (Named & { kind: "range"; x: Values; low: Values; high: Values })
  /** A shaded area; null parts it. */
  | (Named & { kind: "band"; x: Values; low: Values; high: Values })
  | (Named & { kind: "bars"; edges: readonly number[]; y: Values })
  | (Named & { kind: "marks"; x: Values; y: Values; shape: "dot" | "ring" | "tick"; size?: number })
  /** Cells of a plane, darker where there is more. */
  | (Named & { kind: "cells"; x: readonly number[]; y: readonly number[]; n: readonly number[]; size: readonly [number, number] })
  /** A straight line across, at a value of one axis. */
  | (Named & { kind: "level"; at: number; of: "x" | "y"; dashed?: boolean });

export interface Figure {
  id: string;
  title: string;
  x: Axis;
  y: Axis;
  layers: readonly Layer[];
}

export interface Range {
  min: number;
  max: number;
}

const MIN_TICKS = 2;

/** Return the smallest of 1, 2, 5 times a power of ten that is no less. */
export function niceStep(least: number): number {
  if (!(least > 0) || !Number.isFinite(least)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5, 10].find((f) => f * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** Return round numbers within a range, about as many as asked for. */
export function ticks({ min, max }: Range, about: number, whole = false): number[] {
  let step = niceStep((max - min) / Math.max(about, MIN_TICKS));
  if (whole) step = Math.max(1, Math.round(step));
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  const found: number[] = [];
  for (let k = first; k <= last && found.length < 100; k++) found.push(k === 0 ? 0 : Number((k * step).toPrecision(12)));
  return found;
}

/** A number as people write it, without what rounding added. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e").replace("-", "−");
  return String(Number(value.toPrecision(6))).replace("-", "−");
}

/** Four digits; a dash for what is not known. */
export function shortText(value: number | null | undefined, unit = ""): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return `${numberText(Number(value.toPrecision(4)))}${unit && " "}${unit}`;
}

function extent(values: Values, into: { min: number; max: number }): void {
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    if (value < into.min) into.min = value;
    if (value > into.max) into.max = value;
  }
}

/** What a figure shows of its axes: what they say, else all of the data with a little room. */
export function ranges(figure: Figure): { x: Range; y: Range } {
  const x = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  const y = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  for (const layer of figure.layers) {
    switch (layer.kind) {
      case "line":
      case "marks":
        extent(layer.x, x);
        extent(layer.y, y);
        break;
      case "range":
      case "band":
        extent(layer.x, x);
        extent(layer.low, y);
        extent(layer.high, y);
        break;
      case "bars":
        extent(layer.edges, x);
        extent(layer.y, y);
        extent([0], y);
        break;
      case "cells":
        extent(layer.x.map((v) => v - layer.size[0] / 2), x);
        extent(layer.x.map((v) => v + layer.size[0] / 2), x);
        extent(layer.y.map((v) => v - layer.size[1] / 2), y);
        extent(layer.y.map((v) => v + layer.size[1] / 2), y);
        break;
      case "level":
        extent([layer.at], layer.of === "x" ? x : y);
    }
  }
  return { x: shown(x, figure.x, 0), y: shown(y, figure.y, 0.05) };
}

function shown(found: Range, axis: Axis, room: number): Range {
  let { min, max } = found;
  if (!(min <= max)) [min, max] = [0, 1];
  if (min === max) [min, max] = [min - 0.5, max + 0.5];
  const more = (max - min) * room;
  return { min: axis.min ?? (min === 0 ? 0 : min - more), max: axis.max ?? max + more };
}
