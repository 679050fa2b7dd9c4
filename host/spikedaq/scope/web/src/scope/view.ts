/** What part of the time axis is shown: live at its end, or held where somebody stopped it. */

export interface Bounds {
  /** The oldest instant there is anything of, and the newest. */
  oldest: number;
  newest: number;
}

/** In u of the time axis, milliseconds. */
export interface Shown {
  left: number;
  right: number;
  /** Where the axis says 0. */
  zero: number;
}

export class HeldView {
  /** Right end while held; null while live. */
  private right: number | null = null;
  private zero = 0;

  get isHeld(): boolean {
    return this.right !== null;
  }

  hold({ right, zero }: Shown): void {
    if (this.right !== null) return;
    this.right = right;
    this.zero = zero;
  }

  release(): void {
    this.right = null;
  }

  /** Move by so much; back is negative. Stops at both ends of what there is. */
  scroll(by: number, width: number, { oldest, newest }: Bounds): void {
    if (this.right === null) return;
    const first = Math.min(newest, oldest + width / 2);
    this.right = Math.min(newest, Math.max(first, this.right + by));
  }

  toOldest(width: number, bounds: Bounds): void {
    this.scroll(Number.NEGATIVE_INFINITY, width, bounds);
  }

  /** Keep an instant of the screen where it is when the width changes. */
  zoom(oldWidth: number, newWidth: number, at = 0.5): void {
    if (this.right !== null) this.right += (newWidth - oldWidth) * (1 - at);
  }

  shown(width: number): Shown {
    const right = this.right ?? 0;
    return { left: right - width, right, zero: this.zero };
  }

  /** Another time axis: the same instant on it. */
  convert(to: (u: number) => number): void {
    if (this.right === null) return;
    this.right = to(this.right);
    this.zero = to(this.zero);
  }
}
