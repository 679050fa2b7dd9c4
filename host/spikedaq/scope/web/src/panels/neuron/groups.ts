/** How the parameters of a device are put together, named and moved: a table, by the names of protocol/README.md, 4.3. */
import type { About, Parameter } from "../device/about";
import { type Range, type Scale, linearScale, logScale, niceStep, shortest } from "../device/numbers";

export interface Group {
  id: string;
  title: string;
  parameters: Parameter[];
}

interface Known {
  label: string;
  /** What a slider reaches, where a device takes more than anybody needs; a number beyond can be typed. */
  usual?: [number, number];
  step?: number;
  log?: true;
}

const GROUPS: [string, string, string[]][] = [
  ["membrane", "Membrane", ["preset", "a", "b", "c", "d", "v_rest"]],
  ["clamp", "Clamp", ["clamp_mode", "v_hold", "vc_kp", "vc_ki", "vc_i_min", "vc_i_max", "vc_span"]],
  ["currents", "Currents and noise", ["i_clamp", "noise_sd"]],
  ["photodiode", "Photodiode", ["photo_gain", "photo_decay", "photo_recovery"]],
  ["synapses", "Synapses", ["syn1_gain", "syn1_decay", "syn2_gain", "syn2_decay"]],
  ["stimulus", "Stimulus generator", ["stim_strength", "stim_period"]],
  ["time", "Time", ["step_us"]],
  ["outputs", "Outputs", ["led", "buzzer"]],
  ["virtual", "Virtual board", ["virtual_light", "virtual_current_in", "virtual_loopback"]],
];
const OTHERS = "Others";

const KNOWN: Record<string, Known> = {
  preset: { label: "Preset" },
  a: { label: "a, rate of recovery", usual: [0, 0.2], step: 0.001 },
  b: { label: "b, recovery per voltage", step: 0.01 },
  c: { label: "c, reset potential", step: 0.5 },
  d: { label: "d, step of recovery", usual: [-25, 25], step: 0.1 },
  v_rest: { label: "Resting potential", step: 0.5 },
  clamp_mode: { label: "Clamp" },
  v_hold: { label: "Holding potential", step: 0.5 },
  vc_kp: { label: "Controller, proportional", usual: [0, 20] },
  vc_ki: { label: "Controller, integral", usual: [0, 2] },
  vc_i_min: { label: "Controller, lowest output" },
  vc_i_max: { label: "Controller, highest output" },
  vc_span: { label: "Range of the holding knob" },
  i_clamp: { label: "Injected current", usual: [-100, 100], step: 0.5 },
  noise_sd: { label: "Noise, standard deviation", usual: [0, 25] },
  photo_gain: { label: "Gain" },
  photo_decay: { label: "Adaptation", usual: [0, 0.05] },
  photo_recovery: { label: "Recovery", usual: [0, 0.1] },
  syn1_gain: { label: "Synapse 1, gain", usual: [-25, 25] },
  syn1_decay: { label: "Synapse 1, decay", usual: [0.9, 1] },
  syn2_gain: { label: "Synapse 2, gain", usual: [-25, 25] },
  syn2_decay: { label: "Synapse 2, decay", usual: [0.9, 1] },
  stim_strength: { label: "Strength of the square wave", step: 1 },
  stim_period: { label: "Period of the square wave", usual: [10, 100_000], log: true },
  step_us: { label: "Wall time of a step", usual: [50, 20_000], log: true },
  led: { label: "LED" },
  buzzer: { label: "Buzzer" },
  virtual_light: { label: "Light on the photodiode" },
  virtual_current_in: { label: "Current into the jack", usual: [-100, 100], step: 0.5 },
  virtual_loopback: { label: "Stimulus output into the current jack" },
};

/** Every parameter in exactly one group; groups without any are left out. */
export function groupsOf(about: About): Group[] {
  const left = new Map(about.parameters.map((parameter) => [parameter.name, parameter]));
  const groups: Group[] = [];
  for (const [id, title, names] of GROUPS) {
    const found = names.flatMap((name) => left.get(name) ?? []);
    for (const { name } of found) left.delete(name);
    if (found.length > 0) groups.push({ id, title, parameters: found });
  }
  if (left.size > 0) groups.push({ id: "others", title: OTHERS, parameters: [...left.values()] });
  return groups;
}

export function labelOf(name: string): string {
  return KNOWN[name]?.label ?? name;
}

/** The range that keys move a value in. */
export function rangeOf(parameter: Parameter): Range {
  const known = KNOWN[parameter.name];
  const [low, high] = usual(parameter);
  const integer = parameter.type !== "float";
  const step = known?.step ?? niceStep(high - low, integer);
  return { minimum: clean(parameter.minimum), maximum: clean(parameter.maximum), step: integer ? Math.max(1, step) : step, integer };
}

/** How a slider moves it. */
export function scaleOf(parameter: Parameter): Scale {
  const [low, high] = usual(parameter);
  return KNOWN[parameter.name]?.log && low > 0 ? logScale(low, high) : linearScale(low, high, rangeOf(parameter).step);
}

function usual(parameter: Parameter): [number, number] {
  const [low, high] = KNOWN[parameter.name]?.usual ?? [parameter.minimum, parameter.maximum];
  const within: [number, number] = [clean(Math.max(low, parameter.minimum)), clean(Math.min(high, parameter.maximum))];
  return within[0] < within[1] ? within : [clean(parameter.minimum), clean(parameter.maximum)];
}

/** The decimal that a 32-bit float stands for. */
function clean(value: number): number {
  return Number(shortest(value));
}

/** What a value means in other words; empty where nothing is to be said. */
export function meaningOf(parameter: Parameter): string {
  if (parameter.name === "step_us") {
    const times = parameter.value / 100;
    if (!(times > 0)) return "";
    if (times === 1) return "real time: a step is 0.1 ms of model time";
    return times > 1 ? `${tidy(times)} times slower than real time` : `${tidy(1 / times)} times faster than real time`;
  }
  if (parameter.name === "stim_period" && parameter.value > 0) {
    return `${tidy(parameter.value / 10)} ms, ${tidy(10_000 / parameter.value)} Hz of model time; on for the first half`;
  }
  return "";
}

function tidy(value: number): string {
  return String(Number(value.toPrecision(3)));
}

const OF_A_PRESET = new Set(["a", "b", "c", "d", "v_rest"]);

export type Origin = "host" | "knob" | "preset" | "default";

/** Where a value comes from. */
export function originOf(parameter: Parameter): Origin {
  if (parameter.holder === "host") return "host";
  if (parameter.has_knob) return "knob";
  return OF_A_PRESET.has(parameter.name) && Math.fround(parameter.value) !== Math.fround(parameter.default) ? "preset" : "default";
}

/** The number of the preset that a device is; undefined for a custom neuron. */
export function presetOf(about: About): number | undefined {
  const value = about.parameters.find((parameter) => parameter.name === "preset")?.value;
  return value !== undefined && Number.isInteger(value) && value >= 0 && value < about.presets.length ? value : undefined;
}
