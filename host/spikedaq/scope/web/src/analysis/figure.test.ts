import { expect, test } from "vitest";
import { type Figure, niceStep, numberText, ranges, shortText, ticks } from "./figure";
import { drawFigure, frameOf } from "./plot";
import { fileName, svgOf } from "./save";
import { escaped, ON_WHITE, type Point, type Surface, SvgSurface } from "./surface";

const figure = (layers: Figure["layers"], title = "Title"): Figure => ({ id: "f", title, x: { label: "Time (ms)" }, y: { label: "Vm (mV)" }, layers });

test("steps of ticks are 1, 2, 5 times a power of ten", () => {
  expect([0.3, 1, 1.1, 2.2, 5.1, 0.02, 700].map(niceStep)).toEqual([0.5, 1, 2, 5, 10, 0.02, 1000]);
  expect([0, -1, Number.NaN, Number.POSITIVE_INFINITY].map(niceStep)).toEqual([1, 1, 1, 1]);
});

test("ticks lie within the range, without what rounding adds", () => {
  expect(ticks({ min: -0.31, max: 0.31 }, 6)).toEqual([-0.2, 0, 0.2]);
  expect(ticks({ min: 0.1, max: 0.9 }, 8)).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
  expect(ticks({ min: 0, max: 2 }, 10, true)).toEqual([0, 1, 2]);
});

test("numbers as people write them", () => {
  expect([0, -65, 0.1 + 0.2, 1234567, 1e-7, 2.5e12].map(numberText)).toEqual(["0", "−65", "0.3", "1234570", "1e−7", "2.5e12"]);
  expect([shortText(null), shortText(Number.NaN, "Hz"), shortText(72.7655, "Hz"), shortText(0)]).toEqual(["–", "–", "72.77 Hz", "0"]);
});

test("the range is of all layers, and null is nothing", () => {
  const found = ranges(
    figure([
      { kind: "line", x: [0, 10, null], y: [null, -70, 30], color: 0 },
      { kind: "level", of: "y", at: 40, color: 1 },
    ]),
  );
  expect(found.x).toEqual({ min: 0, max: 10 });
  expect([found.y.min, found.y.max]).toEqual([-75.5, 45.5]);
});

test("a figure without data has axes all the same", () => {
  expect(ranges(figure([]))).toEqual({ x: { min: 0, max: 1 }, y: { min: 0, max: 1.05 } });
  expect(svgOf(figure([]))).not.toContain("NaN");
});

test("places and values are each other's inverse", () => {
  const frame = frameOf(figure([{ kind: "line", x: [-90, 30], y: [0, 5], color: 0 }]), { width: 400, height: 200 });
  expect(frame.ofX(frame.toX(-20))).toBeCloseTo(-20);
  expect(frame.toX(-90)).toBe(frame.box.x);
});

test("SVG has title, axes with units, white ground, and nothing that is run", () => {
  const svg = svgOf(figure([{ kind: "line", x: [0, 1], y: [0, 1], color: 0, name: "a < b & \"c\"" }], "<script>alert(1)</script>"));
  expect(svg).toContain(">Time (ms)</text>");
  expect(svg).toContain(">Vm (mV)</text>");
  expect(svg).toContain('fill="#ffffff"');
  expect(svg).toContain("a &lt; b &amp; &quot;c&quot;");
  expect(svg).not.toContain("<script");
  expect(escaped("a\u0000\u001b\ufffeb\n")).toBe("ab\n");
});

test("a spike of one column is drawn, and a gap is not drawn over", () => {
  const lines: (readonly Point[])[] = [];
  const surface: Surface = new SvgSurface(400, 200);
  surface.lines = (given) => void lines.push(...given);
  const times = [0, 1, 2, 3, 4];
  drawFigure(surface, figure([{ kind: "range", x: times, low: [-65, -65, null, -65, -65], high: [-65, 30, null, -65, -65], color: 0 }]), { width: 400, height: 200 }, ON_WHITE);
  const drawn = lines.slice(-2);
  expect(drawn.map((line) => line.length)).toEqual([3, 2]);
  const [[, y0], , [, y2]] = drawn[0] as unknown as [Point, Point, Point];
  expect(y0 - y2).toBeGreaterThan(100);
});

test("a band with a hole is two areas", () => {
  const svg = svgOf(figure([{ kind: "band", x: [0, 1, 2, 3, 4], low: [0, 0, null, 0, 0], high: [1, 1, null, 1, 1], color: 0 }]));
  expect(svg.match(/<polygon/g)).toHaveLength(2);
});

test("file names lead nowhere", () => {
  expect(fileName("../../etc/passwd")).toBe("_.._etc_passwd");
  expect(fileName("Tonic spiking_1.svg")).toBe("Tonic spiking_1.svg");
  expect(fileName("...")).toBe("spikedaq");
});
