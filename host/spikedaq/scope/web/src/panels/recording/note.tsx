/** Notes: while recording they go into the files, otherwise into the journals. */
import { useSignal } from "@preact/signals";
import { benches, connection } from "../../state";
import { words } from "../device/files";
import { isRecorded } from "./growth";
import { whyNotRecord } from "./may";

const MAX_CHARS = 10_000;

export function Note({ bench, device }: { bench: string; device: string }) {
  const text = useSignal("");
  const onAll = useSignal(true);
  const done = useSignal("");
  const error = useSignal("");
  const on = onAll.value ? null : device;
  const locked = whyNotRecord(bench, on);
  const recording = isRecorded(benches.value.get(bench)?.status?.recording, on);

  async function add(): Promise<void> {
    error.value = done.value = "";
    const wanted = text.value.trim();
    try {
      await connection.ask(bench, "note", { device: on, text: wanted });
      done.value = recording ? "noted in the files" : `noted in the journal; ${on === null ? "nothing is" : `${on} is not`} being recorded`;
      text.value = "";
    } catch (refused) {
      error.value = words(refused);
    }
  }

  return (
    <form
      class="note"
      aria-label="Note"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.value.trim()) void add();
      }}
    >
      <label class="hidden" for="note-text">
        Note
      </label>
      <textarea
        id="note-text"
        rows={2}
        maxLength={MAX_CHARS}
        placeholder={recording ? "a note into the recording, with this moment" : "a note into the journal"}
        value={text.value}
        disabled={locked !== undefined}
        title={locked}
        data-testid="note-text"
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
      <div class="row spread">
        <label class="row">
          <input type="checkbox" checked={onAll.value} onChange={(event) => (onAll.value = event.currentTarget.checked)} />
          on all devices
        </label>
        <button type="submit" disabled={locked !== undefined || !text.value.trim()} title={locked} data-testid="note-add">
          Add note
        </button>
      </div>
      {done.value && (
        <p class="faint" role="status" data-testid="note-done">
          {done.value}
        </p>
      )}
      {error.value && (
        <p class="refused" role="alert">
          {error.value}
        </p>
      )}
    </form>
  );
}
