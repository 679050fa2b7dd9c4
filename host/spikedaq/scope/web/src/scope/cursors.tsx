/** Two cursors that measure: their distance in time, and each channel's value at both. */
import { signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Screen } from "./screen";
import { digits, durationText, type Range } from "./settings";

/** Where they are on the axis, ms; null before they were placed. */
const places = [signal<number | null>(null), signal<number | null>(null)] as const;
const NAMES = ["A", "B"] as const;

interface Props {
  screen: Screen;
  nChannels: number;
  panes: RefObject<HTMLDivElement>;
}

export function Cursors({ screen, nChannels, panes }: Props) {
  const [low, high] = screen.range.value;
  const [inside, setInside] = useState({ left: 62, width: 100 });
  useEffect(() => {
    const look = () => {
      const first = screen.panes.values().next().value;
      const holder = panes.current;
      if (first === undefined || holder === null) return;
      const [box, outer] = [first.inside, holder.getBoundingClientRect()];
      setInside({ left: box.left - outer.left, width: box.width });
    };
    look();
    const resized = new ResizeObserver(look);
    if (panes.current) resized.observe(panes.current);
    const timer = setTimeout(look, 100);
    return () => {
      resized.disconnect();
      clearTimeout(timer);
    };
  }, [screen, nChannels]);
  if (screen.readout.value === null) return null;
  for (const [k, place] of places.entries()) {
    // At first, and where the time base left them outside: within what is shown.
    const { value } = place;
    const isOutside = value === null || (!screen.paused.value && (value < low || value > high));
    if (isOutside) place.value = low + (high - low) * (k === 0 ? 0.33 : 0.67);
  }
  return (
    <>
      {places.map((place, k) => {
        const at = ((place.value! - low) / (high - low)) * inside.width + inside.left;
        const isSeen = place.value! >= low && place.value! <= high;
        return (
          <div
            key={k}
            class={`cursor cursor-${NAMES[k]}`}
            role="slider"
            tabIndex={0}
            aria-label={`Cursor ${NAMES[k]}`}
            aria-valuemin={low}
            aria-valuemax={high}
            aria-valuenow={place.value!}
            aria-valuetext={timeAt(place.value!)}
            title="Drag, or move with the arrow keys"
            data-testid={`cursor-${NAMES[k]}`}
            style={{ left: `${at}px`, visibility: isSeen ? "visible" : "hidden" }}
            onKeyDown={(event) => takeKey(event, k, low, high, inside.width)}
            onPointerDown={(event) => beginDrag(event, k, screen, inside.width)}
          >
            <span>{NAMES[k]}</span>
          </div>
        );
      })}
    </>
  );
}

function takeKey(event: KeyboardEvent, k: number, low: number, high: number, width: number): void {
  const pixel = (high - low) / width;
  const by = event.shiftKey ? 20 * pixel : pixel;
  const now = places[k]!.value!;
  const to: Record<string, number> = { ArrowLeft: now - by, ArrowRight: now + by, Home: low, End: high };
  const place = to[event.key];
  if (place === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  places[k]!.value = Math.min(high, Math.max(low, place));
}

function beginDrag(event: PointerEvent, k: number, screen: Screen, width: number): void {
  event.preventDefault();
  event.stopPropagation();
  const line = event.currentTarget as HTMLElement;
  line.focus();
  line.setPointerCapture(event.pointerId);
  const startX = event.clientX;
  const start = places[k]!.value!;
  const move = (moved: PointerEvent) => {
    const [low, high] = screen.range.value;
    const to = start + ((moved.clientX - startX) / width) * (high - low);
    places[k]!.value = Math.min(high, Math.max(low, to));
  };
  const end = () => {
    line.removeEventListener("pointermove", move);
    line.removeEventListener("pointerup", end);
    line.removeEventListener("pointercancel", end);
  };
  line.addEventListener("pointermove", move);
  line.addEventListener("pointerup", end);
  line.addEventListener("pointercancel", end);
}

/** Where both cursors are, and how far apart. */
export function CursorTimes() {
  const [a, b] = [places[0].value, places[1].value];
  if (a === null || b === null) return null;
  const dt = b - a;
  return (
    <span class="pill" data-testid="readouts">
      A {timeAt(a)} · B {timeAt(b)} · Δt {timeAt(dt)}
      {dt !== 0 && ` · 1/Δt ${digits(1000 / Math.abs(dt))} Hz`}
    </span>
  );
}

/** A channel's values at both. */
export function CursorValues({ screen, channel }: { screen: Screen; channel: string }) {
  const [a, b] = [places[0].value, places[1].value];
  screen.readout.value; // values are those of what is shown now: looked at five times a second
  if (a === null || b === null) return null;
  const [atA, atB] = [screen.valueAt(channel, a), screen.valueAt(channel, b)];
  return (
    <span class="label values" data-testid={`values-${channel}`} title="At a longer time base: smallest and largest within a pixel">
      A {rangeText(atA)} · B {rangeText(atB)} · Δ {differenceText(atA, atB)}
    </span>
  );
}

/** A pixel has many samples at a long time base: their smallest and largest. */
export function rangeText(range: Range | null): string {
  if (range === null) return "no sample";
  const [low, high] = range;
  return low === high ? value(low) : `${value(low)} … ${value(high)}`;
}

export function differenceText(a: Range | null, b: Range | null): string {
  if (a === null || b === null) return "–";
  if (a[0] === a[1] && b[0] === b[1]) return value(b[0] - a[0]);
  const [least, most] = [b[0] - a[1], b[1] - a[0]];
  return `${value(least)} … ${value(most)}`;
}

function value(v: number): string {
  return v.toFixed(Math.abs(v) < 1000 ? 2 : 0);
}

function timeAt(ms: number): string {
  return ms < 0 ? `−${durationText(-ms)}` : durationText(ms);
}
