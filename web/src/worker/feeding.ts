// A model's bytes on their way into a module: read some pieces ahead, in the order in which they are wanted.
import type { WispModule } from '../module/module.js';
import type { Native } from './native.js';
import type { Parts, Range } from './parts.js';

const PIECE_BYTES = 4 << 20; // of the file, fed at once
const PIECES_AHEAD = 4; // that are read while earlier ones are taken in

/** Reads ranges in order, some pieces ahead. */
export class Feeder {
  readonly #pieces: Range[] = [];
  readonly #ahead: { offset: number; bytes: Promise<Uint8Array<ArrayBuffer>> }[] = [];
  #next = 0;

  constructor(readonly parts: Parts, ranges: Range[], readonly signal: AbortSignal) {
    for (const { offset, count } of ranges) {
      for (let at = 0; at < count; at += PIECE_BYTES) this.#pieces.push({ offset: offset + at, count: Math.min(PIECE_BYTES, count - at) });
    }
  }

  /** Nothing after the last. */
  async next(): Promise<{ offset: number; bytes: Uint8Array<ArrayBuffer> } | undefined> {
    while (this.#ahead.length < PIECES_AHEAD && this.#next < this.#pieces.length) {
      const piece = this.#pieces[this.#next++]!;
      const bytes = this.parts.read(piece, this.signal).then(join);
      bytes.catch(() => {}); // told by the read that is waited for
      this.#ahead.push({ offset: piece.offset, bytes });
    }
    const first = this.#ahead.shift();
    return first && { offset: first.offset, bytes: await first.bytes };
  }

  stop(): void {
    this.#ahead.length = 0;
    this.#next = this.#pieces.length;
  }
}

function join(pieces: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** A copy of the bytes goes into the module's source. */
export function feed(module: WispModule, native: Native, source: number, offset: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    module.with(bytes.subarray(at, at + PIECE_BYTES), (pointer, length) =>
      native.do('wisp_source_feed', source, BigInt(offset + at), pointer, length));
  }
}
