/** The oscilloscope's engine: follows the devices, decides what is shown, and draws it at the screen's rate. */
import { signal } from "@preact/signals";
import { benchNowMs, connected, connection, type DeviceKey } from "../state";
import { rateHz } from "../trace/event_log";
import { type ChannelInfo, Follower } from "../trace/follower";
import type { Stretch } from "../trace/columns";
import { Meter } from "./meter";
import { Painter } from "./painter";
import type { PanePlot } from "./pane";
import { display, type Range, scaleOf, setScale, timeKind, trigger, windowMs } from "./settings";
import { LevelDetector, Sweeper } from "./sweep";
import { TimeAxis } from "./time_axis";
import { HeldView, type Shown } from "./view";

const MAX_LEVEL = 13;
const REFILL_MS = 100;
const READOUT_MS = 200;
const RATE_S = 5;
/** A rolling trace goes on so long without samples; then it stands still, and that nothing comes is said. */
const COAST_MS = 1000;
/** Shorter sweeps are shown whole; longer ones while they come. */
const WHOLE_SWEEP_MS = 200;

/** What is said beside the traces, five times a second. */
export interface Readout {
  rateHz: number;
  modelRateHz: number;
  /** Age of the newest sample when it was drawn: of half of them at most, and of 95 %. */
  ageMs: number;
  ageP95Ms: number;
  framesPerS: number;
  holes: number;
  stillForS: number;
  isTimeGuessed: boolean;
  agoMs: number;
  tMs: number;
  isLoading: boolean;
  atOldest: boolean;
  problem: string;
  gaps: { cause: string; count: number; n: number }[];
  sweeps: number;
  isFree: boolean;
  isDone: boolean;
  mode: "current" | "voltage";
}

export class Screen {
  readonly readout = signal<Readout | null>(null);
  readonly paused = signal(false);
  /** What the time axis says at both ends, milliseconds. */
  readonly range = signal<Range>([-1, 0]);
  /** Channels of the device in its present mode. */
  readonly channels = signal<readonly ChannelInfo[]>([]);
  readonly panes = new Map<string, PanePlot>();
  /** Changes what is on every canvas: theme, settings. */
  isDirty = true;

  readonly followers: Follower[];
  private readonly held = new HeldView();
  private readonly sweeper = new Sweeper();
  private readonly meter = new Meter();
  private readonly painter = new Painter();
  private readonly stretches: Stretch[][] = [];
  private detector: LevelDetector | null = null;
  private offered = { triggers: 0, spikes: 0 };
  private axis: TimeAxis;
  private shown: Shown = { left: -1, right: 0, zero: 0 };
  private drawnKey = "";
  private drawnVersion = -1;
  private request = 0;
  private refillMs = 0;
  private readoutMs = 0;
  private restarts = 0;
  private wasConnected = true;

  constructor(reference: DeviceKey) {
    this.followers = [new Follower(reference, connection, 6)];
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
  }

  close(): void {
    cancelAnimationFrame(this.request);
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
      if (!isThere) this.followers.push(new Follower(key, connection, 6));
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
    this.sweeper.arm(store.end * store.binSteps);
  }

