/** Bins of one stream of a device, as the server sends them (docs/reference/scope.md). */
export interface Frame {
  bench: string;
  device: string;
  /** Bins of different runs (boots, clamp modes, step periods) do not belong together; absent from the history. */
  run?: number;
  boot: number;
  mode: "current" | "voltage";
  step_us: number;
  /** At this step the daemon's clock (CLOCK_BOOTTIME) showed t_ms; null while the device's clock is not fitted. */
  step: number;
  t_ms: number | null;
  /** First step of which the server keeps all samples at this level. */
  oldest?: number;
  /** Each bin has 2**level steps; bin `first` begins at step `first * 2**level`. */
  level: number;
  first: number;
  count: number;
  channels: number;
  /** Number of the request for the past that it answers. */
  past?: number;
  /** A derived stream; absent from samples. Its bins are of values, at the steps `k * pitch_steps + phase`. */
  stream?: string;
  pitch_steps?: number;
  phase?: number;
  /** Raw values are int16; those of a derived stream are floats (`f4`) in their unit. */
  dtype?: "f4";
  /** Smallest and largest values, channel by channel; low > high where no sample is. */
  low: Int16Array | Float32Array;
  high: Int16Array | Float32Array;
}

const text = new TextDecoder();
const ESCAPE = -128;

interface Layout {
  v: number;
  /** Smallest and largest are the same, and come once. */
  flat: boolean;
  /** In fewer bytes. */
  packed?: boolean;
}

/** Rows of values: each its way, its first value, and of the others nothing, steps, or values. */
function unpack(data: DataView, n: number, count: number): Int16Array {
  const values = new Int16Array(n);
  let at = 0;
  for (let begin = 0; begin < n; begin += count) {
    const way = data.getUint8(at);
    let value = data.getInt16(at + 1, true);
    at += 3;
    values[begin] = value;
    for (let k = begin + 1; k < begin + count; k++) {
      const step = way === 1 ? data.getInt8(at) : 0;
      if (way === 1) at += 1;
      if (way === 2 || step === ESCAPE) {
        value = data.getInt16(at, true);
        at += 2;
      } else {
        value += step;
      }
      values[k] = value;
    }
  }
  return values;
}

/** Decode one binary message. Throws where it is not one. */
export function decodeFrame(data: ArrayBuffer): Frame {
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(text.decode(new Uint8Array(data, 4, length))) as Frame & Layout;
  if (header.v !== 1) throw new Error(`this page knows version 1 of traces, the server sends ${header.v}`);
  const size = header.channels * header.count;
  if (header.packed) {
    const n = header.flat ? size : 2 * size;
    const values = unpack(new DataView(data, 4 + length), n, header.count);
    return { ...header, low: values.subarray(0, size), high: values.subarray(n - size) };
  }
  const Values = header.dtype === "f4" ? Float32Array : Int16Array;
  const low = new Values(data, 4 + length, size);
  const high = header.flat ? low : new Values(data, 4 + length + low.byteLength, size);
  return { ...header, low, high };
}
