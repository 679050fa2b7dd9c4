import { afterEach, expect, it, vi } from "vitest";
import { request } from "./files";

afterEach(() => {
  vi.unstubAllGlobals();
});

function upload(file: File): Promise<unknown> {
  // What browsers say of a file that was changed, and of a server that is away.
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  return request("api/x", { method: "POST", body: file });
}

it("a file that was changed since it was chosen is not called a server that is away", async () => {
  const file = new File(["1"], "mine.csv");
  file.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException("", "NotReadableError")) }) as unknown as Blob;
  await expect(upload(file)).rejects.toMatchObject({
    code: "changed",
    message: "mine.csv was changed or removed since it was chosen; choose it again",
  });
});

it("a server that is away is", async () => {
  await expect(upload(new File(["1"], "mine.csv"))).rejects.toMatchObject({ code: "absent" });
});

it.each([
  ['{"code": "too_large", "text": "too large"}', "too_large", "too large"],
  ["<html>", "413", "<html>"],
  ["", "413", "refused (413)"],
  ["[1]", "413", "[1]"],
])("a refusal of %s says what is known", async (body, code, message) => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, { status: 413 })));
  await expect(request("api/x")).rejects.toMatchObject({ code, message });
});
