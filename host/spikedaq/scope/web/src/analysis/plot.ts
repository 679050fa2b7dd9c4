/** Draws a figure: title, axes with units, legend, layers. */
import { type Figure, type Layer, numberText, type Range, ranges, ticks, type Values } from "./figure";
import type { Palette, Point, Rectangle, Surface } from "./surface";

export interface Size {
  width: number;
  height: number;
}

/** Where the data of a figure are drawn, and how values become places. */
export interface Frame {
  box: Rectangle;
  x: Range;
  y: Range;
  toX: (value: number) => number;
  toY: (value: number) => number;
  /** The value of the horizontal axis at a place. */
  ofX: (place: number) => number;
}

const TEXT = 11;
const TITLE = 13;
const LEFT = 58;
const RIGHT = 14;
const BOTTOM = 38;
const TOP = 28;
const LEGEND_LINE = 16;
const CHARACTER = 6.3;
const PX_PER_X_TICK = 65;
const PX_PER_Y_TICK = 28;

interface Entry {
  layer: Layer;
  name: string;
  x: number;
  line: number;
}

export function frameOf(figure: Figure, size: Size): Frame {
  const { x, y } = ranges(figure);
  const lines = legend(figure, size).lines;
  const top = TOP + lines * LEGEND_LINE;
  const box = { x: LEFT, y: top, width: Math.max(size.width - LEFT - RIGHT, 10), height: Math.max(size.height - top - BOTTOM, 10) };
  return {
    box,
    x,
    y,
    toX: (value) => box.x + ((value - x.min) / (x.max - x.min)) * box.width,
    toY: (value) => box.y + box.height - ((value - y.min) / (y.max - y.min)) * box.height,
    ofX: (place) => x.min + ((place - box.x) / box.width) * (x.max - x.min),
  };
}

export function drawFigure(surface: Surface, figure: Figure, size: Size, palette: Palette): void {
  const frame = frameOf(figure, size);
  surface.rectangles([{ x: 0, y: 0, ...size }], palette.ground);
  surface.text([LEFT, 18], figure.title, { color: palette.ink, size: TITLE, anchor: "start", bold: true });
  drawAxes(surface, figure, frame, palette);
  surface.clipped(frame.box, () => {
    for (const layer of figure.layers) drawLayer(surface, layer, frame, palette);
  });
  drawLegend(surface, figure, size, palette);
}

function drawAxes(surface: Surface, figure: Figure, frame: Frame, palette: Palette): void {
  const { box } = frame;
  const bottom = box.y + box.height;
  const label = { color: palette.faint, size: TEXT };
  const xTicks = ticks(frame.x, box.width / PX_PER_X_TICK, figure.x.whole);
  const yTicks = ticks(frame.y, box.height / PX_PER_Y_TICK, figure.y.whole);
  const grid: Point[][] = [
    ...xTicks.map((t): Point[] => [[frame.toX(t), box.y], [frame.toX(t), bottom]]),
    ...yTicks.map((t): Point[] => [[box.x, frame.toY(t)], [box.x + box.width, frame.toY(t)]]),
  ];
  surface.lines(grid, { color: palette.grid, width: 1 });
  surface.lines([[[box.x, box.y], [box.x, bottom], [box.x + box.width, bottom]]], { color: palette.faint, width: 1 });
  for (const t of xTicks) surface.text([frame.toX(t), bottom + 14], numberText(t), { ...label, anchor: "middle" });
  for (const t of yTicks) surface.text([box.x - 5, frame.toY(t) + 4], numberText(t), { ...label, anchor: "end" });
  const ink = { color: palette.ink, size: TEXT, anchor: "middle" as const };
  surface.text([box.x + box.width / 2, bottom + 30], figure.x.label, ink);
  surface.text([13, box.y + box.height / 2], figure.y.label, { ...ink, upright: true });
}

function legend(figure: Figure, size: Size): { entries: Entry[]; lines: number } {
  const entries: Entry[] = [];
  let x = LEFT;
  let line = 0;
  for (const layer of figure.layers) {
    if (layer.name === undefined) continue;
    const width = 26 + layer.name.length * CHARACTER;
    if (x > LEFT && x + width > size.width - RIGHT) {
      x = LEFT;
      line++;
    }
    entries.push({ layer, name: layer.name, x, line });
    x += width + 8;
  }
  return { entries, lines: entries.length ? line + 1 : 0 };
}

function drawLegend(surface: Surface, figure: Figure, size: Size, palette: Palette): void {
  for (const { layer, name, x, line } of legend(figure, size).entries) {
    const y = TOP + line * LEGEND_LINE + 6;
    const color = colorOf(layer, palette);
    if (layer.kind === "band") surface.rectangles([{ x, y: y - 5, width: 18, height: 10 }], color, 0.25);
    else if (layer.kind === "bars" || layer.kind === "cells") surface.rectangles([{ x: x + 4, y: y - 5, width: 10, height: 10 }], color);
    else if (layer.kind === "marks" && layer.shape !== "tick") {
      surface.circles([[x + 9, y]], 3.5, layer.shape === "ring" ? { stroke: color } : { fill: color });
    } else {
      const dashed = (layer.kind === "line" || layer.kind === "level") && layer.dashed === true;
      surface.lines([[[x, y], [x + 18, y]]], { color, width: 2, dashed });
    }
    surface.text([x + 22, y + 4], name, { color: palette.ink, size: TEXT, anchor: "start" });
  }
}

