/** Hands on to the sweeps what can begin one: crossings of a level, spikes, beginnings of a stimulus loop. */
import type { Follower } from "../trace/follower";
import { scaling } from "./measure";
import { display, trigger, windowMs } from "./settings";
import { LevelDetector, Sweeper } from "./sweep";

/** Shorter sweeps are shown whole; longer ones while they come. */
const WHOLE_SWEEP_MS = 200;

export class SweepFeed {
  readonly sweeper = new Sweeper();
  private detector: LevelDetector | null = null;
  /** Behind the newest event that was handed on; 0 before the first. */
  private offered = { triggers: 0, spikes: 0 };
  private restarts = 0;

  /** What is shown is a sweep, not a rolling trace. */
  get isSweep(): boolean {
    return display.peek() === "sweep" && !this.sweeper.isFree;
  }

  /** Look for what begins a sweep in what came. */
  update(follower: Follower, msPerStep: number): void {
    const { store } = follower;
    if (store.restarts !== this.restarts) {
      this.restarts = store.restarts;
      this.sweeper.reset();
      this.offered = { triggers: 0, spikes: 0 };
    }
    if (display.peek() !== "sweep") {
      this.detector = null;
      return;
    }
    const { source, pre, run, holdOffMs } = trigger.peek();
    const newest = store.end * store.binSteps;
    if (source === "level") this.offerCrossings(follower);
    else this.offerEvents(follower, source === "spike" ? "spikes" : "triggers", newest);
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

  private offerCrossings(follower: Follower): void {
    const { channel, level, hysteresis, edge } = trigger.peek();
    const at = follower.channels().findIndex((c) => c.name === channel);
    if (at < 0) return;
    const { scale, offset } = scaling(follower.channels()[at]!);
    const [raw, back] = [(level - offset) / scale, Math.abs(hysteresis / scale)];
    const { detector } = this;
    const isSame = detector?.channel === at && detector.level === raw && detector.hysteresis === back;
    if (!isSame || detector?.edge !== edge) this.detector = new LevelDetector(at, raw, back, edge);
    this.detector!.scan(follower.store, (step) => this.sweeper.offer(step));
  }

  private offerEvents({ events }: Follower, name: "spikes" | "triggers", newest: number): void {
    const steps = events[name];
    if (this.offered[name] === 0) this.offered[name] = newest;
    for (let k = steps.indexOf(this.offered[name]); k < steps.length; k++) {
      this.sweeper.offer(steps.at(k));
      this.offered[name] = steps.at(k) + 1;
    }
  }
}
