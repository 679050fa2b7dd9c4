/** The mode of a recording: what is typed, and what the daemon is told (docs/reference/control.md, section 4). */
import { parseNumber } from "../device/numbers";

export type Kind = "default" | "continuous" | "triggered" | "scheduled";

export interface ModeTexts {
  kind: Kind;
  /** Triggered: names; none for all. */
  triggers: readonly string[];
  pre_s: string;
  post_s: string;
  /** Scheduled. */
  every_s: string;
  for_s: string;
}

export const MODE: ModeTexts = { kind: "default", triggers: [], pre_s: "", post_s: "", every_s: "600", for_s: "60" };
const HOUR_S = 3600;
const YEAR_S = 366 * 86_400;

export interface ReadMode {
  /** Null: as the daemon's configuration says. */
  mode: Record<string, unknown> | null;
  /** By name of the field, why it cannot be. */
  wrong: Record<string, string>;
}

export function readMode(texts: ModeTexts): ReadMode {
  const wrong: Record<string, string> = {};
  const number = (name: "pre_s" | "post_s" | "every_s" | "for_s", low: number, high: number): number => {
    const value = parseNumber(texts[name]);
    if (value === undefined || value < low || value > high) wrong[name] = `give a number from ${low} to ${high} s`;
    return value ?? 0;
  };
  if (texts.kind === "default") return { mode: null, wrong };
  if (texts.kind === "continuous") return { mode: { kind: "continuous" }, wrong };
  if (texts.kind === "triggered") {
    const mode: Record<string, unknown> = { kind: "triggered" };
    if (texts.triggers.length > 0) mode["triggers"] = [...texts.triggers];
    // Without both, each trigger's own window counts.
    if (texts.pre_s.trim() || texts.post_s.trim()) {
      mode["pre_s"] = number("pre_s", 0, HOUR_S);
      mode["post_s"] = number("post_s", 0, HOUR_S);
    }
    return { mode, wrong };
  }
  const every_s = number("every_s", 1, YEAR_S);
  const for_s = number("for_s", 1, YEAR_S);
  if (wrong["for_s"] === undefined && wrong["every_s"] === undefined && for_s > every_s) {
    wrong["for_s"] = "give no more than the time from one window to the next";
  }
  return { mode: { kind: "scheduled", every_s, for_s }, wrong };
}
