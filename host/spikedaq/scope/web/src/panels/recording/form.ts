/** What is chosen for the next recording: kept while other panels are looked at. */
import { signal } from "@preact/signals";
import type { FolderCheck, NameTold } from "./library";
import { MODE, type ModeTexts } from "./mode";

export const PARTS = ["group", "condition", "mode", "protocol", "run"] as const;
export type Part = (typeof PARTS)[number];

export const parts = signal<Readonly<Record<Part, string>>>({ group: "", condition: "", mode: "", protocol: "", run: "" });
/** What the server says of the name; null while it is not known. */
export const name = signal<NameTold | null>(null);
/** Something was typed since: it is not the name of what stands in the fields. */
export const isNameOld = signal(false);
/** Null: the daemon's own. */
export const folder = signal<string | null>(null);
export const folderCheck = signal<FolderCheck | null>(null);
export const folderError = signal("");
/** Names of those that are left out. */
export const without = signal<ReadonlySet<string>>(new Set());
export const notes = signal("");
export const mode = signal<ModeTexts>(MODE);
export const baseline = signal("3");
export const after = signal("3");

/** This computer's day, as it goes into a name. */
export function today(now = new Date()): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}
