/** The stimulus of the selected device: make or load a waveform, look at it, play it. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { connected, selected } from "../../state";
import { Lock, whyNot } from "../../ui/lock";
import "../panel.css";
import { useDevice } from "../device/about";
import { download, fileName, words } from "../device/files";
import { grouped } from "../device/numbers";
import { chosen, file, generator, generators, kind, read, repeat, repeatWrong, setText, source, texts, useDefaults } from "./choice";
import { defaultTexts } from "./form";
import { GeneratorForm } from "./generator_form";
import { NowPlaying } from "./now_playing";
import { failures, play, stop, uploads } from "./player";
import { PreviewPlot } from "./preview_plot";
import "./stimulus.css";
import { type Generator, type Preview, doesNotFit, durationText, fetchCsv, fetchGenerators, fetchPreview, tooLarge } from "./waveform";
import { FileButton } from "../../ui/file_button";

const TYPING_MS = 250;

export function StimulusPanel() {
  const key = selected.value;
  return key && <Stimulus bench={key.bench} device={key.device} />;
}

function Stimulus({ bench, device }: { bench: string; device: string }) {
  const model = useDevice(bench, device);
  const error = useSignal("");
  const { preview, busy } = usePreview((text) => (error.value = text));
  const about = model.about.value;
  const locked = whyNot();
  const unfit = about && preview ? doesNotFit(device, about.stimulus_capacity, preview.n_rows) : undefined;
  const uploading = uploads.value.has(`${bench}/${device}`);
  const notNow = locked ?? unfit ?? (preview === null ? "there is nothing to play yet" : uploading ? "it is being sent" : undefined);
  const failure = failures.value.get(`${bench}/${device}`);
  const stepUs = about?.parameters.find(({ name }) => name === "step_us")?.value ?? about?.step_us ?? 100;

  async function save(): Promise<void> {
    const now = source.value;
    if (now === null) return;
    try {
      download(await fetchCsv(now), fileName(now.name.replace(/\.csv$/i, ""), ".csv"));
    } catch (refused) {
      error.value = words(refused);
    }
  }

  return (
    <section class="panel" aria-label="Stimulus">
      <Lock />
      <NowPlaying bench={bench} device={device} stepUs={stepUs} />
      <div class="row actions">
        {[false, true].map((loop) => (
          <button
            key={String(loop)}
            type="button"
            class={loop ? "" : "primary"}
            disabled={notNow !== undefined}
            title={notNow ?? (loop ? "again and again, until it is stopped" : "then silence, until it is stopped")}
            data-testid={loop ? "play-loop" : "play-once"}
            onClick={() => source.value && void play(bench, device, source.value, loop)}
          >
            {loop ? "Play in a loop" : "Play once"}
          </button>
        ))}
        <button
          type="button"
          disabled={locked !== undefined || uploading}
          title={locked ?? "back to the device's own square wave"}
          data-testid="play-stop"
          onClick={() => void stop(bench, device)}
        >
          Stop
        </button>
      </div>
      {(failure || unfit) && (
        <p class="refused" role="alert" data-testid="play-error">
          {failure ?? unfit}
        </p>
      )}
      <Choice onError={(text) => (error.value = text)} />
      {error.value && (
        <p class="refused" role="alert" data-testid="stimulus-error">
          {error.value}
        </p>
      )}
      {preview && (
        <div class={busy ? "shown busy" : "shown"}>
          <PreviewPlot preview={preview} />
          <Facts preview={preview} stepUs={stepUs} />
          <div class="row">
            <button type="button" title="as the stock program's stimulus CSV" data-testid="stimulus-save" onClick={() => void save()}>
              Save CSV
            </button>
          </div>
        </div>
      )}
      {kind.value === "generator" && generator.value && <Form one={generator.value} />}
    </section>
  );
}

/** The preview of what is chosen, asked for once nobody types any more. */
function usePreview(onError: (text: string) => void): { preview: Preview | null; busy: boolean } {
  const preview = useSignal<Preview | null>(null);
  const busy = useSignal(false);
  const now = source.value;
  useEffect(() => {
    if (now === null) {
      preview.value = null;
      busy.value = false;
      onError("");
      return undefined;
    }
    const aborter = new AbortController();
    busy.value = true;
    const timer = setTimeout(async () => {
      try {
        const why = "file" in now ? tooLarge(now.name, now.file.size) : undefined;
        if (why !== undefined) throw new Error(why);
        preview.value = await fetchPreview(now, aborter.signal);
        onError("");
      } catch (refused) {
        if (aborter.signal.aborted) return;
        preview.value = null;
        onError(words(refused));
      }
      if (!aborter.signal.aborted) busy.value = false;
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      aborter.abort();
    };
  }, [now]);
  return { preview: preview.value, busy: busy.value };
}

function Choice({ onError }: { onError: (text: string) => void }) {
  useEffect(() => {
    if (generators.value.length > 0) return;
    fetchGenerators().then(
      (table) => {
        generators.value = table;
        onError("");
      },
      (refused: unknown) => onError(words(refused)),
    );
  }, [connected.value]);
  const one = generator.value;
  return (
    <div class="choice">
      <div class="row choices" role="radiogroup" aria-label="Source">
        {(["generator", "file"] as const).map((name) => (
          <label key={name} class="row">
            <input
              type="radio"
              name="stimulus-kind"
              checked={kind.value === name}
              onChange={() => {
                onError("");
                kind.value = name;
              }}
            />
            {name === "generator" ? "Generator" : "CSV file"}
          </label>
        ))}
      </div>
      {kind.value === "file" ? (
        <div class="row">
          <FileButton
            label="Stimulus CSV"
            testId="stimulus-file"
            onFile={(chosen) => {
              file.value = chosen;
            }}
          >
            Load CSV…
          </FileButton>
          <span class="faint name">{file.value?.name ?? "a row of Stim (%) for each 0.1 ms"}</span>
        </div>
      ) : (
        one && (
          <>
            <label class="hidden" for="stimulus-generator">
              Generator
            </label>
            <select
              id="stimulus-generator"
              data-testid="stimulus-generator"
              value={one.name}
              onChange={(event) => (chosen.value = event.currentTarget.value)}
            >
              {generators.value.map(({ name, title }) => (
                <option key={name} value={name}>
                  {title}
                </option>
              ))}
            </select>
          </>
        )
      )}
    </div>
  );
}

/** The settings of the generator. */
function Form({ one }: { one: Generator }) {
  return (
    <div class="choice">
      <GeneratorForm
        generator={one}
        texts={texts.value[one.name] ?? defaultTexts(one)}
        read={read.value}
        onText={setText}
      />
      <div class="field">
        <label for="stimulus-repeat">Repeat</label>
        <input
          id="stimulus-repeat"
          class="number"
          inputMode="numeric"
          autocomplete="off"
          value={repeat.value}
          aria-invalid={repeatWrong.value !== undefined}
          onInput={(event) => (repeat.value = event.currentTarget.value)}
        />
        <span class="unit">times</span>
        {repeatWrong.value && (
          <span class="refused" role="alert">
            {repeatWrong.value}
          </span>
        )}
      </div>
      <div class="row">
        <button type="button" class="quiet small" onClick={useDefaults}>
          Defaults
        </button>
      </div>
    </div>
  );
}

function Facts({ preview, stepUs }: { preview: Preview; stepUs: number }) {
  const wallMs = (preview.n_rows * stepUs) / 1000;
  return (
    <div class="facts" data-testid="stimulus-facts">
      <p>
        {grouped(preview.n_rows)} rows, {durationText(preview.duration_ms)} of model time
        {stepUs !== 100 && `, which takes ${durationText(wallMs)}`}
      </p>
      <p>
        {preview.minimum_percent} to {preview.maximum_percent} %, mean {preview.mean_percent} %
      </p>
      {preview.n_clipped > 0 && (
        <p class="refused">
          {grouped(preview.n_clipped)} rows were beyond 100 % and are cut
        </p>
      )}
      {preview.ignored_columns.length > 0 && <p class="faint">not used: {preview.ignored_columns.join(", ")}</p>}
      {preview.n_ignored_triggers > 0 && (
        <p class="faint">
          {grouped(preview.n_ignored_triggers)} trigger marks behind the first row are not used: a device marks the first row
        </p>
      )}
    </div>
  );
}
