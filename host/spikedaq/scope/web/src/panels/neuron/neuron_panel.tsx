/** The neuron of the selected device: presets, every parameter, files, resets. */
import { signal } from "@preact/signals";
import { selected } from "../../state";
import { Lock, whyNot } from "../../ui/lock";
import "../panel.css";
import { type About, type DeviceModel, type Parameter, useDevice } from "../device/about";
import { ClampSwitch } from "./clamp_switch";
import { type Group, groupsOf } from "./groups";
import { NeuronFiles } from "./neuron_files";
import { ParameterRow } from "./parameter_row";
import { PresetPicker } from "./preset_picker";
import { Resets } from "./resets";

/** Which groups are open, for as long as the page is. */
const open = signal<ReadonlySet<string>>(new Set(["membrane", "clamp", "currents", "others"]));
/** Of the clamp's controller; few ever touch it. */
const CONTROLLER = /^vc_/;

export function NeuronPanel() {
  const key = selected.value;
  return key && <Neuron bench={key.bench} device={key.device} />;
}

function Neuron({ bench, device }: { bench: string; device: string }) {
  const model = useDevice(bench, device);
  const about = model.about.value;
  const locked = whyNot();
  return (
    <section class="panel" aria-label="Neuron">
      <Lock />
      {model.error.value && (
        <p class="refused" role="alert">
          {model.error.value}
        </p>
      )}
      {about === null ? (
        !model.error.value && <p class="faint">Waiting for {device} …</p>
      ) : (
        <>
          {groupsOf(about).map((group) => (
            <GroupView key={group.id} group={group} model={model} about={about} locked={locked} />
          ))}
          <fieldset disabled={locked !== undefined} title={locked}>
            <Resets model={model} />
          </fieldset>
        </>
      )}
    </section>
  );
}

interface GroupOptions {
  group: Group;
  model: DeviceModel;
  about: About;
  locked: string | undefined;
}

function GroupView({ group, model, about, locked }: GroupOptions) {
  return (
    <details
      class="group"
      open={open.value.has(group.id)}
      data-testid={`group-${group.id}`}
      onToggle={(event) => {
        const now = new Set(open.value);
        if (event.currentTarget.open) now.add(group.id);
        else now.delete(group.id);
        open.value = now;
      }}
    >
      <summary>{group.title}</summary>
      <fieldset disabled={locked !== undefined} title={locked}>
        <Rows parameters={group.parameters.filter(({ name }) => !CONTROLLER.test(name))} model={model} about={about} />
        {group.parameters.some(({ name }) => CONTROLLER.test(name)) && (
          <details class="inner">
            <summary>Controller</summary>
            <Rows parameters={group.parameters.filter(({ name }) => CONTROLLER.test(name))} model={model} about={about} />
          </details>
        )}
      </fieldset>
      {group.id === "membrane" && <NeuronFiles model={model} about={about} locked={locked} />}
    </details>
  );
}

function Rows({ parameters, model, about }: { parameters: Parameter[]; model: DeviceModel; about: About }) {
  return (
    <>
      {parameters.map((parameter) => {
        if (parameter.name === "preset" && about.presets.length > 0) {
          return <PresetPicker key={parameter.name} model={model} about={about} parameter={parameter} />;
        }
        if (parameter.name === "clamp_mode") {
          return <ClampSwitch key={parameter.name} model={model} parameter={parameter} />;
        }
        return <ParameterRow key={parameter.name} model={model} parameter={parameter} />;
      })}
    </>
  );
}
