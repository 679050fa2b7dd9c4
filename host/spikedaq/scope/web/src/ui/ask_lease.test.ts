import { expect, it, vi } from "vitest";

const page = vi.hoisted(() => ({ say: vi.fn(), toast: vi.fn(), connected: { value: true } }));
vi.mock("../state", () => ({ connected: page.connected, connection: { say: page.say }, toast: page.toast }));
const { askForLease } = await import("./ask_lease");

const lease = { device: "alpha", holder: "anna#1@here", left_s: 9 };

it("asks, and says who is asked", () => {
  askForLease("lab", lease);
  expect(page.say).toHaveBeenCalledWith({ do: "want_lease", bench: "lab", device: "alpha" });
  expect(page.toast).toHaveBeenCalledWith("anna#1@here is asked for the lease, on the pages of this server");
});

it("does not say that somebody was asked where nothing could be sent", () => {
  page.connected.value = false;
  page.say.mockClear();
  askForLease("lab", lease);
  expect(page.say).not.toHaveBeenCalled();
  expect(page.toast).toHaveBeenLastCalledWith(expect.stringContaining("nobody was asked"), "error");
});
