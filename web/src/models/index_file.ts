// The index of an entry, as a file: two slots for the header, of which the newer one that is whole counts, then a
// record of 8 bytes for each piece. Nothing of it has to be written in one step by the system: a slot or record that
// was torn contradicts itself.
import { checksum } from './checksum.js';
import { isCount } from './bytes.js';
import { ModelError } from './error.js';
import { isHeader, PieceTable, type EntryHeader } from './store.js';

const MAGIC = 0x70736977; // "wisp"
const SLOT_BYTES = 16 << 10;
const SLOT_HEAD = 16; // magic, generation, length, checksum
const TABLE_OFFSET = 2 * SLOT_BYTES;
const RECORD_BYTES = 8;

export interface Index {
  readonly header: EntryHeader;
  readonly generation: number;
  readonly table: PieceTable;
}

export interface Write {
  readonly at: number;
  readonly bytes: Uint8Array;
}

const sum = (generation: number, json: Uint8Array): number =>
  (checksum(json) ^ Math.imul(generation, 0x9e3779b1)) >>> 0;

/** What to write for generation `generation` of the header: it goes to the slot that the one before it is not in. */
export function headerWrite(header: EntryHeader, generation: number): Write {
  const json = new TextEncoder().encode(JSON.stringify(header));
  if (json.length > SLOT_BYTES - SLOT_HEAD)
    throw new ModelError('invalid_argument', 'the name of the model is too long');
  const bytes = new Uint8Array(SLOT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, generation, true);
  view.setUint32(8, json.length, true);
  view.setUint32(12, sum(generation, json), true);
  bytes.set(json, SLOT_HEAD);
  return { at: (generation % 2) * SLOT_BYTES, bytes };
}

/** A record is a checksum and its complement, or zeros where the piece is not here. */
export function recordWrite(piece: number, pieceChecksum: number | undefined): Write {
  const bytes = new Uint8Array(RECORD_BYTES);
  if (pieceChecksum !== undefined) {
    const view = new DataView(bytes.buffer);
    view.setUint32(0, pieceChecksum, true);
    view.setUint32(4, ~pieceChecksum >>> 0, true);
  }
  return { at: TABLE_OFFSET + piece * RECORD_BYTES, bytes };
}

function readSlot(file: Uint8Array, slot: number): { header: EntryHeader; generation: number } | undefined {
  const start = slot * SLOT_BYTES;
  if (file.length < start + SLOT_HEAD) return undefined;
  const view = new DataView(file.buffer, file.byteOffset + start, SLOT_HEAD);
  const generation = view.getUint32(4, true);
  const length = view.getUint32(8, true);
  if (view.getUint32(0, true) !== MAGIC || generation % 2 !== slot || !isCount(length, SLOT_BYTES - SLOT_HEAD))
    return undefined;
  const json = file.slice(start + SLOT_HEAD, start + SLOT_HEAD + length);
  if (json.length !== length || view.getUint32(12, true) !== sum(generation, json)) return undefined;
  try {
    const header: unknown = JSON.parse(new TextDecoder().decode(json));
    return isHeader(header) ? { header, generation } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Total: nothing where no header is whole. Records that are torn, or past the end, count as pieces that are not here.
 */
export function readIndex(file: Uint8Array): Index | undefined {
  const slots = [readSlot(file, 0), readSlot(file, 1)].filter(slot => slot !== undefined);
  const newest = slots.sort((a, b) => b.generation - a.generation)[0];
  if (newest === undefined) return undefined;
  const table = new PieceTable(newest.header.size, newest.header.pieceBytes);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let piece = 0; piece < table.count; ++piece) {
    const at = TABLE_OFFSET + piece * RECORD_BYTES;
    if (at + RECORD_BYTES > file.length) break;
    const value = view.getUint32(at, true);
    if (view.getUint32(at + 4, true) === ~value >>> 0) table.set(piece, value);
  }
  return { ...newest, table };
}
