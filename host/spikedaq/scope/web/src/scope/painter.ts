/** Paints every pane: gaps, traces of each device, spikes and triggers; only what is new where the rest has but moved. */
import { Columns, fillColumns, type Stretch } from "../trace/columns";
import type { ChannelInfo, Follower } from "../trace/follower";
import { drawColumns, drawLine, drawMark, hatchSize, type Vertical } from "./draw";
import { Palette, traceColour } from "./palette";
import type { Roll } from "./roll";
import { type Range, scaleOf, trigger } from "./settings";
import { findShades, type Shade } from "./shades";
import type { TimeAxis } from "./time_axis";
import type { Shown } from "./view";

export interface Picture {
  followers: readonly Follower[];
  /** Of each follower. */
  stretches: readonly Stretch[][];
  axis: TimeAxis;
  shown: Shown;
  /** The column at the left edge: columns are counted from u = 0 on, so that each keeps its bins while all moves. */
  origin: number;
  uPerColumn: number;
  isSweep: boolean;
}

/** Where one channel is drawn. */
export interface Pane {
  readonly channel: string;
  readonly context: CanvasRenderingContext2D;
  readonly roll: Roll;
  /** Device pixels. */
  readonly width: number;
  readonly height: number;
  /** Changes with size and scale. */
  readonly version: number;
  setScales(x: Range, y: Range): void;
}

/** Of several devices the first lies above the others, and lets them be seen. */
const OVERLAID = 0.75;
const MARK_PX = 7;

export class Painter {
  private style = new Palette();
  private epoch = 0;

  /** The theme is another, or whatever else changes all. */
  forget(): void {
    this.style = new Palette();
    this.epoch++;
  }

  paint(panes: readonly Pane[], picture: Picture): void {
    if (panes.length === 0) return;
    const ratio = devicePixelRatio;
    const { shown, followers } = picture;
    const shades = findShades(picture, panes[0]!.width);
    const crowded = followers.map((follower) => isCrowded(follower, picture, panes[0]!.width, ratio));
    const signature = this.signature(picture, shades, crowded);
    const changed = firstChanged(picture, MARK_PX * ratio);
    const range: Range = [shown.left - shown.zero, shown.right - shown.zero];
    panes.forEach((pane, row) => {
      pane.setScales(range, scaleOf(pane.channel));
      // Labels of shades stay in sight while all else moves.
      const labels = row === 0 ? shades : [];
      const own = `${signature} ${pane.version} ${labels.length > 0 ? picture.origin : ""}`;
      const start = pane.roll.begin(pane.context, pane.width, own, picture.origin, changed);
      if (start >= pane.width) return;
      this.paintPane(pane, picture, shades, labels, crowded, start, ratio);
    });
    for (const follower of followers) {
      follower.drawn.changedFrom = Number.POSITIVE_INFINITY;
      follower.events.changedFrom = Number.POSITIVE_INFINITY;
    }
  }

  /** Where it is the same, the picture is the same but for new columns. */
  private signature({ followers, shown, uPerColumn, isSweep, origin }: Picture, shades: readonly Shade[], crowded: boolean[]): string {
    const devices = followers.map((f, k) => `${f.drawn.id}/${f.drawn.restarts}/${f.nAbout}/${crowded[k]}`).join();
    const sweep = isSweep ? `${shown.zero - shown.left} ${JSON.stringify(trigger.peek())}` : "";
    // Where one begins beyond the left edge is nothing that can be seen.
    const gaps = shades.map(({ from, to, text }) => `${from > origin ? from : ""}-${to}${text}`).join();
    return `${this.epoch} ${devicePixelRatio} ${uPerColumn} ${devices} ${sweep} ${gaps}`;
  }

  private paintPane(
    pane: Pane,
    picture: Picture,
    shades: readonly Shade[],
    labels: readonly Shade[],
    crowded: boolean[],
    start: number,
    ratio: number,
  ): void {
    const { context, width, height } = pane;
    context.clearRect(start, 0, width - start, height);
    context.save();
    if (start > 0) {
      context.beginPath();
      context.rect(start, 0, width - start, height);
      context.clip();
    }
    this.paintShades(pane, shades, picture.origin, ratio);
    this.paintLabels(pane, labels, picture.origin, ratio);
    const y = scaleOf(pane.channel);
    if (picture.isSweep) this.paintTrigger(pane, picture, y);
    for (let k = picture.followers.length - 1; k >= 0; k--) {
      this.paintTrace(pane, picture, k, y, start, ratio);
      this.paintMarks(pane, picture, k, crowded[k]!, start, ratio);
    }
    context.restore();
  }

  private paintTrace(pane: Pane, picture: Picture, k: number, [low, high]: Range, start: number, ratio: number): void {
    const { followers, stretches, origin, uPerColumn } = picture;
    const follower = followers[k]!;
    const at = follower.channels().findIndex((c) => c.name === pane.channel);
    if (at < 0 || stretches[k] === undefined) return;
    const { context, width, height } = pane;
    const store = follower.drawn;
    const vertical = verticalOf(follower.channels()[at]!, low, high, height);
    context.fillStyle = context.strokeStyle = this.style.of(traceColour(at, k));
    context.globalAlpha = k === 0 && followers.length > 1 ? OVERLAID : 1;
    const thickness = Math.max(1, Math.round(1.5 * ratio));
    if (isLine(follower, picture)) {
      context.lineWidth = thickness;
      context.lineJoin = "round";
      context.setLineDash(k > 0 ? [6 * ratio, 3 * ratio] : []);
      drawLine(context, store, at, stretches[k], origin * uPerColumn, uPerColumn, vertical, 3 * ratio);
      context.setLineDash([]);
    } else {
      const columns = (pane.roll.columns[k] ??= new Columns());
      if (start === 0) columns.reset(width);
      else columns.shift(pane.roll.movedBy, start);
      fillColumns(columns, store, at, stretches[k], origin, uPerColumn, start);
      drawColumns(context, columns, vertical, thickness, origin, k > 0, start);
    }
    context.globalAlpha = 1;
  }

