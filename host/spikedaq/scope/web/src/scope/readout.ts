/** What is said beside the traces, five times a second. */
import { benchNowMs } from "../state";
import { rateHz } from "../trace/event_log";
import type { Follower } from "../trace/follower";
import type { Meter } from "./meter";
import type { Sweeper } from "./sweep";
import { MODEL_STEP_MS, type TimeAxis } from "./time_axis";
import type { Shown } from "./view";

const RATE_S = 5;

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
}

/** Take it of what is shown; the first device counts, of holes all. */
export function readOut(
  followers: readonly Follower[],
  axis: TimeAxis,
  { left, right }: Shown,
  meter: Meter,
  { count, isFree, isDone }: Sweeper,
): Readout {
  const { drawn: store, events, problem, isLoading, key } = followers[0]!;
  const newestStep = store.end * store.binSteps;
  const newestMs = store.timeOfStep(newestStep);
  const steps = Math.min((RATE_S * 1e6) / store.stepUs, newestStep - store.begin * store.binSteps);
  const leftStep = axis.stepAtU(store, left);
  const gaps = events.gapsBetween(leftStep, axis.stepAtU(store, right));
  const causes = [...new Set(gaps.map((gap) => gap.cause))];
  const stepMs = store.stepUs / 1000;
  const rate = rateHz(events.spikes, newestStep, Math.max(steps, 0), stepMs);
  return {
    rateHz: rate,
    modelRateHz: (rate * stepMs) / MODEL_STEP_MS,
    ageMs: meter.percentile(0.5),
    ageP95Ms: meter.percentile(0.95),
    framesPerS: meter.framesPerS,
    holes: followers.reduce((sum, follower) => sum + follower.store.holes, 0),
    stillForS: Math.max(0, (benchNowMs(key.bench) - newestMs) / 1000),
    isTimeGuessed: store.isTimeGuessed,
    agoMs: newestMs - axis.timeAtU(right),
    tMs: axis.timeAtU(right),
    isLoading: isLoading && store.unknown(Math.floor(leftStep / store.binSteps), store.end - 1) !== null,
    atOldest: leftStep <= store.keptFrom,
    problem,
    gaps: causes.map((cause) => {
      const those = gaps.filter((gap) => gap.cause === cause);
      return { cause, n: those.length, count: those.reduce((sum, gap) => sum + gap.count, 0) };
    }),
    sweeps: count,
    isFree,
    isDone,
  };
}
