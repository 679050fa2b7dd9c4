/** Recording: what is recorded now, the next one, notes, triggers, and what was recorded. */
import { signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { benches, connected, connection, selected } from "../../state";
import { useDevice } from "../device/about";
import "../panel.css";
import { whyNotRecord } from "./may";
import { Note } from "./note";
import { Now } from "./now";
import "./recording.css";
import { SessionList } from "./session_list";
import { Start } from "./start";
import { TrialView } from "./trial_view";
import type { Trigger } from "./triggers";
import { TriggersView } from "./triggers_view";

const TRIGGERS_MS = 2000;
/** Which groups are open, for as long as the page is. */
const open = signal<ReadonlySet<string>>(new Set(["new", "list"]));

export function RecordingPanel() {
  const key = selected.value;
  return key && <Recording bench={key.bench} device={key.device} />;
}

function Recording({ bench, device }: { bench: string; device: string }) {
  const model = useDevice(bench, device);
  const { triggers, refresh } = useTriggers(bench);
  const about = model.about.value;
  const locked = whyNotRecord(bench);
  const preset = about?.presets[model.parameter("preset")?.value ?? -1]?.name;
  const alarms = (benches.value.get(bench)?.status?.alarms ?? []).filter(({ kind }) => /disk|record|space|file|journal/.test(kind));
  return (
    <section class="panel recording" aria-label="Recording">
      {locked && (
        <p class="lock" role="status" data-testid="record-lock">
          {locked}
        </p>
      )}
      {alarms.map((alarm) => (
        <p key={`${alarm.kind} ${alarm.subject}`} class="refused" role="alert">
          {alarm.kind.replaceAll("_", " ")} {alarm.subject}: {alarm.text}
        </p>
      ))}
      <Now bench={bench} />
      <TrialView bench={bench} />
      <Note bench={bench} device={device} />
      <Group id="new" title="New recording">
        <fieldset disabled={locked !== undefined} title={locked}>
          <Start bench={bench} device={device} preset={preset} triggers={triggers} />
        </fieldset>
      </Group>
      <Group id="triggers" title={`Triggers (${triggers.filter(({ state }) => state === "armed").length} armed)`}>
        <TriggersView bench={bench} device={device} about={about} triggers={triggers} onChange={refresh} />
      </Group>
      <Group id="list" title="Recordings">
        <SessionList bench={bench} />
      </Group>
    </section>
  );
}

function Group({ id, title, children }: { id: string; title: string; children: ComponentChildren }) {
  return (
    <details
      class="group"
      open={open.value.has(id)}
      data-testid={`group-${id}`}
      onToggle={(event) => {
        const now = new Set(open.value);
        if (event.currentTarget.open) now.add(id);
        else now.delete(id);
        open.value = now;
      }}
    >
      <summary>{title}</summary>
      {open.value.has(id) && children}
    </details>
  );
}

function useTriggers(bench: string): { triggers: readonly Trigger[]; refresh: () => void } {
  const triggers = useSignal<readonly Trigger[]>([]);
  const here = connected.value && benches.value.get(bench)?.here === true;
  const refresh = () => {
    connection.ask<Trigger[]>(bench, "trigger_list").then(
      (told) => (triggers.value = told),
      // Said by whatever else is asked of a bench that is away.
      () => undefined,
    );
  };
  useEffect(() => {
    if (!here) return undefined;
    refresh();
    const timer = setInterval(() => {
      if (!document.hidden) refresh();
    }, TRIGGERS_MS);
    return () => clearInterval(timer);
  }, [bench, here]);
  return { triggers: triggers.value, refresh };
}
