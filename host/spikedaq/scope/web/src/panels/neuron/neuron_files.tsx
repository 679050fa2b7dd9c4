/** Keep a neuron in the stock program's CSV, or take one from it. */
import { useSignal } from "@preact/signals";
import type { About, DeviceModel } from "../device/about";
import { download, fileName, request, words } from "../device/files";
import { shortest, unitText } from "../device/numbers";
import { labelOf } from "./groups";
import { FileButton } from "../../ui/file_button";

const MAX_BYTES = 100_000;

interface Loaded {
  name: string;
  values: Record<string, number>;
  units: Record<string, string>;
}

export function NeuronFiles({ model, about, locked }: { model: DeviceModel; about: About; locked: string | undefined }) {
  const loaded = useSignal<Loaded | null>(null);
  const error = useSignal("");
  const done = useSignal("");

  async function attempt(work: () => Promise<void>): Promise<void> {
    error.value = done.value = "";
    try {
      await work();
    } catch (refused) {
      error.value = words(refused);
    }
  }

  async function load(file: File): Promise<void> {
    loaded.value = null;
    if (file.size > MAX_BYTES) throw new Error(`${file.name} has ${file.size} bytes; it is no neuron, which has a line`);
    const answer = await request(`api/neuron/parse?${new URLSearchParams({ name: file.name })}`, { method: "POST", body: file });
    loaded.value = { name: file.name, ...((await answer.json()) as Omit<Loaded, "name">) };
  }

  async function apply({ name, values }: Loaded): Promise<void> {
    await model.set(values);
    loaded.value = null;
    done.value = `${about.name} is the neuron of ${name} now`;
  }

  async function save(): Promise<void> {
    const values = Object.fromEntries(about.parameters.map(({ name, value }) => [name, value]));
    const finite = Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)));
    const answer = await request("api/neuron/csv", { method: "POST", body: JSON.stringify(finite) });
    download(await answer.blob(), fileName(`${about.name}_neuron`, ".csv"));
  }

  return (
    <div class="files" data-testid="neuron-files">
      <div class="row">
        <button type="button" title="as the stock program's neuron CSV" onClick={() => void attempt(save)}>
          Save neuron
        </button>
        <FileButton
          label="Neuron CSV"
          testId="neuron-file"
          disabled={locked !== undefined}
          title={locked ?? "a neuron CSV"}
          onFile={(file) => void attempt(() => load(file))}
        >
          Load neuron…
        </FileButton>
      </div>
      {loaded.value && (
        <div class="loaded" role="group" aria-label="Loaded neuron">
          <b>{loaded.value.name}</b>
          <dl>
            {Object.entries(loaded.value.values).map(([name, value]) => (
              <div key={name}>
                <dt>{labelOf(name)}</dt>
                <dd>
                  {shortest(value)}
                  {unitText(loaded.value!.units[name] ?? "1")}
                </dd>
              </div>
            ))}
          </dl>
          <div class="row">
            <button
              type="button"
              class="primary"
              data-testid="neuron-apply"
              disabled={locked !== undefined}
              title={locked}
              onClick={() => void attempt(() => apply(loaded.value!))}
            >
              Make {about.name} this neuron
            </button>
            <button type="button" onClick={() => (loaded.value = null)}>
              Cancel
            </button>
          </div>
        </div>
      )}
      {done.value && <p role="status">{done.value}</p>}
      {error.value && (
        <p class="refused" role="alert" data-testid="neuron-error">
          {error.value}
        </p>
      )}
    </div>
  );
}
