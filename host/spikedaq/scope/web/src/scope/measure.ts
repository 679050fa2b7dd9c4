/** What the traces say in numbers: extremes of what is shown, values at an instant. */
import type { Stretch } from "../trace/columns";
import type { ChannelInfo, Follower } from "../trace/follower";
import type { Range } from "./settings";

/** From raw values to the channel's unit. */
export function scaling(channel: ChannelInfo): { scale: number; offset: number } {
  const unit = 10 ** channel.scale_exponent;
  return { scale: channel.scale_mantissa * unit, offset: channel.offset_mantissa * unit };
}

/** Smallest and largest value of a channel of one device in these stretches, in its unit; null where no sample is. */
export function extentOf(follower: Follower, channel: string, stretches: readonly Stretch[]): Range | null {
  const at = follower.channels().findIndex((c) => c.name === channel);
  if (at < 0) return null;
  const { drawn } = follower;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { firstBin, stopBin } of stretches) {
    for (let bin = firstBin; bin < stopBin; bin++) {
      const small = drawn.lowAt(at, bin);
      const large = drawn.highAt(at, bin);
      if (small > large) continue;
      if (small < low) low = small;
      if (large > high) high = large;
    }
  }
  if (low > high) return null;
  const { scale, offset } = scaling(follower.channels()[at]!);
  return [low * scale + offset, high * scale + offset];
}

/** Smallest and largest value of a channel in the bin of a step; null where no sample is. */
export function valueAtStep(follower: Follower, channel: string, step: number): Range | null {
  const bin = Math.floor(step / follower.drawn.binSteps);
  return extentOf(follower, channel, [{ firstBin: bin, stopBin: bin + 1, u: 0, uPerBin: 1 }]);
}
