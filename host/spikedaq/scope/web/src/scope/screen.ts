/** The oscilloscope's engine: follows the devices, decides what is shown, and draws it at the screen's rate. */
import { signal } from "@preact/signals";
import { benchNowMs, connection, type DeviceKey } from "../state";
import type { Stretch } from "../trace/columns";
import { type ChannelInfo, Follower } from "../trace/follower";
import { extentOf, valueAtStep } from "./measure";
import { Meter } from "./meter";
import { Painter } from "./painter";
import type { PanePlot } from "./pane";
import { type Readout, readOut } from "./readout";
import { type Range, scaleOf, setScale, timeKind, trigger, windowMs } from "./settings";
import { SweepFeed } from "./sweep_feed";
import { TimeAxis } from "./time_axis";
import { HeldView, type Shown } from "./view";

const FIRST_LEVEL = 6;
const MAX_LEVEL = 13;
const REFILL_MS = 100;
const READOUT_MS = 200;
/** A rolling trace goes on so long without samples; then it stands still, and that nothing comes is said. */
const COAST_MS = 1000;

export class Screen {
  readonly readout = signal<Readout | null>(null);
  readonly paused = signal(false);
  /** What the time axis says at both ends, milliseconds. */
  readonly range = signal<Range>([-1, 0]);
  /** Channels of the device in its present mode. */
  readonly channels = signal<readonly ChannelInfo[]>([]);
  readonly mode = signal<"current" | "voltage">("current");
  /** Why the device's channels are not known; empty where they are, or are awaited. */
  readonly channelsProblem = signal("");
  /** Signs of the channels that are beyond their scale. */
  readonly beyond = signal<Readonly<Record<string, string>>>({});
  readonly panes = new Map<string, PanePlot>();
  /** Changes what is on every canvas: theme, settings. */
  isDirty = true;

  readonly followers: Follower[];
  private readonly held = new HeldView();
  private readonly sweeps = new SweepFeed();
  private readonly meter = new Meter();
  private readonly painter = new Painter();
  private readonly stretches: Stretch[][] = [];
  private axis: TimeAxis;
  private shown: Shown = { left: -1, right: 0, zero: 0 };
  private drawnKey = "";
  private drawnVersion = -1;
  private request = 0;
  private refillMs = 0;
  private readoutMs = 0;
  private readonly hidden = () => this.meter.rest();

  constructor(reference: DeviceKey) {
    this.followers = [new Follower(reference, connection, FIRST_LEVEL)];
    this.axis = new TimeAxis(timeKind.peek(), this.reference.drawn);
  }

  get reference(): Follower {
    return this.followers[0]!;
  }

  start(): void {
    const draw = () => {
      this.request = requestAnimationFrame(draw);
      this.frame(performance.now());
    };
    this.request = requestAnimationFrame(draw);
    document.addEventListener("visibilitychange", this.hidden);
  }

  close(): void {
    cancelAnimationFrame(this.request);
    document.removeEventListener("visibilitychange", this.hidden);
    for (const follower of this.followers) follower.close();
  }

  /** Show further devices in the same panes. */
  compare(keys: readonly DeviceKey[]): void {
    for (let k = this.followers.length - 1; k >= 1; k--) {
      const { key } = this.followers[k]!;
      if (keys.some((other) => other.bench === key.bench && other.device === key.device)) continue;
      this.followers.splice(k, 1)[0]!.close();
    }
    for (const key of keys) {
      const isThere = this.followers.some((f) => f.key.bench === key.bench && f.key.device === key.device);
      if (!isThere) this.followers.push(new Follower(key, connection, FIRST_LEVEL));
    }
    this.isDirty = true;
  }

  pause(): void {
    if (this.held.isHeld) return;
    this.held.hold(this.shown);
    for (const { store } of this.followers) store.frozen = true;
    this.paused.value = true;
  }

