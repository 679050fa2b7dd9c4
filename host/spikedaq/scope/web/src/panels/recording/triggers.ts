/** A simple trigger: what is typed, and its definition (docs/reference/triggers.md). */
import { parseNumber } from "../device/numbers";

export interface Trigger {
  name: string;
  state: "armed" | "disarmed";
  configured: boolean;
  definition: Record<string, unknown>;
  firings: number;
  suppressed: number;
  last: { device: string; value: number | null } | null;
  problems: string[];
}

export interface TriggerTexts {
  name: string;
  channel: string;
  level: string;
  edge: "rising" | "falling" | "either";
  hysteresis: string;
  holdoff_s: string;
  action: "record" | "mark";
  pre_s: string;
  post_s: string;
}

export const TRIGGER: TriggerTexts = {
  name: "",
  channel: "vm",
  level: "-30",
  edge: "rising",
  hysteresis: "5",
  holdoff_s: "0.1",
  action: "record",
  pre_s: "0.5",
  post_s: "1",
};
/** Each firing is a record and a message (docs/reference/triggers.md). */
const LEAST_HOLDOFF_S = 0.001;
const HOUR_S = 3600;

export interface ReadTrigger {
  definition: Record<string, unknown> | null;
  wrong: Record<string, string>;
}

export function readTrigger(texts: TriggerTexts, device: string): ReadTrigger {
  const wrong: Record<string, string> = {};
  const number = (name: "level" | "hysteresis" | "holdoff_s" | "pre_s" | "post_s", low: number, high: number): number => {
    const value = parseNumber(texts[name]);
    if (value === undefined) wrong[name] = "this is no number";
    else if (value < low || value > high) wrong[name] = `give a number from ${low} to ${high}`;
    return value ?? 0;
  };
  const name = texts.name.trim();
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/.test(name)) {
    wrong["name"] = name === "" ? "give it a name" : "use letters, digits, '-' and '_' only, at most 40";
  }
  const mark = texts.action === "mark";
  const definition = {
    name,
    when: "level",
    channel: texts.channel,
    level: number("level", -1e6, 1e6),
    edge: texts.edge,
    hysteresis: number("hysteresis", 0, 1e6),
    devices: [device],
    holdoff_s: number("holdoff_s", LEAST_HOLDOFF_S, HOUR_S),
    // Both 0: the instant is marked, nothing is recorded around it.
    pre_s: mark ? 0 : number("pre_s", 0, HOUR_S),
    post_s: mark ? 0 : number("post_s", 0, HOUR_S),
  };
  return { definition: Object.keys(wrong).length > 0 ? null : definition, wrong };
}

/** What a trigger waits for, in a line. */
export function conditionText(definition: Record<string, unknown>): string {
  const of = (name: string) => String(definition[name] ?? "");
  switch (definition["when"]) {
    case "level":
      return `${of("channel")} ${of("edge") || "rising"} through ${of("level")}`;
    case "spikes":
      return `${of("spikes")} spikes in ${of("window_s")} s`;
    case "rate":
      return `${of("edge") === "falling" ? "below" : "at least"} ${of("rate_hz")} spikes/s`;
    case "event":
      return `event ${of("event")}`;
    case "stimulus":
      return "each loop of the stimulus";
    case "hand":
      return "by hand only";
    default:
      return of("when") || "?";
  }
}
