/** What the tiles of the overview show, computed without a page. */
import { shownState } from "../panels/recording/growth";
import type { Alarm, BenchState, DeviceStatus, FileStatus } from "../state";

export type SortBy = "bench" | "name" | "state";
export const SORTS: [SortBy, string][] = [
  ["bench", "bench"],
  ["name", "name"],
  ["state", "state"],
];

export interface Tile {
  /** `BENCH/DEVICE`. */
  key: string;
  /** Its bench answers. */
  here: boolean;
  bench: string;
  device: string;
  status: DeviceStatus;
  alarms: Alarm[];
}

/** What is wrong comes first. */
const STATE_ORDER = ["refused", "lost", "silent", "opening", "identifying", "stopped", "running"];

/** A tile for each device of the benches that answer. */
export function tilesOf(benches: Iterable<BenchState>): Tile[] {
  return [...benches].flatMap((bench) =>
    (bench.status?.devices ?? []).map((status) => ({
      key: `${bench.bench}/${status.name}`,
      here: bench.here,
      bench: bench.bench,
      device: status.name,
      status: bench.here ? status : { ...status, state: "bench away", detail: bench.error },
      alarms: (bench.status?.alarms ?? []).filter((alarm) => isAbout(alarm, status.name)),
    })),
  );
}

/** An alarm's subject is a device, or begins with it. */
function isAbout(alarm: Alarm, device: string): boolean {
  return alarm.subject === device || alarm.subject.startsWith(`${device}:`) || alarm.subject.startsWith(`${device} `);
}

/** Those in which each word of the filter stands somewhere: bench, name, state, board, session, lease, alarm. */
export function filtered(tiles: readonly Tile[], filter: string): Tile[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return tiles.filter(({ bench, device, status, alarms }) => {
    const text = [
      bench,
      device,
      status.state,
      status.board,
      status.recording && isOngoing(status.recording) ? "recording" : "",
      status.lease?.holder ?? "",
      ...alarms.map((alarm) => `alarm ${alarm.kind}`),
    ]
      .join("\n")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export function sorted(tiles: readonly Tile[], by: SortBy): Tile[] {
  const byPlace = (a: Tile, b: Tile) => compare(a.bench, b.bench) || compare(a.device, b.device);
  const order: Record<SortBy, (a: Tile, b: Tile) => number> = {
    bench: byPlace,
    name: (a, b) => compare(a.device, b.device) || compare(a.bench, b.bench),
    state: (a, b) => stateRank(a) - stateRank(b) || byPlace(a, b),
  };
  return [...tiles].sort(order[by]);
}

/** bench2 stands before bench10. */
function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function stateRank({ status, alarms }: Tile): number {
  const rank = STATE_ORDER.indexOf(status.state);
  return (rank === -1 ? 0 : rank) - (alarms.length > 0 ? 0.5 : 0);
}

export interface Shown {
  text: string;
  kind: "recording" | "plain" | "bad";
}

/** A recording of this device that goes on. */
export function isOngoing(file: FileStatus): boolean {
  return !["closed", "complete", "interrupted", "failed"].includes(file.state);
}

/** What a tile says of a recording whose file has had no more rows for so long; null where none goes on. */
export function recordedAs({ here }: Tile, file: FileStatus | null, stillMs: number): Shown | null {
  if (file === null || !isOngoing(file)) return null;
  const shown = shownState(file.state, file.rows_on_disk, stillMs, here);
  return { text: shown.kind === "good" ? `● ${shown.text}` : shown.text, kind: shown.kind === "good" ? "recording" : shown.kind };
}

/** Spikes per second over the last seconds, from their events. */
export class SpikeRate {
  private times: number[] = [];
  private readonly sinceMs: number;

  constructor(
    nowMs: number,
    private readonly windowMs = 5000,
  ) {
    this.sinceMs = nowMs;
  }

  spike(nowMs: number): void {
    this.times.push(nowMs);
    if (this.times.length > 10_000) this.times.shift();
  }

  /** Spikes per second of this computer's clock; NaN in the first second. */
  perSecond(nowMs: number): number {
    const begin = Math.max(this.sinceMs, nowMs - this.windowMs);
    this.times = this.times.filter((t) => t > begin);
    const seconds = (nowMs - begin) / 1000;
    return seconds < 1 ? Number.NaN : this.times.length / seconds;
  }
}

/** The zoom level at which a tile of some pixels shows some seconds. */
export function levelFor(rateHz: number, seconds: number, pixels: number, maxLevel = 13): number {
  if (!(rateHz > 0) || !(pixels > 0)) return 0;
  return Math.min(maxLevel, Math.max(0, Math.floor(Math.log2((rateHz * seconds) / pixels))));
}

/** A name for a class's session that nobody has used: the day and the time. */
export function suggestedSession(now: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `${day}_class_${two(now.getHours())}${two(now.getMinutes())}`;
}
