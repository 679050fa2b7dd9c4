/** What plays now, for everybody who watches, and how far it is. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { benchNowMs, device as selectedDevice, myName, onEvent } from "../../state";
import { isMe, shortOrigin } from "../device/about";
import { PlayFollower, playingText, progressOf } from "./playing";
import { cancel, uploads } from "./player";
import { durationText } from "./waveform";

const DRAW_MS = 100;

export function NowPlaying({ bench, device, stepUs }: { bench: string; device: string; stepUs: number }) {
  const follower = useMemo(() => new PlayFollower(), [bench, device]);
  /** Counts up whenever there is something new to show. */
  const news = useSignal(0);
  const status = selectedDevice.value;
  useEffect(() => {
    if (status?.name === device) follower.status(status.stimulus ?? null, performance.now());
    news.value++;
  }, [status, follower]);
  useEffect(
    () =>
      onEvent((key, event) => {
        if (key.bench === bench && key.device === device && follower.event(event, performance.now())) news.value++;
      }),
    [follower],
  );
  const isPlaying = follower.now?.state === "playing";
  useEffect(() => {
    if (!isPlaying) return undefined;
    const timer = setInterval(() => news.value++, DRAW_MS);
    return () => clearInterval(timer);
  }, [isPlaying]);
  void news.value;

  const upload = uploads.value.get(`${bench}/${device}`);
  if (upload !== undefined) {
    return (
      <div class="playing" data-testid="playing" data-state="uploading">
        <div class="row">
          <span role="status">Sending {upload.name} …</span>
          <button type="button" class="small" onClick={() => cancel(bench, device)}>
            Cancel
          </button>
        </div>
        <progress aria-label="Upload" max={1} value={upload.done / Math.max(1, upload.total)} />
      </div>
    );
  }
  const { now } = follower;
  const progress = now && progressOf(now, benchNowMs(bench), stepUs);
  const by = now?.by && (isMe(now.by, myName.value) ? "you" : shortOrigin(now.by));
  return (
    <div class="playing" data-testid="playing" data-state={now?.state ?? "square"}>
      <p role="status">
        <b>{now?.state === "playing" ? "▶ " : now ? "■ " : ""}</b>
        {playingText(now)}
        {by && <span class="faint"> by {by}</span>}
      </p>
      {now?.state === "playing" && progress && (
        <div class="row progress">
          {progress.part === null ? (
            <progress aria-label="Played" />
          ) : (
            <progress aria-label="Played" max={1} value={progress.part} />
          )}
          {progress.modelMs !== null && (
            <span class="faint time">
              {durationText(Math.floor(progress.modelMs))}
              {progress.totalMs !== null && ` of ${durationText(progress.totalMs)}`}
            </span>
          )}
        </div>
      )}
    </div>
  );
}
