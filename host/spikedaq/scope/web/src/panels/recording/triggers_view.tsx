/** Triggers of the bench: what they wait for, arm, disarm, fire; and a form for a simple one. */
import { useSignal } from "@preact/signals";
import { connection } from "../../state";
import type { About } from "../device/about";
import { words } from "../device/files";
import { Field } from "./field";
import { whyNotRecord } from "./may";
import { TRIGGER, type Trigger, type TriggerTexts, conditionText, readTrigger } from "./triggers";

interface Options {
  bench: string;
  device: string;
  about: About | null;
  triggers: readonly Trigger[];
  onChange: () => void;
}

export function TriggersView({ bench, device, about, triggers, onChange }: Options) {
  const error = useSignal("");
  const locked = whyNotRecord(bench);

  async function ask(op: string, args: Record<string, unknown>): Promise<boolean> {
    error.value = "";
    try {
      await connection.ask(bench, op, args);
    } catch (refused) {
      error.value = words(refused);
    }
    onChange();
    return error.value === "";
  }

  return (
    <div class="triggers">
      {triggers.length === 0 && <p class="faint">none yet</p>}
      <ul>
        {triggers.map((trigger) => {
          const armed = trigger.state === "armed";
          const button = (label: string, op: string, args: Record<string, unknown>, title: string) => (
            <button
              type="button"
              class="small"
              disabled={locked !== undefined}
              title={locked ?? title}
              data-testid={`${op}-${trigger.name}`}
              onClick={() => void ask(op, { name: trigger.name, ...args })}
            >
              {label}
            </button>
          );
          return (
            <li key={trigger.name} data-testid={`trigger-${trigger.name}`} data-state={trigger.state} data-firings={trigger.firings}>
              <div class="row spread">
                <b>{trigger.name}</b>
                <span class={armed ? "pill good" : "pill"}>{armed ? "● armed" : "○ disarmed"}</span>
              </div>
              <p class="faint small-text">
                {conditionText(trigger.definition)}; fired {trigger.firings} times
                {trigger.suppressed > 0 && `, ${trigger.suppressed} left out by the hold-off`}
                {trigger.last && `, last on ${trigger.last.device}`}
              </p>
              {(trigger.problems ?? []).map((problem) => (
                <p key={problem} class="refused">
                  {problem}
                </p>
              ))}
              <div class="row">
                {armed
                  ? button("Disarm", "trigger_disarm", {}, "it fires no more until it is armed")
                  : button("Arm", "trigger_arm", {}, "it fires from now on")}
                {armed && button("Fire", "trigger_fire", {}, "as if its condition had come true now")}
                {!trigger.configured && !armed && button("Forget", "trigger_disarm", { forget: true }, "take out its definition")}
              </div>
            </li>
          );
        })}
      </ul>
      {error.value && (
        <p class="refused" role="alert" data-testid="trigger-error">
          {error.value}
        </p>
      )}
      <Define device={device} about={about} locked={locked} onDefine={(trigger) => ask("trigger_arm", { trigger })} />
    </div>
  );
}

interface DefineOptions {
  device: string;
  about: About | null;
  locked: string | undefined;
  onDefine: (definition: Record<string, unknown>) => Promise<boolean>;
}

type WithChannels = About & { channels?: { name: string; unit: string }[] };

function Define({ device, about, locked, onDefine }: DefineOptions) {
  const texts = useSignal<TriggerTexts>(TRIGGER);
  const tried = useSignal(false);
  const now = texts.value;
  const { definition, wrong } = readTrigger(now, device);
  const channels = (about as WithChannels | null)?.channels ?? [{ name: "vm", unit: "mV" }];
  const unit = channels.find(({ name }) => name === now.channel)?.unit ?? "";
  const set = (change: Partial<TriggerTexts>) => {
    texts.value = { ...texts.value, ...change };
  };
  const field = (name: "level" | "hysteresis" | "holdoff_s" | "pre_s" | "post_s", label: string, of: string) => (
    <Field id={`trigger-${name}`} label={label} unit={of} value={now[name]} wrong={wrong[name]} onText={(text) => set({ [name]: text })} />
  );
  return (
    <details class="inner">
      <summary>New trigger on {device}</summary>
      <fieldset disabled={locked !== undefined} title={locked}>
        <Field
          id="trigger-name"
          label="Name"
          required
          value={now.name}
          wrong={now.name !== "" || tried.value ? wrong["name"] : undefined}
          onText={(text) => set({ name: text })}
        />
        <div class="pair">
          <label>
            Channel
            <select value={now.channel} onChange={(event) => set({ channel: event.currentTarget.value })}>
              {channels.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label>
            Edge
            <select value={now.edge} onChange={(event) => set({ edge: event.currentTarget.value as TriggerTexts["edge"] })}>
              {["rising", "falling", "either"].map((edge) => (
                <option key={edge}>{edge}</option>
              ))}
            </select>
          </label>
          {field("level", "Level", unit)}
          {field("hysteresis", "Hysteresis", unit)}
          {field("holdoff_s", "Hold-off", "s")}
          <label>
            Then
            <select value={now.action} onChange={(event) => set({ action: event.currentTarget.value as TriggerTexts["action"] })}>
              <option value="record">record a window</option>
              <option value="mark">mark the instant</option>
            </select>
          </label>
          {now.action === "record" && field("pre_s", "Before", "s")}
          {now.action === "record" && field("post_s", "After", "s")}
        </div>
        <button
          type="button"
          data-testid="trigger-define"
          onClick={() => {
            tried.value = true;
            if (definition !== null) {
              void onDefine(definition).then((ok) => {
                if (!ok) return;
                texts.value = TRIGGER;
                tried.value = false;
              });
            }
          }}
        >
          Define and arm
        </button>
      </fieldset>
    </details>
  );
}
