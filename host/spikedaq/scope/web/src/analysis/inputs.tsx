/** Inputs that tell a change once it is made, and keep what cannot be read visible. */
import { useEffect, useState } from "preact/hooks";
import { parseNumber } from "../panels/device/numbers";

export function NumberInput({
  label,
  unit,
  value,
  placeholder = "",
  least,
  testId,
  onChange,
}: {
  label: string;
  unit: string;
  value: number | undefined;
  placeholder?: string;
  least?: number;
  testId: string;
  /** Undefined: the field was emptied. */
  onChange: (value: number | undefined) => void;
}) {
  const known = value === undefined ? "" : String(value);
  const [text, setText] = useState(known);
  const [wrong, setWrong] = useState("");
  useEffect(() => {
    setText(known);
    setWrong("");
  }, [known]);
  const take = (given: string) => {
    const isEmpty = given.trim() === "";
    const read = parseNumber(given);
    if (!isEmpty && read === undefined) setWrong(`"${given.slice(0, 20)}" is no number`);
    else if (read !== undefined && least !== undefined && read < least) setWrong(`must be ${least} or more`);
    else {
      setWrong("");
      if (read !== value) onChange(read);
    }
  };
  return (
    <label class="a-field">
      <span>{label}</span>
      <span class="with-unit">
        <input
          type="text"
          inputMode="decimal"
          value={text}
          placeholder={placeholder}
          aria-invalid={wrong !== ""}
          data-testid={testId}
          onInput={(event) => setText(event.currentTarget.value)}
          onChange={(event) => take(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") take(event.currentTarget.value);
          }}
        />
        <span class="unit">{unit}</span>
      </span>
      {wrong && <span class="wrong">{wrong}</span>}
    </label>
  );
}

export function Choice<T extends string>({
  label,
  value,
  options,
  testId,
  onChange,
}: {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  testId: string;
  onChange: (value: T) => void;
}) {
  return (
    <label class="a-field">
      <span>{label}</span>
      <select value={value} data-testid={testId} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
