// A model cut into parts, as gguf-split does: all metadata in the first, and of each tensor its description and its data in one.
import { aligned, HEADER_BYTES, layoutOf, PAIRS_AT, TENSORS_AT } from './gguf_layout.js';

const [UINT16, INT32] = [2, 5] as const;

function pair(name: string, type: typeof UINT16 | typeof INT32, value: number): Uint8Array {
  const bytes = new Uint8Array(8 + name.length + 4 + (type === UINT16 ? 2 : 4));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(name.length), true);
  bytes.set(new TextEncoder().encode(name), 8);
  view.setUint32(8 + name.length, type, true);
  if (type === UINT16) view.setUint16(12 + name.length, value, true);
  else view.setInt32(12 + name.length, value, true);
  return bytes;
}

function join(pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** Tensors are dealt out in their order, about as many to each part. */
export function splitModel(model: Uint8Array, parts: number): Uint8Array<ArrayBuffer>[] {
  const { view, pairsEnd, tensors, data } = layoutOf(model);
  const ends = tensors.map(({ offset }) => Math.min(data.length, ...tensors.map(other => other.offset).filter(other => other > offset)));
  return Array.from({ length: parts }, (_, part) => {
    const first = Math.round((part * tensors.length) / parts), last = Math.round(((part + 1) * tensors.length) / parts);
    const described: Uint8Array[] = [];
    const contents: Uint8Array[] = [];
    let offset = 0;
    for (let index = first; index < last; ++index) {
      const tensor = tensors[index]!;
      const content = data.subarray(tensor.offset, ends[index]);
      const description = model.slice(tensor.begin, tensor.end);
      new DataView(description.buffer).setBigUint64(description.length - 8, BigInt(offset), true);
      described.push(description);
      contents.push(content, new Uint8Array(aligned(content.length) - content.length));
      offset += aligned(content.length);
    }
    const pairs = [pair('split.no', UINT16, part), pair('split.count', UINT16, parts), pair('split.tensors.count', INT32, tensors.length)];
    const header = model.slice(0, HEADER_BYTES);
    const counts = new DataView(header.buffer);
    counts.setBigUint64(TENSORS_AT, BigInt(last - first), true);
    counts.setBigUint64(PAIRS_AT, BigInt(pairs.length) + (part === 0 ? view.getBigUint64(PAIRS_AT, true) : 0n), true);
    const head = join([header, ...(part === 0 ? [model.subarray(HEADER_BYTES, pairsEnd)] : []), ...pairs, ...described]);
    return join([head, new Uint8Array(aligned(head.length) - head.length), ...contents]);
  });
}
