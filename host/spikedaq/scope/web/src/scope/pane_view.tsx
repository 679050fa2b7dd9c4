/** One channel: its plot, its name, and what sets its scale. */
import { useEffect, useRef } from "preact/hooks";
import type { ChannelInfo } from "../trace/follower";
import { TypedNumber } from "../ui/typed_number";
import { traceColour } from "./palette";
import { GUTTER_PX, PanePlot } from "./pane";
import type { Screen } from "./screen";
import { CursorValues } from "./cursors";
import { cursorsOn, digits, isKept, keepScale, labelOf, resetScale, scaleOf, setScale, timeKind, unitOf, windowMs } from "./settings";

interface Props {
  screen: Screen;
  channel: ChannelInfo;
  number: number;
  isLast: boolean;
  others: string[];
  /** Channels in the order of their panes. */
  order: string[];
}

const ZOOM = 1.25;

export function PaneView({ screen, channel, number, isLast, others, order }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const { name } = channel;
  const label = labelOf(name);
  const unit = unitOf(channel.unit);

  useEffect(() => {
    const pane = new PanePlot(name, holder.current!, isLast, timeText);
    screen.panes.set(name, pane);
    const sorted = order.flatMap((n) => (screen.panes.has(n) ? [screen.panes.get(n)!] : []));
    screen.panes.clear();
    for (const one of sorted) screen.panes.set(one.channel, one);
    screen.isDirty = true;
    return () => {
      if (screen.panes.get(name) === pane) screen.panes.delete(name);
      pane.destroy();
    };
  }, [screen, name, isLast]);

  const [low, high] = scaleOf(name);
  const zoom = (by: number, at = (low + high) / 2) => setScale(name, [at + (low - at) * by, at + (high - at) * by]);
  const beyond = screen.beyond.value[name];

  return (
    <section class={isLast ? "pane last" : "pane"} aria-label={label} data-testid={`pane-${name}`}>
      <div class="plot" ref={holder} />
      <div
        class="gutter"
        style={{ width: `${GUTTER_PX}px` }}
        title="Scroll to zoom, drag to move"
        onWheel={(event) => {
          event.preventDefault();
          const box = event.currentTarget.getBoundingClientRect();
          const at = high - ((event.clientY - box.top) / box.height) * (high - low);
          zoom(event.deltaY > 0 ? ZOOM : 1 / ZOOM, at);
        }}
        onPointerDown={(event) => beginMove(event, name)}
      />
      <div class="name">
        <span class="label" style={{ color: `var(${traceColour(number, 0)})` }}>
          {label}
          {unit && ` (${unit})`}
        </span>
        {others.map((other, k) => (
          <span key={other} class="label other" style={{ color: `var(${traceColour(number, k + 1)})` }}>
            ╌ {other}
          </span>
        ))}
        {cursorsOn.value && <CursorValues screen={screen} channel={name} />}
        {beyond && (
          <span class="beyond" role="status" title="Some of it is beyond the scale: press Fit">
            {beyond} beyond the scale
          </span>
        )}
      </div>
      <div class="scale" role="group" aria-label={`Scale of ${label}`}>
        <button type="button" title="Fit to what is shown" onClick={() => screen.fit(name)} data-testid={`fit-${name}`}>
          Fit
        </button>
        <button type="button" title="Enlarge" aria-label={`Enlarge ${label}`} onClick={() => zoom(1 / ZOOM)}>
          +
        </button>
        <button type="button" title="Make smaller" aria-label={`Make ${label} smaller`} onClick={() => zoom(ZOOM)}>
          −
        </button>
        <details class="limits">
          <summary title="Limits" aria-label={`Limits of ${label}`}>
            {digits(low)} … {digits(high)}
          </summary>
          <div class="menu">
            <Limit text={`Top${unit && `, ${unit}`}`} value={high} isRight={(v) => v > low} set={(v) => setScale(name, [low, v])} />
            <Limit text={`Bottom${unit && `, ${unit}`}`} value={low} isRight={(v) => v < high} set={(v) => setScale(name, [v, high])} />
            <div class="row">
              <button type="button" disabled={isKept(name)} title="Use this scale the next time, too" onClick={() => keepScale(name)}>
                {isKept(name) ? "Kept" : "Keep"}
              </button>
              <button type="button" title="As it was at first" onClick={() => resetScale(name)}>
                Reset
              </button>
            </div>
          </div>
        </details>
      </div>
    </section>
  );
}

function Limit({ text, value, isRight, set }: { text: string; value: number; isRight: (v: number) => boolean; set: (v: number) => void }) {
  return (
    <label class="row">
      {text}
      <TypedNumber
        step="any"
        value={digits(value)}
        take={(typed) => {
          if (!Number.isFinite(typed) || !isRight(typed)) return "the top must be above the bottom";
          set(typed);
          return "";
        }}
      />
    </label>
  );
}

function beginMove(event: PointerEvent, channel: string): void {
  const gutter = event.currentTarget as HTMLElement;
  gutter.setPointerCapture(event.pointerId);
  const [low, high] = scaleOf(channel);
  const startY = event.clientY;
  const perPixel = (high - low) / gutter.clientHeight;
  const move = (moved: PointerEvent) => {
    const by = (moved.clientY - startY) * perPixel;
    setScale(channel, [low + by, high + by]);
  };
  const end = () => {
    gutter.removeEventListener("pointermove", move);
    gutter.removeEventListener("pointerup", end);
    gutter.removeEventListener("pointercancel", end);
  };
  gutter.addEventListener("pointermove", move);
  gutter.addEventListener("pointerup", end);
  gutter.addEventListener("pointercancel", end);
}

function timeText(ms: number): string {
  const suffix = timeKind.peek() === "model" ? " (model)" : "";
  if (ms === 0) return `0${suffix}`;
  return windowMs.peek() < 1000 ? `${+ms.toPrecision(6)} ms` : `${+(ms / 1000).toPrecision(6)} s`;
}
