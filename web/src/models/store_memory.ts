// Entries that end with the page: where a browser keeps nothing, and for tests.
import { LocalLocks } from './lock.js';
import { PieceTable, type EntryHeader, type EntrySummary, type Store, type StoredEntry } from './store.js';

interface Kept {
  header: EntryHeader;
  readonly checksums: Map<number, number>;
  readonly pieces: Map<number, Uint8Array>;
}

export class MemoryStore implements Store {
  readonly kind = 'memory';
  readonly locks = new LocalLocks();
  private readonly entries = new Map<string, Kept>();

  constructor(private readonly quota: number) {}

  async list(): Promise<EntrySummary[]> {
    return [...this.entries].map(([id, kept]) => ({ id, header: kept.header, here: bytesIn(kept) }));
  }

  async open(id: string): Promise<StoredEntry | undefined> {
    const kept = this.entries.get(id);
    return kept && this.entryOf(kept);
  }

  async create(id: string, header: EntryHeader): Promise<StoredEntry> {
    const kept: Kept = { header, checksums: new Map(), pieces: new Map() };
    this.entries.set(id, kept);
    return this.entryOf(kept);
  }

  async remove(id: string): Promise<void> {
    this.entries.delete(id);
  }

  async touch(id: string): Promise<void> {
    const kept = this.entries.get(id);
    if (kept !== undefined) kept.header = { ...kept.header, lastUsed: Date.now() };
  }

  async usage(): Promise<{ used: number; quota: number }> {
    let used = 0;
    for (const kept of this.entries.values()) used += bytesIn(kept);
    return { used, quota: this.quota };
  }

  async close(): Promise<void> {}

  private entryOf(kept: Kept): StoredEntry {
    const table = new PieceTable(kept.header.size, kept.header.pieceBytes);
    for (const [piece, checksum] of kept.checksums) table.set(piece, checksum);
    return {
      get header() {
        return kept.header;
      },
      table,
      async readPiece(piece, into) {
        const bytes = kept.pieces.get(piece);
        if (bytes === undefined || bytes.length !== into.length) return false;
        into.set(bytes);
        return true;
      },
      async writePiece(piece, bytes, checksum) {
        kept.pieces.set(piece, bytes.slice());
        kept.checksums.set(piece, checksum);
      },
      async dropPiece(piece) {
        kept.pieces.delete(piece);
        kept.checksums.delete(piece);
      },
      async writeHeader(header) {
        kept.header = header;
      },
      async flush() {},
      async close() {},
    };
  }
}

function bytesIn(kept: Kept): number {
  let bytes = 0;
  for (const piece of kept.pieces.values()) bytes += piece.length;
  return bytes;
}
