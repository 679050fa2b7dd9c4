/** The last seconds of a device's first channel on a small canvas; all tiles are drawn by one clock. */
import { useEffect, useRef } from "preact/hooks";
import { connection } from "../state";
import { TraceStore } from "../trace/store";
import { isDark } from "../ui/theme";
import { levelFor } from "./tiles";

export const TILE_S = 4;
/** The membrane potential's range, in hundredths of a millivolt as the board counts: the same for all, to compare. */
const LOW = -10_000;
const HIGH = 5_000;
const WIDTH = 240;
const HEIGHT = 72;
/** Sixteen tiles are drawn in a millisecond or two; more often than this nobody sees at this size. */
const DRAW_MS = 66;

const painters = new Set<() => void>();
let drawnMs = 0;
let clock = 0;

function tick(nowMs: number): void {
  clock = requestAnimationFrame(tick);
  if (nowMs - drawnMs < DRAW_MS) return;
  drawnMs = nowMs;
  for (const paint of painters) paint();
}

function painted(paint: () => void): () => void {
  if (painters.size === 0) clock = requestAnimationFrame(tick);
  painters.add(paint);
  return () => {
    painters.delete(paint);
    if (painters.size === 0) cancelAnimationFrame(clock);
  };
}

interface Props {
  bench: string;
  device: string;
  rateHz: number;
}

export function TileTrace({ bench, device, rateHz }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const level = levelFor(rateHz, TILE_S, WIDTH);
  const dark = isDark.value;
  /** In which colour, and which version of the traces was drawn last: what is on the screen outlives a change of theme. */
  const drawn = useRef({ ink: "", version: -1 });

  useEffect(() => {
    drawn.current = { ink: getComputedStyle(document.documentElement).getPropertyValue("--trace-0"), version: -1 };
  }, [dark]);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return undefined;
    const ratio = Math.max(1, Math.min(2, devicePixelRatio));
    context.canvas.width = WIDTH * ratio;
    context.canvas.height = HEIGHT * ratio;
    const store = new TraceStore(level, 1024);
    const unwatch = connection.watch(bench, device, level, (frame) => store.take(frame));
    drawn.current.version = -1;
    const unpaint = painted(() => {
      if (store.version === drawn.current.version) return;
      drawn.current.version = store.version;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, WIDTH, HEIGHT);
      draw(context, store, drawn.current.ink, rateHz);
    });
    return () => {
      unpaint();
      unwatch();
    };
  }, [bench, device, level, rateHz]);

  return <canvas class="tile-trace" ref={canvas} aria-hidden="true" />;
}

function draw(context: CanvasRenderingContext2D, store: TraceStore, ink: string, rateHz: number): void {
  const bins = Math.max(2, Math.round((rateHz * TILE_S) / store.binSteps));
  const begin = Math.max(store.begin, store.end - bins);
  const perBin = WIDTH / bins;
  const y = (value: number) => HEIGHT - 1 - ((Math.max(LOW, Math.min(HIGH, value)) - LOW) / (HIGH - LOW)) * (HEIGHT - 2);
  context.strokeStyle = ink;
  context.lineWidth = 1;
  context.beginPath();
  let isDown = false;
  for (let bin = begin; bin < store.end; bin++) {
    const low = store.lowAt(0, bin);
    const high = store.highAt(0, bin);
    if (low > high) {
      isDown = false;
      continue;
    }
    const x = (bin - store.end + bins + 0.5) * perBin;
    if (isDown) context.lineTo(x, y(high));
    else context.moveTo(x, y(high));
    context.lineTo(x, y(low) + 0.5);
    isDown = true;
  }
  context.stroke();
}
