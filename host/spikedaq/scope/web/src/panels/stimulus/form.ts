/** The form of a generator: texts as they were typed, and what they mean. */
import { complaint, parseNumber, shortest } from "../device/numbers";
import type { Generator, GeneratorParameter, Spec } from "./waveform";

/** By name of the parameter. */
export type Texts = Record<string, string>;

export interface Read {
  values: Record<string, number>;
  /** By name of the parameter, why it cannot be. */
  wrong: Record<string, string>;
}

/** A row is 0.1 ms. */
const ROWS_PER_MS = 10;

export function defaultTexts(generator: Generator): Texts {
  return Object.fromEntries(generator.parameters.map((parameter) => [parameter.name, String(parameter.default)]));
}

export function readTexts(generator: Generator, texts: Texts): Read {
  const read: Read = { values: {}, wrong: {} };
  for (const parameter of generator.parameters) {
    const value = parseNumber(texts[parameter.name] ?? String(parameter.default));
    const why = complaint(value, { ...parameter, integer: parameter.type === "integer" }, parameter.unit) ?? offGrid(value!, parameter);
    if (why === undefined) read.values[parameter.name] = value!;
    else read.wrong[parameter.name] = why;
  }
  return read;
}

function offGrid(value: number, parameter: GeneratorParameter): string | undefined {
  const rows = value * ROWS_PER_MS;
  if (parameter.unit !== "ms" || Math.abs(rows - Math.round(rows)) <= 1e-6) return undefined;
  return `a row is 0.1 ms; give ${shortest(Math.round(rows) / ROWS_PER_MS)} ms`;
}

export function specOf(generator: string, values: Record<string, number>, repeat: number): Spec {
  return { sequence: [{ generator, values }], repeat };
}

/** What a parameter is called in a form: its unit has a place of its own. */
export function labelOf(parameter: GeneratorParameter): string {
  const text = parameter.name.replace(/_(ms|hz|deg)$/, "").replaceAll("_", " ");
  return text[0]!.toUpperCase() + text.slice(1);
}
