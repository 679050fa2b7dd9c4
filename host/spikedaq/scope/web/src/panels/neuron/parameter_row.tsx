/** One parameter: name, origin, slider, number, unit; what was refused, and who else changed it. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type DeviceModel, type Parameter, shortOrigin } from "../device/about";
import { words } from "../device/files";
import { Latest } from "../device/latest";
import { clamp, complaint, parseNumber, shortest, stepped, unitText } from "../device/numbers";
import { labelOf, meaningOf, originOf, rangeOf, scaleOf } from "./groups";

const ORIGINS = {
  host: "set by a host",
  knob: "held by its knob",
  preset: "as the preset has it",
  default: "its default",
};
const PAGE_STEPS = 10;

/** Sends what is chosen, shows it until the device has it, and goes back where it is refused. */
export function useSetting(model: DeviceModel, name: string) {
  /** What was chosen here and is not the device's yet. */
  const draft = useSignal<number | null>(null);
  const error = useSignal("");
  const latest = useMemo(
    () =>
      new Latest<number | null>(
        async (value) => {
          try {
            await model.set({ [name]: value });
            error.value = "";
          } catch (refused) {
            error.value = words(refused);
          }
        },
        () => {
          draft.value = null;
        },
      ),
    [model, name],
  );
  useEffect(() => () => latest.drop(), [latest]);
  return {
    draft,
    error,
    put: (value: number | null) => {
      draft.value = value;
      latest.put(value);
    },
  };
}

export function ParameterRow({ model, parameter }: { model: DeviceModel; parameter: Parameter }) {
  const { name, unit, read_only: readOnly } = parameter;
  const { draft, error, put } = useSetting(model, name);
  const value = draft.value ?? parameter.value;
  const id = `parameter-${name}`;
  return (
    <div class="parameter" data-testid={id} data-value={shortest(parameter.value)} data-holder={parameter.holder}>
      <div class="about">
        <label for={id}>{labelOf(name)}</label>
        <Origin parameter={parameter} />
        <span class="grow" />
        <ChangedBy model={model} name={name} />
        {parameter.holder === "host" && !readOnly && (parameter.has_knob || !Number.isNaN(parameter.default)) && (
          <button
            type="button"
            class="quiet small"
            title={parameter.has_knob ? "let its knob decide again" : `back to ${shortest(parameter.default)}${unitText(unit)}`}
            aria-label={`${parameter.has_knob ? "Release to knob" : "Default"}: ${labelOf(name)}`}
            data-testid={`release-${name}`}
            onClick={() => put(null)}
          >
            {parameter.has_knob ? "Release to knob" : "Default"}
          </button>
        )}
      </div>
      {readOnly ? (
        <output id={id}>
          {shortest(value)}
          {unitText(unit)} <span class="faint">(read only)</span>
        </output>
      ) : parameter.type === "boolean" ? (
        <button
          type="button"
          id={id}
          role="switch"
          class="switch"
          aria-checked={value === 1}
          title={Number.isNaN(value) ? "the board does not tell whether it is on" : ""}
          onClick={() => put(value === 1 ? 0 : 1)}
        >
          {Number.isNaN(value) ? "not known" : value === 0 ? "off" : "on"}
        </button>
      ) : (
        <Dial parameter={parameter} id={id} value={value} put={put} error={error.value !== ""} refuse={(text) => (error.value = text)} />
      )}
      {meaningOf({ ...parameter, value }) && <p class="faint meaning">{meaningOf({ ...parameter, value })}</p>}
      {error.value && (
        <p class="refused" role="alert" id={`${id}-error`}>
          {error.value}
        </p>
      )}
    </div>
  );
}

export function Origin({ parameter }: { parameter: Parameter }) {
  const origin = originOf(parameter);
  return (
    <span class="origin" title={ORIGINS[origin]} data-testid={`origin-${parameter.name}`}>
      {origin}
    </span>
  );
}

export function ChangedBy({ model, name }: { model: DeviceModel; name: string }) {
  const changed = model.changedBy.value.get(name);
  return (
    <span class="changed" role="status" title={changed?.by}>
      {changed && `by ${shortOrigin(changed.by)}`}
    </span>
  );
}

interface DialOptions {
  parameter: Parameter;
  id: string;
  value: number;
  error: boolean;
  put: (value: number) => void;
  refuse: (text: string) => void;
}

/** Slider and number. */
function Dial({ parameter, id, value, error, put, refuse }: DialOptions) {
  const { name, unit } = parameter;
  const range = rangeOf(parameter);
  const scale = useMemo(() => scaleOf(parameter), [name, parameter.minimum, parameter.maximum]);
  const typed = useSignal<string | null>(null);
  const shown = typed.value ?? shortest(value);

  function commit(text: string): void {
    const number = parseNumber(text);
    const why = complaint(number, range, unit);
    typed.value = null;
    if (why !== undefined) refuse(`${labelOf(name)} cannot be ${text.trim() ? `"${text.trim().slice(0, 30)}"` : "empty"}: ${why}`);
    else if (number !== Number(shortest(value))) put(number!);
    else refuse("");
  }

  function press(event: KeyboardEvent): void {
    const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: PAGE_STEPS, PageDown: -PAGE_STEPS }[event.key];
    if (steps !== undefined) {
      event.preventDefault();
      const from = parseNumber(shown) ?? (Number.isFinite(value) ? value : clamp(0, range.minimum, range.maximum));
      typed.value = null;
      put(stepped(from, steps, range));
    } else if (event.key === "Enter") {
      commit(shown);
    } else if (event.key === "Escape") {
      typed.value = null;
      refuse("");
    }
  }

  return (
    <div class="dial">
      <input
        type="range"
        aria-label={`${labelOf(name)}, slider`}
        min={0}
        max={scale.positions}
        step={1}
        value={scale.toPosition(value)}
        aria-valuetext={`${shortest(value)}${unitText(unit)}`}
        onInput={(event) => {
          typed.value = null;
          put(scale.toValue(Number(event.currentTarget.value)));
        }}
      />
      <input
        id={id}
        class="number"
        inputMode="decimal"
        autocomplete="off"
        role="spinbutton"
        aria-valuenow={value}
        aria-valuemin={range.minimum}
        aria-valuemax={range.maximum}
        aria-invalid={error}
        aria-describedby={error ? `${id}-error` : `${id}-range`}
        value={shown}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onKeyDown={press}
        onBlur={() => {
          if (typed.value !== null) commit(typed.value);
        }}
      />
      <span class="unit">{unitText(unit).trim()}</span>
      <span class="range" id={`${id}-range`}>
        {shortest(range.minimum)} … {shortest(range.maximum)}
        {unitText(unit)}
        {range.integer && ", whole"}
      </span>
    </div>
  );
}
