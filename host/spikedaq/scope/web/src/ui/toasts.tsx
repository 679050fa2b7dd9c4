/** Short messages that go away by themselves. */
import { ask, benches, dismiss, holdsLease, leaseWanted, toasts } from "../state";

export function Toasts() {
  const asked = leaseWanted.value;
  const leases = benches.value.get(asked?.bench ?? "")?.status?.leases ?? [];
  // Once it ended or was given back there is nothing to give any more.
  const wanted = leases.some((one) => one.device === asked?.device && holdsLease(one)) ? asked : null;
  return (
    <div class="toasts" aria-live="polite">
      {wanted && (
        <div class="toast info" role="alert">
          {wanted.by} asks for the lease of {wanted.device ?? `the bench ${wanted.bench}`}
          <button
            type="button"
            onClick={() => {
              leaseWanted.value = null;
              void ask(wanted.bench, "lease_release", { device: wanted.device });
            }}
          >
            Give it
          </button>
          <button
            type="button"
            onClick={() => {
              leaseWanted.value = null;
            }}
          >
            Keep it
          </button>
        </div>
      )}
      {toasts.value.map(({ id, text, kind }) => (
        <div key={id} class={`toast ${kind}`} role={kind === "error" ? "alert" : "status"}>
          {text}
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
