/** The folder on the daemon's computer: which, whether it can be written, and how long its disk lasts. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { benches } from "../../state";
import { words } from "../device/files";
import { folder, folderCheck, folderError, name } from "./form";
import { type FolderCheck, type Folders, get } from "./library";
import { bytesText, spanText } from "./words";

const CHECK_MS = 300;
const AGAIN_MS = 10_000;

export function FolderPicker({ bench }: { bench: string }) {
  const isOpen = useSignal(false);
  const own = useSignal<string | null>(null);
  const state = benches.value.get(bench);
  const session = name.value?.name ?? null;
  const chosen = folder.value;
  const standing = `${state?.here} ${state?.status?.recording?.state}`;

  useEffect(() => {
    get<Folders>("folders", { bench }).then(
      ({ folders }) => (own.value = folders[0]?.path ?? null),
      () => (own.value = null),
    );
  }, [bench, state?.here]);
  const where = chosen ?? own.value;
  useEffect(() => {
    if (where === null) return undefined;
    const aborter = new AbortController();
    const check = async () => {
      try {
        folderCheck.value = await get<FolderCheck>("folders/check", { bench, folder: where, session }, aborter.signal);
        folderError.value = "";
      } catch (error) {
        if (aborter.signal.aborted) return;
        folderCheck.value = null;
        folderError.value = words(error);
      }
    };
    const timer = setTimeout(() => void check(), CHECK_MS);
    const again = setInterval(() => void check(), AGAIN_MS);
    return () => {
      clearTimeout(timer);
      clearInterval(again);
      aborter.abort();
    };
  }, [bench, where, session, standing]);

  const check = folderCheck.value;
  return (
    <div class="folder" role="group" aria-label="Folder">
      <div class="row spread">
        <span class="path" title={where ?? ""} data-testid="folder">
          {where ?? "the daemon's own folder"}
        </span>
        <button type="button" class="small" aria-expanded={isOpen.value} data-testid="folder-choose" onClick={() => (isOpen.value = !isOpen.value)}>
          {isOpen.value ? "Close" : "Choose…"}
        </button>
      </div>
      {check && (check.ok || !check.why_not) && (
        <p class="faint small-text" data-testid="folder-room">
          {bytesText(check.free_bytes)} free
          {check.time_left_s !== null && `, enough for ${spanText(check.time_left_s)} of every device`}
          {!check.exists && "; it will be made"}
        </p>
      )}
      {check && !check.ok && check.why_not && (
        <p class="refused" role="alert" data-testid="folder-why-not">
          {check.why_not}
        </p>
      )}
      {folderError.value && (
        <p class="refused" role="alert" data-testid="folder-error">
          {folderError.value}
        </p>
      )}
      {isOpen.value && (
        <Browser
          bench={bench}
          begin={where}
          onChoose={(path) => {
            folder.value = path;
            isOpen.value = false;
          }}
        />
      )}
    </div>
  );
}

function Browser({ bench, begin, onChoose }: { bench: string; begin: string | null; onChoose: (path: string) => void }) {
  const at = useSignal<Folders | null>(null);
  const error = useSignal("");
  const fresh = useSignal("");
  const head = useRef<HTMLDivElement>(null);
  /** An answer to an older question is not shown over a newer one. */
  const asked = useRef(0);

  async function look(path: string | null, after = ""): Promise<void> {
    const number = ++asked.current;
    try {
      const found = await get<Folders>("folders", { bench, folder: path, after });
      if (number !== asked.current) return;
      at.value = after && at.value ? { ...found, folders: [...at.value.folders, ...found.folders] } : found;
      error.value = "";
    } catch (refused) {
      if (number !== asked.current) return;
      error.value = words(refused);
      if (at.value === null && path !== null) await look(null);
    }
  }
  useEffect(() => {
    void look(begin);
    head.current?.focus();
  }, [bench]);

  const now = at.value;
  return (
    <div class="loaded browser" ref={head} tabIndex={-1} role="dialog" aria-label="Choose a folder" data-testid="folder-browser">
      {error.value && (
        <p class="refused" role="alert">
          {error.value}
        </p>
      )}
      {now && (
        <>
          <div class="row">
            <button type="button" class="small" onClick={() => void look(null)}>
              All roots
            </button>
            {now.parent && (
              <button type="button" class="small" onClick={() => void look(now.parent)}>
                ↑ Up
              </button>
            )}
            <span class="path">{now.folder ?? "where recordings may go"}</span>
          </div>
          <ul>
            {now.folders
              .filter(({ is_session }) => !is_session)
              .map(({ name: label, path }) => (
                <li key={path}>
                  <button type="button" class="quiet" onClick={() => void look(path)}>
                    {now.folder === null ? path : label}/
                  </button>
                </li>
              ))}
            {now.folders.every(({ is_session }) => is_session) && <li class="faint">no folders in here</li>}
          </ul>
          {now.next !== null && (
            <button type="button" class="small" onClick={() => void look(now.folder, now.next!)}>
              More
            </button>
          )}
          {now.folder !== null && (
            <>
              {!now.writable && (
                <p class="refused" role="alert" data-testid="browser-why-not">
                  {now.why_not}
                </p>
              )}
              <div class="row">
                <label class="hidden" for="folder-new">
                  New folder in it
                </label>
                <input id="folder-new" placeholder="new folder (or none)" value={fresh.value} onInput={(e) => (fresh.value = e.currentTarget.value)} />
                <button
                  type="button"
                  class="primary"
                  disabled={!now.writable}
                  title={now.writable ? "record here" : (now.why_not ?? "it cannot be written")}
                  data-testid="folder-use"
                  onClick={() => onChoose([now.folder!.replace(/\/$/, ""), fresh.value.trim()].filter(Boolean).join("/"))}
                >
                  Record here
                </button>
              </div>
            </>
          )}
        </>
      )}
    </div>
  );
}
