/** A labelled text field that says what is wrong with what is in it. */
import type { ComponentChildren } from "preact";

interface Options {
  id: string;
  label: string;
  value: string;
  wrong?: string | undefined;
  hint?: string;
  placeholder?: string;
  required?: boolean;
  list?: string;
  unit?: string;
  onText: (text: string) => void;
  children?: ComponentChildren;
}

export function Field({ id, label, value, wrong, hint, placeholder, required, list, unit, onText, children }: Options) {
  const about = `${id}-about`;
  return (
    <div class="rec-field">
      <label for={id}>
        {label}
        {required && (
          <span class="needed" title="needed">
            {" "}
            *
          </span>
        )}
      </label>
      <span class="row">
        <input
          id={id}
          autocomplete="off"
          spellcheck={false}
          value={value}
          placeholder={placeholder}
          required={required}
          list={list}
          aria-invalid={wrong !== undefined}
          aria-describedby={about}
          data-testid={id}
          onInput={(event) => onText(event.currentTarget.value)}
        />
        {unit && <span class="faint">{unit}</span>}
      </span>
      {children}
      {wrong !== undefined ? (
        <span class="refused" role="alert" id={about} data-testid={`${id}-wrong`}>
          {wrong}
        </span>
      ) : (
        <span class="faint small-text" id={about}>
          {hint}
        </span>
      )}
    </div>
  );
}
