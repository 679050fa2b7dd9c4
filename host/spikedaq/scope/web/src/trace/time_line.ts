/** When steps of one boot were: lines between moments of which both step and time are known. */

/** A moment is kept where the line so far is off by more: clocks drift, and stopped steps stand. */
const ANCHOR_MS = 0.5;
const MAX_ANCHORS = 1000;
/** Given up at once where there are too many: each time is another for what is before the oldest. */
const GIVEN_UP = 100;

interface Anchor {
  step: number;
  tMs: number;
}

export class TimeLine {
  stepUs = 100;
  /** Times are of arrival: the device's clock is not fitted yet. */
  isGuessed = false;

  private anchors: Anchor[] = [];

  copy(): TimeLine {
    const other = new TimeLine();
    other.stepUs = this.stepUs;
    other.isGuessed = this.isGuessed;
    other.anchors = [...this.anchors];
    return other;
  }

  clear(stepUs: number): void {
    this.anchors = [];
    this.stepUs = stepUs;
    this.isGuessed = false;
  }

  /**
   * Take the time of a step; null where the device's clock is not fitted: then `nowMs` serves, NaN where it is of the past.
   *
   * Returns the step from which on times are others than before; infinite where none is.
   */
  take(step: number, tMs: number | null, nowMs: number): number {
    let changedFrom = step;
    if (tMs === null) {
      if (this.anchors.length > 0 || !Number.isFinite(nowMs)) return Number.POSITIVE_INFINITY;
      tMs = nowMs;
      this.isGuessed = true;
    } else if (this.isGuessed) {
      this.anchors = [];
      this.isGuessed = false;
      changedFrom = 0;
    }
    if (this.anchors.length === 0) changedFrom = 0;
    const jumpMs = Math.abs(tMs - this.timeOf(step));
    if (jumpMs < ANCHOR_MS) return Number.POSITIVE_INFINITY;
    // Where these steps stood before others stand now, or nothing.
    changedFrom = Math.max(0, changedFrom - Math.ceil((jumpMs * 1000) / this.stepUs) || 0);
    const at = this.anchors.length > 0 && this.anchors[0]!.step <= step ? this.indexOf(step) + 1 : 0;
    const isCorrection = at > 0 && this.anchors[at - 1]!.step === step;
    this.anchors.splice(isCorrection ? at - 1 : at, isCorrection ? 1 : 0, { step, tMs });
    if (at <= 1) changedFrom = 0; // all before the oldest are on its line
    if (this.anchors.length > MAX_ANCHORS) {
      this.anchors.splice(0, GIVEN_UP);
      changedFrom = 0;
    }
    return changedFrom;
  }

  /** Milliseconds on the daemon's clock; NaN while nothing is known. */
  timeOf(step: number): number {
    const anchor = this.anchors[this.indexOf(step)];
    return anchor === undefined ? Number.NaN : anchor.tMs + ((step - anchor.step) * this.stepUs) / 1000;
  }

  /** Step at a time on the daemon's clock. While the device stood still: the last one before. */
  stepAt(tMs: number): number {
    let at = this.anchors.length - 1;
    while (at > 0 && this.anchors[at]!.tMs > tMs) at--;
    const anchor = this.anchors[at];
    if (anchor === undefined) return Number.NaN;
    const step = anchor.step + ((tMs - anchor.tMs) * 1000) / this.stepUs;
    const next = this.anchors[at + 1];
    return next === undefined ? step : Math.min(step, next.step);
  }

  /** Call with each stretch of steps whose times follow one line: `(firstStep, stopStep, tMs of firstStep)`. */
  stretches(first: number, stop: number, each: (first: number, stop: number, tMs: number) => void): void {
    let at = this.indexOf(first);
    for (let from = first; from < stop; ) {
      const next = this.anchors[at + 1];
      const upTo = next === undefined ? stop : Math.max(from, Math.min(stop, next.step));
      if (upTo > from) each(from, upTo, this.timeOf(from));
      from = upTo;
      at++;
    }
  }

  /** Of the last anchor at or before a step, or the first. */
  private indexOf(step: number): number {
    let low = 0;
    let high = this.anchors.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.anchors[middle]!.step <= step) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
