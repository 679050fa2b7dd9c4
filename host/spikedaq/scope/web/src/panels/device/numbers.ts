/** Numbers of parameters: as people write and read them, and as sliders and keys move them. */

export interface Range {
  minimum: number;
  maximum: number;
  /** What one press of an arrow key changes. */
  step: number;
  integer: boolean;
}

/** A 32-bit float in the fewest digits that mean it: 0.02, not 0.019999999552965164. */
export function shortest(value: number): string {
  if (!Number.isFinite(value)) return "?";
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return plain(short);
  }
  return plain(Number(value.toPrecision(9)));
}

function plain(value: number): string {
  const text = String(value === 0 ? 0 : value);
  return text.includes("e-") ? value.toFixed(20).replace(/0+$/, "") : text;
}

/** A number with thousands set apart, such as 600 000 rows. */
export function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** What somebody typed as a number, a decimal comma taken for a point; undefined where it is none. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim().replace("\u2212", "-");
  if (!/^[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d{1,3})?$/i.test(trimmed)) return undefined;
  const value = Number(trimmed.replace(",", "."));
  return Number.isFinite(value) ? value : undefined;
}

/** Why a number cannot be the value; undefined where it can. */
export function complaint(value: number | undefined, range: Omit<Range, "step">, unit: string): string | undefined {
  const low = shortest(range.minimum);
  const high = shortest(range.maximum);
  const wanted = `${range.integer ? "a whole number" : "a number"} from ${low} to ${high}${unitText(unit)}`;
  if (value === undefined) return `this is no number; give ${wanted}`;
  if (range.integer && !Number.isInteger(value)) return `give ${wanted}`;
  // Limits are 32-bit floats: 0.1 may be above its nearest one.
  const near = Math.fround(value);
  const inside = (v: number) => v >= range.minimum && v <= range.maximum;
  return inside(value) || inside(near) ? undefined : `give ${wanted}`;
}

/** A unit behind a number: nothing for a pure number. */
export function unitText(unit: string): string {
  return unit === "1" ? "" : `\u00a0${unit === "us" ? "µs" : unit === "step" ? "steps" : unit}`;
}

/** 1, 2 or 5 times a power of ten, so that a range has some two hundred of them. */
export function niceStep(span: number, integer: boolean): number {
  if (!(span > 0)) return 1;
  const rough = span / 200;
  const power = 10 ** Math.floor(Math.log10(rough));
  const times = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10;
  const step = Number((times * power).toPrecision(1));
  return integer ? Math.max(1, Math.round(step)) : step;
}

/** The value after so many steps from another, on the grid of steps, within the range. */
export function stepped(value: number, steps: number, range: Range): number {
  const at = value / range.step;
  // From between two points of the grid to the next one in that direction.
  const on = Math.abs(at - Math.round(at)) < 1e-6 ? Math.round(at) : steps > 0 ? Math.floor(at) : Math.ceil(at);
  const moved = Number(((on + steps) * range.step).toPrecision(12));
  return clamp(moved, range.minimum, range.maximum);
}

export function clamp(value: number, minimum: number, maximum: number): number {
  return Math.min(maximum, Math.max(minimum, value));
}

/** Positions of a slider, 0 to `positions`, and the values that they stand for. */
export interface Scale {
  positions: number;
  toPosition: (value: number) => number;
  toValue: (position: number) => number;
}

/** Equal distances for equal differences. */
export function linearScale(low: number, high: number, step: number): Scale {
  const positions = Math.max(1, Math.round((high - low) / step));
  return {
    positions,
    toPosition: (value) => clamp(Math.round((value - low) / step), 0, positions),
    toValue: (position) => (position >= positions ? high : Number((low + position * step).toPrecision(12))),
  };
}

const LOG_POSITIONS = 240;

/** Equal distances for equal ratios, of whole numbers above 0; three digits are enough for a slider. */
export function logScale(low: number, high: number): Scale {
  const ratio = Math.log(high / low);
  return {
    positions: LOG_POSITIONS,
    toPosition: (value) => clamp(Math.round((Math.log(Math.max(value, low) / low) / ratio) * LOG_POSITIONS), 0, LOG_POSITIONS),
    toValue: (position) => {
      if (position <= 0) return low;
      if (position >= LOG_POSITIONS) return high;
      const value = low * Math.exp((position / LOG_POSITIONS) * ratio);
      return clamp(Math.round(Number(value.toPrecision(3))), low, high);
    },
  };
}
