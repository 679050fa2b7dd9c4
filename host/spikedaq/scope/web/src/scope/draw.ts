/** Drawing of traces and marks on a canvas, in device pixels: as few calls as possible, no object made per frame. */
import type { Columns, Stretch } from "../trace/columns";
import type { TraceStore } from "../trace/store";

/** From a raw value to pixels from the top: `raw * perRaw + zero`. */
export interface Vertical {
  perRaw: number;
  zero: number;
  height: number;
}

const DASH_ON = 6;
const DASH_PERIOD = 9;
const DASHED_HEIGHT = 4;

/**
 * Draw columns from `start` on as one line each, from the smallest to the largest value, joined to the column before.
 *
 * `dashed` leaves out flat columns only, never one with a spike. What is beyond the scale is drawn at the edge.
 */
export function drawColumns(
  context: CanvasRenderingContext2D,
  columns: Columns,
  vertical: Vertical,
  thickness: number,
  origin: number,
  dashed: boolean,
  start = 0,
): void {
  const { low, high, width } = columns;
  const { perRaw, zero, height } = vertical;
  const half = thickness / 2;
  let beforeTop = Number.NaN;
  let beforeBottom = Number.NaN;
  let runStart = -1;
  let runTop = 0;
  let runBottom = 0;
  // The column before is looked at only for what the first is joined to.
  for (let column = Math.max(0, start - 1); column <= width; column++) {
    let top = Number.NaN;
    let bottom = Number.NaN;
    if (column < width && low[column]! <= high[column]!) {
      const highest = Math.min(height - half, Math.max(half, high[column]! * perRaw + zero));
      const lowest = Math.min(height - half, Math.max(half, low[column]! * perRaw + zero));
      top = Math.round((beforeBottom < highest ? beforeBottom : highest) - half);
      bottom = Math.round((beforeTop > lowest ? beforeTop : lowest) + half);
      beforeTop = highest;
      beforeBottom = lowest;
      if (column < start) top = bottom = Number.NaN;
      else if (dashed && bottom - top <= DASHED_HEIGHT + thickness && (origin + column) % DASH_PERIOD >= DASH_ON) {
        top = bottom = Number.NaN;
      }
    } else {
      beforeTop = beforeBottom = Number.NaN;
    }
    if (runStart >= 0 && (top !== runTop || bottom !== runBottom)) {
      context.fillRect(runStart, runTop, column - runStart, Math.max(1, runBottom - runTop));
      runStart = -1;
    }
    if (runStart < 0 && top === top) {
      runStart = column;
      runTop = top;
      runBottom = bottom;
    }
  }
}

/** Draw samples that are wider than a pixel as a polyline, with dots where there is room for them. */
export function drawLine(
  context: CanvasRenderingContext2D,
  store: TraceStore,
  channel: number,
  stretches: readonly Stretch[],
  leftU: number,
  uPerColumn: number,
  vertical: Vertical,
  dotSize: number,
): void {
  const { perRaw, zero, height } = vertical;
  context.beginPath();
  let isOpen = false;
  for (const { firstBin, stopBin, u, uPerBin } of stretches) {
    const withDots = uPerBin / uPerColumn >= 3 * dotSize;
    for (let bin = firstBin; bin < stopBin; bin++) {
      const low = store.lowAt(channel, bin);
      const high = store.highAt(channel, bin);
      if (low > high) {
        isOpen = false;
        continue;
      }
      const x = (u + (bin - firstBin) * uPerBin - leftU) / uPerColumn;
      const y = clip(high * perRaw + zero, height);
      if (isOpen) context.lineTo(x, y);
      else context.moveTo(x, y);
      if (low !== high) context.lineTo(x, clip(low * perRaw + zero, height));
      if (withDots) context.fillRect(x - dotSize / 2, y - dotSize / 2, dotSize, dotSize);
      isOpen = true;
    }
  }
  context.stroke();
}

function clip(y: number, height: number): number {
  return Math.min(height - 1, Math.max(1, y));
}

/** Move all of a picture to the left by whole pixels; what comes in at the right is empty. */
export function shiftPicture(context: CanvasRenderingContext2D, by: number): void {
  context.globalCompositeOperation = "copy";
  context.drawImage(context.canvas, -by, 0);
  context.globalCompositeOperation = "source-over";
}

/** Pixels after which the pattern comes again. */
export function hatchSize(ratio: number): number {
  return Math.round(8 * ratio);
}

/** A pattern of slanting lines, so that shading is not told by colour alone. */
export function hatch(context: CanvasRenderingContext2D, colour: string, ratio: number): CanvasPattern | string {
  const size = hatchSize(ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const on = tile.getContext("2d");
  if (on === null) return colour;
  on.strokeStyle = colour;
  on.globalAlpha = 0.5;
  on.lineWidth = ratio;
  on.beginPath();
  for (const shift of [-size, 0, size]) {
    on.moveTo(shift, size);
    on.lineTo(shift + size, 0);
  }
  on.stroke();
  return context.createPattern(tile, "repeat") ?? colour;
}

/** Draw a mark of an instant at the top or the bottom: a triangle, or where there are many a tick. */
export function drawMark(
  context: CanvasRenderingContext2D,
  x: number,
  height: number,
  size: number,
  at: "top" | "bottom",
  isCrowded: boolean,
): void {
  const [edge, tip] = at === "top" ? [0, size * 1.4] : [height, height - size * 1.4];
  if (isCrowded) {
    context.fillRect(Math.round(x), Math.min(edge, tip), 1, size * 1.4);
    return;
  }
  context.beginPath();
  context.moveTo(x - size / 2, edge);
  context.lineTo(x + size / 2, edge);
  context.lineTo(x, tip);
  context.fill();
}
