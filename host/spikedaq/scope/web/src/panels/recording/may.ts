/** Why this page may not record on a bench, in words; undefined where it may. */
import { benches, connected, holdsLease, role } from "../../state";

export function whyNotRecord(bench: string, device: string | null = null): string | undefined {
  if (role.value !== "controller") return "you may watch, not change; open the page with a controller's token";
  if (!connected.value) return "the page has no connection now; it is being tried again";
  const state = benches.value.get(bench);
  if (state === undefined || !state.here) return `the bench ${bench} is away: ${state?.error ?? "it was never there"}`;
  const lease = state.status?.leases.find((one) => (one.device === null || one.device === device) && !holdsLease(one));
  if (lease) return `${lease.holder} has the lease of ${lease.device ?? "the bench"}; ask for it`;
  return undefined;
}
