/** The imaging simulation of the selected device: start, look, change, record, fetch. */
import { selected } from "../../state";
import { Lock, whyNot } from "../../ui/lock";
import "../panel.css";
import { shortOrigin } from "../device/about";
import { grouped } from "../device/numbers";
import { type Simulated, fileAddress, sizeText } from "./api";
import "./imaging.css";
import { type ImagingModel, table, useImaging } from "./model";
import { SettingsForm } from "./settings_form";
import { Traces } from "./traces";

const RECORDING = "it is being recorded, and a file has one set of settings; stop the recording first";

export function ImagingPanel() {
  const key = selected.value;
  return key && <Imaging bench={key.bench} device={key.device} />;
}

function Imaging({ bench, device }: { bench: string; device: string }) {
  const model = useImaging(bench, device);
  const state = model.state.value;
  const locked = whyNot();
  const isForeign = state?.state === "off" && model.derived.value !== null;
  return (
    <section class="panel imaging" aria-label="Imaging">
      <Lock />
      <p class="faint">What a microscope would see of the three neurons, had they a calcium indicator. All of it is simulated.</p>
      {state && <Controls model={model} state={state} locked={locked} isForeign={isForeign} />}
      {model.error.value && (
        <p class="refused" role="alert" data-testid="imaging-error">
          {model.error.value}
          {model.code.value === "exists" && (
            <button type="button" class="small" disabled={locked !== undefined} title={locked ?? "works where a page left it behind"} onClick={() => void model.order("start", { replace: true })}>
              Take its place
            </button>
          )}
        </p>
      )}
      <Traces model={model} />
      {state && <Files bench={bench} device={device} state={state} />}
      {state && table.value && (
        <SettingsForm model={model} state={state} table={table.value} locked={locked ?? (state.session !== null ? RECORDING : undefined)} />
      )}
    </section>
  );
}

interface ControlsOptions {
  model: ImagingModel;
  state: Simulated;
  locked: string | undefined;
  isForeign: boolean;
}

function Controls({ model, state, locked, isForeign }: ControlsOptions) {
  const isOff = state.state === "off";
  const isMoving = state.state === "starting" || state.state === "ending" || model.busy.value;
  const wait = isMoving ? "wait a moment" : undefined;
  const recording = state.session !== null;
  return (
    <div class="imaging-controls">
      <p role="status" data-testid="imaging-state" data-state={isForeign ? "foreign" : state.state}>
        <span class={`pill ${state.state === "running" || isForeign ? "good" : state.state === "waiting" ? "bad" : ""}`}>{isForeign ? "running elsewhere" : state.state}</span>{" "}
        {isForeign ? <Foreign model={model} /> : <How state={state} />}
      </p>
      {state.note && <p class="faint note">{state.note}</p>}
      {(state.unpublished ?? 0) > 0 && (
        <p class="refused">
          {grouped(state.unpublished!)} frames were not published: {state.reason}
        </p>
      )}
      <div class="row">
        {isOff ? (
          <button
            type="button"
            class="primary"
            disabled={locked !== undefined || isMoving || isForeign}
            title={locked ?? wait ?? (isForeign ? "another program publishes it; end it there first" : "simulate, for everybody who looks at this device")}
            data-testid="imaging-start"
            onClick={() => void model.order("start")}
          >
            Start
          </button>
        ) : (
          <button type="button" disabled={locked !== undefined || isMoving} title={locked ?? wait ?? "end it, for everybody"} data-testid="imaging-stop" onClick={() => void model.order("stop")}>
            Stop
          </button>
        )}
        {recording ? (
          <button type="button" disabled={locked !== undefined || isMoving} title={locked ?? wait} data-testid="imaging-record-stop" onClick={() => void model.order("stop_recording")}>
            Stop recording
          </button>
        ) : (
          <button
            type="button"
            disabled={locked !== undefined || isMoving || state.state !== "running"}
            title={locked ?? wait ?? (state.state === "running" ? "NWB and CSV; it begins anew at rest, so that the file can be computed again" : "start it first")}
            data-testid="imaging-record"
            onClick={() => void model.order("record")}
          >
            Record
          </button>
        )}
        {recording && <span class="pill bad">● recording{state.session && ` beside ${state.session}`}</span>}
      </div>
    </div>
  );
}

function How({ state }: { state: Simulated }) {
  if (state.state === "off") return <>nobody simulates it</>;
  return (
    <>
      {state.indicator}, {Number(state.frame_rate_hz.toPrecision(4))} frames/s of model time
      {state.by && `, by ${shortOrigin(state.by)}`}
    </>
  );
}

function Foreign({ model }: { model: ImagingModel }) {
  const derived = model.derived.value;
  if (derived === null) return null;
  const indicator = derived.settings["indicator"];
  return (
    <>
      {shortOrigin(derived.publisher)} publishes it{indicator ? `: ${indicator}` : ""}
    </>
  );
}

function Files({ bench, device, state }: { bench: string; device: string; state: Simulated }) {
  if (state.files.length === 0) return null;
  return (
    <details class="group" open>
      <summary>Files</summary>
      <ul class="imaging-files" data-testid="imaging-files">
        {[...state.files].reverse().map(({ name, bytes, growing }) => (
          <li key={name}>
            {growing ? (
              <span>{name}</span>
            ) : (
              <a href={fileAddress(bench, device, name)} download={name}>
                {name}
              </a>
            )}{" "}
            <span class="faint">
              {sizeText(bytes)}
              {growing && ", being written"}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
