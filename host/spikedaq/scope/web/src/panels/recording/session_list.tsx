/** What was recorded, newest first, page by page; kept up to date while it is looked at. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { benches, connected } from "../../state";
import { words } from "../device/files";
import { type Page, type Session, get } from "./library";
import { SessionRow } from "./session_row";

const CALM_MS = 5000;
const BUSY_MS = 1000;
const TYPING_MS = 300;

export function SessionList({ bench }: { bench: string }) {
  const pages = useSignal<readonly Page[]>([]);
  const match = useSignal("");
  const error = useSignal("");
  const loading = useSignal(false);
  /** Answers to older questions are not shown over newer ones. */
  const asked = useRef(0);
  /** Where answers take long, asking again and again would have none of them shown. */
  const isAsking = useRef(false);
  const state = benches.value.get(bench);
  const here = connected.value && state?.here === true;
  const standing = `${state?.status?.recording?.session} ${state?.status?.recording?.state}`;

  /** Ask anew for as many pages as are shown. */
  async function refresh(howMany: number): Promise<void> {
    const number = ++asked.current;
    isAsking.current = true;
    const fresh: Page[] = [];
    try {
      let before: unknown = null;
      do {
        const query = { bench, match: match.value.trim() || null, before: before === null ? null : JSON.stringify(before) };
        const page: Page = await get<Page>("recordings", query);
        fresh.push(page);
        before = page.next;
      } while (before !== null && fresh.length < howMany);
      if (number !== asked.current) return;
      pages.value = fresh;
      error.value = "";
    } catch (refused) {
      if (number === asked.current) error.value = words(refused);
    }
    if (number === asked.current) loading.value = isAsking.current = false;
  }

  const sessions = pages.value.flatMap((page) => page.sessions);
  const busy = sessions.some(({ verification }) => verification.state === "running" || verification.state === "waiting");
  useEffect(() => {
    if (!here) return undefined;
    const timer = setTimeout(() => void refresh(Math.max(1, pages.value.length)), pages.value.length ? TYPING_MS : 0);
    const again = setInterval(
      () => {
        if (!document.hidden && !isAsking.current) void refresh(Math.max(1, pages.value.length));
      },
      busy ? BUSY_MS : CALM_MS,
    );
    return () => {
      clearTimeout(timer);
      clearInterval(again);
    };
  }, [bench, here, match.value, standing, busy]);

  const last = pages.value.at(-1);
  return (
    <div class="sessions">
      <div class="row spread">
        <label class="hidden" for="session-match">
          Only names with
        </label>
        <input
          id="session-match"
          type="search"
          placeholder="find in names"
          value={match.value}
          data-testid="session-match"
          onInput={(event) => {
            match.value = event.currentTarget.value;
            pages.value = pages.value.slice(0, 1);
          }}
        />
        {last && (
          <span class="faint small-text" role="status">
            {sessions.length} of {last.total}
          </span>
        )}
      </div>
      {error.value && (
        <p class="refused" role="alert" data-testid="sessions-error">
          {error.value}
        </p>
      )}
      {(last?.problems ?? []).map(({ folder, text }) => (
        <p key={folder} class="refused">
          {text}
        </p>
      ))}
      {last && sessions.length === 0 && <p class="faint">nothing is recorded{match.value && " with this in its name"}</p>}
      <ul data-testid="sessions">
        {sessions.map((session: Session) => (
          <SessionRow
            key={`${session.folder}/${session.session}`}
            bench={bench}
            session={session}
            onChange={() => void refresh(Math.max(1, pages.value.length))}
          />
        ))}
      </ul>
      {last?.next != null && (
        <button
          type="button"
          disabled={loading.value}
          data-testid="sessions-more"
          onClick={() => {
            loading.value = true;
            void refresh(pages.value.length + 1);
          }}
        >
          {loading.value ? "Loading …" : "Older ones"}
        </button>
      )}
    </div>
  );
}
