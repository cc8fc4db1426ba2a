// What an entry means: bytes that are checked each time they are read, so that nothing damaged is ever taken for the
// model.
import { checksum } from './checksum.js';
import type { EntryHeader, PieceTable, StoredEntry } from './store.js';

// Bytes between two times that everything is put on the disk. What a crash of the machine leaves undone is found by its
// checksums.
const FLUSH_BYTES = 64 << 20;

export class Entry {
  readonly table: PieceTable;
  private unflushed = 0;
  private closed = false;

  constructor(private readonly stored: StoredEntry) {
    this.table = stored.table;
  }

  get header(): EntryHeader {
    return this.stored.header;
  }

  has(piece: number): boolean {
    return this.table.has(piece);
  }

  /** A piece that is there already is replaced. */
  async write(piece: number, bytes: Uint8Array): Promise<void> {
    const sum = checksum(bytes);
    await this.stored.writePiece(piece, bytes, sum);
    this.table.set(piece, sum);
    this.unflushed += bytes.length;
    if (this.unflushed >= FLUSH_BYTES) await this.flush();
  }

  /** Whether these are the bytes that came before. */
  matches(piece: number, bytes: Uint8Array): boolean {
    return this.table.checksums[piece] === checksum(bytes);
  }

  /** False where they are lost or damaged; then the piece is not here any more. */
  async read(piece: number, into: Uint8Array): Promise<boolean> {
    if (!this.has(piece)) return false;
    let isRight = false;
    try {
      isRight = (await this.stored.readPiece(piece, into)) && this.matches(piece, into);
    } catch {
      // A disk that cannot read, a file that another page has replaced.
    }
    if (!isRight) await this.drop(piece);
    return isRight;
  }

  async drop(piece: number): Promise<void> {
    this.table.drop(piece);
    await this.stored.dropPiece(piece);
  }

  async update(change: Partial<EntryHeader>): Promise<void> {
    await this.stored.writeHeader({ ...this.header, ...change });
  }

  async flush(): Promise<void> {
    this.unflushed = 0;
    await this.stored.flush();
  }

  /** May be called again. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      if (this.unflushed > 0) await this.flush();
    } finally {
      await this.stored.close();
    }
  }
}
