/** From bins to columns of pixels: the smallest and largest value of each, so that no spike is hidden at any zoom. */
import { EMPTY_HIGH, EMPTY_LOW, type TraceStore } from "./store";

const PAGE_BITS = 9;
const PAGE = 1 << PAGE_BITS;

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
    this.low.fill(EMPTY_LOW, 0, width);
    this.high.fill(EMPTY_HIGH, 0, width);
  }

  isEmpty(column: number): boolean {
    return this.low[column]! > this.high[column]!;
  }
}

/**
 * Fill columns with one channel. Column c stands for u from (origin + c) * uPerColumn on.
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
): void {
  const { low, high, width } = columns;
  for (const { firstBin, stopBin, u, uPerBin } of stretches) {
    const perBin = uPerBin / uPerColumn;
    const offset = u / uPerColumn - origin - firstBin * perBin;
    for (let number = Math.floor(firstBin / PAGE); number * PAGE < stopBin; number++) {
      const page = store.page(number);
      if (page === undefined) continue;
      const at = channel * PAGE - number * PAGE;
      const stop = Math.min(stopBin, (number + 1) * PAGE);
      for (let bin = Math.max(firstBin, number * PAGE); bin < stop; bin++) {
        const small = page.low[at + bin]!;
        const large = page.high[at + bin]!;
        if (small > large) continue;
        const from = offset + bin * perBin;
        const first = Math.max(0, Math.floor(from));
        const last = Math.min(width - 1, Math.ceil(from + perBin - 1e-6) - 1);
        for (let column = first; column <= last; column++) {
          if (small < low[column]!) low[column] = small;
          if (large > high[column]!) high[column] = large;
        }
      }
    }
  }
}
