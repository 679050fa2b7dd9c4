/** Begin anew: the neuron's state, its parameters, or the whole board. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { connection } from "../../state";
import type { DeviceModel } from "../device/about";
import { words } from "../device/files";

type Scope = "neuron" | "parameters" | "reboot";

const RESETS: Record<Scope, { label: string; title: string; done: string; question?: string }> = {
  neuron: {
    label: "Neuron",
    title: "put the membrane to its resting potential; nothing else changes",
    done: "the neuron was put to rest",
  },
  parameters: {
    label: "All parameters",
    title: "every parameter back to its knob or its default",
    done: "every parameter is its knob's or its default again",
    question: "Hand back every parameter? What was set here and by others is gone.",
  },
  reboot: {
    label: "Reboot",
    title: "restart the board; a recording goes on in a new file",
    done: "the board restarts",
    question: "Restart the board? Samples are missing until it is back, and a waveform has to be played again.",
  },
};

export function Resets({ model }: { model: DeviceModel }) {
  const asking = useSignal<Scope | null>(null);
  const error = useSignal("");
  const done = useSignal("");
  const no = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (asking.value !== null) no.current?.focus();
  }, [asking.value]);

  async function reset(scope: Scope): Promise<void> {
    asking.value = null;
    error.value = done.value = "";
    try {
      await connection.ask(model.bench, "reset", { device: model.device, scope });
      done.value = RESETS[scope].done;
    } catch (refused) {
      error.value = words(refused);
    }
    void model.fetch();
  }

  return (
    <div class="resets" data-testid="resets">
      <div class="row">
        <span>Reset</span>
        {(Object.keys(RESETS) as Scope[]).map((scope) => (
          <button
            key={scope}
            type="button"
            title={RESETS[scope].title}
            data-testid={`reset-${scope}`}
            onClick={() => {
              if (RESETS[scope].question === undefined) void reset(scope);
              else asking.value = scope;
            }}
          >
            {RESETS[scope].label}
            {RESETS[scope].question !== undefined && "…"}
          </button>
        ))}
      </div>
      {asking.value !== null && (
        <div class="loaded" role="alertdialog" aria-label={RESETS[asking.value].label}>
          <p>{RESETS[asking.value].question}</p>
          <div class="row">
            <button type="button" class="primary" data-testid="reset-yes" onClick={() => void reset(asking.value!)}>
              {RESETS[asking.value].label}
            </button>
            <button type="button" ref={no} onClick={() => (asking.value = null)}>
              Cancel
            </button>
          </div>
        </div>
      )}
      {done.value && <p role="status">{done.value}</p>}
      {error.value && (
        <p class="refused" role="alert">
          {error.value}
        </p>
      )}
    </div>
  );
}
