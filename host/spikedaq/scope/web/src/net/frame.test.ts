import { expect, test } from "vitest";
import { decodeFrame } from "./frame";

/** A message as the server sends it: length of the header, header, values. */
function message(header: Record<string, unknown>, hex: string): ArrayBuffer {
  const values = (hex.match(/[0-9a-f]{2}/g) ?? []).map((byte) => Number.parseInt(byte, 16));
  const text = new TextEncoder().encode(JSON.stringify({ v: 1, level: 0, first: 40, ...header }));
  const padded = Math.ceil(text.length / 4) * 4;
  const bytes = new Uint8Array(4 + padded + values.length).fill(32);
  new DataView(bytes.buffer).setUint32(0, padded, true);
  bytes.set(text, 4);
  bytes.set(values, 4 + padded);
  return bytes.buffer;
}

/** The bytes of tests/unit/scope/test_packing.py, worked out by hand. */
const ROWS: [number[], string][] = [
  [[5], "00 0500"],
  [[-2, -2, -2], "00 feff"],
  [[1, 2, 0], "01 0100 01 fe"],
  [[0, 127, 0], "01 0000 7f 81"],
  [[0, 1, 2, 130, 131], "01 0000 01 01 80 8200 01"],
  [[0, 0, 0, -128, -128], "01 0000 00 00 80 80ff 00"],
  [[-32768, -32768, 32767, 32767, 32767], "01 0080 00 80 ff7f 00 00"],
  [[0, 1000], "02 0000 e803"],
  [[0, 1000, 1000], "02 0000 e803 e803"],
];

test.each(ROWS)("a packed row comes back: %j", (row, hex) => {
  const frame = decodeFrame(message({ channels: 1, count: row.length, flat: true, packed: true }, hex));
  expect([...frame.low]).toEqual(row);
  expect([...frame.high]).toEqual(row);
});

test("packed rows of channels come in order, all smallest before all largest", () => {
  const hex = "01 0100 01 01 | 00 0700 | 02 0000 e803 e803 | 01 0900 ff ff";
  const frame = decodeFrame(message({ channels: 2, count: 3, flat: false, packed: true }, hex));
  expect([...frame.low]).toEqual([1, 2, 3, 7, 7, 7]);
  expect([...frame.high]).toEqual([0, 1000, 1000, 9, 8, 7]);
  expect(frame.first).toBe(40);
});

test("what is not packed is read as before", () => {
  const frame = decodeFrame(message({ channels: 2, count: 2, flat: false }, "0100 0200 0300 0400 0500 0600 0700 0800"));
  expect([...frame.low]).toEqual([1, 2, 3, 4]);
  expect([...frame.high]).toEqual([5, 6, 7, 8]);
});

test("another version is refused", () => {
  expect(() => decodeFrame(message({ v: 2, channels: 1, count: 1, flat: true }, "0100"))).toThrow("version 1");
});
