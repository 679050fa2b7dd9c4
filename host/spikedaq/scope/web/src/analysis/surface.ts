/** What figures are drawn on: a canvas, or our own SVG. */

export type Point = readonly [number, number];

export interface Stroke {
  color: string;
  width: number;
  dashed?: boolean;
}

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface TextStyle {
  color: string;
  size: number;
  anchor: "start" | "middle" | "end";
  bold?: boolean;
  /** Reads upwards. */
  upright?: boolean;
}

export interface Surface {
  /** Several lines of one style. */
  lines(lines: readonly (readonly Point[])[], style: Stroke): void;
  area(points: readonly Point[], color: string, opacity: number): void;
  rectangles(rectangles: readonly Rectangle[], color: string, opacity?: number): void;
  circles(points: readonly Point[], radius: number, style: { fill?: string; stroke?: string }): void;
  text(at: Point, text: string, style: TextStyle): void;
  /** What `draw` draws outside of the rectangle is not seen. */
  clipped(rectangle: Rectangle, draw: () => void): void;
}

export interface Palette {
  ground: string;
  ink: string;
  faint: string;
  grid: string;
  traces: readonly string[];
}

/** For what leaves the page: black on white, with Okabe and Ito's colours. */
export const ON_WHITE: Palette = {
  ground: "#ffffff",
  ink: "#16202a",
  faint: "#55636f",
  grid: "#e3e6e9",
  traces: ["#0072b2", "#b35900", "#007a5a", "#a8458a", "#2a7fb8", "#8a6d00", "#5a3fa0", "#444c55"],
};

export const FONT = 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
const DASH = [5, 4];

export class CanvasSurface implements Surface {
  constructor(private readonly context: CanvasRenderingContext2D) {}

  lines(lines: readonly (readonly Point[])[], { color, width, dashed }: Stroke): void {
    const { context } = this;
    context.strokeStyle = color;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.setLineDash(dashed ? DASH : []);
    context.beginPath();
    for (const line of lines) line.forEach(([x, y], k) => (k === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.stroke();
    context.setLineDash([]);
  }

  area(points: readonly Point[], color: string, opacity: number): void {
    const { context } = this;
    context.globalAlpha = opacity;
    context.fillStyle = color;
    context.beginPath();
    points.forEach(([x, y], k) => (k === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.fill();
    context.globalAlpha = 1;
  }

  rectangles(rectangles: readonly Rectangle[], color: string, opacity = 1): void {
    const { context } = this;
    context.globalAlpha = opacity;
    context.fillStyle = color;
    for (const { x, y, width, height } of rectangles) context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
  }

  circles(points: readonly Point[], radius: number, { fill, stroke }: { fill?: string; stroke?: string }): void {
    const { context } = this;
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      if (fill) {
        context.fillStyle = fill;
        context.fill();
      }
      if (stroke) {
        context.strokeStyle = stroke;
        context.lineWidth = 1.5;
        context.stroke();
      }
    }
  }

  text([x, y]: Point, text: string, { color, size, anchor, bold, upright }: TextStyle): void {
    const { context } = this;
    context.save();
    context.translate(x, y);
    if (upright) context.rotate(-Math.PI / 2);
    context.fillStyle = color;
    context.font = `${bold ? "600 " : ""}${size}px ${FONT}`;
    context.textAlign = anchor === "middle" ? "center" : anchor;
    context.fillText(text, 0, 0);
    context.restore();
  }

  clipped({ x, y, width, height }: Rectangle, draw: () => void): void {
    this.context.save();
    this.context.beginPath();
    this.context.rect(x, y, width, height);
    this.context.clip();
    draw();
    this.context.restore();
  }
}

/** Writes SVG 1.1 that stands on its own: no script, no style sheet, nothing from elsewhere. */
export class SvgSurface implements Surface {
  private parts: string[] = [];
  private clips = 0;

  constructor(
    private readonly width: number,
    private readonly height: number,
  ) {}

  lines(lines: readonly (readonly Point[])[], { color, width, dashed }: Stroke): void {
    const path = lines.map((line) => line.map(([x, y], k) => `${k === 0 ? "M" : "L"}${at(x)} ${at(y)}`).join("")).join("");
    if (!path) return;
    const dash = dashed ? ` stroke-dasharray="${DASH.join(" ")}"` : "";
    this.parts.push(`<path d="${path}" fill="none" stroke="${escaped(color)}" stroke-width="${at(width)}" stroke-linejoin="round"${dash}/>`);
  }

  area(points: readonly Point[], color: string, opacity: number): void {
    const list = points.map(([x, y]) => `${at(x)},${at(y)}`).join(" ");
    this.parts.push(`<polygon points="${list}" fill="${escaped(color)}" fill-opacity="${at(opacity)}"/>`);
  }

  rectangles(rectangles: readonly Rectangle[], color: string, opacity = 1): void {
    if (rectangles.length === 0) return;
    const path = rectangles.map((r) => `M${at(r.x)} ${at(r.y)}h${at(r.width)}v${at(r.height)}h${at(-r.width)}z`).join("");
    this.parts.push(`<path d="${path}" fill="${escaped(color)}" fill-opacity="${at(opacity)}"/>`);
  }

  circles(points: readonly Point[], radius: number, { fill, stroke }: { fill?: string; stroke?: string }): void {
    const style = `fill="${escaped(fill ?? "none")}"${stroke ? ` stroke="${escaped(stroke)}" stroke-width="1.5"` : ""}`;
    for (const [x, y] of points) this.parts.push(`<circle cx="${at(x)}" cy="${at(y)}" r="${at(radius)}" ${style}/>`);
  }

  text([x, y]: Point, text: string, { color, size, anchor, bold, upright }: TextStyle): void {
    const turn = upright ? ` transform="rotate(-90 ${at(x)} ${at(y)})"` : "";
    const weight = bold ? ' font-weight="600"' : "";
    this.parts.push(
      `<text x="${at(x)}" y="${at(y)}" fill="${escaped(color)}" font-size="${at(size)}" text-anchor="${anchor}"${weight}${turn}>${escaped(text)}</text>`,
    );
  }

  clipped({ x, y, width, height }: Rectangle, draw: () => void): void {
    const id = `clip${this.clips++}`;
    this.parts.push(
      `<clipPath id="${id}"><rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}"/></clipPath>`,
      `<g clip-path="url(#${id})">`,
    );
    draw();
    this.parts.push("</g>");
  }

  /** The whole file. */
  toString(title: string): string {
    const size = `width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"`;
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${escaped(FONT)}">`,
      `<title>${escaped(title)}</title>`,
      ...this.parts,
      "</svg>\n",
    ].join("\n");
  }
}

function at(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Text as XML has it; characters that XML cannot have are left out. */
export function escaped(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
