// The parts of a split model as the one address space that the engine reads: offsets count through all of them.
import { ModelError, type ModelFile } from '../models/index.js';

/** What is needed of a part. */
export type Part = Pick<ModelFile, 'size' | 'read'>;

export interface Range {
  offset: number;
  count: number;
}

export class Parts {
  readonly size: number;
  readonly #starts: number[] = [];

  constructor(readonly files: readonly Part[]) {
    let size = 0;
    for (const file of files) {
      this.#starts.push(size);
      size += file.size;
    }
    this.size = size;
  }

  /** The same range as ranges of files, in order. */
  split({ offset, count }: Range): { file: number; offset: number; count: number }[] {
    const pieces: { file: number; offset: number; count: number }[] = [];
    let at = offset;
    const end = offset + count;
    this.files.forEach((file, index) => {
      const start = this.#starts[index] ?? 0;
      const stop = Math.min(end, start + file.size);
      if (at < start || at >= stop) return;
      pieces.push({ file: index, offset: at - start, count: stop - at });
      at = stop;
    });
    if (at !== end) throw new ModelError('invalid_argument', `bytes ${offset} to ${end} lie outside the model's ${this.size}`);
    return pieces;
  }

  /** Bytes of the address space. */
  async read(range: Range, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>[]> {
    return Promise.all(this.split(range).map(({ file, offset, count }) => this.files[file]!.read(offset, count, signal)));
  }
}
