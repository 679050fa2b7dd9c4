/** Bins of one device at one zoom level, in pages; what comes twice is merged, and what did not come is known. */
import type { Frame } from "../net/frame";

export const EMPTY_LOW = 32767;
export const EMPTY_HIGH = -32768;
const PAGE_BITS = 9;
const PAGE = 1 << PAGE_BITS;
/** A moment of the device's time is kept where the last one is off by more: clocks drift, and stopped steps stand. */
const ANCHOR_MS = 0.5;
const MAX_ANCHORS = 1000;
/** One request for two holes costs less than two, if so few bins between them come again. */
const ISLAND = 32;

interface Anchor {
  step: number;
  tMs: number;
}

export interface Page {
  /** Channel by channel, PAGE bins each. */
  low: Int16Array;
  high: Int16Array;
  /** 1 where a bin came, or the server said that it has none. */
  known: Uint8Array;
}

/** A stretch of steps in another clamp mode or at another pace, whose samples do not fit these channels. */
export interface Foreign {
  first: number;
  stop: number;
  mode: string;
}

export class TraceStore {
  /** Number of the oldest bin that came live, and behind the newest; equal while there is none. */
  begin = 0;
  end = 0;
  run = -1;
  boot = 0;
  mode: "current" | "voltage" = "current";
  stepUs = 100;
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
  /** Times are of arrival: the device's clock is not fitted yet. */
  isTimeGuessed = false;
  foreign: Foreign[] = [];

  private pages = new Map<number, Page>();
  private anchors: Anchor[] = [];
  private focusFirst = Number.NaN;
  private focusStop = Number.NaN;
  private readonly maxPages: number;

  constructor(
    readonly level: number,
    readonly capacity = 16384,
  ) {
    this.maxPages = Math.max(4, Math.ceil(capacity / PAGE));
  }

  get binSteps(): number {
    return 2 ** this.level;
  }

  get nPages(): number {
    return this.pages.size;
  }

  /** The same boot at another zoom, still without bins. */
  atLevel(level: number): TraceStore {
    const other = new TraceStore(level, this.capacity);
    if (this.run === -1) return other;
    const { run, boot, mode, stepUs, channels, keptFrom, frozen, restarts, isTimeGuessed } = this;
    Object.assign(other, { run, boot, mode, stepUs, channels, keptFrom, frozen, restarts, isTimeGuessed });
    other.anchors = [...this.anchors];
    other.begin = other.end = Math.floor((this.end * this.binSteps) / other.binSteps);
    return other;
  }

  /** Pages far from these bins, and from the newest, give way first. */
  focus(first: number, stop: number): void {
    this.focusFirst = first;
    this.focusStop = stop;
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
    this.anchor(frame, isOfThePast ? Number.NaN : nowMs);
    const stop = frame.first + frame.count;
    if (!isOfThePast) {
      if (this.begin === this.end) this.begin = this.end = frame.first;
      if (frame.first > this.end) {
        this.holes++;
        this.forget(this.end - 1); // samples came to it that were not sent
      }
      this.begin = Math.min(this.begin, frame.first);
      this.end = Math.max(this.end, stop);
    }
    for (let bin = frame.first; bin < stop; ) {
      const number = Math.floor(bin / PAGE);
      const upTo = Math.min(stop, (number + 1) * PAGE);
      this.merge(frame, number, bin, upTo);
      bin = upTo;
    }
  }

  /** The server has no more than what came of these bins. */
  markKnown(first: number, stop: number): void {
    this.version++;
    for (let bin = Math.max(0, first); bin < stop; ) {
      const number = Math.floor(bin / PAGE);
      const upTo = Math.min(stop, (number + 1) * PAGE);
      this.pageFor(number)?.known.fill(1, bin - number * PAGE, upTo - number * PAGE);
      bin = upTo;
    }
  }

  isKnown(bin: number): boolean {
    const number = Math.floor(bin / PAGE);
    return this.pages.get(number)?.known[bin - number * PAGE] === 1;
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
    return this.pages.get(number);
  }

  /** Smallest and largest raw value of a bin; low > high where no sample is. */
  lowAt(channel: number, bin: number): number {
    const number = Math.floor(bin / PAGE);
    return this.pages.get(number)?.low[channel * PAGE + bin - number * PAGE] ?? EMPTY_LOW;
  }

  highAt(channel: number, bin: number): number {
    const number = Math.floor(bin / PAGE);
    return this.pages.get(number)?.high[channel * PAGE + bin - number * PAGE] ?? EMPTY_HIGH;
  }

