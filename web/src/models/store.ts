// Where models are kept. An entry is one file of a model: its bytes in pieces of equal length, a checksum of each piece
// that is here, and a header that says what the bytes are a part of. Stores only keep; what an entry means is in
// entry.ts.
import type { Locks } from './lock.js';
import type { Sha256State } from './sha256.js';

export type StoreKind = 'opfs' | 'indexeddb' | 'memory' | 'files';

export interface EntryHeader {
  readonly format: 1;
  readonly source: string; // "hf:OWNER/REPO@REVISION:FILE", or the address; without secrets
  readonly size: number;
  readonly sha256: string; // '' where nobody told it
  readonly validator: string; // the server's strong ETag, quotes included, or Last-Modified; '' where neither tells
  readonly pieceBytes: number;
  readonly model: {
    readonly id: string; // the parts of one model have the same
    readonly name: string; // canonical
    readonly stem: string;
    readonly type: string;
    readonly part: number; // 0 for the first
    readonly parts: number;
    readonly bytes: number; // of all parts
    readonly automatic: boolean; // its type was chosen for this device, not named
  };
  readonly created: number; // ms since 1970
  readonly lastUsed: number;
  readonly complete: boolean; // all of it came, and it was checked
  readonly hashed?: Sha256State; // of the file's first bytes
}

/** Which pieces are here, with their checksums. */
export class PieceTable {
  readonly count: number;
  readonly checksums: Uint32Array;
  private readonly present: Uint8Array;
  private here = 0;

  constructor(
    readonly size: number,
    readonly pieceBytes: number,
  ) {
    this.count = Math.ceil(size / pieceBytes);
    this.checksums = new Uint32Array(this.count);
    this.present = new Uint8Array(this.count);
  }

  /** Bytes that are here. */
  get bytes(): number {
    return this.here;
  }

  has(piece: number): boolean {
    return this.present[piece] === 1;
  }

  lengthOf(piece: number): number {
    return Math.min(this.pieceBytes, this.size - piece * this.pieceBytes);
  }

  set(piece: number, checksum: number): void {
    if (!this.has(piece)) this.here += this.lengthOf(piece);
    this.present[piece] = 1;
    this.checksums[piece] = checksum;
  }

  drop(piece: number): void {
    if (this.has(piece)) this.here -= this.lengthOf(piece);
    this.present[piece] = 0;
  }
}

/** An entry that is open. Errors are the system's own: ModelError.from() names them. */
export interface StoredEntry {
  readonly header: EntryHeader;
  readonly table: PieceTable; // as it was read; the caller changes it
  /** Fills `into`, which is as long as the piece; false where the bytes are not there. */
  readPiece(piece: number, into: Uint8Array): Promise<boolean>;
  /** The bytes first, then the record that says that they are here: a process may end at any moment. */
  writePiece(piece: number, bytes: Uint8Array, checksum: number): Promise<void>;
  dropPiece(piece: number): Promise<void>;
  /** In one step: a process that ends meanwhile leaves the old or the new one. */
  writeHeader(header: EntryHeader): Promise<void>;
  /** Until what was written is on the disk, the bytes before the records. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface EntrySummary {
  readonly id: string;
  readonly header: EntryHeader;
  readonly here: number; // bytes
}

export interface Store {
  readonly kind: StoreKind;
  readonly locks: Locks;
  /** Entries that can be read, also while somebody writes them. What cannot be read is left out. */
  list(): Promise<EntrySummary[]>;
  /**
   * Nothing where there is no such entry, or none that is whole. `write` is for the one who holds its exclusive lock.
   */
  open(id: string, access: 'read' | 'write'): Promise<StoredEntry | undefined>;
  /** In place of whatever is there. */
  create(id: string, header: EntryHeader): Promise<StoredEntry>;
  /** Whatever is there of it, whole or not. */
  remove(id: string): Promise<void>;
  /** Remembers that it was used now, where that is possible without waiting. */
  touch(id: string): Promise<void>;
  /** Bytes of this origin, or of the disk. */
  usage(): Promise<{ used: number; quota: number }>;
  close(): Promise<void>;
}

/** A stranger's JSON, or an older version's. */
export function isHeader(value: unknown): value is EntryHeader {
  if (typeof value !== 'object' || value === null) return false;
  const header = value as Record<string, unknown>;
  const model = header['model'] as Record<string, unknown> | null;
  const texts = (object: Record<string, unknown>, ...names: string[]) =>
    names.every(name => typeof object[name] === 'string');
  const counts = (object: Record<string, unknown>, ...names: string[]) =>
    names.every(name => Number.isSafeInteger(object[name]) && (object[name] as number) >= 0);
  return (
    header['format'] === 1 &&
    texts(header, 'source', 'sha256', 'validator') &&
    counts(header, 'size', 'pieceBytes') &&
    (header['size'] as number) <= 2 ** 50 &&
    (header['pieceBytes'] as number) >= 4 &&
    (header['pieceBytes'] as number) <= 2 ** 26 &&
    (header['pieceBytes'] as number) % 4 === 0 &&
    typeof header['created'] === 'number' &&
    typeof header['lastUsed'] === 'number' &&
    typeof header['complete'] === 'boolean' &&
    (header['hashed'] === undefined || isState(header['hashed'])) &&
    typeof model === 'object' &&
    model !== null &&
    texts(model, 'id', 'name', 'stem', 'type') &&
    counts(model, 'part', 'parts', 'bytes') &&
    typeof model['automatic'] === 'boolean'
  );
}

function isState(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { bytes, words } = value as Record<string, unknown>;
  return (
    Number.isSafeInteger(bytes) &&
    (bytes as number) % 64 === 0 &&
    Array.isArray(words) &&
    words.length === 8 &&
    words.every(word => Number.isInteger(word))
  );
}
