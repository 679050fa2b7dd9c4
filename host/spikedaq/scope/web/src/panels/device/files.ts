/** Plain HTTP requests of the panels, and files from and to the computer of who looks at the page. */
import { Refused } from "../../net/connection";

/** Ask by HTTP; throws `Refused` with the server's words. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
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

/** Give somebody a file. */
export function download(data: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data);
  link.download = name;
  link.click();
  // The browser reads it after this function has returned.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
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