  /** Time of a step on the daemon's clock, milliseconds; NaN while nothing is known. */
  timeOfStep(step: number): number {
    const anchor = this.anchors[this.anchorOfStep(step)];
    return anchor === undefined ? Number.NaN : anchor.tMs + ((step - anchor.step) * this.stepUs) / 1000;
  }

  /** Step at a time on the daemon's clock. While the device stood still: the last one before. */
  stepAtTime(tMs: number): number {
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
    let at = this.anchorOfStep(first);
    for (let from = first; from < stop; ) {
      const next = this.anchors[at + 1];
      const upTo = next === undefined ? stop : Math.max(from, Math.min(stop, next.step));
      if (upTo > from) each(from, upTo, this.timeOfStep(from));
      from = upTo;
      at++;
    }
  }

  private anchorOfStep(step: number): number {
    let low = 0;
    let high = this.anchors.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.anchors[middle]!.step <= step) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private anchor(frame: Frame, nowMs: number): void {
    let tMs = frame.t_ms;
    if (tMs === null) {
      if (this.anchors.length > 0 || !Number.isFinite(nowMs)) return;
      tMs = nowMs;
      this.isTimeGuessed = true;
    } else if (this.isTimeGuessed) {
      this.anchors = [];
      this.isTimeGuessed = false;
    }
    if (Math.abs(tMs - this.timeOfStep(frame.step)) < ANCHOR_MS) return;
    this.anchors.push({ step: frame.step, tMs });
    const before = this.anchors.at(-2);
    if (before !== undefined && before.step > frame.step) this.anchors.sort((a, b) => a.step - b.step);
    if (this.anchors.length > MAX_ANCHORS) this.anchors.shift();
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
    this.foreign = [...this.foreign.filter((f) => !touching.includes(f)), merged].slice(-100);
    this.version++;
  }

  private restart(frame: Frame): void {
    this.run = frame.run ?? 0;
    this.boot = frame.boot;
    this.mode = frame.mode;
    this.stepUs = frame.step_us;
    this.channels = frame.channels;
    this.begin = this.end = this.keptFrom = 0;
    this.anchors = [];
    this.foreign = [];
    this.pages.clear();
    this.restarts++;
  }

  private merge(frame: Frame, number: number, first: number, stop: number): void {
    const page = this.pageFor(number);
    if (page === undefined) return;
    const shift = number * PAGE;
    for (let channel = 0; channel < this.channels; channel++) {
      const from = channel * frame.count - frame.first;
      const to = channel * PAGE - shift;
      for (let bin = first; bin < stop; bin++) {
        const small = frame.low[from + bin]!;
        const large = frame.high[from + bin]!;
        if (small < page.low[to + bin]!) page.low[to + bin] = small;
        if (large > page.high[to + bin]!) page.high[to + bin] = large;
      }
    }
    page.known.fill(1, first - shift, stop - shift);
  }

  private forget(bin: number): void {
    const number = Math.floor(bin / PAGE);
    const page = this.pages.get(number);
    if (page !== undefined) page.known[bin - number * PAGE] = 0;
  }

  /** Return a page, made where it is not there; undefined where all others are needed more. */
  private pageFor(number: number): Page | undefined {
    const there = this.pages.get(number);
    if (there !== undefined || this.channels === 0) return there;
    let reused: Page | undefined;
    if (this.pages.size >= this.maxPages) {
      let [farthest, distance] = [-1, this.distance(number)];
      for (const other of this.pages.keys()) {
        if (this.distance(other) > distance) [farthest, distance] = [other, this.distance(other)];
      }
      reused = this.pages.get(farthest);
      if (reused === undefined) return undefined;
      this.pages.delete(farthest);
      const oldest = Math.min(...this.pages.keys()) * PAGE;
      if (this.begin < oldest) this.begin = Math.min(oldest, this.end);
    }
    const page = reused ?? {
      low: new Int16Array(this.channels * PAGE),
      high: new Int16Array(this.channels * PAGE),
      known: new Uint8Array(PAGE),
    };
    page.low.fill(EMPTY_LOW);
    page.high.fill(EMPTY_HIGH);
    page.known.fill(0);
    this.pages.set(number, page);
    return page;
  }

  private distance(number: number): number {
    const toEnd = Math.abs(number - Math.floor((this.end - 1) / PAGE));
    if (Number.isNaN(this.focusFirst)) return toEnd;
    const [first, stop] = [Math.floor(this.focusFirst / PAGE), Math.floor(this.focusStop / PAGE)];
    const toFocus = number < first ? first - number : number > stop ? number - stop : 0;
    return Math.min(toEnd, toFocus);
  }
}
