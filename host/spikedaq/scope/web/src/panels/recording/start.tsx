/** The form of the next recording: name, folder, devices, notes, mode; Record, or Record with the stimulus. */
import { useSignal } from "@preact/signals";
import { type DeviceStatus, type RecordingStatus, benches, connection } from "../../state";
import { words } from "../device/files";
import { parseNumber } from "../device/numbers";
import { source } from "../stimulus/choice";
import { Field } from "./field";
import { FolderPicker } from "./folder_picker";
import { after, baseline, folder, folderCheck, folderError, isNameOld, mode, name, notes, without } from "./form";
import { isUnderWay } from "./growth";
import { whyNotRecord } from "./may";
import { readMode } from "./mode";
import { ModeFields } from "./mode_fields";
import { NameFields } from "./name_fields";
import { takeRecording } from "./told";
import { beginTrial, trials } from "./trial";
import type { Trigger } from "./triggers";

const MAX_NOTES = 8000;
const MAX_SIDE_S = 86_400;

interface Options {
  bench: string;
  device: string;
  preset: string | undefined;
  triggers: readonly Trigger[];
}

export function Start({ bench, device, preset, triggers }: Options) {
  const error = useSignal("");
  const starting = useSignal(false);
  const state = benches.value.get(bench);
  const all = state?.status?.devices ?? [];
  const chosen = all.filter((one) => !without.value.has(one.name));
  const { mode: wantedMode, wrong: modeWrong } = readMode(mode.value);
  const sides = { baseline: side(baseline.value), after: side(after.value) };

  const whyNot = whyNotNow(bench, chosen) ?? (starting.value ? "it is being started" : undefined) ?? firstOf(modeWrong);
  const whyNoTrial =
    whyNot ??
    whyNotRecord(bench, device) ??
    (source.value === null ? "choose a stimulus in the panel Stimulus first" : undefined) ??
    (mode.value.kind === "triggered" || mode.value.kind === "scheduled" ? "a trial is recorded without a pause; choose the mode continuous" : undefined) ??
    (sides.baseline === undefined || sides.after === undefined ? `give 0 to ${MAX_SIDE_S} s before and after` : undefined);

  async function attempt(work: () => Promise<unknown>): Promise<void> {
    error.value = "";
    starting.value = true;
    try {
      await work();
    } catch (refused) {
      error.value = words(refused);
    }
    starting.value = false;
  }

  const record = async () => {
    const began = await connection.ask<RecordingStatus>(bench, "record_start", {
      session: name.value!.name,
      devices: chosen.map((one) => one.name),
      folder: folder.value,
      mode: wantedMode,
      notes: notes.value,
    });
    takeRecording(bench, began);
  };
  const trial = () =>
    beginTrial(bench, source.value!, {
      session: name.value!.name!,
      device,
      others: chosen.map((one) => one.name).filter((one) => one !== device),
      folder: folder.value,
      notes: notes.value,
      baseline_s: sides.baseline!,
      after_s: sides.after!,
    });
  const seconds = (id: string, label: string, text: typeof baseline) => (
    <Field
      id={id}
      label={label}
      unit="s"
      value={text.value}
      wrong={side(text.value) === undefined ? `give 0 to ${MAX_SIDE_S} s` : undefined}
      onText={(value) => (text.value = value)}
    />
  );

  return (
    <div class="start">
      <NameFields bench={bench} preset={preset} />
      <FolderPicker bench={bench} />
      <div class="row" role="group" aria-label="Devices">
        {all.map((one) => (
          <label key={one.name} class="row" title={one.state === "running" ? undefined : `${one.state}: ${one.detail}`}>
            <input
              type="checkbox"
              checked={!without.value.has(one.name)}
              data-testid={`device-${one.name}`}
              onChange={(event) => {
                const now = new Set(without.value);
                if (event.currentTarget.checked) now.delete(one.name);
                else now.add(one.name);
                without.value = now;
              }}
            />
            {one.name}
            {one.state !== "running" && <span class="faint">({one.state})</span>}
          </label>
        ))}
      </div>
      <label class="hidden" for="record-notes">
        Notes
      </label>
      <textarea
        id="record-notes"
        rows={2}
        maxLength={MAX_NOTES}
        placeholder="notes on the recording"
        value={notes.value}
        data-testid="record-notes"
        onInput={(event) => (notes.value = event.currentTarget.value)}
      />
      <details class="inner" open={mode.value.kind !== "default"}>
        <summary>Mode</summary>
        <ModeFields triggers={triggers} />
      </details>
      <button
        type="button"
        class="primary record"
        disabled={whyNot !== undefined}
        title={whyNot ?? `record ${chosen.map((one) => one.name).join(", ")} until Stop`}
        data-testid="record-start"
        onClick={() => void attempt(record)}
      >
        {starting.value ? "Starting …" : "● Record"}
      </button>
      {whyNot !== undefined && (
        <p class="faint small-text" data-testid="record-why-not">
          {whyNot}
        </p>
      )}
      {error.value && (
        <p class="refused" role="alert" data-testid="record-error">
          {error.value}
        </p>
      )}
      <fieldset class="with-stimulus" aria-label="Record with the stimulus">
        <div class="pair">
          {seconds("trial-baseline", "Baseline", baseline)}
          {seconds("trial-after", "After it", after)}
        </div>
        <button
          type="button"
          class="record"
          disabled={whyNoTrial !== undefined}
          title={whyNoTrial ?? `record, play ${source.value?.name} once on ${device}, and stop`}
          data-testid="trial-start"
          onClick={() => void attempt(trial)}
        >
          ● Record with {source.value?.name ?? "a stimulus"}
        </button>
        {whyNoTrial !== undefined && whyNot === undefined && <p class="faint small-text">{whyNoTrial}</p>}
      </fieldset>
    </div>
  );
}

function side(text: string): number | undefined {
  const value = parseNumber(text);
  return value !== undefined && value >= 0 && value <= MAX_SIDE_S ? value : undefined;
}

function firstOf(wrong: Record<string, string>): string | undefined {
  return Object.values(wrong)[0];
}

/** Why nothing can be recorded now, in words. */
function whyNotNow(bench: string, chosen: readonly DeviceStatus[]): string | undefined {
  const locked = whyNotRecord(bench);
  if (locked !== undefined) return locked;
  if (trials.value.get(bench)?.state === "running") return "a trial runs; wait for its end, or abort it";
  if (isUnderWay(benches.value.get(bench)?.status?.recording)) return "something is being recorded; stop it first";
  if (chosen.length === 0) return "choose at least one device";
  if (isNameOld.value) return "the name of the session is being looked up";
  if (!name.value?.name) return "the session has no name yet";
  if (name.value.taken) return "a session of this name is there already; choose another run";
  if (folderError.value) return folderError.value;
  const check = folderCheck.value;
  return check !== null && !check.ok ? (check.why_not ?? "the folder cannot be written") : undefined;
}
