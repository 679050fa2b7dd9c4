/** The oscilloscope: a toolbar, panes with a shared time axis, cursors, and how well it keeps up. */
import "./oscilloscope.css";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { devices } from "../state";
import { isDark } from "../ui/theme";
import { Cursors } from "./cursors";
import { PaneView } from "./pane_view";
import { Screen } from "./screen";
import { compared, cursorsOn, display, labelOf, shownChannels, stepTimeBase, timeKind, trigger, windowMs } from "./settings";
import { StatusLine } from "./status_line";
import { Toolbar } from "./toolbar";
import { TriggerBar } from "./trigger_bar";

/** Part of the screen that one press of an arrow key moves. */
const ARROW = 0.1;

export function Oscilloscope({ bench, device }: { bench: string; device: string }) {
  const screen = useMemo(() => new Screen({ bench, device }), [bench, device]);
  const panes = useRef<HTMLDivElement>(null);

  useEffect(() => {
    screen.start();
    return () => screen.close();
  }, [screen]);

  const others = devices.value.filter(
    (d) => compared.value.includes(`${d.bench}/${d.device}`) && !(d.bench === bench && d.device === device),
  );
  const otherNames = others.map((d) => `${d.bench}/${d.device}`).join(" ");
  useEffect(() => screen.compare(others.map((d) => ({ bench: d.bench, device: d.device }))), [screen, otherNames]);

  // Whatever a setting changes is drawn anew.
  useEffect(() => {
    screen.isDirty = true;
  }, [isDark.value, windowMs.value, timeKind.value, display.value, trigger.value, shownChannels.value]);

  const channels = screen.channels.value;
  const mode = screen.mode.value;
  const wanted = shownChannels.value[mode];
  const shown = channels.filter((c) => wanted.includes(c.name));

  return (
    <div class="traces" data-testid="oscilloscope">
      <Toolbar screen={screen} mode={mode} />
      {display.value === "sweep" && <TriggerBar screen={screen} />}
      <div
        class="panes"
        ref={panes}
        role="group"
        aria-label="Traces; arrow keys scroll, space pauses, plus and minus change the time base"
        tabIndex={0}
        data-testid="panes"
        onKeyDown={(event) => takeKey(screen, event)}
        onWheel={(event) => takeWheel(screen, event)}
        onPointerDown={(event) => beginDrag(screen, event)}
      >
        {shown.map((channel, row) => (
          <PaneView
            key={`${channel.name} ${isDark.value} ${row === shown.length - 1} ${timeKind.value}`}
            screen={screen}
            channel={channel}
            number={channels.indexOf(channel)}
            isLast={row === shown.length - 1}
            others={others.map((d) => d.device)}
            order={shown.map((c) => c.name)}
          />
        ))}
        {channels.length === 0 && (
          <p class="waiting" role="status">
            {screen.channelsProblem.value || "Waiting for the device to say what it measures ..."}
          </p>
        )}
        {channels.length > 0 && shown.length === 0 && (
          <p class="waiting">No channel is chosen; choose one under Channels, such as {labelOf(channels[0]!.name)}.</p>
        )}
        {cursorsOn.value && shown.length > 0 && <Cursors screen={screen} nChannels={shown.length} panes={panes} />}
      </div>
      <StatusLine screen={screen} bench={bench} />
    </div>
  );
}

function takeKey(screen: Screen, event: KeyboardEvent): void {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
  const actions: Record<string, () => void> = {
    ArrowLeft: () => screen.scroll(-ARROW * windowMs.value),
    ArrowRight: () => screen.scroll(ARROW * windowMs.value),
    PageUp: () => screen.scroll(-windowMs.value),
    PageDown: () => screen.scroll(windowMs.value),
    Home: () => screen.toOldest(),
    End: () => screen.resume(),
    " ": () => (screen.paused.value ? screen.resume() : screen.pause()),
    "+": () => zoomTime(screen, -1),
    "-": () => zoomTime(screen, 1),
  };
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}

/** The next time base, about the middle of the screen. */
export function zoomTime(screen: Screen, by: 1 | -1): void {
  const before = windowMs.value;
  stepTimeBase(by);
  const after = windowMs.value;
  windowMs.value = before;
  screen.setWindow(after);
}

function isInside(event: MouseEvent): boolean {
  return event.target instanceof Element && event.target.closest(".u-over, .cursor") !== null;
}

function takeWheel(screen: Screen, event: WheelEvent): void {
  if (!isInside(event)) return;
  event.preventDefault();
  if (event.ctrlKey) zoomTime(screen, event.deltaY > 0 ? 1 : -1);
  else {
    const by = event.deltaX === 0 ? event.deltaY : event.deltaX;
    screen.scroll((by / 1000) * windowMs.value);
  }
}

function beginDrag(screen: Screen, event: PointerEvent): void {
  const over = event.target instanceof Element ? event.target.closest(".u-over") : null;
  if (over === null || event.button !== 0 || !(event.currentTarget instanceof HTMLElement)) return;
  const holder = event.currentTarget;
  const width = over.clientWidth;
  let lastX = event.clientX;
  const move = (moved: PointerEvent) => {
    if (moved.clientX === lastX) return;
    holder.setPointerCapture(event.pointerId);
    screen.scroll(((lastX - moved.clientX) / width) * windowMs.value);
    lastX = moved.clientX;
  };
  const end = () => {
    holder.removeEventListener("pointermove", move);
    holder.removeEventListener("pointerup", end);
    holder.removeEventListener("pointercancel", end);
  };
  holder.addEventListener("pointermove", move);
  holder.addEventListener("pointerup", end);
  holder.addEventListener("pointercancel", end);
}
