/** The one connection of this page: it comes back by itself, and what was watched is watched again. */
import { decodeFrame, type Frame } from "./frame";

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
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  onFrame?: (frame: Frame) => void;
}

const ACK_MS = 200;
const CLOCK_MS = 2000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 3000;
/** Without a word for so long the connection is dead, whatever the browser believes: a bench speaks once a second. */
const SILENT_MS = 5000;

export class Connection {
  onSaid: (said: Said) => void = () => {};
  onState: (connected: boolean) => void = () => {};
  /** Milliseconds to add to performance.now() for the server's CLOCK_BOOTTIME. */
  clockOffsetMs = 0;
  /** Half the best round trip lately. */
  clockUncertaintyMs = Number.POSITIVE_INFINITY;
  framesReceived = 0;
  bytesReceived = 0;
  /** Frames that the server held back because this page had not confirmed earlier ones. */
  skipped = 0;

  private socket: WebSocket | null = null;
  private retryMs = FIRST_RETRY_MS;
  private nextId = 1;
  private watched = new Map<number, Watched>();
  private byStream = new Map<string, Set<number>>();
  private waiting = new Map<number, Waiting>();
  private received = 0;
  private heardMs = 0;
  private ackedMs = 0;

  constructor(private readonly url: () => string) {}

  start(): void {
    this.connect();
    setInterval(() => this.ack(), ACK_MS);
    setInterval(() => this.askClock(), CLOCK_MS);
    setInterval(() => this.look(), 1000);
    document.addEventListener("visibilitychange", () => {
      this.ack();
      this.look();
    });
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
    const key = streamKey(bench, device, level, stream);
    const ids = this.byStream.get(key) ?? new Set();
    this.byStream.set(key, ids.add(id));
    this.send({ do: "watch", id, bench, device, level, stream });
    return () => {
      if (!this.watched.delete(id)) return;
      ids.delete(id);
      this.send({ do: "unwatch", id });
    };
  }

  /** Now, on the server's CLOCK_BOOTTIME. */
  nowMs(): number {
    return performance.now() + this.clockOffsetMs;
  }

  private request(what: Record<string, unknown>, onFrame?: (frame: Frame) => void): Promise<unknown> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (this.socket?.readyState !== WebSocket.OPEN) {
        reject(new Refused("absent", "the page has no connection now; it is being tried again"));
        return;
      }
      this.waiting.set(id, onFrame ? { resolve, reject, onFrame } : { resolve, reject });
      this.send({ ...what, id });
    });
  }

  private connect(): void {
    const socket = new WebSocket(this.url());
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.received = 0;
    this.heardMs = performance.now();
    socket.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.clockUncertaintyMs = Number.POSITIVE_INFINITY;
      this.askClock();
      for (const [id, { onFrame: _, ...what }] of this.watched) this.send({ do: "watch", id, ...what });
      this.onState(true);
    };
    socket.onmessage = (event: MessageEvent<ArrayBuffer | string>) => {
      if (this.socket !== socket) return;
      this.heardMs = performance.now();
      if (typeof event.data === "string") this.takeText(event.data);
      else this.takeFrame(event.data);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  private lost(): void {
    this.socket = null;
    for (const { reject } of this.waiting.values()) {
      reject(new Refused("lost", "the connection was lost before the answer came; look whether it was done"));
    }
    this.waiting.clear();
    this.onState(false);
    setTimeout(() => this.connect(), this.retryMs);
    this.retryMs = Math.min(LAST_RETRY_MS, this.retryMs * 2);
  }

  /** A laptop that slept finds a connection that only looks alive. */
  private look(): void {
    const socket = this.socket;
    if (socket !== null && performance.now() - this.heardMs > SILENT_MS && !document.hidden) {
      this.socket = null;
      socket.onclose = null;
      socket.close();
      this.lost();
    }
  }

  /** A timer of a hidden page comes once a minute, its messages come at once: both confirm. */
  private ack(): void {
    this.ackedMs = performance.now();
    this.send({ do: "ack", n: this.received });
  }

  private askClock(): void {
    this.send({ do: "clock", asked: performance.now() });
  }

  private send(what: Record<string, unknown>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(what));
  }

  private takeText(data: string): void {
    const said = JSON.parse(data) as Said & { id?: number; ok?: boolean; value?: unknown; code?: string; text?: string };
    if (said.say === "clock") {
      this.takeClock(said as unknown as ClockTold);
    } else if ((said.say === "answer" || said.say === "past") && said.id !== undefined) {
      const waiting = this.waiting.get(said.id);
      this.waiting.delete(said.id);
      if (said.ok) waiting?.resolve(said.value);
      else waiting?.reject(new Refused(said.code ?? "error", said.text ?? "refused"));
    } else {
      this.onSaid(said);
    }
  }

  private takeFrame(data: ArrayBuffer): void {
    this.received++;
    this.framesReceived++;
    this.bytesReceived += data.byteLength;
    if (performance.now() - this.ackedMs > ACK_MS) this.ack();
    const frame = decodeFrame(data);
    const asked = frame.past === undefined ? undefined : this.waiting.get(frame.past);
    if (asked?.onFrame) {
      asked.onFrame(frame);
      return;
    }
    for (const id of this.byStream.get(streamKey(frame.bench, frame.device, frame.level, frame.stream)) ?? []) {
      this.watched.get(id)?.onFrame(frame);
    }
  }

  private takeClock({ asked, host_ms, skipped }: ClockTold): void {
    this.skipped = skipped;
    const now = performance.now();
    const uncertainty = (now - asked) / 2;
    // The best reading counts; it ages, because two clocks drift apart.
    this.clockUncertaintyMs *= 1.1;
    if (uncertainty <= this.clockUncertaintyMs) {
      this.clockUncertaintyMs = uncertainty;
      this.clockOffsetMs = host_ms - (asked + uncertainty);
    }
  }
}

function streamKey(bench: string, device: string, level: number, stream = "samples"): string {
  return `${bench}/${device}/${stream}/${level}`;
}

/** Where the websocket of the page at hand is; a tag keeps this tab's leases over a reload. */
export function socketUrl(name: string): string {
  const page = sessionStorage.getItem("spikedaq.page") ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
  sessionStorage.setItem("spikedaq.page", page);
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ page, name }).toString();
  return url.href;
}
