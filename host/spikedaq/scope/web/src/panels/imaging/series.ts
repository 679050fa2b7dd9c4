/** The newest bins of one stream at one zoom, for a small plot: smallest and largest value of each. */
import type { Frame } from "../../net/frame";

export const CAPACITY = 2048;

export class Series {
  boot = -1;
  run = -1;
  level = 0;
  /** Model steps from bin to bin, and the step of bin 0. */
  binSteps = 1;
  phase = 0;
  begin = 0;
  end = 0;
  /** Changes with every frame. */
  version = 0;
  channels = 0;
  private low = new Float32Array(0);
  private high = new Float32Array(0);

  /** Take a frame; true where everything began anew with it. */
  take(frame: Frame): boolean {
    const isOld = frame.past !== undefined;
    if (isOld && (frame.boot !== this.boot || frame.level !== this.level)) return false;
    const isOther =
      !isOld && (frame.boot !== this.boot || frame.run !== this.run || frame.level !== this.level || frame.channels !== this.channels);
    if (isOther) this.restart(frame);
    this.version++;
    const stop = frame.first + frame.count;
    if (!isOld && frame.first > this.end) this.blank(this.end, frame.first);
    for (let bin = frame.first; bin < stop; bin++) {
      if (isOld && (bin >= this.begin || bin < this.end - CAPACITY)) continue;
      for (let channel = 0; channel < this.channels; channel++) {
        const to = channel * CAPACITY + (bin % CAPACITY);
        const from = channel * frame.count + bin - frame.first;
        this.low[to] = frame.low[from]!;
        this.high[to] = frame.high[from]!;
      }
    }
    if (isOld) this.begin = Math.min(this.begin, Math.max(frame.first, this.end - CAPACITY));
    else this.end = Math.max(this.end, stop);
    this.begin = Math.max(this.begin, this.end - CAPACITY);
    return isOther;
  }

  /** The model step of a bin's first value. */
  stepOf(bin: number): number {
    return bin * this.binSteps + this.phase;
  }

  /** Smallest and largest value; null where there is none. */
  at(channel: number, bin: number): [number, number] | null {
    if (bin < this.begin || bin >= this.end || channel < 0 || channel >= this.channels) return null;
    const where = channel * CAPACITY + (bin % CAPACITY);
    const low = this.low[where]!;
    const high = this.high[where]!;
    return low <= high ? [low, high] : null;
  }

  /** The newest value of a channel; null where there is none. */
  newest(channel: number): number | null {
    return this.at(channel, this.end - 1)?.[1] ?? null;
  }

  private restart(frame: Frame): void {
    this.boot = frame.boot;
    this.run = frame.run ?? -1;
    this.level = frame.level;
    this.channels = frame.channels;
    this.binSteps = 2 ** frame.level * (frame.pitch_steps ?? 1);
    this.phase = frame.phase ?? 0;
    this.begin = this.end = frame.first;
    this.low = new Float32Array(CAPACITY * frame.channels);
    this.high = new Float32Array(CAPACITY * frame.channels);
  }

  private blank(first: number, stop: number): void {
    for (let bin = Math.max(first, stop - CAPACITY); bin < stop; bin++) {
      for (let channel = 0; channel < this.channels; channel++) {
        this.low[channel * CAPACITY + (bin % CAPACITY)] = Number.POSITIVE_INFINITY;
        this.high[channel * CAPACITY + (bin % CAPACITY)] = Number.NEGATIVE_INFINITY;
      }
    }
  }
}

/** The zoom at which so many values make at most so many bins. */
export function levelFor(values: number, bins: number): number {
  return Math.min(13, Math.max(0, Math.ceil(Math.log2(values / bins))));
}

/**
 * Points of several channels for uPlot: seconds before `endStep`, and of each channel its values.
 *
 * A bin of several values is two points, its smallest and its largest.
 */
export function points(
  series: Series,
  channels: readonly number[],
  endStep: number,
  steps: number,
  valueOf: (raw: number) => number = (raw) => raw,
): [number[], ...(number | null)[][]] {
  const xs: number[] = [];
  const ys: (number | null)[][] = channels.map(() => []);
  const first = Math.max(series.begin, Math.floor((endStep - steps - series.phase) / series.binSteps));
  for (let bin = first; bin < series.end; bin++) {
    const x = (series.stepOf(bin) - endStep) / 10_000;
    const isWide = series.level > 0;
    xs.push(x);
    if (isWide) xs.push(x + series.binSteps / 20_000);
    channels.forEach((channel, k) => {
      const found = series.at(channel, bin);
      ys[k]!.push(found === null ? null : valueOf(found[0]));
      if (isWide) ys[k]!.push(found === null ? null : valueOf(found[1]));
    });
  }
  return [xs, ...ys];
}

/** A range that holds what it held, and these values: it grows by round numbers, and never shrinks by itself. */
export function grown(range: readonly [number, number], low: number, high: number): [number, number] {
  let [bottom, top] = range;
  if (low < bottom) bottom = roundOut(low, top - low, Math.floor);
  if (high > top) top = roundOut(high, high - bottom, Math.ceil);
  return [bottom, top];
}

function roundOut(value: number, span: number, round: (value: number) => number): number {
  const unit = 10 ** Math.floor(Math.log10(Math.max(span, 1e-9))) / 2;
  return Number((round(value / unit) * unit).toPrecision(12));
}
