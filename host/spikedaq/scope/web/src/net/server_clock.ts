/** How the server's clock stands to this page's. */

/** The best reading ages by this each time, because two clocks drift apart. */
const AGEING = 1.1;
/** A browser's clock is only told in steps, some of them a tenth of a millisecond. */
const COARSE_MS = 1;

export class ServerClock {
  /** Milliseconds to add to performance.now() for the server's CLOCK_BOOTTIME. */
  offsetMs = 0;
  /** Half the best round trip lately. */
  uncertaintyMs = Number.POSITIVE_INFINITY;

  /** Another server, perhaps: any reading is better than none. */
  forget(): void {
    this.uncertaintyMs = Number.POSITIVE_INFINITY;
  }

  /**
   * Take a reading: the server said `hostMs` at some moment between `askedMs` and `nowMs` of this page.
   *
   * The better of both counts, unless they contradict one another: then one of the clocks stood still or jumped, as
   * that of a page does in a computer that sleeps.
   */
  take(askedMs: number, nowMs: number, hostMs: number): void {
    const uncertaintyMs = (nowMs - askedMs) / 2;
    const offsetMs = hostMs - (askedMs + uncertaintyMs);
    this.uncertaintyMs *= AGEING;
    const hasJumped = Math.abs(offsetMs - this.offsetMs) > uncertaintyMs + this.uncertaintyMs + COARSE_MS;
    if (uncertaintyMs > this.uncertaintyMs && !hasJumped) return;
    this.offsetMs = offsetMs;
    this.uncertaintyMs = uncertaintyMs;
  }
}
