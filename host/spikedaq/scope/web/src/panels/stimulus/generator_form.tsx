/** The form of a generator, made from the server's table. */
import { unitText } from "../device/numbers";
import { type Texts, labelOf, type Read } from "./form";
import type { Generator } from "./waveform";

const AROUND = /^(pre|post)_/;

interface Options {
  generator: Generator;
  texts: Texts;
  read: Read;
  onText: (name: string, text: string) => void;
}

export function GeneratorForm({ generator, texts, read, onText }: Options) {
  const field = (parameter: Generator["parameters"][number]) => {
    const { name, unit } = parameter;
    const id = `stimulus-${name}`;
    const wrong = read.wrong[name];
    return (
      <div key={name} class="field">
        <label for={id} title={parameter.description}>
          {labelOf(parameter)}
        </label>
        <input
          id={id}
          class="number"
          inputMode="decimal"
          autocomplete="off"
          value={texts[name] ?? String(parameter.default)}
          aria-invalid={wrong !== undefined}
          aria-describedby={`${id}-about`}
          data-testid={id}
          onInput={(event) => onText(name, event.currentTarget.value)}
        />
        <span class="unit">{unitText(unit).trim()}</span>
        {wrong === undefined ? (
          <span class="range" id={`${id}-about`}>
            {parameter.description}, {parameter.minimum} … {parameter.maximum}
          </span>
        ) : (
          <span class="refused" role="alert" id={`${id}-about`}>
            {wrong}
          </span>
        )}
      </div>
    );
  };
  return (
    <div class="fields">
      <p class="faint">{generator.description}</p>
      {generator.parameters.filter(({ name }) => !AROUND.test(name)).map(field)}
      <details class="inner" open={Object.keys(read.wrong).some((name) => AROUND.test(name))}>
        <summary>Before and after</summary>
        {generator.parameters.filter(({ name }) => AROUND.test(name)).map(field)}
      </details>
    </div>
  );
}
