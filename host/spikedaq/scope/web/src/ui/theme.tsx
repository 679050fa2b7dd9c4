/** Light, dark, or as the computer is set. */
import { effect, signal } from "@preact/signals";

const KEY = "spikedaq.theme";
const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

export const theme = signal<Theme>(THEMES.find((name) => name === localStorage.getItem(KEY)) ?? "auto");
const systemDark = matchMedia("(prefers-color-scheme: dark)");
/** What is shown; plots read their colours anew when it changes. */
export const isDark = signal(false);

function apply(): void {
  const dark = theme.value === "dark" || (theme.value === "auto" && systemDark.matches);
  // First the colours, then who reads them.
  document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  isDark.value = dark;
}

effect(() => {
  localStorage.setItem(KEY, theme.value);
  apply();
});
systemDark.addEventListener("change", apply);

export function ThemeButton() {
  return (
    <button
      type="button"
      class="quiet"
      title="Theme"
      onClick={() => {
        theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
      }}
    >
      {theme.value === "auto" ? "Auto" : theme.value === "light" ? "Light" : "Dark"}
    </button>
  );
}
