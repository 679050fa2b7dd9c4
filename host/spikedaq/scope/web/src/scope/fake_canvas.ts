/** A canvas for tests: pixels of whole colours, without blending; what is partly covered counts by its middle. */

export class FakeCanvas {
  readonly pixels: string[];
  fillStyle: unknown = "";
  strokeStyle = "";
  globalAlpha = 1;
  globalCompositeOperation = "source-over";
  lineWidth = 1;
  lineJoin = "";
  font = "";
  textBaseline = "";
  /** Rectangles and shapes that were drawn. */
  nDrawn = 0;
  readonly canvas = this;

  private clipFrom = 0;
  private path: [number, number][] = [];
  private rectFrom = 0;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.pixels = new Array<string>(width * height).fill("");
  }

  save(): void {}

  restore(): void {
    this.clipFrom = 0;
  }

  setLineDash(): void {}

  stroke(): void {}

  beginPath(): void {
    this.path = [];
  }

  rect(x: number): void {
    this.rectFrom = x;
  }

  clip(): void {
    this.clipFrom = this.rectFrom;
  }

  moveTo(x: number, y: number): void {
    this.path.push([x, y]);
  }

  lineTo(x: number, y: number): void {
    this.path.push([x, y]);
  }

  measureText(text: string): { width: number } {
    return { width: 6 * text.length };
  }

  fillText(text: string, x: number, y: number): void {
    this.put(x, y - 10, 6 * text.length, 10, text);
  }

  fill(): void {
    this.nDrawn++;
    const at = this.path;
    const side = ([ax, ay]: [number, number], [bx, by]: [number, number], x: number, y: number) =>
      (bx - ax) * (y - ay) - (by - ay) * (x - ax);
    const [xs, ys] = [at.map(([x]) => x), at.map(([, y]) => y)];
    const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] as const;
    this.each(...box, String(this.fillStyle), (x, y) => {
      const sides = at.map((p, k) => side(p, at[(k + 1) % at.length]!, x, y));
      return sides.every((s) => s >= 0) || sides.every((s) => s <= 0);
    });
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.nDrawn++;
    this.put(x, y, width, height, String(this.fillStyle));
  }

  clearRect(x: number, y: number, width: number, height: number): void {
    this.put(x, y, width, height, "");
  }

  drawImage(image: unknown, dx: number, dy: number): void {
    if (image !== this || dy !== 0 || dx > 0 || this.globalCompositeOperation !== "copy") throw new Error("not this one");
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        this.pixels[y * this.width + x] = x - dx < this.width ? this.pixels[y * this.width + x - dx]! : "";
      }
    }
  }

  private put(x: number, y: number, width: number, height: number, what: string): void {
    this.each(x, y, x + width, y + height, what, () => true);
  }

  /** Pixels of a box of which the middle is in it, and in what is not clipped away. */
  private each(left: number, top: number, right: number, bottom: number, what: string, isIn: (x: number, y: number) => boolean): void {
    const first = Math.max(this.clipFrom, Math.ceil(left - 0.5));
    for (let y = Math.max(0, Math.ceil(top - 0.5)); y < this.height && y + 0.5 < bottom; y++) {
      for (let x = first; x < this.width && x + 0.5 < right; x++) {
        if (isIn(x + 0.5, y + 0.5)) this.pixels[y * this.width + x] = what;
      }
    }
  }
}
