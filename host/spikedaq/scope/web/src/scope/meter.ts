/** How fast the screen is drawn, and how old samples are when they are: over the last few seconds. */

const N = 256;

export class Meter {
  private readonly ages = new Float64Array(N);
  private readonly sorted = new Float64Array(N);
  private nAges = 0;
  private readonly gapsMs = new Float64Array(N);
  private nGaps = 0;
  private lastMs = Number.NaN;

  frame(nowMs: number): void {
    if (nowMs > this.lastMs) this.gapsMs[this.nGaps++ % N] = nowMs - this.lastMs;
    this.lastMs = nowMs;
  }

  /** Nothing is drawn meanwhile: the page is hidden. */
  rest(): void {
    this.lastMs = Number.NaN;
  }

  age(ms: number): void {
    if (Number.isFinite(ms)) this.ages[this.nAges++ % N] = ms;
  }

  /** The last frame's length, ms; of a stutter no more than a tenth of a second. */
  get frameMs(): number {
    return this.nGaps === 0 ? 0 : Math.min(100, this.gapsMs[(this.nGaps - 1) % N]!);
  }

  get framesPerS(): number {
    const n = Math.min(N, this.nGaps);
    let sum = 0;
    for (let k = 0; k < n; k++) sum += this.gapsMs[k]!;
    return n === 0 ? Number.NaN : (1000 * n) / sum;
  }

  /** The age that a part of the samples did not exceed, ms; NaN before any was drawn. */
  percentile(part: number): number {
    const n = Math.min(N, this.nAges);
    if (n === 0) return Number.NaN;
    this.sorted.set(this.ages);
    const those = this.sorted.subarray(0, n).sort();
    return those[Math.min(n - 1, Math.floor(part * n))]!;
  }
}
