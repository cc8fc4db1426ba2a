// A model with one more tensor of f32 behind its others, as files of Llama 3 have factors of RoPE.

const TENSORS_AT = 8; // the count, behind the magic number and the version
const PAIRS_AT = 16;
const HEADER_BYTES = 24;
const ALIGNMENT = 32; // where the file names no other
const [STRING, ARRAY] = [8, 9] as const;
/** Bytes of the other types of values, by their number. */
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

export function withTensor(model: Uint8Array, name: string, values: Float32Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(model.buffer, model.byteOffset, model.byteLength);
  const count = (at: number): number => Number(view.getBigUint64(at, true));
  const pastText = (at: number): number => at + 8 + count(at);
  const pastValue = (at: number, type: number): number => {
    if (type === STRING) return pastText(at);
    if (type !== ARRAY) return at + SIZES[type]!;
    const of = view.getUint32(at, true);
    let end = at + 12;
    for (let left = count(at + 4); left > 0; --left) end = pastValue(end, of);
    return end;
  };
  let at = HEADER_BYTES;
  for (let left = count(PAIRS_AT); left > 0; --left) {
    const value = pastText(at);
    at = pastValue(value + 4, view.getUint32(value, true));
  }
  for (let left = count(TENSORS_AT); left > 0; --left) {
    at = pastText(at);
    at += 4 + 8 * view.getUint32(at, true) + 4 + 8;
  }
  const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  const data = model.subarray(aligned(at));
  const entry = new Uint8Array(8 + name.length + 4 + 8 + 4 + 8);
  const written = new DataView(entry.buffer);
  written.setBigUint64(0, BigInt(name.length), true);
  entry.set(new TextEncoder().encode(name), 8);
  written.setUint32(8 + name.length, 1, true);
  written.setBigUint64(12 + name.length, BigInt(values.length), true);
  written.setBigUint64(24 + name.length, BigInt(aligned(data.length)), true); // before it the type: 0 is f32
  const start = aligned(at + entry.length);
  const made = new Uint8Array(start + aligned(data.length) + aligned(values.byteLength));
  made.set(model.subarray(0, at));
  made.set(entry, at);
  made.set(data, start);
  made.set(new Uint8Array(values.buffer), start + aligned(data.length));
  new DataView(made.buffer).setBigUint64(TENSORS_AT, view.getBigUint64(TENSORS_AT, true) + 1n, true);
  return made;
}
