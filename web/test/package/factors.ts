// A model with one more tensor of f32 behind its others, as files of Llama 3 have factors of RoPE.
import { aligned, layoutOf, TENSORS_AT } from './gguf_layout.js';

export function withTensor(model: Uint8Array, name: string, values: Float32Array): Uint8Array<ArrayBuffer> {
  const { view, tensors, data } = layoutOf(model);
  const at = tensors.at(-1)!.end;
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
