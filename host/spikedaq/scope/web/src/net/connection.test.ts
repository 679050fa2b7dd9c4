import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection, type Refused } from "./connection";
import type { Frame } from "./frame";

/** A websocket of which the test is the other side. */
class FakeSocket {
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor() {
    FakeSocket.all.push(this);
  }

  static get newest(): FakeSocket {
    return FakeSocket.all.at(-1)!;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(what: Record<string, unknown> | ArrayBuffer): void {
    this.onmessage?.({ data: what instanceof ArrayBuffer ? what : JSON.stringify(what) });
  }

  fall(): void {
    this.readyState = 3;
    this.onclose?.();
  }

  asked(what: string): Record<string, unknown>[] {
    return this.sent.filter((said) => said["do"] === what);
  }
}

const page = { hidden: false, listeners: new Map<string, (() => void)[]>() };
const listen = (name: string, does: () => void) => page.listeners.set(name, [...(page.listeners.get(name) ?? []), does]);
const happen = (name: string) => page.listeners.get(name)?.forEach((does) => does());

function frame(device: string, level: number, more: Record<string, unknown> = {}): ArrayBuffer {
  const header = { v: 1, bench: "b", device, run: 1, boot: 1, mode: "current", step_us: 100, step: 0, t_ms: 0, level };
  const text = JSON.stringify({ ...header, first: 4, count: 1, channels: 1, flat: true, ...more });
  const bytes = new TextEncoder().encode(text + " ".repeat((4 - (text.length % 4)) % 4));
  const data = new ArrayBuffer(4 + bytes.length + 2);
  new DataView(data).setUint32(0, bytes.length, true);
  new Uint8Array(data, 4).set(bytes);
  new DataView(data).setInt16(4 + bytes.length, -7, true);
  return data;
}

describe("Connection", () => {
  let connection: Connection;
  let states: boolean[];

  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    page.hidden = false;
    page.listeners.clear();
    vi.stubGlobal("WebSocket", FakeSocket);
    vi.stubGlobal("document", { get hidden() { return page.hidden; }, addEventListener: listen });
    vi.stubGlobal("addEventListener", listen);
    states = [];
    connection = new Connection(() => "ws://test");
    connection.onState = (is) => states.push(is);
    connection.start();
    FakeSocket.newest.open();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("watches again what was watched, and gives each its frames only", () => {
    const got: string[] = [];
    connection.watch("b", "alpha", 3, (f: Frame) => got.push(`alpha ${f.low[0]}`));
    const end = connection.watch("b", "beta", 3, () => got.push("beta"));
    FakeSocket.newest.say(frame("alpha", 3));
    FakeSocket.newest.say(frame("alpha", 4));
    FakeSocket.newest.say(frame("alpha", 3, { stream: "imaging" }));
    end();
    FakeSocket.newest.say(frame("beta", 3));
    expect(got).toEqual(["alpha -7"]);
    FakeSocket.newest.fall();
    vi.advanceTimersByTime(250);
    FakeSocket.newest.open();
    expect(FakeSocket.newest.asked("watch").map(({ device }) => device)).toEqual(["alpha"]);
    expect(states).toEqual([true, false, true]);
  });

  it("rejects what was asked when the connection is lost, and tells who wants to know at once", async () => {
    let lost = 0;
    connection.whenLost(() => lost++);
    const asked = connection.ask("b", "status").catch((error: Refused) => error.code);
    FakeSocket.newest.fall();
    expect([await asked, lost]).toEqual(["lost", 1]);
    await expect(connection.ask("b", "status")).rejects.toThrow("no connection");
  });

  it("begins anew where the server dropped texts: an answer among them would be waited for for ever", async () => {
    const asked = connection.ask("b", "status").catch((error: Refused) => error.code);
    FakeSocket.newest.say({ say: "clock", asked: 0, host_ms: 1, skipped: 3, dropped: 2 });
    expect([await asked, connection.skipped]).toEqual(["lost", 3]);
    vi.advanceTimersByTime(250);
    expect(FakeSocket.all.length).toBe(2);
    FakeSocket.newest.open();
    FakeSocket.newest.say({ say: "clock", asked: 0, host_ms: 1, skipped: 4, dropped: 0 });
    expect([FakeSocket.all.length, connection.skipped]).toEqual([2, 7]);
  });

  it("notices that a connection only looks alive", () => {
    FakeSocket.newest.say({ say: "bench" });
    vi.advanceTimersByTime(4900);
    expect(FakeSocket.all.length).toBe(1);
    vi.advanceTimersByTime(1500);
    expect([FakeSocket.all.length, states.at(-1)]).toEqual([2, false]);
  });

  it("connects at once when somebody looks again, however long the next try is away", () => {
    FakeSocket.newest.fall();
    for (let k = 0; k < 6; k++) {
      vi.advanceTimersByTime(3000);
      FakeSocket.newest.fall();
    }
    const before = FakeSocket.all.length;
    page.hidden = true;
    happen("visibilitychange");
    expect(FakeSocket.all.length).toBe(before);
    page.hidden = false;
    happen("visibilitychange");
    expect(FakeSocket.all.length).toBe(before + 1);
    FakeSocket.newest.open();
    vi.advanceTimersByTime(4000);
    expect(FakeSocket.all.length).toBe(before + 1); // the try that was due is not made, too
  });

  it("confirms what came, also where timers rest, and nothing twice", () => {
    vi.advanceTimersByTime(1000);
    expect(FakeSocket.newest.asked("ack")).toEqual([]);
    FakeSocket.newest.say(frame("alpha", 3));
    vi.advanceTimersByTime(1000);
    expect(FakeSocket.newest.asked("ack")).toEqual([{ do: "ack", n: 1 }]);
  });

  it.each<[string, Record<string, unknown> | ArrayBuffer]>([
    ["a hello of another version", { say: "hello", v: 2 }],
    ["traces of another version", frame("alpha", 3, { v: 2 })],
    ["junk", new ArrayBuffer(3)],
    ["traces that are cut off", frame("alpha", 3).slice(0, -2)],
  ])("says that the page has to be loaded again, and stops, at %s", (_, what) => {
    let why = "";
    connection.onUseless = (text) => (why = text);
    FakeSocket.newest.say(what);
    expect(why).toContain("load the page again");
    vi.advanceTimersByTime(20_000);
    happen("visibilitychange");
    expect([FakeSocket.all.length, states.at(-1)]).toEqual([1, false]);
  });
});
