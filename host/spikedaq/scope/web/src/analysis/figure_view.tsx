/** A figure on the screen, with what saves it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { toast } from "../state";
import { isDark } from "../ui/theme";
import type { Figure } from "./figure";
import type { Missing, Shown } from "./figures";
import { drawFigure, type Frame, frameOf } from "./plot";
import { pngOf, save, svgOf } from "./save";
import { CanvasSurface, type Palette } from "./surface";

interface Pointed {
  /** The place within the canvas, in CSS pixels, and how the figure lies there. */
  x: number;
  y: number;
  frame: Frame;
  event: PointerEvent;
}

export interface Handlers {
  down?: (at: Pointed) => void;
  move?: (at: Pointed) => void;
  up?: (at: Pointed) => void;
}

/** The page's colours as they are now. */
function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ground: color("surface"),
    ink: color("ink"),
    faint: color("faint"),
    grid: color("line"),
    traces: Array.from({ length: 8 }, (_, k) => color(`trace-${k}`)),
  };
}

export function FigureView({
  figure,
  note,
  recording,
  height = 230,
  handlers,
  children,
}: {
  figure: Figure;
  note?: string | undefined;
  recording: string;
  height?: number;
  handlers?: Handlers;
  children?: preact.ComponentChildren;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const dark = isDark.value;
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(canvas.current!.parentElement!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || width < 50) return;
    const scale = window.devicePixelRatio || 1;
    canvas.current!.width = width * scale;
    canvas.current!.height = height * scale;
    context.scale(scale, scale);
    drawFigure(new CanvasSurface(context), figure, { width, height }, palette());
  }, [figure, width, height, dark]);
  const pointed = (take: ((at: Pointed) => void) | undefined) => (event: PointerEvent) => {
    if (!take) return;
    const box = canvas.current!.getBoundingClientRect();
    take({ x: event.clientX - box.left, y: event.clientY - box.top, frame: frameOf(figure, { width, height }), event });
  };
  const name = `${recording}_${figure.id}`;
  return (
    <figure class="analysed" data-testid={`figure-${figure.id}`}>
      <div class="canvas">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${figure.title}: ${figure.y.label || "spikes"} over ${figure.x.label}. ${note ?? ""}`}
          style={{ height: `${height}px`, width: "100%" }}
          onPointerDown={pointed(handlers?.down)}
          onPointerMove={pointed(handlers?.move)}
          onPointerUp={pointed(handlers?.up)}
        />
      </div>
      <figcaption>
        <span class="note">{note}</span>
        {children}
        <span class="row">
          <button
            type="button"
            title={`Save "${figure.title}" as SVG, for print`}
            data-testid={`svg-${figure.id}`}
            onClick={() => save(new Blob([svgOf(figure)], { type: "image/svg+xml" }), `${name}.svg`)}
          >
            SVG
          </button>
          <button
            type="button"
            title={`Save "${figure.title}" as PNG, for slides`}
            data-testid={`png-${figure.id}`}
            onClick={() => {
              pngOf(figure).then(
                (blob) => save(blob, `${name}.png`),
                (error: Error) => toast(error.message, "error"),
              );
            }}
          >
            PNG
          </button>
        </span>
      </figcaption>
    </figure>
  );
}

/** A figure, or why there is none. */
export function FigureOrWhy({ shown, recording, children }: { shown: Shown | Missing; recording: string; children?: preact.ComponentChildren }) {
  if ("figure" in shown) {
    return (
      <FigureView figure={shown.figure} note={shown.note} recording={recording}>
        {children}
      </FigureView>
    );
  }
  return (
    <figure class="analysed missing" data-testid={`figure-${shown.id}`}>
      <h3>{shown.title}</h3>
      <p>No figure: {shown.why}.</p>
      {children && <figcaption>{children}</figcaption>}
    </figure>
  );
}