function colorOf(layer: Layer, palette: Palette): string {
  return palette.traces[layer.color % palette.traces.length]!;
}

function drawLayer(surface: Surface, layer: Layer, frame: Frame, palette: Palette): void {
  const color = colorOf(layer, palette);
  const { toX, toY, box } = frame;
  switch (layer.kind) {
    case "line":
      surface.lines(pieces(layer.x, layer.y, frame), { color, width: layer.width ?? 1.5, dashed: layer.dashed ?? false });
      break;
    case "range":
      surface.lines(rangeLines(layer.x, layer.low, layer.high, frame), { color, width: 1 });
      break;
    case "band":
      for (const points of outlines(layer.x, layer.low, layer.high, frame)) surface.area(points, color, 0.25);
      break;
    case "bars": {
      const bars: Rectangle[] = [];
      layer.y.forEach((value, k) => {
        if (value === null || value === 0) return;
        const left = toX(layer.edges[k]!);
        const top = toY(value);
        const width = toX(layer.edges[k + 1]!) - left;
        bars.push({ x: left, y: top, width: Math.max(width - (width > 4 ? 1 : 0), 0.5), height: toY(0) - top });
      });
      surface.rectangles(bars, color);
      break;
    }
    case "marks": {
      const points: Point[] = [];
      layer.x.forEach((x, k) => {
        const y = layer.y[k];
        if (x !== null && y !== null && y !== undefined) points.push([toX(x), toY(y)]);
      });
      if (layer.shape === "tick") {
        const half = Math.min(6, Math.max(1.5, (toY(0) - toY(1)) * 0.4));
        surface.lines(points.map(([x, y]): Point[] => [[x, y - half], [x, y + half]]), { color, width: 1.2 });
      } else surface.circles(points, layer.size ?? 3.5, layer.shape === "ring" ? { stroke: color } : { fill: color });
      break;
    }
    case "cells":
      drawCells(surface, layer, frame, color);
      break;
    case "level": {
      const line: Point[] =
        layer.of === "y"
          ? [[box.x, toY(layer.at)], [box.x + box.width, toY(layer.at)]]
          : [[toX(layer.at), box.y], [toX(layer.at), box.y + box.height]];
      surface.lines([line], { color, width: 1.5, dashed: layer.dashed ?? false });
    }
  }
}

const SHADES = [0.25, 0.5, 0.75, 1];

function drawCells(surface: Surface, layer: Layer & { kind: "cells" }, { toX, toY }: Frame, color: string): void {
  const most = Math.log1p(layer.n.reduce((a, b) => Math.max(a, b), 1));
  const groups: Rectangle[][] = SHADES.map(() => []);
  const width = Math.max(Math.abs(toX(layer.size[0]) - toX(0)), 1.5);
  const height = Math.max(Math.abs(toY(layer.size[1]) - toY(0)), 1.5);
  layer.x.forEach((x, k) => {
    const shade = Math.min(SHADES.length - 1, Math.floor((Math.log1p(layer.n[k]!) / most) * SHADES.length));
    groups[shade]!.push({ x: toX(x) - width / 2, y: toY(layer.y[k]!) - height / 2, width, height });
  });
  groups.forEach((cells, k) => surface.rectangles(cells, color, SHADES[k]));
}

function pieces(xs: Values, ys: Values, { toX, toY }: Frame): Point[][] {
  const found: Point[][] = [];
  let piece: Point[] = [];
  for (let k = 0; k < xs.length; k++) {
    const x = xs[k];
    const y = ys[k];
    if (x === null || y === null || x === undefined || y === undefined) {
      if (piece.length) found.push(piece);
      piece = [];
    } else piece.push([toX(x), toY(y)]);
  }
  if (piece.length) found.push(piece);
  return found.map((line) => (line.length === 1 ? [line[0]!, [line[0]![0] + 0.7, line[0]![1]]] : line));
}

/** One line through least and greatest of each column: down here, up there, so that it stays one line. */
function rangeLines(xs: Values, low: Values, high: Values, frame: Frame): Point[][] {
  const both: (number | null)[] = [];
  const places: (number | null)[] = [];
  let last = Number.NaN;
  for (let k = 0; k < xs.length; k++) {
    const [a, b] = [low[k] ?? null, high[k] ?? null];
    if (a === null || b === null) {
      places.push(null);
      both.push(null);
      continue;
    }
    const up = Math.abs(last - a) <= Math.abs(last - b) || Number.isNaN(last);
    for (const value of a === b ? [a] : up ? [a, b] : [b, a]) {
      places.push(xs[k]!);
      both.push(value);
      last = value;
    }
  }
  return pieces(places, both, frame);
}

function outlines(xs: Values, low: Values, high: Values, frame: Frame): Point[][] {
  const found: Point[][] = [];
  let start = 0;
  for (let k = 0; k <= xs.length; k++) {
    if (k < xs.length && low[k] !== null && high[k] !== null) continue;
    if (k > start) {
      const at = Array.from({ length: k - start }, (_, i) => start + i);
      const upper = at.map((i): Point => [frame.toX(xs[i]!), frame.toY(high[i]!)]);
      const lower = at.map((i): Point => [frame.toX(xs[i]!), frame.toY(low[i]!)]);
      found.push([...upper, ...lower.reverse()]);
    }
    start = k + 1;
  }
  return found;
}
