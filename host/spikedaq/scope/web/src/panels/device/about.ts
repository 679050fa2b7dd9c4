/** What a device says of itself (docs/reference/control.md, `describe`), kept up to date for one panel. */
import { type Signal, effect, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Refused } from "../../net/connection";
import { type DeviceEvent, benches, connected, connection, myName, onEvent } from "../../state";

export interface Parameter {
  name: string;
  unit: string;
  type: "float" | "integer" | "boolean";
  minimum: number;
  maximum: number;
  /** NaN where nobody knows it: a stock board tells none of its settings. */
  default: number;
  value: number;
  holder: "knob" | "host";
  read_only: boolean;
  has_knob: boolean;
}

export interface Preset {
  name: string;
  a: number;
  b: number;
  c: number;
  d: number;
  v_rest: number;
}

export interface About {
  name: string;
  board: string;
  boot_id: number;
  step_us: number;
  stimulus_capacity: number;
  parameters: Parameter[];
  presets: Preset[];
}

export interface Held {
  value: number;
  holder: "knob" | "host";
}

/** Who changed a parameter, when that was somebody else: shown for a while. */
export interface ChangedBy {
  by: string;
  untilMs: number;
}

const SHOWN_MS = 4000;
/** Several events come of one change, such as those of a preset: one look at the holders is enough. */
const SOON_MS = 150;

/** Whether somebody that the daemon calls so is this page: `name@address`, or `key (name)@address`. */
export function isMe(origin: string, me: string): boolean {
  return me !== "" && (origin === me || origin.startsWith(`${me}@`) || origin.includes(`(${me})`));
}

/** What to call the origin of a change in a few letters. */
export function shortOrigin(origin: string): string {
  if (origin === "board") return "the board";
  const name = origin.split("@")[0]!;
  return name.length > 24 ? `${name.slice(0, 23)}…` : name;
}

/** A description as it came: JSON has no NaN. */
export function withUnknown(about: About): About {
  const number = (value: number | null) => value ?? Number.NaN;
  const parameters = about.parameters.map((one) => ({ ...one, value: number(one.value), default: number(one.default) }));
  return { ...about, parameters };
}

/** Take an event `parameter` into a description; the same one where it says nothing new. */
export function withEvent(about: About, event: DeviceEvent): About {
  if (event.kind !== "parameter" || typeof event.value !== "number" || event.boot !== about.boot_id) return about;
  const name = event["name"];
  const known = about.parameters.find((parameter) => parameter.name === name);
  if (known === undefined || known.value === event.value) return about;
  return withValues(about, { [known.name]: { value: event.value, holder: known.holder } });
}

/** Take what `set` answered into a description. */
export function withValues(about: About, values: Record<string, Held>): About {
  const parameters = about.parameters.map((parameter) => ({ ...parameter, ...values[parameter.name] }));
  return { ...about, parameters };
}

export class DeviceModel {
  readonly about: Signal<About | null> = signal(null);
  /** Why it is not known. */
  readonly error = signal("");
  readonly changedBy: Signal<ReadonlyMap<string, ChangedBy>> = signal(new Map());

  private timer: ReturnType<typeof setTimeout> | undefined;
  private forgetter: ReturnType<typeof setTimeout> | undefined;
  private asked = 0;
  private ends: (() => void)[] = [];

  constructor(
    readonly bench: string,
    readonly device: string,
  ) {}

  start(): void {
    let seen = "";
    this.ends = [
      onEvent((key, event) => {
        if (key.bench === this.bench && key.device === this.device) this.take(event);
      }),
      effect(() => {
        const state = benches.value.get(this.bench);
        const status = state?.status?.devices.find((one) => one.name === this.device);
        const now = [connected.value, state?.here, state?.missed, status?.boot, status?.state].join(" ");
        if (now === seen) return;
        seen = now;
        if (connected.value && state?.here) void this.fetch();
      }),
    ];
  }

  stop(): void {
    for (const end of this.ends) end();
    clearTimeout(this.timer);
    clearTimeout(this.forgetter);
    this.asked++;
  }

  parameter(name: string): Parameter | undefined {
    return this.about.value?.parameters.find((parameter) => parameter.name === name);
  }

  async fetch(): Promise<void> {
    const number = ++this.asked;
    try {
      const about = await connection.ask<About>(this.bench, "describe", { device: this.device });
      // Only the newest answer counts: an older one knows less.
      if (number !== this.asked) return;
      this.about.value = withUnknown(about);
      this.error.value = "";
    } catch (error) {
      if (number === this.asked) this.error.value = error instanceof Refused ? error.message : String(error);
    }
  }

  /** Set parameters, null to hand one back; throws `Refused`. */
  async set(values: Record<string, number | null>): Promise<void> {
    const held = await connection.ask<Record<string, Held>>(this.bench, "set", { device: this.device, values });
    if (this.about.value !== null) this.about.value = withUnknown(withValues(this.about.value, held));
    this.fetchSoon();
  }

  private take(event: DeviceEvent): void {
    if (event.kind === "parameter") {
      const name = event["name"];
      const origin = event["origin"];
      if (this.about.value !== null) this.about.value = withEvent(this.about.value, event);
      if (typeof name === "string" && typeof origin === "string" && !isMe(origin, myName.value)) this.note(name, origin);
    } else if (event.kind === "set" || event.kind === "link" || event.kind === "mode") {
      this.fetchSoon();
    }
  }

  private note(name: string, by: string): void {
    const untilMs = performance.now() + SHOWN_MS;
    this.changedBy.value = new Map(this.changedBy.value).set(name, { by, untilMs });
    this.forgetter ??= setTimeout(() => this.forget(), SHOWN_MS);
  }

  private forget(): void {
    const now = performance.now();
    const left = [...this.changedBy.value].filter(([, { untilMs }]) => untilMs > now);
    this.changedBy.value = new Map(left);
    this.forgetter = left.length > 0 ? setTimeout(() => this.forget(), SHOWN_MS / 4) : undefined;
  }

  private fetchSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.fetch();
    }, SOON_MS);
  }
}

/** The model of a device, while a component is shown. */
export function useDevice(bench: string, device: string): DeviceModel {
  const model = useMemo(() => new DeviceModel(bench, device), [bench, device]);
  useEffect(() => {
    model.start();
    return () => model.stop();
  }, [model]);
  return model;
}
