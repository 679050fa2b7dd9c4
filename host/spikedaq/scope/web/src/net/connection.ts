/** The one connection of this page: requests and their answers, and what is watched, also after it was lost. */
import { decodeFrame, type Frame } from "./frame";
import { LastingSocket } from "./lasting_socket";
import { ServerClock } from "./server_clock";

export interface Said {
  say: string;
  bench?: string;
  [key: string]: unknown;
}

export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Events between two steps; not `complete` where there were too many: then the newest of them. */
export interface Happened {
  events: Record<string, unknown>[];
  complete: boolean;
}

/** What is said once all bins of a part of the past have come. */
export interface PastTold {
  /** The oldest step of the boot that the history has, where it does not have all that was asked for. */
  kept_from?: number | null;
  /** There was something before it, which was deleted. */
  deleted?: boolean;
}

interface Watched {
  bench: string;
  device: string;
  level: number;
  stream?: string | undefined;
  onFrame: (frame: Frame) => void;
}

interface ClockTold {
  asked: number;
  host_ms: number;
  skipped: number;
  dropped: number;
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  onFrame?: (frame: Frame) => void;
}

/** Of the protocol (docs/reference/scope.md). */
const VERSION = 1;
const ACK_MS = 200;
const CLOCK_MS = 2000;

export class Connection {
  onSaid: (said: Said) => void = () => {};
  onState: (connected: boolean) => void = () => {};
  /** Page and server do not understand one another; nothing more is tried. */
  onUseless: (why: string) => void = () => {};

  private readonly socket: LastingSocket;
  private readonly clock = new ServerClock();
  private nextId = 1;
  private watched = new Map<number, Watched>();
  private waiting = new Map<number, Waiting>();
  private lostListeners = new Set<() => void>();
  private received = 0;
  private acked = 0;
  private ackedMs = 0;
  private skippedNow = 0;
  private skippedBefore = 0;

  constructor(url: () => string) {
    this.socket = new LastingSocket(url);
    this.socket.onOpen = () => this.opened();
    this.socket.onLost = () => this.lost();
    this.socket.onMessage = (data) => {
      try {
        if (typeof data === "string") this.takeText(data);
        else this.takeFrame(data);
      } catch (error) {
        if (!(error instanceof NotUnderstood)) throw error;
        this.socket.end();
        this.onUseless(error.message);
      }
    };
  }

  start(): void {
    this.socket.start();
    setInterval(() => this.ack(), ACK_MS);
    setInterval(() => this.askClock(), CLOCK_MS);
    document.addEventListener("visibilitychange", () => {
      this.ack();
      this.askClock();
    });
  }

  /** Frames that the server held back because this page had not confirmed earlier ones. */
  get skipped(): number {
    return this.skippedBefore + this.skippedNow;
  }

  /** Be told when the connection is lost, at once; returns what ends it. */
  whenLost(listener: () => void): () => void {
    this.lostListeners.add(listener);
    return () => this.lostListeners.delete(listener);
  }

  /** Ask a bench (docs/reference/control.md); rejects with `Refused`. */
  ask<T = unknown>(bench: string, op: string, args: Record<string, unknown> = {}): Promise<T> {
    return this.request({ do: "ask", bench, op, args }) as Promise<T>;
  }

  /** Record on all benches: `record_start` with session, notes and what is left out, `record_stop` with nothing. */
  everywhere<T = unknown>(op: "record_start" | "record_stop", args: Record<string, unknown>): Promise<T> {
    return this.request({ do: "everywhere", op, args }) as Promise<T>;
  }

  /** Fetch what happened on a device between two steps of a boot. */
  happened(what: { bench: string; device: string; boot: number; first: number; stop: number }): Promise<Happened> {
    return this.request({ do: "events", ...what }) as Promise<Happened>;
  }

  /** Fetch bins of the past; resolves when all came to `onFrame`. */
  past(
    what: { bench: string; device: string; boot: number; level: number; first: number; stop: number; stream?: string },
    onFrame: (frame: Frame) => void,
  ): Promise<PastTold> {
    return this.request({ do: "past", ...what }, onFrame) as Promise<PastTold>;
  }

