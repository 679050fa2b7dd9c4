/** Current or voltage clamp. */
import type { DeviceModel, Parameter } from "../device/about";
import { ChangedBy, useSetting } from "./parameter_row";

const MODES: [number, string, string][] = [
  [0, "Current clamp", "the neuron is free; a current is injected"],
  [1, "Voltage clamp", "the membrane is held at a potential; the current that this takes is shown"],
];

export function ClampSwitch({ model, parameter }: { model: DeviceModel; parameter: Parameter }) {
  const { draft, error, put } = useSetting(model, parameter.name);
  const now = draft.value ?? parameter.value;
  return (
    <div class="parameter" data-testid="parameter-clamp_mode" data-value={String(parameter.value)}>
      <div class="row choices" role="radiogroup" aria-label="Clamp">
        {MODES.map(([mode, label, title]) => (
          <label key={mode} class="row" title={title}>
            <input type="radio" name="clamp_mode" checked={now === mode} onChange={() => put(mode)} />
            {label}
          </label>
        ))}
        <ChangedBy model={model} name="clamp_mode" />
      </div>
      {error.value && (
        <p class="refused" role="alert">
          {error.value}
        </p>
      )}
    </div>
  );
}
