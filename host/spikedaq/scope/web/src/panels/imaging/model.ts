/** The imaging of one device as the panel needs it: how its simulation goes, and its traces. */
import { effect, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Refused } from "../../net/connection";
import { connected, connection, device as selectedDevice, onImaging } from "../../state";
import { words } from "../device/files";
import { type Derived, type Simulated, type Table, fetchState, fetchTable, order } from "./api";
import { Series, levelFor } from "./series";

export const NEURONS = ["vm", "syn1", "syn2"] as const;
export const STREAM = "imaging";
const STEPS_PER_S = 10_000;
/** As many as the panel has pixels, about. */
const BINS = 400;
/** No frame for so long: nobody publishes. */
const LIVE_MS = 2500;
const LOOK_MS = 500;

/** Model time that is shown, seconds; kept while the page is open. */
export const windowS = signal(5);
export const table = signal<Table | null>(null);

const POTENTIALS = ["vm", "syn1_vm", "syn2_vm"];

interface Channel {
  name: string;
  scale_mantissa: number;
  scale_exponent: number;
}

interface About {
  channels?: Channel[];
  clamp_channels?: Channel[];
  derived?: Derived[];
}

function potential(channels: Channel[], name: string): { column: number; scale: number } {
  const column = channels.findIndex((channel) => channel.name === name);
  const found = channels[column];
  return { column, scale: found === undefined ? 1 : found.scale_mantissa * 10 ** found.scale_exponent };
}

export class ImagingModel {
  readonly state = signal<Simulated | null>(null);
  readonly error = signal("");
  /** Why it was refused, as a word. */
  readonly code = signal("");
  readonly busy = signal(false);
  /** The stream as it is published now, by whomever; null where nobody does. */
  readonly derived = signal<Derived | null>(null);
  /** Which columns of the samples are the membrane potentials, and how many mV a raw unit is. */
  readonly potentials = signal<{ column: number; scale: number }[]>([]);
  readonly vm = new Series();
  readonly frames = new Series();

  private ends: (() => void)[] = [];
  private unwatch: (() => void)[] = [];
  private level = 0;
  private framesMs = Number.NEGATIVE_INFINITY;
  private newestStep = -1;
  private asking = false;
  private isStopped = false;

  constructor(
    readonly bench: string,
    readonly device: string,
  ) {}

  start(): void {
    let was = false;
    this.ends = [
      onImaging((said) => {
        if (said.bench === this.bench && said["device"] === this.device) this.state.value = said as unknown as Simulated;
      }),
      effect(() => {
        const is = connected.value;
        if (is && !was) void this.fetch();
        was = is;
      }),
      effect(() => this.watch(windowS.value)),
    ];
    const timer = setInterval(() => this.look(), LOOK_MS);
    this.ends.push(() => clearInterval(timer));
  }

  stop(): void {
    this.isStopped = true;
    for (const end of [...this.ends, ...this.unwatch]) end();
    this.unwatch = [];
  }

  /** Which column of the stream is a quantity (f, dff, ca) of a neuron; -1 where it has none. */
  channel(quantity: string, neuron: string): number {
    return this.derived.value?.channels.findIndex(({ name }) => name === `${quantity}_${neuron}`) ?? -1;
  }

  /** Give an order, and show what is refused. */
  async order(what: string, args: Record<string, unknown> = {}): Promise<boolean> {
    this.busy.value = true;
    try {
      this.state.value = await order(what, this.bench, this.device, args);
      this.error.value = this.code.value = "";
      return true;
    } catch (refused) {
      this.error.value = words(refused);
      this.code.value = refused instanceof Refused ? refused.code : "";
      return false;
    } finally {
      this.busy.value = false;
    }
  }

  private async fetch(): Promise<void> {
    try {
      table.value ??= await fetchTable();
      this.state.value = await fetchState(this.bench, this.device);
      this.error.value = this.code.value = "";
    } catch (refused) {
      this.error.value = words(refused);
    }
  }

  private watch(seconds: number): void {
    for (const end of this.unwatch) end();
    const { bench, device } = this;
    const steps = seconds * STEPS_PER_S;
    const level = levelFor(steps, BINS);
    this.unwatch = [connection.watch(bench, device, level, (frame) => this.take(this.vm, frame, undefined))];
    // Only the window decides here: what the server tells of the simulation, every second, is no reason to begin anew.
    this.watchFrames(levelFor(steps / (this.derived.peek()?.pitch_steps ?? this.state.peek()?.pitch_steps ?? 100), BINS));
  }

  private watchFrames(level: number): void {
    this.level = level;
    this.unwatch[1]?.();
    this.unwatch[1] = connection.watch(
      this.bench,
      this.device,
      level,
      (frame) => {
        // The newest bin is sent again also where nothing came to it.
        if (frame.step !== this.newestStep) this.framesMs = performance.now();
        this.newestStep = frame.step;
        this.take(this.frames, frame, STREAM);
      },
      STREAM,
    );
  }

  private take(series: Series, frame: Parameters<Series["take"]>[0], stream: string | undefined): void {
    if (!series.take(frame)) return;
    void this.describe(frame.mode);
    const { bench, device } = this;
    const { boot, level, first } = frame;
    if (first === 0) return;
    const what = { bench, device, boot, level, first: Math.max(0, first - BINS), stop: first, ...(stream && { stream }) };
    // What was before is nice to have; where the history does not tell it, the traces begin now.
    connection.past(what, (old) => series.take(old)).catch(() => undefined);
  }

  /** Ask what the columns of the stream are. */
  private async describe(mode?: string): Promise<void> {
    // One without a mode is asked again by itself.
    if (this.asking && mode === undefined) return;
    this.asking = true;
    try {
      const about = await connection.ask<About>(this.bench, "describe", { device: this.device });
      if (this.isStopped) return;
      const channels = (mode === "voltage" ? about.clamp_channels : about.channels) ?? [];
      if (mode !== undefined) this.potentials.value = POTENTIALS.map((name) => potential(channels, name));
      const found = about.derived?.find(({ stream }) => stream === STREAM) ?? null;
      this.derived.value = found;
      const level = levelFor((windowS.value * STEPS_PER_S) / (found?.pitch_steps ?? 100), BINS);
      if (found !== null && level !== this.level) this.watchFrames(level);
    } catch {
      this.derived.value = null;
    } finally {
      this.asking = false;
    }
  }

  private look(): void {
    const isLive = performance.now() - this.framesMs < LIVE_MS;
    if (!isLive && selectedDevice.peek()?.state === "running") this.derived.value = null;
    else if (isLive && this.derived.peek() === null) void this.describe();
  }
}

export function useImaging(bench: string, device: string): ImagingModel {
  const model = useMemo(() => new ImagingModel(bench, device), [bench, device]);
  useEffect(() => {
    model.start();
    return () => model.stop();
  }, [model]);
  return model;
}
