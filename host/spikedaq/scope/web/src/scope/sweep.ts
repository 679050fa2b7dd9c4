/** When a sweep begins: crossings of a level, and what is done with triggers. Everything in steps of one device. */
import type { TraceStore } from "../trace/store";

export type Edge = "rising" | "falling";
export type Run = "auto" | "normal" | "single";

/** Finds crossings of a level in raw values, with hysteresis: it must have been on the other side first. */
export class LevelDetector {
  private isArmed = false;
  private next = Number.NaN;

  /**
   * @param level raw value at which it fires
   * @param hysteresis how far the value must have been from it, on the other side; not negative
   */
  constructor(
    readonly channel: number,
    readonly level: number,
    readonly hysteresis: number,
    readonly edge: Edge,
  ) {}

  /** Look at the bins that came since the last time, but for the newest, to which samples may still come. */
  scan(store: TraceStore, fired: (step: number) => void): void {
    const stop = store.end - 1;
    if (!(this.next <= stop) || this.next < store.begin) {
      this.next = Math.max(store.begin, 0);
      this.isArmed = false;
    }
    for (let bin = this.next; bin < stop; bin++) {
      const low = store.lowAt(this.channel, bin);
      const high = store.highAt(this.channel, bin);
      if (low > high) {
        this.isArmed = false; // nobody knows what was in a gap
        continue;
      }
      if (this.isArmed && this.isBeyond(low, high)) {
        this.isArmed = false;
        fired(bin * store.binSteps);
      }
      if (this.isBack(low, high)) this.isArmed = true;
    }
    this.next = Math.max(this.next, stop);
  }

  private isBeyond(low: number, high: number): boolean {
    return this.edge === "rising" ? high >= this.level : low <= this.level;
  }

  private isBack(low: number, high: number): boolean {
    const { level, hysteresis } = this;
    // Without hysteresis a value must at least be on the other side, or every sample of a plateau would fire.
    return this.edge === "rising" ? low < level && low <= level - hysteresis : high > level && high >= level + hysteresis;
  }
}

export interface SweepSettings {
  run: Run;
  /** Steps shown before and behind the trigger. */
  pre: number;
  post: number;
  /** No other trigger is taken for so many steps. */
  holdOff: number;
  /** A sweep is shown once it is whole, not while it comes: where it is short. */
  whole: boolean;
  /** In `auto`, without a trigger for so many steps, what comes is shown all the same. */
  patience: number;
}

const MAX_PENDING = 1000;

/** Which trigger is shown. */
export class Sweeper {
  /** Step of the trigger that is shown. */
  shown: number | null = null;
  /** No trigger comes; what comes is shown all the same. */
  isFree = false;
  /** `single` has what it wanted. */
  isDone = false;
  /** Sweeps begun so far. */
  count = 0;

  private pending: number[] = [];
  private notBefore = Number.NEGATIVE_INFINITY;
  private last = Number.NaN;

  offer(step: number): void {
    if (this.pending.length >= MAX_PENDING) this.pending.shift();
    this.pending.push(step);
  }

  /** Wait for a trigger anew; of `single`, arm it. */
  arm(newest: number): void {
    this.isDone = this.isFree = false;
    this.pending = [];
    this.notBefore = newest;
    this.last = newest;
  }

  /** Forget everything: another boot, or other settings. */
  reset(): void {
    this.shown = null;
    this.isFree = this.isDone = false;
    this.pending = [];
    this.notBefore = Number.NEGATIVE_INFINITY;
    this.last = Number.NaN;
  }

  update(newest: number, { run, pre, post, holdOff, whole, patience }: SweepSettings): void {
    if (Number.isNaN(this.last)) this.last = newest;
    while (this.pending.length > 0 && !this.isDone) {
      const step = this.pending[0]!;
      if (step < this.notBefore) {
        this.pending.shift();
        continue;
      }
      if (whole && step + post > newest) break;
      this.pending.shift();
      this.shown = step;
      this.last = Math.max(step, this.last);
      this.isFree = false;
      this.count++;
      this.notBefore = step + Math.max(1, post, holdOff);
      if (run === "single") this.isDone = true;
    }
    if (this.isDone) this.pending = [];
    const waited = newest - Math.max(this.last, Number.isFinite(this.notBefore) ? this.notBefore : this.last);
    const isWhole = this.shown === null || newest >= this.shown + post;
    if (run === "auto" && this.pending.length === 0 && isWhole && waited > Math.max(patience, pre + post)) {
      this.isFree = true;
    }
  }
}