  resume(): void {
    this.held.release();
    for (const { store } of this.followers) store.frozen = false;
    this.paused.value = false;
    this.isDirty = true;
  }

  /** Go back (negative) or on, in milliseconds of the axis; what is live is held first. */
  scroll(byMs: number): void {
    this.pause();
    this.held.scroll(byMs, windowMs.peek(), this.bounds());
  }

  toOldest(): void {
    this.pause();
    this.held.toOldest(windowMs.peek(), this.bounds());
  }

  setWindow(ms: number, at = 0.5): void {
    this.held.zoom(windowMs.peek(), ms, at);
    windowMs.value = ms;
  }

  /** Wait for a trigger anew. */
  arm(): void {
    if (this.held.isHeld) this.resume();
    const { store } = this.reference;
    this.sweeps.sweeper.arm(store.end * store.binSteps);
  }

  /** Set a channel's scale so that all of it that is shown is within. */
  fit(channel: string): void {
    const extent = this.extent(channel);
    if (extent === null) return;
    const [low, high] = extent;
    const [before, after] = scaleOf(channel);
    const margin = high > low ? 0.08 * (high - low) : 0.05 * (after - before);
    setScale(channel, [low - margin, high + margin]);
  }

  /** Smallest and largest value of a channel of the first device at x of the axis; null where no sample is. */
  valueAt(channel: string, xMs: number): Range | null {
    return valueAtStep(this.reference, channel, this.axis.stepAtU(this.reference.drawn, this.shown.zero + xMs));
  }

  /** Smallest and largest value that is shown of a channel, of any device; null where no sample is. */
  private extent(channel: string): Range | null {
    const those = this.followers.flatMap((follower, k) => extentOf(follower, channel, this.stretches[k] ?? []) ?? []);
    return those.length === 0 ? null : [Math.min(...those), Math.max(...those)];
  }

  private bounds(): { oldest: number; newest: number } {
    const store = this.reference.drawn;
    const newest = this.axis.uOfStep(store, store.end * store.binSteps);
    return { oldest: this.axis.uOfStep(store, store.keptFrom), newest };
  }

  private frame(nowMs: number): void {
    this.meter.frame(nowMs);
    const [reference] = this.followers as [Follower];
    for (const follower of this.followers) follower.describe(nowMs);
    this.channelsProblem.value = reference.aboutProblem;
    this.channels.value = reference.channels();
    this.mode.value = reference.store.mode;
    const pane = this.panes.values().next().value as PanePlot | undefined;
    // A pane that is not laid out yet would have its one pixel stand for all: another zoom, without any bins.
    if (pane === undefined || pane.width === 0 || reference.store.run === -1) return;
    this.setAxis();
    for (const follower of this.followers) {
      const stepsPerPixel = windowMs.peek() / this.axis.msPerStep(follower.store) / pane.width;
      const level = Math.floor(Math.log2(stepsPerPixel));
      follower.setLevel(Math.min(MAX_LEVEL, Math.max(0, level)));
    }
    this.sweeps.update(reference, this.axis.msPerStep(reference.store));
    this.shown = this.whatToShow(reference);
    this.draw(pane);
    if (nowMs - this.refillMs >= REFILL_MS) this.refill(nowMs);
    if (nowMs - this.readoutMs >= READOUT_MS) {
      this.readoutMs = nowMs;
      this.readout.value = readOut(this.followers, this.axis, this.shown, this.meter, this.sweeps.sweeper);
      this.lookBeyond();
    }
  }

  private setAxis(): void {
    const kind = timeKind.peek();
    const next = new TimeAxis(kind, this.reference.drawn);
    if (kind !== this.axis.kind) {
      const { drawn } = this.reference;
      this.held.convert((u) => next.uOfStep(drawn, this.axis.stepAtU(drawn, u)));
    }
    this.axis = next;
  }

