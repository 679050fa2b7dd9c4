/** Bins of one device at one zoom level; what comes twice is merged, and what did not come is known. */
import type { Frame } from "../net/frame";
import { EMPTY_HIGH, EMPTY_LOW, PAGE, type Page, Pages } from "./pages";
import { TimeLine } from "./time_line";

/** One request for two holes costs less than two, if so few bins between them come again. */
const ISLAND = 32;
const MAX_FOREIGN = 100;

/** A stretch of steps in another clamp mode or at another pace, whose samples do not fit these channels. */
export interface Foreign {
  first: number;
  stop: number;
  mode: string;
}

let nextId = 1;

export class TraceStore {
  /** No other store has it. */
  readonly id = nextId++;
  /** Number of the oldest bin that came live, and behind the newest; equal while there is none. */
  begin = 0;
  end = 0;
  run = -1;
  boot = 0;
  mode: "current" | "voltage" = "current";
  channels = 0;
  /** How often bins came with a hole before them, which the server did not send. */
  holes = 0;
  /** Changes with every frame. */
  version = 0;
  /** Changes with every beginning anew: another boot, clamp mode or pace. */
  restarts = 0;
  /** Keep what is there, whatever begins anew: somebody is looking at it. */
  frozen = false;
  /** The history's oldest step, once it was met. */
  keptFrom = 0;
  /** What was before it was deleted; otherwise there never was anything. */
  wasDeleted = false;
  /** Bins from this one on are others than when they were drawn last, or stand elsewhere; whoever draws sets it back. */
  changedFrom = 0;
  foreign: Foreign[] = [];

  private times = new TimeLine();
  private readonly pages: Pages;

  constructor(
    readonly level: number,
    readonly capacity = 16384,
  ) {
    this.pages = new Pages(Math.max(4, Math.ceil(capacity / PAGE)));
  }

  get binSteps(): number {
    return 2 ** this.level;
  }

  get nPages(): number {
    return this.pages.size;
  }

  get stepUs(): number {
    return this.times.stepUs;
  }

  /** Times are of arrival: the device's clock is not fitted yet. */
  get isTimeGuessed(): boolean {
    return this.times.isGuessed;
  }

  /** The same boot at another zoom, still without bins. */
  atLevel(level: number): TraceStore {
    const other = new TraceStore(level, this.capacity);
    if (this.run === -1) return other;
    const { run, boot, mode, channels, keptFrom, wasDeleted, frozen, restarts } = this;
    Object.assign(other, { run, boot, mode, channels, keptFrom, wasDeleted, frozen, restarts });
    other.pages.clear(channels);
    other.times = this.times.copy();
    other.begin = other.end = Math.floor((this.end * this.binSteps) / other.binSteps);
    return other;
  }

  /** Pages far from these bins, and from the newest, give way first. */
  focus(first: number, stop: number): void {
    this.pages.focus(first, stop);
  }

  take(frame: Frame, nowMs = Number.NaN): void {
    const isOfThePast = frame.past !== undefined;
    const isOther = frame.boot !== this.boot || frame.mode !== this.mode || frame.step_us !== this.stepUs;
    if (isOfThePast && isOther && this.run !== -1) {
      this.takeForeign(frame);
      return;
    }
    if (!isOfThePast && frame.run !== this.run) {
      if (this.frozen && this.run !== -1) return;
      this.restart(frame);
    } else if (this.run === -1) this.restart(frame);
    this.version++;
    const changed = this.times.take(frame.step, frame.t_ms, isOfThePast ? Number.NaN : nowMs);
    this.changedFrom = Math.min(this.changedFrom, frame.first, Math.floor(changed / this.binSteps));
    if (!isOfThePast) {
      if (this.begin === this.end) this.begin = this.end = frame.first;
      if (frame.first > this.end) {
        this.holes++;
        this.pages.forget(this.end - 1); // samples came to it that were not sent
      }
      this.begin = Math.min(this.begin, frame.first);
      this.end = Math.max(this.end, frame.first + frame.count);
    }
    this.making(() => this.pages.merge(frame, this.end));
  }

  /** The server has no more than what came of these bins. */
  markKnown(first: number, stop: number): void {
    this.version++;
    this.making(() => this.pages.markKnown(Math.max(0, first), stop, this.end));
  }

  isKnown(bin: number): boolean {
    return this.pages.isKnown(bin);
  }

  /** The first stretch of bins that never came, or null; islands of a few known bins within are taken with it. */
  unknown(first: number, stop: number): [number, number] | null {
    let bin = Math.max(0, first);
    while (bin < stop && this.isKnown(bin)) bin++;
    if (bin >= stop) return null;
    let behind = bin + 1;
    for (let next = behind; next < stop && next - behind <= ISLAND; next++) if (!this.isKnown(next)) behind = next + 1;
    return [bin, behind];
  }

  page(number: number): Page | undefined {
    return this.pages.at(number);
  }

  /** Smallest and largest raw value of a bin; low > high where no sample is. */
  lowAt(channel: number, bin: number): number {
    const number = Math.floor(bin / PAGE);
    return this.pages.at(number)?.low[channel * PAGE + bin - number * PAGE] ?? EMPTY_LOW;
  }

  highAt(channel: number, bin: number): number {
    const number = Math.floor(bin / PAGE);
    return this.pages.at(number)?.high[channel * PAGE + bin - number * PAGE] ?? EMPTY_HIGH;
  }

  /** Time of a step on the daemon's clock, milliseconds; NaN while nothing is known. */
  timeOfStep(step: number): number {
    return this.times.timeOf(step);
  }

  /** Step at a time on the daemon's clock. While the device stood still: the last one before. */
  stepAtTime(tMs: number): number {
    return this.times.stepAt(tMs);
  }

  /** Call with each stretch of steps whose times follow one line: `(firstStep, stopStep, tMs of firstStep)`. */
  stretches(first: number, stop: number, each: (first: number, stop: number, tMs: number) => void): void {
    this.times.stretches(first, stop, each);
  }

  private takeForeign(frame: Frame): void {
    if (frame.boot !== this.boot) return;
    const [first, stop] = [frame.first * this.binSteps, (frame.first + frame.count) * this.binSteps];
    const touching = this.foreign.filter((f) => f.mode === frame.mode && f.first <= stop && f.stop >= first);
    const merged = {
      mode: frame.mode,
      first: Math.min(first, ...touching.map((f) => f.first)),
      stop: Math.max(stop, ...touching.map((f) => f.stop)),
    };
    this.foreign = [...this.foreign.filter((f) => !touching.includes(f)), merged].slice(-MAX_FOREIGN);
    this.version++;
  }

  private restart(frame: Frame): void {
    this.run = frame.run ?? 0;
    this.boot = frame.boot;
    this.mode = frame.mode;
    this.channels = frame.channels;
    this.begin = this.end = this.keptFrom = this.changedFrom = 0;
    this.wasDeleted = false;
    this.foreign = [];
    this.times.clear(frame.step_us);
    this.pages.clear(frame.channels);
    this.restarts++;
  }

  /** Where a page gave way, what it had is no longer here. */
  private making(does: () => void): void {
    const { evictions } = this.pages;
    does();
    if (this.pages.evictions === evictions) return;
    const { oldestBin } = this.pages;
    if (this.begin < oldestBin) this.begin = Math.min(oldestBin, this.end);
  }
}