  say(what: Record<string, unknown>): void {
    this.send(what);
  }

  /** Have new bins of a device's samples, or of a derived stream, at a zoom level sent to `onFrame`; returns what ends it. */
  watch(bench: string, device: string, level: number, onFrame: (frame: Frame) => void, stream?: string): () => void {
    const id = this.nextId++;
    this.watched.set(id, { bench, device, level, stream, onFrame });
    this.send({ do: "watch", id, bench, device, level, stream, packed: true });
    return () => {
      if (this.watched.delete(id)) this.send({ do: "unwatch", id });
    };
  }

  /** Now, on the server's CLOCK_BOOTTIME. */
  nowMs(): number {
    return performance.now() + this.clock.offsetMs;
  }

  private request(what: Record<string, unknown>, onFrame?: (frame: Frame) => void): Promise<unknown> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (!this.socket.isOpen) {
        reject(new Refused("absent", "the page has no connection now; it is being tried again"));
        return;
      }
      this.waiting.set(id, onFrame ? { resolve, reject, onFrame } : { resolve, reject });
      this.send({ ...what, id });
    });
  }

  private opened(): void {
    this.received = this.acked = 0;
    this.clock.forget();
    this.askClock();
    for (const [id, { onFrame: _, ...what }] of this.watched) this.send({ do: "watch", id, ...what, packed: true });
    this.onState(true);
  }

  private lost(): void {
    this.skippedBefore += this.skippedNow;
    this.skippedNow = 0;
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of waiting) {
      reject(new Refused("lost", "the connection was lost before the answer came; look whether it was done"));
    }
    this.onState(false);
    for (const listener of this.lostListeners) listener();
  }

  /** A timer of a hidden page comes once a minute, its messages come at once: both confirm. */
  private ack(): void {
    this.ackedMs = performance.now();
    if (this.received === this.acked) return;
    this.acked = this.received;
    this.send({ do: "ack", n: this.received });
  }

  private askClock(): void {
    this.send({ do: "clock", asked: performance.now() });
  }

  private send(what: Record<string, unknown>): void {
    this.socket.send(JSON.stringify(what));
  }

  private takeText(data: string): void {
    let said: Said & { id?: number; ok?: boolean; value?: unknown; code?: string; text?: string };
    try {
      said = JSON.parse(data);
    } catch {
      throw new NotUnderstood();
    }
    if (said.say === "clock") {
      this.takeClock(said as unknown as ClockTold);
    } else if ((said.say === "answer" || said.say === "past") && said.id !== undefined) {
      const waiting = this.waiting.get(said.id);
      this.waiting.delete(said.id);
      if (said.ok) waiting?.resolve(said.value);
      else waiting?.reject(new Refused(said.code ?? "error", said.text ?? "refused"));
    } else {
      if (said.say === "hello" && said["v"] !== VERSION) throw new NotUnderstood();
      this.onSaid(said);
    }
  }

  private takeFrame(data: ArrayBuffer): void {
    this.received++;
    if (performance.now() - this.ackedMs > ACK_MS) this.ack();
    let frame: Frame;
    try {
      frame = decodeFrame(data);
    } catch {
      throw new NotUnderstood();
    }
    const asked = frame.past === undefined ? undefined : this.waiting.get(frame.past);
    if (asked?.onFrame) {
      asked.onFrame(frame);
      return;
    }
    if (frame.past !== undefined) return; // whoever asked has given up
    for (const { bench, device, level, stream, onFrame } of this.watched.values()) {
      const isSame = bench === frame.bench && device === frame.device && level === frame.level;
      if (isSame && (stream ?? SAMPLES) === (frame.stream ?? SAMPLES)) onFrame(frame);
    }
  }

  private takeClock({ asked, host_ms, skipped, dropped }: ClockTold): void {
    this.skippedNow = skipped;
    this.clock.take(asked, performance.now(), host_ms);
    // Texts that the server had no room for may have been answers, which somebody would wait for for ever.
    if (dropped > 0) this.socket.renew();
  }
}

const SAMPLES = "samples";

/** What the server sends is none of what this page knows. */
class NotUnderstood extends Error {
  constructor() {
    super("this page and its server are of different versions: load the page again");
  }
}
