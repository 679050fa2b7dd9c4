/** A tile for each device of all benches: find one, look what is wrong, record on all. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { benches, connected, onEvent } from "../state";
import { Growth } from "../panels/recording/growth";
import { ClassBar } from "./class_bar";
import "./overview.css";
import { DeviceTile } from "./tile";
import { TILE_S } from "./tile_trace";
import { filtered, recordedAs, SORTS, SpikeRate, type SortBy, sorted, type Tile, tilesOf } from "./tiles";

/** They stay as they are while another view is shown. */
const filter = signal("");
const sortBy = signal<SortBy>("bench");
const leftOut = signal<ReadonlySet<string>>(new Set());
const growth = new Growth();
const RATES_MS = 500;

export function Overview() {
  const rates = useSpikeRates();
  const all = tilesOf(benches.value.values());
  const shown = sorted(filtered(all, filter.value), sortBy.value);
  const away = [...benches.value.values()].filter((bench) => !bench.here);
  return (
    <section class="page overview">
      <ClassBar leftOut={leftOut.value} />
      <div class="tools" role="search">
        <label class="row">
          Find
          <input
            type="search"
            name="filter"
            placeholder="bench, name, state"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value;
            }}
          />
        </label>
        <label class="row">
          Sort by
          <select
            name="sort"
            value={sortBy.value}
            onChange={(event) => {
              sortBy.value = event.currentTarget.value as SortBy;
            }}
          >
            {SORTS.map(([name, label]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <span class="faint" data-testid="tile-count">
          {shown.length === all.length ? `${all.length} boards` : `${shown.length} of ${all.length} boards`}
        </span>
        <span class="grow" />
        <span class="faint">Traces: membrane potential from −100 to 50 mV, the last {TILE_S} s</span>
      </div>
      {away.map((bench) => (
        <p key={bench.url} class="bench-away" data-testid={`away-${bench.bench}`}>
          <span class="pill bad">{bench.bench}: away</span> {bench.error}
          <label class="row">
            <input
              type="checkbox"
              checked={!leftOut.value.has(bench.bench)}
              onChange={(event) => leaveOut(bench.bench, !event.currentTarget.checked)}
            />
            record with the class
          </label>
        </p>
      ))}
      <div class="tiles">
        {shown.map((tile) => (
          <DeviceTile
            key={tile.key}
            tile={tile}
            spikesPerS={rates.get(tile.key) ?? Number.NaN}
            recorded={recordedAs(tile, tile.status.recording, stillMs(tile))}
            isLeftOut={leftOut.value.has(tile.key)}
            leaveOut={(out) => leaveOut(tile.key, out)}
          />
        ))}
      </div>
      {all.length === 0 && <p>{connected.value ? "No bench has told of a board yet." : "Waiting for the server."}</p>}
      {all.length > 0 && shown.length === 0 && <p>No board has “{filter.value}” in its bench, name or state.</p>}
    </section>
  );
}

/** For how long its file has had no more rows that a reader can see. */
function stillMs({ key, status: { recording } }: Tile): number {
  return recording === null ? 0 : growth.take(key, recording.session ?? "", recording.rows_on_disk, performance.now());
}

function leaveOut(key: string, out: boolean): void {
  const next = new Set(leftOut.value);
  if (out) next.add(key);
  else next.delete(key);
  leftOut.value = next;
}

/** Spikes per second by tile, told twice a second. */
function useSpikeRates(): ReadonlyMap<string, number> {
  const counters = useRef(new Map<string, SpikeRate>());
  const [rates, setRates] = useState<ReadonlyMap<string, number>>(new Map());
  useEffect(() => {
    const counterOf = (key: string, nowMs: number) => {
      const known = counters.current.get(key) ?? new SpikeRate(nowMs);
      counters.current.set(key, known);
      return known;
    };
    const ended = onEvent(({ bench, device }, event) => {
      if (event.kind === "spike") counterOf(`${bench}/${device}`, performance.now()).spike(performance.now());
    });
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const keys = tilesOf(benches.value.values()).map((tile) => tile.key);
      setRates(new Map(keys.map((key) => [key, counterOf(key, nowMs).perSecond(nowMs)])));
    }, RATES_MS);
    return () => {
      ended();
      clearInterval(timer);
    };
  }, []);
  return rates;
}
