/** The newest bins of one device at one zoom level, in rings; what comes twice is merged. */
import type { Frame } from "../net/frame";

const EMPTY_LOW = 32767;
const EMPTY_HIGH = -32768;

interface Anchor {
  step: number;
  tMs: number;
}

export class TraceStore {
  /** Number of the oldest bin that is kept, and behind the newest; equal while there is none. */
  begin = 0;
  end = 0;
  run = -1;
  boot = 0;
  mode: "current" | "voltage" = "current";
  stepUs = 100;
  channels = 0;
  /** Bins that came with a hole before them, which the server did not send. */
  holes = 0;
  /** Changes with every frame. */
  version = 0;

  private low: Int16Array[] = [];
  private high: Int16Array[] = [];
  private anchors: Anchor[] = [];

  constructor(
    readonly level: number,
    readonly capacity = 8192,
  ) {}

  get binSteps(): number {
    return 2 ** this.level;
  }

  take(frame: Frame): void {
    const isOfThePast = frame.run === undefined;
    const isOther = frame.boot !== this.boot || frame.mode !== this.mode || frame.step_us !== this.stepUs;
    if (isOfThePast && isOther && this.run !== -1) return;
    if (this.run === -1 || (!isOfThePast && frame.run !== this.run)) this.restart(frame);
    this.version++;
    this.anchor(frame);
    let { first } = frame;
    const stop = first + frame.count;
    if (this.begin === this.end) this.begin = this.end = first;
    if (stop < this.begin) return; // too old: a bin between would have to be made up
    if (first > this.end) this.holes++;
    if (stop > this.end) {
      this.empty(Math.max(this.end, stop - this.capacity), stop);
      this.end = stop;
      this.begin = Math.max(this.begin, stop - this.capacity);
    }
    if (first < this.begin) {
      const room = this.capacity - (this.end - this.begin);
      first = Math.max(first, this.begin - room);
      if (first < this.begin) this.empty(first, this.begin);
      this.begin = Math.min(this.begin, first);
    }
    for (let channel = 0; channel < this.channels; channel++) {
      const low = this.low[channel]!;
      const high = this.high[channel]!;
      const from = channel * frame.count - frame.first;
      for (let bin = Math.max(first, this.begin); bin < stop; bin++) {
        const at = bin % this.capacity;
        const small = frame.low[from + bin]!;
        const large = frame.high[from + bin]!;
        if (small < low[at]!) low[at] = small;
        if (large > high[at]!) high[at] = large;
      }
    }
  }

  /** Smallest and largest raw value of a bin; low > high where no sample is. */
  lowAt(channel: number, bin: number): number {
    return this.low[channel]?.[bin % this.capacity] ?? EMPTY_LOW;
  }

  highAt(channel: number, bin: number): number {
    return this.high[channel]?.[bin % this.capacity] ?? EMPTY_HIGH;
  }

  /** Time of a step on the daemon's clock, milliseconds; NaN while nothing is known. */
  timeOfStep(step: number): number {
    const anchor = this.anchorAt((known) => known.step <= step);
    return anchor === undefined ? Number.NaN : anchor.tMs + ((step - anchor.step) * this.stepUs) / 1000;
  }

  /** Step at a time on the daemon's clock. */
  stepAtTime(tMs: number): number {
    const anchor = this.anchorAt((known) => known.tMs <= tMs);
    return anchor === undefined ? Number.NaN : anchor.step + ((tMs - anchor.tMs) * 1000) / this.stepUs;
  }

  private anchorAt(isBefore: (anchor: Anchor) => boolean): Anchor | undefined {
    for (let k = this.anchors.length - 1; k >= 0; k--) {
      const anchor = this.anchors[k]!;
      if (isBefore(anchor)) return anchor;
    }
    return this.anchors[0];
  }

  /** Steps stand still while a device is stopped, and clocks drift: keep a point where the last one does not hold. */
  private anchor(frame: Frame): void {
    if (frame.t_ms === null) return;
    const expected = this.timeOfStep(frame.step);
    if (Math.abs(frame.t_ms - expected) < 0.5) return;
    this.anchors.push({ step: frame.step, tMs: frame.t_ms });
    this.anchors.sort((a, b) => a.step - b.step);
    if (this.anchors.length > 1000) this.anchors.shift();
  }

  private restart(frame: Frame): void {
    this.run = frame.run ?? 0;
    this.boot = frame.boot;
    this.mode = frame.mode;
    this.stepUs = frame.step_us;
    this.channels = frame.channels;
    this.begin = this.end = 0;
    this.anchors = [];
    this.low = Array.from({ length: frame.channels }, () => new Int16Array(this.capacity).fill(EMPTY_LOW));
    this.high = Array.from({ length: frame.channels }, () => new Int16Array(this.capacity).fill(EMPTY_HIGH));
  }

  private empty(first: number, stop: number): void {
    for (let bin = first; bin < stop; bin++) {
      const at = bin % this.capacity;
      for (let channel = 0; channel < this.channels; channel++) {
        this.low[channel]![at] = EMPTY_LOW;
        this.high[channel]![at] = EMPTY_HIGH;
      }
    }
  }
}
