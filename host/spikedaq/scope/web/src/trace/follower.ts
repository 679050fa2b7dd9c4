/** One device as the oscilloscope follows it: its bins at the zoom that is shown, its events, and what it lacks of both. */
import type { Connection } from "../net/connection";
import type { Frame } from "../net/frame";
import { type DeviceEvent, type DeviceKey, onEvent } from "../state";
import { EventLog } from "./event_log";
import { TraceStore } from "./store";

const MAX_BINS = 8192;
const MAX_SAMPLES = 4_000_000;
const RETRY_MS = 2000;
/** Events come so long after their samples, at most. */
const LATE_MS = 100;
/** Parts of the past on their way at once: of this zoom, and of zooms before it, which nobody waits for any more. */
const MAX_LOADING = 3;

export interface ChannelInfo {
  name: string;
  unit: string;
  scale_mantissa: number;
  scale_exponent: number;
  offset_mantissa: number;
}

export interface Description {
  step_us: number;
  channels: ChannelInfo[];
  clamp_channels: ChannelInfo[];
}

/** Whose connection it uses: `connection`, or a stand-in. */
type Line = Pick<Connection, "watch" | "past" | "happened" | "ask" | "nowMs" | "whenLost">;

export class Follower {
  store: TraceStore;
  readonly events = new EventLog();
  about: Description | null = null;
  /** How often it was told. */
  nAbout = 0;
  /** Why the device does not say what it measures; empty where it did, or was not asked yet. */
  aboutProblem = "";
  /** What cannot be had, in words; empty where nothing is missing. */
  problem = "";

  /** The store of another zoom, shown until the new one has something. */
  private before: TraceStore | null = null;
  private beforeUntilMs = 0;
  private unwatch: () => void = () => {};
  private readonly endings: (() => void)[];
  private readonly loading = new Set<TraceStore>();
  private isFetchingEvents = false;
  private retryMs = 0;
  /** The device may have begun anew with another firmware: ask again. */
  private isAboutOld = true;
  private askedAboutMs = Number.NEGATIVE_INFINITY;

  constructor(
    readonly key: DeviceKey,
    private readonly line: Line,
    level = 0,
  ) {
    this.store = new TraceStore(level);
    this.watch();
    this.endings = [onEvent((of, event) => this.takeEvent(of, event)), line.whenLost(() => this.interrupt())];
  }

  get isLoading(): boolean {
    return this.loading.has(this.store);
  }

  /** The store to draw from: the one of the zoom before until this zoom's has something. */
  get drawn(): TraceStore {
    if (this.before !== null && (performance.now() > this.beforeUntilMs || this.hasSomething())) this.before = null;
    return this.before ?? this.store;
  }

  setLevel(level: number): void {
    if (level === this.store.level) return;
    this.before = this.drawn;
    this.beforeUntilMs = performance.now() + 700;
    this.store = this.store.atLevel(level);
    this.retryMs = 0;
    this.watch();
  }

  /** Ask what the device's channels mean, at each beginning, and again where there was no answer. */
  describe(nowMs: number): void {
    if (!this.isAboutOld || nowMs - this.askedAboutMs < RETRY_MS) return;
    this.askedAboutMs = nowMs;
    this.isAboutOld = false;
    this.line.ask<Description>(this.key.bench, "describe", { device: this.key.device }).then(
      (about) => {
        this.about = about;
        this.nAbout++;
        this.aboutProblem = "";
      },
      (error: unknown) => {
        this.isAboutOld = true;
        this.aboutProblem = error instanceof Error ? error.message : String(error);
      },
    );
  }

  /** What a channel of the present clamp mode means. */
  channels(): ChannelInfo[] {
    if (this.about === null) return [];
    return this.store.mode === "voltage" && this.about.clamp_channels.length > 0
      ? this.about.clamp_channels
      : this.about.channels;
  }