  private paintMarks(pane: Pane, picture: Picture, k: number, isCrowded: boolean, start: number, ratio: number): void {
    const { followers, axis, origin, uPerColumn } = picture;
    const { events, drawn: store } = followers[k]!;
    const marks = pane.channel === "vm" ? events.spikes : pane.channel === "stimulus" ? events.triggers : null;
    const at = followers[k]!.channels().findIndex((c) => c.name === pane.channel);
    if (marks === null || at < 0 || events.boot !== store.boot) return;
    const size = MARK_PX * ratio;
    const from = marks.indexOf(axis.stepAtU(store, (origin + start - size) * uPerColumn));
    const to = marks.indexOf(axis.stepAtU(store, (origin + pane.width + size) * uPerColumn));
    pane.context.fillStyle = this.style.of(traceColour(at, k));
    for (let m = from; m < to; m++) {
      const x = axis.uOfStep(store, marks.at(m)) / uPerColumn - origin;
      drawMark(pane.context, x, pane.height, size, marks === events.spikes ? "top" : "bottom", isCrowded);
    }
  }

  private paintTrigger(pane: Pane, { shown, origin, uPerColumn }: Picture, y: Range): void {
    const { context, width, height } = pane;
    const { source, channel, level } = trigger.peek();
    context.strokeStyle = this.style.of("--accent");
    context.lineWidth = Math.max(1, Math.round(devicePixelRatio));
    context.setLineDash([4, 4]);
    context.beginPath();
    const x = Math.round(shown.zero / uPerColumn - origin) + 0.5;
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

  private paintShades({ context, width, height }: Pane, shades: readonly Shade[], origin: number, ratio: number): void {
    for (const { from, to, isBad } of shades) {
      const ink = isBad ? "--bad" : "--faint";
      const x = Math.max(0, from - origin);
      const pattern = this.style.hatch(context, ink, ratio);
      // The pattern moves with what it lies on.
      if (typeof pattern !== "string") pattern.setTransform(new DOMMatrix([1, 0, 0, 1, -(origin % hatchSize(ratio)), 0]));
      context.fillStyle = pattern;
      context.fillRect(x, 0, Math.min(width, to - origin) - x, height);
      if (to - from > 3) continue;
      context.fillStyle = this.style.of(ink);
      context.fillRect(from - origin, 0, 1, height);
    }
  }

  private paintLabels({ context, width, height }: Pane, shades: readonly Shade[], origin: number, ratio: number): void {
    if (shades.length === 0) return; // to set a font costs more than a column
    let textFrom = 0;
    context.font = `${11 * ratio}px sans-serif`;
    context.textBaseline = "bottom";
    for (const { from, text, isBad } of shades) {
      const x = Math.max(0, from - origin);
      if (x < textFrom) continue;
      const textWidth = context.measureText(text).width;
      const at = Math.max(2, Math.min(x + 4 * ratio, width - textWidth - 4 * ratio));
      if (at < textFrom) continue;
      context.fillStyle = this.style.of("--surface");
      context.fillRect(at - 2 * ratio, height - 16 * ratio, textWidth + 4 * ratio, 15 * ratio);
      context.fillStyle = this.style.of(isBad ? "--bad" : "--faint");
      context.fillText(text, at, height - 2 * ratio);
      textFrom = at + textWidth + 12 * ratio;
    }
  }
}

/** Bins are wider than a pixel: they are joined by lines, of which all are drawn each time. */
function isLine(follower: Follower, { axis, uPerColumn }: Picture): boolean {
  return axis.msPerStep(follower.drawn) * follower.drawn.binSteps > 1.5 * uPerColumn;
}

/** There is no room for a mark's shape at each. */
function isCrowded({ events, drawn }: Follower, { axis, shown }: Picture, width: number, ratio: number): boolean {
  const [first, stop] = [axis.stepAtU(drawn, shown.left), axis.stepAtU(drawn, shown.right)];
  const most = width / (2 * MARK_PX * ratio);
  return [events.spikes, events.triggers].some((marks) => marks.indexOf(stop) - marks.indexOf(first) > most);
}

/** The first column, from the left edge, that has something new for one of the devices; infinite where none has. */
export function firstChanged(picture: Picture, markSize: number): number {
  const { followers, axis, origin, uPerColumn } = picture;
  let first = Number.POSITIVE_INFINITY;
  for (const follower of followers) {
    const { drawn: store, events } = follower;
    if (isLine(follower, picture)) return 0;
    if (Number.isFinite(store.changedFrom)) {
      first = Math.min(first, axis.uOfStep(store, store.changedFrom * store.binSteps) / uPerColumn - origin);
    }
    if (Number.isFinite(events.changedFrom)) {
      first = Math.min(first, axis.uOfStep(store, events.changedFrom) / uPerColumn - origin - markSize);
    }
  }
  return Number.isNaN(first) ? 0 : Math.max(0, Math.floor(first));
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
