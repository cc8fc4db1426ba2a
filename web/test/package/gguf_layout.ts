// Where the pieces of a GGUF file lie, for tests that make other files of them.

export const TENSORS_AT = 8; // the count, behind the magic number and the version
export const PAIRS_AT = 16;
export const HEADER_BYTES = 24;
const ALIGNMENT = 32; // where the file names no other
const [STRING, ARRAY] = [8, 9] as const;
/** Bytes of the other types of values, by their number. */
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

export interface Layout {
  view: DataView;
  /** Behind the last pair of the metadata. */
  pairsEnd: number;
  /** Descriptions of tensors, in the file's order: [begin, end), whose last 8 bytes are the offset of the data. */
  tensors: { begin: number; end: number; offset: number }[];
  data: Uint8Array;
}

export function layoutOf(model: Uint8Array): Layout {
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
  const pairsEnd = at;
  const tensors: Layout['tensors'] = [];
  for (let left = count(TENSORS_AT); left > 0; --left) {
    const begin = at;
    at = pastText(at);
    at += 4 + 8 * view.getUint32(at, true) + 4 + 8;
    tensors.push({ begin, end: at, offset: count(at - 8) });
  }
  return { view, pairsEnd, tensors, data: model.subarray(aligned(at)) };
}
