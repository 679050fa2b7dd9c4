/** What is looked at: part, time range, channel, what a spike and a loop is. */
import type { Channel, Seen } from "./api";
import { numberText } from "./figure";
import { Choice, NumberInput } from "./inputs";
import { change, forPart, look, opened, part } from "./model";

const CHANNELS: Record<Channel, string> = {
  vm: "Vm: the neuron",
  syn1_vm: "Synapse 1 Vm: aux neuron 1",
  syn2_vm: "Synapse 2 Vm: aux neuron 2",
};

export function Settings({ seen }: { seen: Seen | null }) {
  const source = opened.value;
  const now = look.value;
  const chosen = part.value;
  const has = seen?.channels ?? (Object.keys(CHANNELS) as Channel[]).filter((name) => chosen?.channels.includes(name) ?? name === "vm");
  return (
    <form class="settings" aria-label="What is analysed" onSubmit={(event) => event.preventDefault()}>
      {source && source.parts.length > 1 && (
        <Choice
          label="Part"
          value={now.part ?? ""}
          options={source.parts.map((one) => [one.name, `${one.name}${one.mode === "voltage" ? " (voltage clamp)" : ""}`] as const)}
          testId="analysis-part"
          onChange={(name) => {
            const other = source.parts.find((one) => one.name === name);
            if (!other) return;
            const to = forPart(now, other);
            change({ part: name, start_s: to.start_s, stop_s: to.stop_s, channel: to.channel });
          }}
        />
      )}
      <Choice label="Channel" value={now.channel ?? "vm"} options={has.map((name) => [name, CHANNELS[name]] as const)} testId="analysis-channel" onChange={(channel) => change({ channel })} />
      <fieldset>
        <legend>Time range{chosen && ` (of ${numberText(round(chosen.start_s))} to ${numberText(round(chosen.stop_s))} s)`}</legend>
        <div class="pair">
          <NumberInput label="From" unit="s" value={now.start_s} placeholder="begin" testId="analysis-start" onChange={(start_s) => change({ start_s })} />
          <NumberInput label="Up to" unit="s" value={now.stop_s} placeholder="end" testId="analysis-stop" onChange={(stop_s) => change({ stop_s })} />
        </div>
        {chosen?.fits_until_s != null && (
          <p class="note">
            This part has {chosen.n_samples.toLocaleString()} samples. At most {source?.max_samples.toLocaleString()} are analysed at once: choose which.
          </p>
        )}
      </fieldset>
      <fieldset>
        <legend>A spike</legend>
        <Choice
          label="crosses the threshold"
          value={now.falling ? "down" : "up"}
          options={[
            ["up", "upward"],
            ["down", "downward"],
          ]}
          testId="analysis-direction"
          onChange={(to) => change({ falling: to === "down" ? true : undefined })}
        />
        <div class="pair">
          <NumberInput label="Hysteresis" unit="mV" value={now.hysteresis_mv} placeholder="0" least={0} testId="analysis-hysteresis" onChange={(hysteresis_mv) => change({ hysteresis_mv })} />
          <NumberInput label="Refractory time" unit="ms" value={now.refractory_ms} placeholder="0" least={0} testId="analysis-refractory" onChange={(refractory_ms) => change({ refractory_ms })} />
        </div>
      </fieldset>
      <fieldset>
        <legend>A whole stimulus loop</legend>
        <div class="pair">
          <NumberInput label="Length" unit="ms" value={now.length_ms} placeholder="usual" least={0.1} testId="analysis-length" onChange={(length_ms) => change({ length_ms })} />
          <NumberInput label="Tolerance" unit="ms" value={now.tolerance_ms} placeholder="0" least={0} testId="analysis-tolerance" onChange={(tolerance_ms) => change({ tolerance_ms })} />
        </div>
      </fieldset>
      <fieldset>
        <legend>Figures</legend>
        <div class="pair">
          <NumberInput label="Bins of the rate" unit="ms" value={now.bin_ms} placeholder="chosen" least={0.1} testId="analysis-bin" onChange={(bin_ms) => change({ bin_ms })} />
          <NumberInput label="Before a spike" unit="ms" value={now.sta_ms} placeholder="50" least={0.1} testId="analysis-sta" onChange={(sta_ms) => change({ sta_ms })} />
        </div>
        <Choice
          label="Steps of the F-I curve"
          value={now.fi ?? "stimulus"}
          options={[
            ["stimulus", "Stimulus (%)"],
            ["i_total", "Total current (a.u.)"],
          ]}
          testId="analysis-fi"
          onChange={(fi) => change({ fi })}
        />
        <Choice
          label="Phase plane"
          value={now.near_mv_per_ms === undefined ? "all" : "near"}
          options={[
            ["near", "up to 20 mV/ms"],
            ["all", "all of it"],
          ]}
          testId="analysis-phase"
          onChange={(to) => change({ near_mv_per_ms: to === "near" ? 20 : undefined })}
        />
      </fieldset>
    </form>
  );
}

function round(seconds: number): number {
  return Math.round(seconds * 1e4) / 1e4;
}
