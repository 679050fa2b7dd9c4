/** Indicator and settings of a simulation; the form is made from the server's table. */
import { useSignal } from "@preact/signals";
import { complaint, niceStep, parseNumber, shortest, stepped } from "../device/numbers";
import { type Indicator, type Setting, type Simulated, type Table, unitOf, usual } from "./api";
import type { ImagingModel } from "./model";

const GROUPS: [string, string[]][] = [
  ["Microscope", ["frame_rate_hz", "laser", "pmt"]],
  ["Calcium", ["ca_baseline_um", "ca_per_spike_um", "ca_rise_ms", "ca_decay_ms", "ca_noise"]],
  ["Indicator", ["response", "kd_um", "hill", "rise_ms", "decay_ms", "dff_max"]],
];
const LAST_GROUP = "Light and noise";
const LABELS: Record<string, string> = {
  frame_rate_hz: "Frame rate",
  laser: "Laser power",
  pmt: "Photomultiplier gain",
  ca_baseline_um: "At rest",
  ca_per_spike_um: "Per spike",
  ca_rise_ms: "Rise",
  ca_decay_ms: "Decay",
  ca_noise: "Noise",
  response: "Response",
  kd_um: "Kd",
  hill: "Hill coefficient",
  rise_ms: "Rise",
  decay_ms: "Decay",
  dff_max: "Greatest ΔF/F0",
  scale: "Brightness",
  offset: "Offset",
  floor_noise: "Reading noise",
  shot_noise: "Shot noise",
};

interface Options {
  model: ImagingModel;
  state: Simulated;
  table: Table;
  /** Why nothing can be changed now. */
  locked: string | undefined;
}

export function SettingsForm({ model, state, table, locked }: Options) {
  const indicator = table.indicators.find(({ name }) => name === state.indicator);
  const others = table.settings.filter(({ name }) => !GROUPS.some(([, names]) => names.includes(name))).map(({ name }) => name);
  const isChanged = table.settings.some((setting) => indicator && setting.name in indicator && state.settings[setting.name] !== usual(setting, indicator));
  return (
    <div class="imaging-settings">
      <div class="setting">
        <label for="imaging-indicator">Indicator</label>
        <select
          id="imaging-indicator"
          data-testid="imaging-indicator"
          value={state.indicator}
          disabled={locked !== undefined}
          title={locked ?? "sets Kd, Hill coefficient, rise, decay and greatest ΔF/F0"}
          onChange={(event) => void model.order("change", { indicator: event.currentTarget.value })}
        >
          {table.indicators.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        {isChanged && <span class="range">some of its constants are changed</span>}
      </div>
      {[...GROUPS, [LAST_GROUP, others] as [string, string[]]].map(([title, names]) => (
        <details key={title} class="group">
          <summary>{title}</summary>
          {names.map((name) => {
            const setting = table.settings.find((one) => one.name === name);
            return setting && <Row key={name} model={model} setting={setting} indicator={indicator} value={state.settings[name]!} locked={locked} />;
          })}
          {title === LAST_GROUP && <Seed model={model} seed={state.seed} locked={locked} />}
        </details>
      ))}
    </div>
  );
}

interface RowOptions {
  model: ImagingModel;
  setting: Setting;
  indicator: Indicator | undefined;
  value: number | string;
  locked: string | undefined;
}

function Row({ model, setting, indicator, value, locked }: RowOptions) {
  const { name, about, choices } = setting;
  const typed = useSignal<string | null>(null);
  const wrong = useSignal("");
  const id = `imaging-${name}`;
  const unit = unitOf(setting.unit);
  const normal = usual(setting, indicator);
  const range = { minimum: setting.minimum ?? 0, maximum: setting.maximum ?? 0, integer: false };
  const put = (next: number | string) => {
    wrong.value = "";
    void model.order("change", { settings: { [name]: next } });
  };

  function commit(): void {
    const text = typed.value;
    if (text === null) return;
    const number = parseNumber(text);
    const why = complaint(number, range, unit || "1");
    wrong.value = why ?? "";
    if (why !== undefined) return;
    typed.value = null;
    if (number !== value) put(number!);
  }

  function press(event: KeyboardEvent): void {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter") commit();
    else if (event.key === "Escape") {
      typed.value = null;
      wrong.value = "";
    } else if (direction !== undefined && typeof value === "number") {
      event.preventDefault();
      typed.value = null;
      put(stepped(value, direction, { ...range, step: niceStep(range.maximum - range.minimum, false) }));
    }
  }

  return (
    <div class="setting" data-testid={`setting-${name}`} data-value={value}>
      <label for={id}>{LABELS[name] ?? name}</label>
      {choices.length > 0 ? (
        <select id={id} value={value} disabled={locked !== undefined} title={locked ?? about} onChange={(event) => put(event.currentTarget.value)}>
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <>
          <input
            id={id}
            class="number"
            inputMode="decimal"
            autocomplete="off"
            disabled={locked !== undefined}
            title={locked ?? about}
            value={typed.value ?? shortest(value as number)}
            aria-invalid={wrong.value !== ""}
            aria-describedby={`${id}-about`}
            onInput={(event) => (typed.value = event.currentTarget.value)}
            onKeyDown={press}
            onBlur={commit}
          />
          <span class="unit">{unit}</span>
        </>
      )}
      <span class="range" id={`${id}-about`}>
        {wrong.value ? (
          <span class="refused" role="alert">
            {wrong.value}
          </span>
        ) : (
          <>
            {about}
            {choices.length === 0 && `; ${shortest(range.minimum)} … ${shortest(range.maximum)}${unit && ` ${unit}`}`}
            {value !== normal && (
              <>
                {" "}
                <button
                  type="button"
                  class="quiet small"
                  disabled={locked !== undefined}
                  title={locked ?? `back to ${normal}`}
                  aria-label={`${LABELS[name] ?? name}: back to ${normal}`}
                  onClick={() => put(normal)}
                >
                  {normal}
                </button>
              </>
            )}
          </>
        )}
      </span>
    </div>
  );
}

function Seed({ model, seed, locked }: { model: ImagingModel; seed: string; locked: string | undefined }) {
  const typed = useSignal<string | null>(null);
  const wrong = useSignal("");
  function commit(): void {
    const text = typed.value?.trim();
    if (text === undefined) return;
    wrong.value = /^\d{1,20}$/.test(text) ? "" : "give a whole number from 0 on";
    if (wrong.value) return;
    typed.value = null;
    if (text !== seed) void model.order("change", { seed: text });
  }
  return (
    <div class="setting">
      <label for="imaging-seed">Seed of the noise</label>
      <input
        id="imaging-seed"
        class="number"
        inputMode="numeric"
        autocomplete="off"
        disabled={locked !== undefined}
        title={locked}
        value={typed.value ?? seed}
        aria-invalid={wrong.value !== ""}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && commit()}
        onBlur={commit}
      />
      <span class="range">{wrong.value ? <span class="refused">{wrong.value}</span> : "the same seed gives the same noise"}</span>
    </div>
  );
}
