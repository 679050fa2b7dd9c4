/** How a recording is made: continuous, in windows around triggers, or by the clock. */
import { Field } from "./field";
import { mode } from "./form";
import { type Kind, type ModeTexts, readMode } from "./mode";
import type { Trigger } from "./triggers";

const KINDS: [Kind, string][] = [
  ["default", "as the daemon is configured"],
  ["continuous", "continuous"],
  ["triggered", "triggered: windows around events"],
  ["scheduled", "scheduled: by the clock"],
];

export function ModeFields({ triggers }: { triggers: readonly Trigger[] }) {
  const now = mode.value;
  const { wrong } = readMode(now);
  const set = (change: Partial<ModeTexts>) => {
    mode.value = { ...mode.value, ...change };
  };
  // One that is chosen and not there any more has to be seen, too: the recording would be refused for it.
  const names = [...new Set([...triggers.map(({ name }) => name), ...now.triggers])];
  const field = (name: "pre_s" | "post_s" | "every_s" | "for_s", label: string, placeholder = "") => (
    <Field
      id={`mode-${name}`}
      label={label}
      unit="s"
      value={now[name]}
      placeholder={placeholder}
      wrong={wrong[name]}
      onText={(text) => set({ [name]: text })}
    />
  );
  return (
    <div class="mode-fields">
      <label for="record-mode">Mode</label>
      <select id="record-mode" data-testid="record-mode" value={now.kind} onChange={(event) => set({ kind: event.currentTarget.value as Kind })}>
        {KINDS.map(([kind, label]) => (
          <option key={kind} value={kind}>
            {label}
          </option>
        ))}
      </select>
      {now.kind === "triggered" && (
        <>
          <div class="row" role="group" aria-label="Triggers that have windows">
            {names.length === 0 && <span class="faint">there is no trigger; define one below</span>}
            {names.map((name) => (
              <label key={name} class="row">
                <input
                  type="checkbox"
                  checked={now.triggers.includes(name)}
                  onChange={(event) =>
                    set({
                      triggers: event.currentTarget.checked ? [...now.triggers, name] : now.triggers.filter((one) => one !== name),
                    })
                  }
                />
                {name}
                {!triggers.some((one) => one.name === name) && <span class="faint">(gone)</span>}
              </label>
            ))}
          </div>
          <p class="faint small-text">None chosen: all of them.</p>
          <div class="pair">
            {field("pre_s", "Before", "as the trigger says")}
            {field("post_s", "After", "as the trigger says")}
          </div>
        </>
      )}
      {now.kind === "scheduled" && (
        <div class="pair">
          {field("every_s", "Every")}
          {field("for_s", "For")}
        </div>
      )}
    </div>
  );
}
