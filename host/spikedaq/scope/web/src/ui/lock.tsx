/** Why this page may not change the selected device, and what can be done about it. */
import { connected, device, holdsLease, role, selected } from "../state";
import { askForLease } from "./ask_lease";

/** Why not, in words; undefined where it may. */
export function whyNot(): string | undefined {
  if (role.value !== "controller") return "you may watch, not change; open the page with a controller's token";
  if (!connected.value) return "the page has no connection now; it is being tried again";
  const now = device.value;
  if (now === undefined) return "the device is not there now";
  if (!holdsLease(now.lease)) return `${now.lease!.holder} has the lease; ask for it`;
  if (now.state !== "running" && now.state !== "stopped") return `the device is ${now.state}: ${now.detail}`;
  return undefined;
}

/** The reason at the head of a panel, with a button that asks for the lease where somebody has it. */
export function Lock() {
  const why = whyNot();
  if (why === undefined) return null;
  const key = selected.value;
  const lease = device.value?.lease ?? null;
  const leased = role.value === "controller" && lease !== null && !holdsLease(lease);
  return (
    <p class="lock" role="status" data-testid="lock">
      <span>{why}</span>
      {leased && key !== null && (
        <button
          type="button"
          onClick={() => askForLease(key.bench, lease)}
        >
          Ask for it
        </button>
      )}
    </p>
  );
}
