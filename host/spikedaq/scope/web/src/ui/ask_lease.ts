/** Asking whoever has a lease for it. */
import { type Lease, connected, connection, toast } from "../state";

export function askForLease(bench: string, { device, holder }: Lease): void {
  if (!connected.value) {
    toast("the page has no connection now, so nobody was asked; it is being tried again", "error");
    return;
  }
  connection.say({ do: "want_lease", bench, device });
  // Of a program that has it, nobody knows whether somebody sits before it.
  toast(`${holder} is asked for the lease, on the pages of this server`);
}
