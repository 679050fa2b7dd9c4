/** What is recorded, in words. */
import { grouped } from "../device/numbers";

const STEPS: [number, string][] = [
  [1e12, "TB"],
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];

export function bytesText(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return "?";
  for (const [size, unit] of STEPS) {
    // 999.6 kB would be shown as 1000 kB.
    if (bytes >= size * 0.9995) return `${Number((bytes / size).toPrecision(3))} ${unit}`;
  }
  return `${Math.round(bytes)} B`;
}

/** A span of time with two units at most. */
export function spanText(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "?";
  const s = Math.max(0, seconds);
  if (s < 10) return `${s.toFixed(1)} s`;
  if (Math.round(s) < 60) return `${Math.round(s)} s`;
  const minutes = Math.round(s / 60);
  if (s < 600) return `${Math.floor(Math.round(s) / 60)} min ${Math.round(s) % 60} s`;
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** Missing samples by cause; what nobody can count says so. */
export function gapsText(gaps: Record<string, number | null> | undefined): string {
  const entries = Object.entries(gaps ?? {});
  if (entries.some(([, n]) => n === null)) return "not countable";
  const some = entries.filter(([, n]) => n !== 0);
  return some.length === 0 ? "none" : some.map(([cause, n]) => `${grouped(n!)} ${cause}`).join(", ");
}

export function hasGaps(gaps: Record<string, number | null> | undefined): boolean {
  return Object.values(gaps ?? {}).some((n) => n !== 0);
}

/** A moment in the time of who looks at the page. */
export function momentText(utcNs: number): string {
  const at = new Date(utcNs / 1e6);
  if (Number.isNaN(at.getTime())) return "?";
  const two = (n: number) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

export interface Verification {
  state: "never" | "waiting" | "running" | "good" | "failed" | "changed";
  done_bytes?: number;
  total_bytes?: number;
  utc_ns?: number;
  n_problems?: number;
  problems?: { path: string; verdict: string; text: string }[];
}

/** What is known of a session's verification, with a sign, so that it is not told by colour alone. */
export function verifiedText(found: Verification): string {
  switch (found.state) {
    case "running":
      return `verifying, ${percent(found)} %`;
    case "waiting":
      return "waits to be verified";
    case "good":
      return `✓ good, ${momentText(found.utc_ns ?? 0)}`;
    case "failed":
      return `✗ ${found.n_problems ?? 1} problem${found.n_problems === 1 ? "" : "s"}`;
    case "changed":
      return "changed since it was verified";
    default:
      return "not verified";
  }
}

export function percent({ done_bytes, total_bytes }: Verification): number {
  return total_bytes ? Math.floor((100 * Math.min(done_bytes ?? 0, total_bytes)) / total_bytes) : 0;
}

/** A text of any kind as a part of a session's name: "Tonic spiking" becomes "tonic-spiking". */
export function namePart(text: string): string {
  const plain = text.toLowerCase().replace(/[^a-z0-9.]+|[.]{2,}/g, "-");
  const strip = (s: string) => s.replace(/^[-.]+|[-.]+$/g, "");
  return strip(strip(plain).slice(0, 40));
}
