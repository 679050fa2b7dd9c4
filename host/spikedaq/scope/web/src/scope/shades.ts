/** Where samples are missing, and why. */
import type { Picture } from "./painter";

/** Stretches that are on their way, each shaded. */
const MAX_UNKNOWN = 50;
const CAUSES: Record<string, string> = {
  lost: "lost on the wire",
  overrun: "discarded by the device",
  dropped: "dropped by the computer",
  stopped: "device was stopped",
  missed: "not received by the page's server; recordings have them",
};

/** Why samples are missing, in words. */
export function causeText(cause: string): string {
  return CAUSES[cause] ?? cause;
}

/** From one column to another, of all that there are on the time axis; either may be outside of what is shown. */
export interface Shade {
  from: number;
  to: number;
  text: string;
  isBad: boolean;
}

/** Find them where they are within what is shown, from left to right. */
export function findShades({ followers, axis, shown, uPerColumn, stretches, origin }: Picture, width: number): Shade[] {
  const shades: Shade[] = [];
  followers.forEach((follower, k) => {
    const store = follower.drawn;
    const whose = k === 0 ? "" : `${follower.key.device}: `;
    const [first, stop] = [axis.stepAtU(store, shown.left), axis.stepAtU(store, shown.right)];
    const add = (fromStep: number, toStep: number, text: string, isBad: boolean) => {
      const from = Math.round(axis.uOfStep(store, fromStep) / uPerColumn);
      const to = Math.max(from + 2, Math.round(axis.uOfStep(store, toStep) / uPerColumn));
      if (from < origin + width && to > origin) shades.push({ from, to, text: whose + text, isBad });
    };
    if (follower.events.boot === store.boot) {
      for (const gap of follower.events.gapsBetween(first, stop)) {
        const n = gap.count === 1 ? "1 sample" : `${gap.count} samples`;
        add(gap.step, gap.step + gap.count, `${n} ${causeText(gap.cause)}`, gap.cause !== "stopped");
      }
    }
    for (const other of store.foreign) add(other.first, other.stop, `${other.mode} clamp: other channels`, false);
    // Before a boot's first step there never was anything, nor where nothing was deleted.
    if (store.wasDeleted && store.keptFrom > first) add(0, store.keptFrom, "no longer kept", false);
    const [stretch, last] = [stretches[k]?.[0], stretches[k]?.at(-1)];
    if (stretch === undefined || last === undefined) return;
    const end = Math.min(last.stopBin, store.end - 1);
    let lacking = store.unknown(stretch.firstBin, end);
    for (let n = 0; lacking !== null && n < MAX_UNKNOWN; n++) {
      const from = Math.max(lacking[0] * store.binSteps, store.keptFrom);
      const to = lacking[1] * store.binSteps;
      if (to > from) add(from, to, follower.problem || "loading ...", false);
      lacking = store.unknown(lacking[1], end);
    }
  });
  return shades.sort((a, b) => a.from - b.from);
}