  private whatToShow(reference: Follower): Shown {
    const width = windowMs.peek();
    if (this.held.isHeld) return this.held.shown(width);
    const store = reference.drawn;
    const newest = this.axis.uOfStep(store, store.end * store.binSteps);
    if (this.sweeps.isSweep) {
      const { shown } = this.sweeps.sweeper;
      if (shown === null) return { left: newest - width, right: newest, zero: newest };
      const zero = this.axis.uOfStep(store, shown);
      const left = zero - trigger.peek().pre * width;
      return { left, right: left + width, zero };
    }
    const right = width < 1000 ? newest : this.smoothEdge(newest);
    return { left: right - width, right, zero: right };
  }

  /** Let the trace roll evenly between the frames that come, as the clock goes. */
  private smoothEdge(newest: number): number {
    const store = this.reference.drawn;
    const nowMs = benchNowMs(this.reference.key.bench);
    const ageMs = Math.max(0, nowMs - store.timeOfStep(store.end * store.binSteps));
    const uPerMs = this.axis.kind === "wall" ? 1 : this.axis.msPerStep(store) / (store.stepUs / 1000);
    return newest + Math.min(ageMs, COAST_MS) * uPerMs;
  }

  private draw(pane: PanePlot): void {
    const { left, right, zero } = this.shown;
    const uPerColumn = windowMs.peek() / pane.width;
    const origin = Math.floor(left / uPerColumn);
    const versions = this.followers.map((f) => `${f.drawn.id}/${f.drawn.version}/${f.events.version}`).join(" ");
    const scales = [...this.panes.values()].map((p) => `${p.channel}${p.version}${scaleOf(p.channel).join()}`).join();
    const key = `${origin} ${uPerColumn} ${zero - left} ${versions} ${scales}`;
    if (key === this.drawnKey && !this.isDirty) return;
    this.drawnKey = key;
    if (this.isDirty) this.painter.forget();
    this.isDirty = false;
    const x: Range = [left - zero, right - zero];
    if (Math.abs(x[0] - this.range.peek()[0]) > 1e-6 || Math.abs(x[1] - this.range.peek()[1]) > 1e-6) this.range.value = x;
    this.followers.forEach((follower, k) => {
      this.stretches[k] = this.axis.stretches(follower.drawn, left, right, this.stretches[k] ?? []);
    });
    this.painter.paint([...this.panes.values()], {
      followers: this.followers,
      stretches: this.stretches,
      axis: this.axis,
      shown: this.shown,
      origin,
      uPerColumn,
      isSweep: this.sweeps.isSweep,
    });
    const { store } = this.reference;
    if (!this.held.isHeld && store.version !== this.drawnVersion && !store.isTimeGuessed) {
      // What is drawn now is on the screen a frame later.
      this.meter.age(this.meter.frameMs + benchNowMs(this.reference.key.bench) - store.timeOfStep(store.end * store.binSteps));
    }
    this.drawnVersion = store.version;
  }

  /** Whether something is drawn at the edge because it is beyond the scale. */
  private lookBeyond(): void {
    const now: Record<string, string> = {};
    for (const { channel, height } of this.panes.values()) {
      const [low, high] = scaleOf(channel);
      const half = (high - low) / height / 2;
      const extent = this.extent(channel);
      if (extent === null) continue;
      now[channel] = `${extent[1] > high + half ? "▲" : ""}${extent[0] < low - half ? "▼" : ""}`;
    }
    if (JSON.stringify(now) !== JSON.stringify(this.beyond.peek())) this.beyond.value = now;
  }

  private refill(nowMs: number): void {
    this.refillMs = nowMs;
    const { left, right } = this.shown;
    for (const follower of this.followers) {
      const { store } = follower;
      const first = Math.floor(this.axis.stepAtU(store, left) / store.binSteps);
      const stop = Math.ceil(this.axis.stepAtU(store, right) / store.binSteps) + 1;
      if (stop > first) follower.refill(first, stop, nowMs);
    }
  }
}
