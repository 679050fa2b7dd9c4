/** A session's name, made of its parts by the convention; the server knows the rules and the next run. */
import { useEffect } from "preact/hooks";
import { benches } from "../../state";
import { source } from "../stimulus/choice";
import { Field } from "./field";
import { type Part, isNameOld, name, parts } from "./form";
import type { NameTold } from "./library";
import { lookUpName } from "./naming";
import { namePart } from "./words";

const LABELS: Record<Part, string> = {
  group: "Group",
  condition: "Condition",
  mode: "Mode (neuron)",
  protocol: "Protocol (stimulus)",
  run: "Run",
};
const NEEDED: readonly Part[] = ["mode", "protocol"];

export function NameFields({ bench, preset }: { bench: string; preset: string | undefined }) {
  const given = parts.value;
  const state = benches.value.get(bench);
  const recording = state?.status?.recording;
  // A run that began or ended changes which is the next.
  const standing = `${state?.here} ${recording?.session} ${recording?.state}`;
  useEffect(() => lookUpName(bench, given), [bench, given, standing]);
  const told = name.value;
  const suggestions: Partial<Record<Part, string>> = {
    mode: preset === undefined ? "" : namePart(preset),
    protocol: source.value === null ? "" : namePart(source.value.name.replace(/\.csv$/i, "")),
  };
  return (
    <div class="name-fields" role="group" aria-label="Name of the session">
      {(["group", "condition", "mode", "protocol", "run"] as const).map((part) => {
        const empty = given[part] === "";
        const wrong = told?.wrong[part];
        return (
          <Field
            key={part}
            id={`name-${part}`}
            label={LABELS[part]}
            value={given[part]}
            required={NEEDED.includes(part)}
            placeholder={part === "run" ? (told?.run ? `${told.run} (the next)` : "the next") : (suggestions[part] ?? "")}
            list={suggestions[part] ? `name-${part}-list` : ""}
            wrong={NEEDED.includes(part) && empty ? undefined : wrong}
            onText={(text) => {
              isNameOld.value = true;
              parts.value = { ...parts.value, [part]: text };
            }}
          >
            {suggestions[part] && (
              <datalist id={`name-${part}-list`}>
                <option value={suggestions[part]} />
                {part === "protocol" && <option value="spontaneous" />}
              </datalist>
            )}
          </Field>
        );
      })}
      <p class="session-name" data-testid="session-name" data-name={told?.name ?? ""} role="status">
        {told?.name ?? <span class="faint">{nameMissing(told)}</span>}
      </p>
      {told?.taken && (
        <p class="refused" role="alert">
          a session of this name is there already; choose another run
        </p>
      )}
      {(told?.next_problem ?? told?.wrong["name"]) && (
        <p class="refused" role="alert">
          {told?.next_problem ?? told?.wrong["name"]}
        </p>
      )}
    </div>
  );
}

function nameMissing(told: NameTold | null): string {
  if (told === null) return "…";
  const missing = NEEDED.filter((part) => parts.value[part] === "");
  return missing.length > 0 ? `${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} needed for a name` : "no name yet";
}
