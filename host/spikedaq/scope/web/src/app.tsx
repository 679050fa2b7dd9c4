/** The frame of the page: which view, which device, how things stand. */
import { signal } from "@preact/signals";
import { Analysis } from "./analysis/analysis";
import { Overview } from "./overview/overview";
import { ScopeView } from "./scope/scope_view";
import { benches, connected, role, useless } from "./state";
import { DevicePicker } from "./ui/device_picker";
import { LeaseBar } from "./ui/lease_bar";
import { ThemeButton } from "./ui/theme";
import { Toasts } from "./ui/toasts";

type View = "overview" | "scope" | "analysis";
const VIEWS: [View, string][] = [
  ["overview", "Overview"],
  ["scope", "Scope"],
  ["analysis", "Analysis"],
];

function viewOfAddress(): View {
  const name = location.hash.replace(/^#\/?/, "").split("?")[0];
  return VIEWS.find(([view]) => view === name)?.[0] ?? "scope";
}

const view = signal<View>(viewOfAddress());
addEventListener("hashchange", () => {
  view.value = viewOfAddress();
});

/** Show another view. */
export function go(to: View): void {
  location.hash = `/${to}`;
}

export function App() {
  return (
    <>
      <header class="bar">
        <strong class="brand">spikedaq</strong>
        <nav aria-label="Views">
          {VIEWS.map(([name, label]) => (
            <a key={name} href={`#/${name}`} aria-current={view.value === name ? "page" : undefined}>
              {label}
            </a>
          ))}
        </nav>
        {view.value === "scope" && <DevicePicker />}
        {view.value === "scope" && <LeaseBar />}
        <span class="grow" />
        <Health />
        <ThemeButton />
      </header>
      <main>
        {view.value === "overview" && <Overview />}
        {view.value === "scope" && <ScopeView />}
        {view.value === "analysis" && <Analysis />}
      </main>
      <Toasts />
    </>
  );
}

/** Whether the page is connected, each bench answers, and what alarms stand. */
function Health() {
  if (useless.value) {
    return (
      <span class="pill bad" role="alert">
        {useless.value}
      </span>
    );
  }
  if (!connected.value) {
    return (
      <span class="pill bad" role="status">
        not connected, trying again
      </span>
    );
  }
  const all = [...benches.value.values()];
  const away = all.filter((bench) => !bench.here);
  const alarms = all.flatMap((bench) => (bench.status?.alarms ?? []).map((alarm) => ({ ...alarm, bench: bench.bench })));
  return (
    <span class="row" role="status">
      {role.value === "viewer" && <span class="pill">watching only</span>}
      {away.map((bench) => (
        <span key={bench.url} class="pill bad" title={bench.error}>
          {bench.bench}: away
        </span>
      ))}
      {alarms.length > 0 ? (
        <details class="alarms">
          <summary class="pill bad">
            {alarms.length} alarm{alarms.length > 1 ? "s" : ""}
          </summary>
          <ul>
            {alarms.map((alarm) => (
              <li key={`${alarm.bench} ${alarm.kind} ${alarm.subject}`}>
                {all.length > 1 && `${alarm.bench}: `}
                <b>{alarm.kind.replaceAll("_", " ")}</b> {alarm.subject}: {alarm.text}
              </li>
            ))}
          </ul>
        </details>
      ) : (
        all.length > 0 && away.length === 0 && <span class="pill good">no alarms</span>
      )}
    </span>
  );
}
