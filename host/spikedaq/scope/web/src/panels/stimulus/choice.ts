/** What is chosen in the panel: kept while other panels are looked at. */
import { computed, signal } from "@preact/signals";
import { parseNumber } from "../device/numbers";
import { type Read, type Texts, defaultTexts, readTexts, specOf } from "./form";
import type { Generator, Source } from "./waveform";

const MAX_REPEAT = 10_000;

export const kind = signal<"generator" | "file">("generator");
export const generators = signal<readonly Generator[]>([]);
export const chosen = signal("steps");
/** Texts by generator. */
export const texts = signal<Readonly<Record<string, Texts>>>({});
export const repeat = signal("1");
export const file = signal<File | null>(null);

export const generator = computed(() => generators.value.find(({ name }) => name === chosen.value) ?? generators.value[0]);
export const read = computed<Read>(() => {
  const one = generator.value;
  return one === undefined ? { values: {}, wrong: {} } : readTexts(one, texts.value[one.name] ?? defaultTexts(one));
});
export const repeats = computed(() => {
  const value = parseNumber(repeat.value);
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= MAX_REPEAT ? value : undefined;
});
export const repeatWrong = computed(() =>
  repeats.value === undefined ? `give a whole number from 1 to ${MAX_REPEAT}` : undefined,
);

/** What is to be previewed and played; null while something in the form is wrong, or no file is chosen. */
export const source = computed<Source | null>(() => {
  if (kind.value === "file") return file.value && { name: file.value.name, file: file.value };
  const one = generator.value;
  if (one === undefined || Object.keys(read.value.wrong).length > 0 || repeats.value === undefined) return null;
  return { name: one.title, spec: specOf(one.name, read.value.values, repeats.value) };
});

export function setText(name: string, text: string): void {
  const one = generator.value!;
  texts.value = { ...texts.value, [one.name]: { ...defaultTexts(one), ...texts.value[one.name], [name]: text } };
}

export function useDefaults(): void {
  const one = generator.value!;
  texts.value = { ...texts.value, [one.name]: defaultTexts(one) };
  repeat.value = "1";
}
