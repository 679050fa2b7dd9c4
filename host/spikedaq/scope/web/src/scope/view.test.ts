import { describe, expect, it } from "vitest";
import { HeldView } from "./view";

const BOUNDS = { oldest: 1000, newest: 50_000 };

describe("HeldView", () => {
  it("stops at both ends of what there is", () => {
    const view = new HeldView();
    view.hold({ left: 38_000, right: 40_000, zero: 40_000 });
    view.scroll(-5000, 2000, BOUNDS);
    expect(view.shown(2000)).toEqual({ left: 33_000, right: 35_000, zero: 40_000 });
    view.scroll(1e9, 2000, BOUNDS);
    expect(view.shown(2000).right).toBe(50_000);
    view.toOldest(2000, BOUNDS);
    expect(view.shown(2000).left).toBe(0);
  });

  it("keeps the middle when the width changes, and the instant when the axis does", () => {
    const view = new HeldView();
    view.hold({ left: 8000, right: 10_000, zero: 10_000 });
    view.zoom(2000, 500);
    expect(view.shown(500)).toEqual({ left: 8750, right: 9250, zero: 10_000 });
    view.convert((u) => u / 20);
    expect(view.shown(25)).toEqual({ left: 437.5, right: 462.5, zero: 500 });
  });

  it("does nothing while live, and a second hold does not move it", () => {
    const view = new HeldView();
    view.scroll(-100, 10, BOUNDS);
    expect(view.isHeld).toBe(false);
    view.hold({ left: 0, right: 10, zero: 10 });
    view.hold({ left: 90, right: 100, zero: 100 });
    expect(view.shown(10).right).toBe(10);
    view.release();
    expect(view.isHeld).toBe(false);
  });
});