  /** Fetch what these bins lack. Call often: it asks for one part at a time, and not again at once where it failed. */
  refill(first: number, stop: number, nowMs: number): void {
    const { store } = this;
    if (store.run === -1) return;
    const oldest = Math.max(0, Math.floor(store.keptFrom / store.binSteps));
    const [from, to] = [Math.max(oldest, first), Math.min(stop, Math.max(store.end - 1, 0))];
    store.focus(first, stop);
    if (nowMs < this.retryMs || to <= from) return;
    const isBusy = this.isLoading || this.loading.size >= MAX_LOADING;
    const lacking = isBusy ? null : store.unknown(from, to);
    if (lacking !== null) {
      const most = Math.max(1, Math.min(MAX_BINS, Math.floor(MAX_SAMPLES / store.binSteps)));
      void this.fetch(store, lacking[0], Math.min(lacking[1], lacking[0] + most));
    }
    this.events.focus = ((first + stop) / 2) * store.binSteps;
    const untold = this.isFetchingEvents ? null : this.events.missing(from * store.binSteps, to * store.binSteps);
    if (untold !== null) void this.fetchEvents(store.boot, untold[0], untold[1]);
    if (lacking === null && untold === null && !isBusy && !this.isFetchingEvents) this.problem = "";
  }

  close(): void {
    this.unwatch();
    for (const end of this.endings) end();
  }

  /** The connection was lost: what happens meanwhile is not told, nor what was on its way. */
  private interrupt(): void {
    const { end, binSteps, stepUs } = this.store;
    this.events.interrupt(Math.floor(end * binSteps - (1000 * LATE_MS) / stepUs));
  }

  private hasSomething(): boolean {
    return this.store.end > this.store.begin && !this.isLoading && this.store.nPages > 0;
  }

  private watch(): void {
    this.unwatch();
    const { store } = this;
    const { bench, device } = this.key;
    this.unwatch = this.line.watch(bench, device, store.level, (frame: Frame) => {
      const { restarts } = store;
      store.take(frame, this.line.nowMs());
      if (store.restarts !== restarts && restarts > 0) {
        this.isAboutOld = true;
        this.askedAboutMs = Number.NEGATIVE_INFINITY;
      }
      if (frame.run === store.run) this.events.see(frame.boot, (frame.first + frame.count) * store.binSteps);
    });
  }

  /** Only frames say which boot is the present one: an event can be late, and of the boot before. */
  private takeEvent(of: DeviceKey, event: DeviceEvent): void {
    if (of.bench === this.key.bench && of.device === this.key.device) this.events.take(event);
  }

  private async fetch(store: TraceStore, first: number, stop: number): Promise<void> {
    this.loading.add(store);
    const { bench, device } = this.key;
    const { restarts } = store;
    try {
      const what = { bench, device, boot: store.boot, level: store.level, first, stop };
      const told = await this.line.past(what, (frame) => store.take(frame));
      if (store.restarts !== restarts) return; // what was told is of another boot
      if (told?.kept_from) {
        store.keptFrom = Math.max(store.keptFrom, told.kept_from);
        store.wasDeleted = told.deleted === true;
      }
      store.markKnown(first, stop);
      this.problem = "";
    } catch (error) {
      this.fail(error);
    } finally {
      this.loading.delete(store);
    }
  }

  private async fetchEvents(boot: number, first: number, stop: number): Promise<void> {
    this.isFetchingEvents = true;
    const { bench, device } = this.key;
    const [from, to] = [Math.floor(first), Math.ceil(stop)];
    try {
      const told = await this.line.happened({ bench, device, boot, first: from, stop: to });
      if (this.events.boot !== boot) return;
      for (const event of told.events) this.events.take(event);
      // Where there were too many, these are the newest: the others are asked for next.
      const oldest = Number(told.events[0]?.["step"]);
      this.events.addRange(!told.complete && oldest > first ? oldest : first, stop);
    } catch (error) {
      this.fail(error);
    } finally {
      this.isFetchingEvents = false;
    }
  }

  private fail(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error);
    this.retryMs = performance.now() + RETRY_MS;
  }
}
