/** Memory of bins, in pages of which there are only so many: those far from where one looks give way. */
import type { Frame } from "../net/frame";

export const EMPTY_LOW = 32767;
export const EMPTY_HIGH = -32768;
/** Bins of a page. */
export const PAGE = 512;

export interface Page {
  /** Channel by channel, PAGE bins each. */
  low: Int16Array;
  high: Int16Array;
  /** 1 where a bin came, or the server said that it has none. */
  known: Uint8Array;
}

export class Pages {
  /** How often one gave way. */
  evictions = 0;

  private readonly pages = new Map<number, Page>();
  private channels = 0;
  private focusFirst = Number.NaN;
  private focusStop = Number.NaN;

  constructor(private readonly maxPages: number) {}

  get size(): number {
    return this.pages.size;
  }

  /** The first bin of the oldest page; infinite while there is none. */
  get oldestBin(): number {
    return Math.min(...this.pages.keys()) * PAGE;
  }

  clear(channels: number): void {
    this.pages.clear();
    this.channels = channels;
  }

  /** Pages far from these bins, and from the newest, give way first. */
  focus(first: number, stop: number): void {
    this.focusFirst = first;
    this.focusStop = stop;
  }

  at(number: number): Page | undefined {
    return this.pages.get(number);
  }

  isKnown(bin: number): boolean {
    const number = Math.floor(bin / PAGE);
    return this.pages.get(number)?.known[bin - number * PAGE] === 1;
  }

  /** It has to come again, whole. */
  forget(bin: number): void {
    const number = Math.floor(bin / PAGE);
    const page = this.pages.get(number);
    if (page !== undefined) page.known[bin - number * PAGE] = 0;
  }

  /** Take all bins of a frame; `end` is behind the newest bin there is. */
  merge(frame: Frame, end: number): void {
    this.each(frame.first, frame.first + frame.count, end, (page, shift, first, stop) => {
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
    });
  }

  /** There is no more of these bins than what came. */
  markKnown(first: number, stop: number, end: number): void {
    this.each(first, stop, end, (page, shift, from, upTo) => page.known.fill(1, from - shift, upTo - shift));
  }

  private each(
    first: number,
    stop: number,
    end: number,
    does: (page: Page, shift: number, first: number, stop: number) => void,
  ): void {
    for (let bin = first; bin < stop; ) {
      const number = Math.floor(bin / PAGE);
      const upTo = Math.min(stop, (number + 1) * PAGE);
      const page = this.pages.get(number) ?? this.make(number, end);
      if (page !== undefined) does(page, number * PAGE, bin, upTo);
      bin = upTo;
    }
  }

  /** Make a page; undefined where all others are needed more. */
  private make(number: number, end: number): Page | undefined {
    if (this.channels === 0) return undefined;
    let reused: Page | undefined;
    if (this.pages.size >= this.maxPages) {
      let [farthest, distance] = [-1, this.distance(number, end)];
      for (const other of this.pages.keys()) {
        if (this.distance(other, end) > distance) [farthest, distance] = [other, this.distance(other, end)];
      }
      reused = this.pages.get(farthest);
      if (reused === undefined) return undefined;
      this.pages.delete(farthest);
      this.evictions++;
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

  private distance(number: number, end: number): number {
    const toEnd = Math.abs(number - Math.floor((end - 1) / PAGE));
    if (Number.isNaN(this.focusFirst)) return toEnd;
    const [first, stop] = [Math.floor(this.focusFirst / PAGE), Math.floor(this.focusStop / PAGE)];
    const toFocus = number < first ? first - number : number > stop ? number - stop : 0;
    return Math.min(toEnd, toFocus);
  }
}
