/** What is shown of time, which channels, which devices. */
import { devices, selected } from "../state";
import { zoomTime } from "./oscilloscope";
import type { Screen } from "./screen";
import { compared, cursorsOn, display, durationText, labelOf, shownChannels, TIME_BASES_MS, timeKind, windowMs } from "./settings";

export function Toolbar({ screen, mode }: { screen: Screen; mode: "current" | "voltage" }) {
  const isPaused = screen.paused.value;
  return (
    <div class="tools" role="toolbar" aria-label="Oscilloscope">
      <button
        type="button"
        class={isPaused ? "primary" : ""}
        aria-pressed={isPaused}
        title={isPaused ? "Show what comes again (End)" : "Hold what is shown, and scroll back (space)"}
        data-testid="pause"
        onClick={() => (isPaused ? screen.resume() : screen.pause())}
      >
        {isPaused ? "▶ Live" : "❚❚ Pause"}
      </button>
      <span class="row joined">
        <button type="button" aria-label="Shorter time base" title="Shorter (+)" onClick={() => zoomTime(screen, -1)}>
          −
        </button>
        <select
          name="time base"
          aria-label="Time base: across the screen"
          data-testid="time-base"
          value={String(windowMs.value)}
          onChange={(event) => screen.setWindow(Number(event.currentTarget.value))}
        >
          {TIME_BASES_MS.map((ms) => (
            <option key={ms} value={String(ms)}>
              {durationText(ms)}
            </option>
          ))}
        </select>
        <button type="button" aria-label="Longer time base" title="Longer (-)" onClick={() => zoomTime(screen, 1)}>
          +
        </button>
      </span>
      <span class="row joined" role="group" aria-label="Display">
        {(["roll", "sweep"] as const).map((kind) => (
          <button
            key={kind}
            type="button"
            aria-pressed={display.value === kind}
            title={kind === "roll" ? "The newest at the right" : "Each sweep begins with a trigger"}
            data-testid={`display-${kind}`}
            onClick={() => {
              display.value = kind;
              screen.resume();
            }}
          >
            {kind === "roll" ? "Roll" : "Sweep"}
          </button>
        ))}
      </span>
      <span class="row joined" role="group" aria-label="Time axis">
        {(["wall", "model"] as const).map((kind) => (
          <button
            key={kind}
            type="button"
            aria-pressed={timeKind.value === kind}
            title={kind === "wall" ? "Time as on the clock" : "The neuron's own time: 0.1 ms per step, however long a step takes"}
            data-testid={`time-${kind}`}
            onClick={() => {
              timeKind.value = kind;
            }}
          >
            {kind === "wall" ? "Wall time" : "Model time"}
          </button>
        ))}
      </span>
      <button
        type="button"
        aria-pressed={cursorsOn.value}
        title="Two cursors that measure"
        data-testid="cursors"
        onClick={() => {
          cursorsOn.value = !cursorsOn.value;
        }}
      >
        Cursors
      </button>
      <ChannelMenu screen={screen} mode={mode} />
      <CompareMenu />
    </div>
  );
}

function ChannelMenu({ screen, mode }: { screen: Screen; mode: "current" | "voltage" }) {
  const shown = shownChannels.value[mode];
  return (
    <details class="dropdown" data-testid="channels">
      <summary>Channels</summary>
      <fieldset class="menu">
        <legend class="hidden">Channels that are shown</legend>
        {screen.channels.value.map(({ name }) => (
          <label key={name} class="row">
            <input
              type="checkbox"
              checked={shown.includes(name)}
              disabled={shown.length === 1 && shown.includes(name)}
              title={shown.length === 1 && shown.includes(name) ? "One channel has to stay" : undefined}
              data-testid={`channel-${name}`}
              onChange={(event) => {
                const names = event.currentTarget.checked ? [...shown, name] : shown.filter((other) => other !== name);
                shownChannels.value = { ...shownChannels.value, [mode]: names };
              }}
            />
            {labelOf(name)}
          </label>
        ))}
      </fieldset>
    </details>
  );
}

function CompareMenu() {
  const key = selected.value;
  const others = devices.value.filter((d) => d.bench !== key?.bench || d.device !== key.device);
  if (others.length === 0) return null;
  const severalBenches = new Set(devices.value.map((d) => d.bench)).size > 1;
  const chosen = others.filter((d) => compared.value.includes(`${d.bench}/${d.device}`)).length;
  return (
    <details class="dropdown" data-testid="compare">
      <summary>Compare{chosen > 0 && ` (${chosen})`}</summary>
      <fieldset class="menu">
        <legend>Into the same panes, on one clock</legend>
        {others.map((d) => {
          const name = `${d.bench}/${d.device}`;
          return (
            <label key={name} class="row">
              <input
                type="checkbox"
                checked={compared.value.includes(name)}
                data-testid={`compare-${d.device}`}
                onChange={(event) => {
                  const rest = compared.value.filter((other) => other !== name);
                  compared.value = event.currentTarget.checked ? [...rest, name] : rest;
                }}
              />
              {severalBenches ? `${d.bench}: ` : ""}
              {d.device}
            </label>
          );
        })}
      </fieldset>
    </details>
  );
}
