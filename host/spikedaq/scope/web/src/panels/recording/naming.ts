/** Asking the server what a session will be called. */
import { words } from "../device/files";
import { type Part, isNameOld, name, today } from "./form";
import { type NameTold, get } from "./library";

const TYPING_MS = 300;

/** Ask once nobody types any more; returns what gives the question up. */
export function lookUpName(bench: string, given: Readonly<Record<Part, string>>): () => void {
  isNameOld.value = true;
  const aborter = new AbortController();
  const timer = setTimeout(async () => {
    let told: NameTold;
    try {
      told = await get<NameTold>("recordings/name", { bench, day: today(), ...given }, aborter.signal);
    } catch (error) {
      told = { name: null, run: null, taken: false, wrong: { name: words(error) }, next_problem: null };
    }
    if (aborter.signal.aborted) return;
    name.value = told;
    isNameOld.value = false;
  }, TYPING_MS);
  return () => {
    clearTimeout(timer);
    aborter.abort();
  };
}
