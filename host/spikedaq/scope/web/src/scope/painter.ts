/** Paints every pane: gaps, traces of each device, spikes and triggers. */
import { type Stretch, Columns, fillColumns } from "../trace/columns";
import type { ChannelInfo, Follower } from "../trace/follower";
import { drawColumns, drawLine, drawMark, hatch, type Vertical } from "./draw";
import type { PanePlot } from "./pane";
import { type Range, scaleOf, trigger } from "./settings";
import type { TimeAxis } from "./time_axis";
import type { Shown } from "./view";

export interface Picture {
  followers: readonly Follower[];
  /** Of each follower. */
  stretches: readonly Stretch[][];
  axis: TimeAxis;
  shown: Shown;
  origin: number;
  uPerColumn: number;
  isSweep: boolean;
}

/** Stretches that are on their way, each shaded. */
const MAX_UNKNOWN = 50;
/** Of several devices the first lies above the others, and lets them be seen. */
const OVERLAID = 0.75;
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

/** The colour of a channel of the k-th device. */
export function traceColour(channel: number, k: number): string {
  return `--trace-${(channel + 3 * k) % 8}`;
}

/** Colours of the theme; asking the browser for them costs as much as drawing. */
class Palette {
  private readonly known = new Map<string, string>();

  of(name: string): string {
    const known = this.known.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(name);
    this.known.set(name, known);
    return known;
  }
}

interface Shade {
  x: number;
  width: number;
  text: string;
  isBad: boolean;
}

export class Painter {
  private readonly shades: Shade[] = [];
  private style = new Palette();
  private hatches = new Map<string, CanvasPattern | string>();

  /** The theme is another. */
  forget(): void {
    this.style = new Palette();
    this.hatches = new Map();
  }

  paint(panes: Iterable<PanePlot>, picture: Picture): void {
    const { style } = this;
    const ratio = devicePixelRatio;
    let isFirst = true;
    for (const pane of panes) {
      const { context, width, height } = pane;
      if (isFirst) this.findShades(picture, width);
      context.clearRect(0, 0, width, height);
      const y = scaleOf(pane.channel);
      const { left, right, zero } = picture.shown;
      const range: Range = [left - zero, right - zero];
      pane.setScales(range, y);
      this.paintShades(pane, style, ratio, isFirst);
      if (picture.isSweep) this.paintTrigger(pane, picture, style, y);
      pane.clipped.above = pane.clipped.below = false;
      for (let k = picture.followers.length - 1; k >= 0; k--) this.paintTrace(pane, picture, k, y, style, ratio);
      isFirst = false;
    }
  }

  private paintTrace(
    pane: PanePlot,
    { followers, stretches, origin, uPerColumn, axis, shown }: Picture,
    k: number,
    [low, high]: Range,
    style: Palette,
    ratio: number,
  ): void {
    const follower = followers[k]!;
    const at = follower.channels().findIndex((c) => c.name === pane.channel);
    if (at < 0 || stretches[k] === undefined) return;
    const { context, width, height } = pane;
    const store = follower.drawn;
    const vertical = verticalOf(follower.channels()[at]!, low, high, height);
    const colour = style.of(traceColour(at, k));
    context.fillStyle = context.strokeStyle = colour;
    context.globalAlpha = k === 0 && followers.length > 1 ? OVERLAID : 1;
    const thickness = Math.max(1, Math.round(1.5 * ratio));
    if (axis.msPerStep(store) * store.binSteps > 1.5 * uPerColumn) {
      context.lineWidth = thickness;
      context.lineJoin = "round";
      context.setLineDash(k > 0 ? [6 * ratio, 3 * ratio] : []);
      drawLine(context, store, at, stretches[k], shown.left, uPerColumn, vertical, 3 * ratio, pane.clipped);
      context.setLineDash([]);
    } else {
      const columns = (pane.columns[k] ??= new Columns());
      columns.reset(width);
      fillColumns(columns, store, at, stretches[k], origin, uPerColumn);
      drawColumns(context, columns, vertical, thickness, origin, k > 0, pane.clipped);
    }
    context.globalAlpha = 1;
    const marks = pane.channel === "vm" ? follower.events.spikes : pane.channel === "stimulus" ? follower.events.triggers : null;
    if (marks === null || follower.events.boot !== store.boot) return;
    const from = marks.indexOf(axis.stepAtU(store, shown.left));
    const to = marks.indexOf(axis.stepAtU(store, shown.right));
    const size = 7 * ratio;
    const isCrowded = to - from > width / (2 * size);
    for (let m = from; m < to; m++) {
      const x = (axis.uOfStep(store, marks.at(m)) - shown.left) / uPerColumn;
      drawMark(context, x, height, size, marks === follower.events.spikes ? "top" : "bottom", isCrowded);
    }
  }

