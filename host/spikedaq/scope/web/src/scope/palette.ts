/** Colours of the theme: asking the browser for them costs as much as drawing. */
import { hatch } from "./draw";

/** The colour of a channel of the k-th device. */
export function traceColour(channel: number, k: number): string {
  return `--trace-${(channel + 3 * k) % 8}`;
}

export class Palette {
  private readonly known = new Map<string, string>();
  private readonly hatches = new Map<string, CanvasPattern | string>();

  of(name: string): string {
    const known = this.known.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(name);
    this.known.set(name, known);
    return known;
  }

  hatch(context: CanvasRenderingContext2D, name: string, ratio: number): CanvasPattern | string {
    const key = `${name} ${ratio}`;
    const made = this.hatches.get(key) ?? hatch(context, this.of(name), ratio);
    this.hatches.set(key, made);
    return made;
  }
}
