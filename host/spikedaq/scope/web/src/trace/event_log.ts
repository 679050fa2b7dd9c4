/** What happened on one device, by step: spikes, triggers, gaps and changes of the clamp mode of its present boot. */

export interface Gap {
  step: number;
  count: number;
  cause: string;
}

export interface ModeChange {
  step: number;
  mode: string;
}

interface Happening {
  kind?: unknown;
  boot?: unknown;
  step?: unknown;
  count?: unknown;
  cause?: unknown;
  mode?: unknown;
}

/** Six minutes of a neuron that fires 50 times a second. */
const MAX_STEPS = 20_000;
const MAX_GAPS = 2_000;
const MAX_RANGES = 200;

/** Steps in order, each once, in an array that grows to its bound and no further. */
export class StepList {
  length = 0;
  private steps = new Float64Array(64);

  constructor(private readonly bound = MAX_STEPS) {}

  at(k: number): number {
    return this.steps[k]!;
  }

  /** Index of the first step at or behind one. */
  indexOf(step: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle]! < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Returns false where it was there, or had to give way. */
  add(step: number, focus = step): boolean {
    const at = this.length > 0 && step > this.steps[this.length - 1]! ? this.length : this.indexOf(step);
    if (at < this.length && this.steps[at] === step) return false;
    if (this.length === this.steps.length) this.grow();
    this.steps.copyWithin(at + 1, at, this.length);
    this.steps[at] = step;
    this.length++;
    if (this.length > this.bound) this.trim(focus);
    return true;
  }

  clear(): void {
    this.length = 0;
  }

  private grow(): void {
    const larger = new Float64Array(Math.min(2 * this.steps.length, this.bound + 64));
    larger.set(this.steps);
    this.steps = larger;
  }

  /** Give up a tenth, at the end that is farther from where one looks. */
  private trim(focus: number): void {
    const n = Math.ceil(this.bound / 10);
    const dropOldest = focus - this.steps[0]! >= this.steps[this.length - 1]! - focus;
    if (dropOldest) this.steps.copyWithin(0, n, this.length);
    this.length -= n;
  }
}

export class EventLog {
  boot: number | null = null;
  readonly spikes = new StepList();
  readonly triggers = new StepList();
  gaps: Gap[] = [];
  modes: ModeChange[] = [];
  /** Changes with every event. */
  version = 0;
  /** Events from this step on came since they were drawn last; whoever draws sets it back. */
  changedFrom = 0;
  /** Steps that are looked at. */
  focus = Number.NaN;
  /** Told live from this step on. */
  private liveFrom = Number.POSITIVE_INFINITY;
  private fetched: [number, number][] = [];

  /** The device is at a step; from here on events are told live. */
  see(boot: number, step: number): void {
    if (boot !== this.boot) {
      this.boot = boot;
      this.clear();
    }
    this.liveFrom = Math.min(this.liveFrom, step);
  }

  /** What was told live may be incomplete from here on: the connection was lost. */
  interrupt(newestStep: number): void {
    if (Number.isFinite(this.liveFrom) && newestStep > this.liveFrom) this.addRange(this.liveFrom, newestStep);
    this.liveFrom = Number.POSITIVE_INFINITY;
  }

  take(event: Happening): void {
    const { kind, boot, step } = event;
    if (boot !== this.boot || typeof step !== "number") return;
    this.version++;
    this.changedFrom = Math.min(this.changedFrom, step);
    const focus = Number.isFinite(this.focus) ? this.focus : step;
    if (kind === "spike") this.spikes.add(step, focus);
    else if (kind === "trigger") this.triggers.add(step, focus);
    else if (kind === "gap") this.takeGap(step, Number(event.count) || 1, String(event.cause));
    else if (kind === "mode" && !this.modes.some((m) => m.step === step)) {
      this.modes = [...this.modes, { step, mode: String(event.mode) }].slice(-MAX_GAPS);
    }
  }

  /** The first part of a range of steps whose events were never told, or null. */
  missing(first: number, stop: number): [number, number] | null {
    let from = Math.max(0, first);
    const end = Math.min(stop, this.liveFrom);
    for (;;) {
      const covering = this.fetched.find(([a, b]) => a <= from && from < b);
      if (covering === undefined) break;
      from = covering[1];
    }
    if (from >= end) return null;
    const next = Math.min(...this.fetched.filter(([a]) => a > from).map(([a]) => a), end);
    return [from, next];
  }

  addRange(first: number, stop: number): void {
    const touching = this.fetched.filter(([a, b]) => a <= stop && b >= first);
    const merged: [number, number] = [
      Math.min(first, ...touching.map(([a]) => a)),
      Math.max(stop, ...touching.map(([, b]) => b)),
    ];
    this.fetched = [...this.fetched.filter((range) => !touching.includes(range)), merged].slice(-MAX_RANGES);
  }

  gapsBetween(first: number, stop: number): Gap[] {
    return this.gaps.filter((gap) => gap.step < stop && gap.step + gap.count > first);
  }

  private takeGap(step: number, count: number, cause: string): void {
    if (this.gaps.some((gap) => gap.step === step && gap.cause === cause)) return;
    this.gaps = [...this.gaps, { step, count, cause }].sort((a, b) => a.step - b.step).slice(-MAX_GAPS);
  }

  private clear(): void {
    this.spikes.clear();
    this.triggers.clear();
    this.gaps = [];
    this.modes = [];
    this.fetched = [];
    this.liveFrom = Number.POSITIVE_INFINITY;
    this.changedFrom = 0;
    this.version++;
  }
}

/** Spikes per second in the steps before one; NaN before a quarter of a second of them was seen. */
export function rateHz(spikes: StepList, newestStep: number, nSteps: number, stepMs: number): number {
  if (nSteps * stepMs < 250) return Number.NaN;
  const count = spikes.indexOf(newestStep) - spikes.indexOf(newestStep - nSteps);
  return (count * 1000) / (nSteps * stepMs);
}
