/** The time axis: wall time (the daemon's clock) or model time (0.1 ms a step), in milliseconds, called u. */
import type { Stretch } from "../trace/columns";
import type { TraceStore } from "../trace/store";

/** The model advances so far at each step, however long it takes on the wall. */
export const MODEL_STEP_MS = 0.1;

export type TimeKind = "wall" | "model";

/** How steps of a device stand on the axis; those of others are put on it by the clock. */
export class TimeAxis {
  constructor(
    readonly kind: TimeKind,
    private readonly reference: TraceStore,
  ) {}

  /** Milliseconds of u per step of a device, while it runs. */
  msPerStep(store: TraceStore): number {
    if (this.kind === "wall") return store.stepUs / 1000;
    return (MODEL_STEP_MS * store.stepUs) / this.reference.stepUs;
  }

  uOfStep(store: TraceStore, step: number): number {
    if (this.kind === "wall") return store.timeOfStep(step);
    if (store.boot === this.reference.boot) return step * MODEL_STEP_MS;
    return this.reference.stepAtTime(store.timeOfStep(step)) * MODEL_STEP_MS;
  }

  stepAtU(store: TraceStore, u: number): number {
    if (this.kind === "wall") return store.stepAtTime(u);
    if (store.boot === this.reference.boot) return u / MODEL_STEP_MS;
    return store.stepAtTime(this.reference.timeOfStep(u / MODEL_STEP_MS));
  }

  /** Time on the daemon's clock at u. */
  timeAtU(u: number): number {
    return this.kind === "wall" ? u : this.reference.timeOfStep(u / MODEL_STEP_MS);
  }

  /** The bins between two instants, stretch by stretch; `into` is used again. */
  stretches(store: TraceStore, left: number, right: number, into: Stretch[]): Stretch[] {
    into.length = 0;
    const { binSteps } = store;
    const firstBin = Math.max(0, Math.floor(this.stepAtU(store, left) / binSteps));
    const stopBin = Math.min(store.end, Math.ceil(this.stepAtU(store, right) / binSteps) + 1);
    if (!(stopBin > firstBin)) return into;
    const uPerBin = this.msPerStep(store) * binSteps;
    if (this.kind === "model" && store.boot === this.reference.boot) {
      into.push({ firstBin, stopBin, u: firstBin * uPerBin, uPerBin });
      return into;
    }
    store.stretches(firstBin * binSteps, stopBin * binSteps, (first, stop) => {
      const [from, to] = [Math.ceil(first / binSteps), Math.ceil(stop / binSteps)];
      if (to > from) into.push({ firstBin: from, stopBin: to, u: this.uOfStep(store, from * binSteps), uPerBin });
    });
    return into;
  }
}
