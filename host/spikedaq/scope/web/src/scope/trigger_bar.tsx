/** When a sweep begins. */
import { TypedNumber } from "../ui/typed_number";
import { scaling } from "./measure";
import type { Screen } from "./screen";
import { durationText, labelOf, trigger, type TriggerSettings, unitOf } from "./settings";

export function TriggerBar({ screen }: { screen: Screen }) {
  const now = trigger.value;
  const set = (change: Partial<TriggerSettings>) => {
    trigger.value = { ...trigger.peek(), ...change };
    screen.arm();
  };
  const channels = screen.channels.value;
  const channel = channels.find((c) => c.name === now.channel);
  const unit = unitOf(channel?.unit ?? "");
  const step = channel === undefined ? 1 : Math.max(scaling(channel).scale, 1);
  const readout = screen.readout.value;
  return (
    <div class="tools trigger" role="group" aria-label="Trigger of the sweep" data-testid="trigger-bar">
      <label class="row">
        Trigger
        <select
          value={now.source}
          data-testid="trigger-source"
          onChange={(event) => set({ source: event.currentTarget.value as TriggerSettings["source"] })}
        >
          <option value="level">Level</option>
          <option value="spike">Spike</option>
          <option value="stimulus">Stimulus loop</option>
        </select>
      </label>
      {now.source === "level" && (
        <>
          <select
            aria-label="Channel of the trigger"
            value={now.channel}
            onChange={(event) => set({ channel: event.currentTarget.value })}
          >
            {channels.map(({ name }) => (
              <option key={name} value={name}>
                {labelOf(name)}
              </option>
            ))}
          </select>
          <select
            aria-label="Edge"
            value={now.edge}
            onChange={(event) => set({ edge: event.currentTarget.value as TriggerSettings["edge"] })}
          >
            <option value="rising">↗ rising</option>
            <option value="falling">↘ falling</option>
          </select>
          <NumberField text="at" unit={unit} value={now.level} step={step} testid="trigger-level" set={(level) => set({ level })} />
          <NumberField
            text="hysteresis"
            unit={unit}
            value={now.hysteresis}
            step={step}
            least={0}
            title="How far the value must have been on the other side before it fires again"
            set={(hysteresis) => set({ hysteresis })}
          />
        </>
      )}
      <NumberField
        text="before it"
        unit="%"
        value={Math.round(now.pre * 100)}
        step={5}
        least={0}
        most={90}
        title="Part of the screen before the trigger"
        testid="trigger-pre"
        set={(percent) => set({ pre: percent / 100 })}
      />
      <NumberField
        text="hold-off"
        unit="ms"
        value={now.holdOffMs}
        step={10}
        least={0}
        most={600_000}
        title="No other trigger is taken for so long"
        set={(holdOffMs) => set({ holdOffMs })}
      />
      <span class="row joined" role="group" aria-label="Sweeps">
        {(["auto", "normal", "single"] as const).map((run) => (
          <button
            key={run}
            type="button"
            aria-pressed={now.run === run}
            title={RUNS[run]}
            data-testid={`run-${run}`}
            onClick={() => set({ run })}
          >
            {run[0]!.toUpperCase() + run.slice(1)}
          </button>
        ))}
      </span>
      {now.run === "single" && readout?.isDone && (
        <button type="button" class="primary" data-testid="arm" onClick={() => screen.arm()}>
          Again
        </button>
      )}
      <span class="pill" role="status" data-testid="sweep-state">
        {stateText(now, readout)}
      </span>
    </div>
  );
}

const RUNS = {
  auto: "Each trigger begins a sweep; without one the trace rolls",
  normal: "Each trigger begins a sweep; without one the last stays",
  single: "One sweep, then it stays",
};

function stateText(now: TriggerSettings, readout: { sweeps: number; isFree: boolean; isDone: boolean } | null): string {
  if (readout === null) return "waiting";
  if (readout.isDone) return "held";
  if (readout.isFree) return "no trigger: rolling";
  if (readout.sweeps === 0 || now.run === "single") return "waiting for a trigger";
  return `${readout.sweeps} sweep${readout.sweeps === 1 ? "" : "s"}${now.holdOffMs > 0 ? `, ${durationText(now.holdOffMs)} apart` : ""}`;
}

interface NumberFieldProps {
  text: string;
  unit: string;
  value: number;
  step: number;
  set: (value: number) => void;
  least?: number;
  most?: number;
  title?: string;
  testid?: string;
}

function NumberField({ text, unit, value, step, set, least, most, title, testid }: NumberFieldProps) {
  return (
    <label class="row" title={title}>
      {text}
      <TypedNumber
        class="short"
        value={value}
        step={step}
        min={least}
        max={most}
        testid={testid}
        take={(typed) => {
          if (!Number.isFinite(typed)) return "a number, please";
          if (typed < (least ?? -1e9) || typed > (most ?? 1e9)) return `from ${least ?? -1e9} to ${most ?? 1e9}`;
          set(typed);
          return "";
        }}
      />
      {unit}
    </label>
  );
}
