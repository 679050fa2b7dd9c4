/** Who may change the device: take the lease, give it back, ask for it. */
import { ask, device, holdsLease, role, selected } from "../state";
import { askForLease } from "./ask_lease";

export function LeaseBar() {
  const key = selected.value;
  if (key === null || device.value === undefined || role.value === "viewer") return null;
  const { lease } = device.value;
  if (lease === null) {
    return (
      <button
        type="button"
        class="quiet"
        title="Keep others from changing this device"
        onClick={() => void ask(key.bench, "lease_take", { device: key.device })}
      >
        Take the lease
      </button>
    );
  }
  if (holdsLease(lease)) {
    return (
      <span class="row">
        <span class="pill good">you have the lease</span>
        <button type="button" class="quiet" onClick={() => void ask(key.bench, "lease_release", { device: lease.device })}>
          Give it back
        </button>
      </span>
    );
  }
  return (
    <span class="row">
      <span class="pill" title={`ends in ${Math.round(lease.left_s)} s unless it is used`}>
        {lease.holder} has the lease
      </span>
      <button
        type="button"
        class="quiet"
        onClick={() => askForLease(key.bench, lease)}
      >
        Ask for it
      </button>
    </span>
  );
}
