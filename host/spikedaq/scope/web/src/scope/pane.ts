/** One pane: axes and grid by uPlot, drawn only when a scale changes, and a canvas above them for what moves. */
import uPlot from "uplot";
import { Roll } from "./roll";
import type { Range } from "./settings";

export const GUTTER_PX = 62;
const TIME_AXIS_PX = 30;

export class PanePlot {
  readonly roll = new Roll();
  readonly context: CanvasRenderingContext2D;
  /** Size of what is within the axes, in device pixels; 0 before it is laid out. */
  width = 0;
  height = 0;
  /** Changes with size and scale. */
  version = 0;

  private readonly plot: uPlot;
  private readonly canvas: HTMLCanvasElement;
  private readonly resized: ResizeObserver;
  private x: Range = [0, 1];
  private y: Range = [0, 1];

  constructor(
    readonly channel: string,
    private readonly holder: HTMLElement,
    isLast: boolean,
    private readonly xText: (value: number) => string,
  ) {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--faint");
    const line = style.getPropertyValue("--line");
    const font = `11px ${getComputedStyle(holder).fontFamily}`;
    const common = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
    this.plot = new uPlot(
      {
        width: Math.max(100, holder.clientWidth),
        height: Math.max(40, holder.clientHeight),
        legend: { show: false },
        cursor: { show: false },
        padding: [6, 20, isLast ? 0 : 6, 0],
        scales: { x: { time: false, auto: false, min: 0, max: 1 }, y: { auto: false, min: 0, max: 1 } },
        axes: [
          {
            ...common,
            show: true,
            size: isLast ? TIME_AXIS_PX : 0,
            gap: 4,
            space: 70,
            values: (_: uPlot, splits: number[]) => splits.map((v) => (isLast ? this.xText(v) : "")),
          },
          { ...common, size: GUTTER_PX, gap: 4, space: 22 },
        ],
        series: [{}, { show: false }],
        // Sizes are set a moment after they were asked for.
        hooks: { setSize: [() => this.fitCanvas()] },
      },
      [[0, 1], [null, null]],
      holder,
    );
    this.canvas = document.createElement("canvas");
    this.canvas.className = "moving";
    this.plot.over.append(this.canvas);
    this.context = this.canvas.getContext("2d")!;
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(holder);
  }

  /** Where the pane's inside is on the page, CSS pixels. */
  get inside(): DOMRect {
    return this.plot.over.getBoundingClientRect();
  }

  get over(): HTMLElement {
    return this.plot.over;
  }

  setScales(x: Range, y: Range): void {
    const isOtherX = isOther(x, this.x);
    const isOtherY = isOther(y, this.y);
    if (!isOtherX && !isOtherY) return;
    this.version++;
    this.plot.batch(() => {
      if (isOtherX) this.plot.setScale("x", { min: x[0], max: x[1] });
      if (isOtherY) this.plot.setScale("y", { min: y[0], max: y[1] });
    });
    this.x = x;
    this.y = y;
  }

  destroy(): void {
    this.resized.disconnect();
    this.plot.destroy();
  }

  private resize(): void {
    const [width, height] = [this.holder.clientWidth, this.holder.clientHeight];
    if (width < 50 || height < 20) return;
    if (width !== this.plot.width || height !== this.plot.height) this.plot.setSize({ width, height });
  }

  /** Make the canvas as large as what is within the axes; that empties it. */
  private fitCanvas(): void {
    const width = Math.round(this.plot.over.clientWidth * devicePixelRatio);
    const height = Math.round(this.plot.over.clientHeight * devicePixelRatio);
    if (width < 1 || height < 1 || (width === this.width && height === this.height)) return;
    this.version++;
    this.canvas.width = this.width = width;
    this.canvas.height = this.height = height;
  }
}

/** Times are large numbers, whose differences are a little off: axes are drawn anew for what can be seen only. */
function isOther(now: Range, before: Range): boolean {
  const least = 1e-6 * (before[1] - before[0]);
  return !(Math.abs(now[0] - before[0]) <= least && Math.abs(now[1] - before[1]) <= least);
}