  /** Set a channel's scale so that all of it that is shown is within. */
  fit(channel: string): void {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const [k, follower] of this.followers.entries()) {
      const at = follower.channels().findIndex((c) => c.name === channel);
      if (at < 0) continue;
      const { scale, offset } = scaling(follower.channels()[at]!);
      for (const { firstBin, stopBin } of this.stretches[k] ?? []) {
        for (let bin = firstBin; bin < stopBin; bin++) {
          const small = follower.drawn.lowAt(at, bin);
          const large = follower.drawn.highAt(at, bin);
          if (small > large) continue;
          low = Math.min(low, small * scale + offset);
          high = Math.max(high, large * scale + offset);
        }
      }
    }
    if (low > high) return;
    const [before, after] = scaleOf(channel);
    const margin = high > low ? 0.08 * (high - low) : 0.05 * (after - before);
    setScale(channel, [low - margin, high + margin]);
  }

  /** Smallest and largest value of a channel of the first device at x of the axis; null where no sample is. */
  valueAt(channel: string, xMs: number): Range | null {
    const follower = this.reference;
    const at = follower.channels().findIndex((c) => c.name === channel);
    const { drawn } = follower;
    const bin = Math.floor(this.axis.stepAtU(drawn, this.shown.zero + xMs) / drawn.binSteps);
    const [low, high] = [drawn.lowAt(at, bin), drawn.highAt(at, bin)];
    if (at < 0 || low > high) return null;
    const { scale, offset } = scaling(follower.channels()[at]!);
    return [low * scale + offset, high * scale + offset];
  }

  get meters(): { framesPerS: number; p95Ms: number } {
    return { framesPerS: this.meter.framesPerS, p95Ms: this.meter.percentile(0.95) };
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
    if (connected.peek() !== this.wasConnected) {
      this.wasConnected = connected.peek();
      if (!this.wasConnected) for (const follower of this.followers) follower.interrupt();
    }
    if (reference.channels() !== this.channels.peek()) this.channels.value = reference.channels();
    const pane = this.panes.values().next().value as PanePlot | undefined;
    if (pane === undefined || reference.store.run === -1) return;
    this.setAxis();
    for (const follower of this.followers) {
      const msPerBin = this.axis.msPerStep(follower.store);
      const level = Math.floor(Math.log2(windowMs.peek() / msPerBin / pane.width));
      follower.setLevel(Math.min(MAX_LEVEL, Math.max(0, level)));
    }
    this.trigger();
    this.shown = this.whatToShow(reference);
    this.draw(pane);
    if (nowMs - this.refillMs >= REFILL_MS) this.refill(nowMs);
    if (nowMs - this.readoutMs >= READOUT_MS) {
      this.readoutMs = nowMs;
      this.readout.value = this.read();
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

  /** Look for what begins a sweep in what came. */
  private trigger(): void {
    const { store, events } = this.reference;
    if (store.restarts !== this.restarts) {
      this.restarts = store.restarts;
      this.sweeper.reset();
      this.offered = { triggers: 0, spikes: 0 };
    }
    if (display.peek() !== "sweep") {
      this.detector = null;
      return;
    }
    const { source, channel, level, hysteresis, edge, pre, run, holdOffMs } = trigger.peek();
    const newest = store.end * store.binSteps;
    const msPerStep = this.axis.msPerStep(store);
    if (source === "level") {
      const at = this.reference.channels().findIndex((c) => c.name === channel);
      if (at >= 0) {
        const { scale, offset } = scaling(this.reference.channels()[at]!);
        const [raw, back] = [(level - offset) / scale, Math.abs(hysteresis / scale)];
        const { detector } = this;
        const isSame = detector?.channel === at && detector.level === raw && detector.hysteresis === back;
        if (!isSame || detector?.edge !== edge) this.detector = new LevelDetector(at, raw, back, edge);
        this.detector!.scan(store, (step) => this.sweeper.offer(step));
      }
    } else {
      const steps = source === "spike" ? events.spikes : events.triggers;
      const name = source === "spike" ? "spikes" : "triggers";
      if (this.offered[name] === 0) this.offered[name] = newest;
      for (let k = steps.indexOf(this.offered[name]); k < steps.length; k++) {
        this.sweeper.offer(steps.at(k));
        this.offered[name] = steps.at(k) + 1;
      }
    }
    const width = windowMs.peek() / msPerStep;
    this.sweeper.update(newest, {
      run,
      pre: pre * width,
      post: (1 - pre) * width,
      holdOff: holdOffMs / msPerStep,
      whole: windowMs.peek() < WHOLE_SWEEP_MS,
      patience: WHOLE_SWEEP_MS / msPerStep,
    });
  }

  private whatToShow(reference: Follower): Shown {
    const width = windowMs.peek();
    if (this.held.isHeld) return this.held.shown(width);
    const store = reference.drawn;
    const newest = this.axis.uOfStep(store, store.end * store.binSteps);
    const { shown, isFree } = this.sweeper;
    if (display.peek() === "sweep" && !isFree) {
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
    const uPerColumn = (right - left) / pane.width;
    const origin = Math.floor(left / uPerColumn);
    const versions = this.followers.map((f) => `${f.drawn.version}/${f.events.version}/${f.drawn.level}`).join(" ");
    const scales = [...this.panes.values()].map((p) => `${p.channel}${p.version}${scaleOf(p.channel).join()}`).join();
    const key = `${origin} ${uPerColumn} ${zero} ${versions} ${scales} ${display.peek()} ${JSON.stringify(trigger.peek())}`;
    if (key === this.drawnKey && !this.isDirty) return;
    this.drawnKey = key;
    if (this.isDirty) this.painter.forget();
    this.isDirty = false;
    const x: Range = [left - zero, right - zero];
    if (Math.abs(x[0] - this.range.peek()[0]) > 1e-9 || Math.abs(x[1] - this.range.peek()[1]) > 1e-9) this.range.value = x;
    this.followers.forEach((follower, k) => {
      this.stretches[k] = this.axis.stretches(follower.drawn, left, right, this.stretches[k] ?? []);
    });
    this.painter.paint(this.panes.values(), {
      followers: this.followers,
      stretches: this.stretches,
      axis: this.axis,
      shown: this.shown,
      origin,
      uPerColumn,
      isSweep: display.peek() === "sweep" && !this.sweeper.isFree,
    });
    const { store } = this.reference;
    if (!this.held.isHeld && store.version !== this.drawnVersion && !store.isTimeGuessed) {
      // What is drawn now is on the screen a frame later.
      this.meter.age(this.meter.frameMs + benchNowMs(this.reference.key.bench) - store.timeOfStep(store.end * store.binSteps));
    }
    this.drawnVersion = store.version;
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

  private read(): Readout {
    const { drawn: store, events, problem, isLoading } = this.reference;
    const newestStep = store.end * store.binSteps;
    const newestMs = store.timeOfStep(newestStep);
    const steps = Math.min((RATE_S * 1e6) / store.stepUs, newestStep - store.begin * store.binSteps);
    const { left, right } = this.shown;
    const gaps = events.gapsBetween(this.axis.stepAtU(store, left), this.axis.stepAtU(store, right));
    const causes = [...new Set(gaps.map((gap) => gap.cause))];
    const stepMs = store.stepUs / 1000;
    const rate = rateHz(events.spikes, newestStep, Math.max(steps, 0), stepMs);
    return {
      rateHz: rate,
      modelRateHz: (rate * stepMs) / 0.1,
      ageMs: this.meter.percentile(0.5),
      ageP95Ms: this.meter.percentile(0.95),
      framesPerS: this.meter.framesPerS,
      holes: this.followers.reduce((sum, follower) => sum + follower.store.holes, 0),
      stillForS: Math.max(0, (benchNowMs(this.reference.key.bench) - newestMs) / 1000),
      isTimeGuessed: store.isTimeGuessed,
      agoMs: newestMs - this.axis.timeAtU(right),
      tMs: this.axis.timeAtU(right),
      isLoading: isLoading && store.unknown(Math.floor(this.axis.stepAtU(store, left) / store.binSteps), store.end - 1) !== null,
      atOldest: this.axis.stepAtU(store, left) <= store.keptFrom,
      problem,
      gaps: causes.map((cause) => {
        const those = gaps.filter((gap) => gap.cause === cause);
        return { cause, n: those.length, count: those.reduce((sum, gap) => sum + gap.count, 0) };
      }),
      sweeps: this.sweeper.count,
      isFree: this.sweeper.isFree,
      isDone: this.sweeper.isDone,
      mode: store.mode,
    };
  }
}

/** From raw values to the channel's unit. */
export function scaling(channel: ChannelInfo): { scale: number; offset: number } {
  const unit = 10 ** channel.scale_exponent;
  return { scale: channel.scale_mantissa * unit, offset: channel.offset_mantissa * unit };
}
