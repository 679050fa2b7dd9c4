/** Who may change the device: take the lease, give it back, ask for it. */
import { ask, connection, device, holdsLease, role, selected, toast } from "../state";

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
        onClick={() => {
          connection.say({ do: "want_lease", bench: key.bench, device: lease.device });
          toast(`${lease.holder} was asked for the lease`);
        }}
      >
        Ask for it
      </button>
    </span>
  );
}

/** Whether this page may change the selected device now. */
export function mayChange(): boolean {
  return role.value === "controller" && device.value !== undefined && holdsLease(device.value.lease);
}
