/** Sends the newest of values that come faster than they can be sent: never a flood, and the last one always arrives. */

export class Latest<T> {
  private waiting: { value: T } | null = null;
  private sending = false;
  private sentMs = Number.NEGATIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * One is on its way at a time, and `minMs` lie between two of them.
   *
   * `onIdle` is called when there is nothing more to send.
   */
  constructor(
    private readonly send: (value: T) => Promise<void>,
    private readonly onIdle: () => void = () => {},
    private readonly minMs = 80,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get busy(): boolean {
    return this.sending || this.waiting !== null;
  }

  put(value: T): void {
    this.waiting = { value };
    this.next();
  }

  /** Forget what has not been sent. */
  drop(): void {
    this.waiting = null;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private next(): void {
    if (this.sending || this.waiting === null || this.timer !== undefined) return;
    const wait = this.sentMs + this.minMs - this.now();
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.next();
      }, wait);
      return;
    }
    const { value } = this.waiting;
    this.waiting = null;
    this.sending = true;
    this.sentMs = this.now();
    const done = () => {
      this.sending = false;
      if (this.waiting === null) this.onIdle();
      else this.next();
    };
    this.send(value).then(done, done);
  }
}
