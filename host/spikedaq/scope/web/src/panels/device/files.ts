/** Plain HTTP requests of the panels, and files from and to the computer of who looks at the page. */
import { Refused } from "../../net/connection";

/** Ask by HTTP; throws `Refused` with the server's words. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    if (init.body instanceof File) await checkUnchanged(init.body);
    throw new Refused("absent", "the page's server does not answer; try again once the page is connected");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let said: { code?: unknown; text?: unknown } = {};
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    // What refused before the route, such as the guard, says it in plain text.
  }
  throw new Refused(
    typeof said.code === "string" ? said.code : String(answer.status),
    typeof said.text === "string" ? said.text : text.slice(0, 300) || `refused (${answer.status})`,
  );
}

/** Throw where a file cannot be read any more: browsers send one that was changed as little as one without a network. */
export async function checkUnchanged(file: File): Promise<void> {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Refused("changed", `${file.name} was changed or removed since it was chosen; choose it again`);
  }
}

/** Have the browser download an address of the page's server. */
export function startDownload(address: string, name = ""): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

/** Give somebody a file. */
export function download(data: Blob, name: string): void {
  const address = URL.createObjectURL(data);
  startDownload(address, name);
  // The browser reads it after this function has returned.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** What this page is called at the benches: as its websocket says it (net/connection.ts). By it the server knows whose lease it is. */
export function identity(): Record<"page" | "name", string> {
  return { page: sessionStorage.getItem("spikedaq.page") ?? "", name: localStorage.getItem("spikedaq.name") ?? "" };
}

/** A name for a file, of letters and digits that every system takes. */
export function fileName(stem: string, suffix: string): string {
  const plain = stem.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^[._]+/, "");
  return `${plain.slice(0, 60) || "spikedaq"}${suffix}`;
}

/** What an error is in words. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
