/** A number that is typed: what is half typed stays, whatever is drawn anew around it meanwhile. */
import type { InputHTMLAttributes } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props extends Omit<InputHTMLAttributes<HTMLInputElement>, "value" | "onChange" | "type"> {
  value: number | string;
  /** Take what was typed, NaN where it is no number; or say why not. */
  take: (typed: number) => string;
  testid?: string | undefined;
}

export function TypedNumber({ value, take, testid, ...more }: Props) {
  const input = useRef<HTMLInputElement>(null);
  // Not by the attribute, which is put back at every drawing: only as the value itself changes.
  useLayoutEffect(() => {
    input.current!.value = String(value);
  }, [value]);
  return (
    <input
      ref={input}
      type="number"
      data-testid={testid}
      onChange={(event) => {
        const { currentTarget } = event;
        currentTarget.setCustomValidity(take(currentTarget.valueAsNumber));
        currentTarget.reportValidity();
      }}
      {...more}
    />
  );
}
