/** A button that lets somebody choose a file of theirs. */
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

export function FileButton(props: {
  /** What the file is, for who cannot see the button. */
  label: string;
  testId: string;
  /** Ends of the names of such files, and their types; of a CSV where it is absent. */
  accept?: string;
  disabled?: boolean;
  title?: string;
  onFile: (file: File) => void;
  children: ComponentChildren;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" disabled={props.disabled ?? false} title={props.title ?? ""} onClick={() => input.current?.click()}>
        {props.children}
      </button>
      <input
        ref={input}
        class="hidden"
        type="file"
        accept={props.accept ?? ".csv,text/csv"}
        tabIndex={-1}
        aria-label={props.label}
        data-testid={props.testId}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          // The same file chosen again is a change, too.
          event.currentTarget.value = "";
          if (file) props.onFile(file);
        }}
      />
    </>
  );
}
