/** Which preset the neuron is. */
import type { About, DeviceModel, Parameter } from "../device/about";
import { shortest } from "../device/numbers";
import { presetOf } from "./groups";
import { ChangedBy, useSetting } from "./parameter_row";

const CUSTOM = "custom";

export function PresetPicker({ model, about, parameter }: { model: DeviceModel; about: About; parameter: Parameter }) {
  const { draft, error, put } = useSetting(model, parameter.name);
  const now = draft.value ?? presetOf(about);
  const preset = now === undefined ? undefined : about.presets[now];
  return (
    <div class="parameter" data-testid="parameter-preset" data-value={String(parameter.value)}>
      <div class="about">
        <label for="parameter-preset">Preset</label>
        <span class="grow" />
        <ChangedBy model={model} name="preset" />
      </div>
      <select
        id="parameter-preset"
        value={now === undefined ? CUSTOM : String(now)}
        disabled={parameter.read_only}
        onChange={(event) => {
          const chosen = event.currentTarget.value;
          if (chosen !== CUSTOM) put(Number(chosen));
        }}
      >
        {now === undefined && (
          <option value={CUSTOM}>{Number.isNaN(parameter.value) ? "not known" : "custom: a, b, c, d as below"}</option>
        )}
        {about.presets.map(({ name }, index) => (
          <option key={index} value={String(index)}>
            {index}: {name}
          </option>
        ))}
      </select>
      {preset && (
        <p class="faint meaning">
          a {shortest(preset.a)}, b {shortest(preset.b)}, c {shortest(preset.c)} mV, d {shortest(preset.d)}, at rest{" "}
          {shortest(preset.v_rest)} mV
        </p>
      )}
      {error.value && (
        <p class="refused" role="alert">
          {error.value}
        </p>
      )}
    </div>
  );
}
