/** The oscilloscope with its panels. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ImagingPanel } from "../panels/imaging";
import { NeuronPanel } from "../panels/neuron";
import { RecordingPanel } from "../panels/recording";
import { StimulusPanel } from "../panels/stimulus";
import { selected } from "../state";
import { Oscilloscope } from "./oscilloscope";

const PANELS: [string, () => ComponentChildren][] = [
  ["Neuron", NeuronPanel],
  ["Stimulus", StimulusPanel],
  ["Recording", RecordingPanel],
  ["Imaging", ImagingPanel],
];
const shown = signal("Neuron");

export function ScopeView() {
  const key = selected.value;
  if (key === null) return <section class="page">Waiting for a device ...</section>;
  const Panel = PANELS.find(([name]) => name === shown.value)![1];
  return (
    <div class="scope">
      <Oscilloscope key={`${key.bench}/${key.device}`} bench={key.bench} device={key.device} />
      <aside class="side" aria-label="Panels">
        <div role="tablist">
          {PANELS.map(([name]) => (
            <button
              key={name}
              type="button"
              role="tab"
              id={`tab-${name}`}
              aria-selected={shown.value === name}
              aria-controls="panel"
              onClick={() => {
                shown.value = name;
              }}
            >
              {name}
            </button>
          ))}
        </div>
        <div role="tabpanel" id="panel" aria-labelledby={`tab-${shown.value}`}>
          <Panel key={`${key.bench}/${key.device}`} />
        </div>
      </aside>
    </div>
  );
}