  private paintTrigger(pane: PanePlot, { shown, uPerColumn }: Picture, style: Palette, y: Range): void {
    const { context, width, height } = pane;
    const { source, channel, level } = trigger.peek();
    context.strokeStyle = style.of("--accent");
    context.lineWidth = Math.max(1, Math.round(devicePixelRatio));
    context.setLineDash([4, 4]);
    context.beginPath();
    const x = Math.round((shown.zero - shown.left) / uPerColumn) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, height);
    if (source === "level" && channel === pane.channel) {
      const at = Math.round(((y[1] - level) / (y[1] - y[0])) * height) + 0.5;
      context.moveTo(0, at);
      context.lineTo(width, at);
    }
    context.stroke();
    context.setLineDash([]);
  }

  /** Where samples are missing, and why. */
  private findShades({ followers, axis, shown, uPerColumn, stretches }: Picture, width: number): void {
    this.shades.length = 0;
    followers.forEach((follower, k) => {
      const store = follower.drawn;
      const whose = k === 0 ? "" : `${follower.key.device}: `;
      const [first, stop] = [axis.stepAtU(store, shown.left), axis.stepAtU(store, shown.right)];
      const add = (from: number, to: number, text: string, isBad: boolean) => {
        const x = (axis.uOfStep(store, from) - shown.left) / uPerColumn;
        const end = (axis.uOfStep(store, to) - shown.left) / uPerColumn;
        const begin = Math.max(0, x);
        const shade = { x: begin, width: Math.max(2, Math.min(width, end) - begin), text: whose + text, isBad };
        if (begin <= width && end >= 0) this.shades.push(shade);
      };
      if (follower.events.boot === store.boot) {
        for (const gap of follower.events.gapsBetween(first, stop)) {
          const n = gap.count === 1 ? "1 sample" : `${gap.count} samples`;
          add(gap.step, gap.step + gap.count, `${n} ${causeText(gap.cause)}`, gap.cause !== "stopped");
        }
      }
      for (const other of store.foreign) add(other.first, other.stop, `${other.mode} clamp: other channels`, false);
      if (store.keptFrom > first) add(Math.min(first, store.keptFrom), store.keptFrom, "no longer kept", false);
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
  }

  private hatch(context: CanvasRenderingContext2D, colour: string, ratio: number): CanvasPattern | string {
    const key = `${colour} ${ratio}`;
    const made = this.hatches.get(key) ?? hatch(context, colour, ratio);
    this.hatches.set(key, made);
    return made;
  }

  private paintShades(pane: PanePlot, style: Palette, ratio: number, withText: boolean): void {
    const { context, width, height } = pane;
    if (this.shades.length === 0) return;
    const bad = style.of("--bad");
    const faint = style.of("--faint");
    let textFrom = 0;
    context.font = `${11 * ratio}px sans-serif`;
    context.textBaseline = "bottom";
    for (const { x, width: wide, text, isBad } of this.shades) {
      context.fillStyle = this.hatch(context, isBad ? bad : faint, ratio);
      context.fillRect(x, 0, wide, height);
      if (wide <= 3) {
        context.fillStyle = isBad ? bad : faint;
        context.fillRect(x, 0, 1, height);
      }
      if (!withText || x < textFrom) continue;
      const textWidth = context.measureText(text).width;
      const at = Math.max(2, Math.min(x + 4 * ratio, width - textWidth - 4 * ratio));
      if (at < textFrom) continue;
      context.fillStyle = style.of("--surface");
      context.fillRect(at - 2 * ratio, height - 16 * ratio, textWidth + 4 * ratio, 15 * ratio);
      context.fillStyle = isBad ? bad : faint;
      context.fillText(text, at, height - 2 * ratio);
      textFrom = at + textWidth + 12 * ratio;
    }
  }
}

function verticalOf(channel: ChannelInfo, low: number, high: number, height: number): Vertical {
  const unit = 10 ** channel.scale_exponent;
  const perUnit = height / (high - low);
  return {
    perRaw: -channel.scale_mantissa * unit * perUnit,
    zero: (high - channel.offset_mantissa * unit) * perUnit,
    height,
  };
}
