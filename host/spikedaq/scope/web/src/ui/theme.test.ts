import { effect } from "@preact/signals";
import { expect, it, vi } from "vitest";

const system = { matches: false, listen: () => {}, addEventListener: (_: string, listener: () => void) => (system.listen = listener) };
const root = { dataset: {} as Record<string, string> };
vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => {} });
vi.stubGlobal("matchMedia", () => system);
vi.stubGlobal("document", { documentElement: root });
const { isDark, theme } = await import("./theme");

it("who draws anew because the theme changed finds its colours there already", () => {
  const seen: [boolean, string][] = [];
  effect(() => {
    seen.push([isDark.value, root.dataset["theme"]!]);
  });
  system.matches = true;
  system.listen();
  theme.value = "light";
  theme.value = "dark";
  expect(seen).toEqual([
    [false, "light"],
    [true, "dark"],
    [false, "light"],
    [true, "dark"],
  ]);
});
