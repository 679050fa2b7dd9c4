/** From bins to columns of pixels: the smallest and largest value of each, so that no spike is hidden at any zoom. */
import { EMPTY_HIGH, EMPTY_LOW, PAGE } from "./pages";
import type { TraceStore } from "./store";

/** How steps stand on the time axis, stretch by stretch; u is in milliseconds. */
export interface Stretch {
  firstBin: number;
  stopBin: number;
  u: number;
  uPerBin: number;
}

export class Columns {
  low: Int16Array = new Int16Array(0);
  high: Int16Array = new Int16Array(0);
  width = 0;

  /** Make room, and empty all. */
  reset(width: number): void {
    if (this.low.length < width) {
      this.low = new Int16Array(width);
      this.high = new Int16Array(width);
    }
    this.width = width;
    this.empty(0);
  }

  /** Column c becomes column c - by; those from `from` on are emptied. */
  shift(by: number, from: number): void {
    if (by > 0) {
      this.low.copyWithin(0, by, this.width);
      this.high.copyWithin(0, by, this.width);
    }
    this.empty(Math.min(from, this.width - by));
  }

  isEmpty(column: number): boolean {
    return this.low[column]! > this.high[column]!;
  }

  private empty(from: number): void {
    this.low.fill(EMPTY_LOW, from, this.width);
    this.high.fill(EMPTY_HIGH, from, this.width);
  }
}

/** Bins that begin a hair before a column begin with it: sums of fractions are a little off. */
const HAIR = 1e-6;

/**
 * Fill columns with one channel, from column `start` on. Column c stands for u from (origin + c) * uPerColumn on.
 *
 * A bin that lies across two columns is in both: columns without a sample are only where no sample is.
 */
export function fillColumns(
  columns: Columns,
  store: TraceStore,
  channel: number,
  stretches: readonly Stretch[],
  origin: number,
  uPerColumn: number,
  start = 0,
): void {
  const { low, high, width } = columns;
  for (const { firstBin, stopBin, u, uPerBin } of stretches) {
    const perBin = uPerBin / uPerColumn;
    const offset = u / uPerColumn - origin - firstBin * perBin;
    const begin = Math.max(firstBin, Math.floor((start - offset) / perBin) - 1);
    for (let number = Math.floor(begin / PAGE); number * PAGE < stopBin; number++) {
      const page = store.page(number);
      if (page === undefined) continue;
      const at = channel * PAGE - number * PAGE;
      const stop = Math.min(stopBin, (number + 1) * PAGE);
      for (let bin = Math.max(begin, number * PAGE); bin < stop; bin++) {
        const small = page.low[at + bin]!;
        const large = page.high[at + bin]!;
        if (small > large) continue;
        const from = offset + bin * perBin;
        const first = Math.max(start, Math.floor(from + HAIR));
        const last = Math.min(width - 1, Math.ceil(from + perBin - HAIR) - 1);
        for (let column = first; column <= last; column++) {
          if (small < low[column]!) low[column] = small;
          if (large > high[column]!) high[column] = large;
        }
      }
    }
  }
}
