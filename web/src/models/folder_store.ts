// Entries as pairs of files: ID.data holds the bytes at their own offsets, ID.index says which of them are here.
import type { Folder, RandomFile } from './folder.js';
import { readWhole } from './folder.js';
import { headerWrite, readIndex, recordWrite, type Write } from './index_file.js';
import type { Locks } from './lock.js';
import {
  PieceTable,
  type EntryHeader,
  type EntrySummary,
  type Store,
  type StoredEntry,
  type StoreKind,
} from './store.js';

const DATA = '.data';
const INDEX = '.index';
const MOST_INDEX_BYTES = 256 << 20;

export class FolderStore implements Store {
  constructor(
    readonly kind: StoreKind,
    readonly locks: Locks,
    private readonly folder: Folder,
    private readonly measure: () => Promise<{ used: number; quota: number }>,
  ) {}

  async list(): Promise<EntrySummary[]> {
    const entries: EntrySummary[] = [];
    for (const name of await this.folder.names()) {
      if (!name.endsWith(INDEX)) continue;
      const id = name.slice(0, -INDEX.length);
      const index = await this.readIndex(id).catch(() => undefined);
      if (index !== undefined) entries.push({ id, header: index.header, here: index.table.bytes });
    }
    return entries;
  }

  async open(id: string, access: 'read' | 'write'): Promise<StoredEntry | undefined> {
    const index = await this.readIndex(id);
    if (index === undefined) return undefined;
    const data = await this.folder.open(id + DATA, access);
    if (data === undefined) return undefined;
    const indexFile = access === 'write' ? await this.folder.open(id + INDEX, 'write') : undefined;
    return new FolderEntry(index.header, index.table, index.generation, data, indexFile);
  }

  async create(id: string, header: EntryHeader): Promise<StoredEntry> {
    const first = headerWrite(header, 0);
    // Without an index the data is nobody's: what an interrupted creation leaves is removed by the next one.
    await this.folder.remove(id + INDEX);
    const data = await this.folder.open(id + DATA, 'create');
    const index = await this.folder.open(id + INDEX, 'create');
    await index!.write(first.bytes, first.at);
    return new FolderEntry(header, new PieceTable(header.size, header.pieceBytes), 0, data!, index);
  }

  async remove(id: string): Promise<void> {
    await this.folder.remove(id + INDEX);
    await this.folder.remove(id + DATA);
  }

  async touch(id: string): Promise<void> {
    try {
      const index = await this.readIndex(id);
      const file = index && (await this.folder.open(id + INDEX, 'write'));
      if (!file) return;
      const { at, bytes } = headerWrite({ ...index.header, lastUsed: Date.now() }, index.generation + 1);
      await file.write(bytes, at);
      await file.close();
    } catch {
      // Another page has the file open; it was used then, too.
    }
  }

  usage(): Promise<{ used: number; quota: number }> {
    return this.measure();
  }

  async close(): Promise<void> {}

  private async readIndex(id: string) {
    const bytes = await readWhole(this.folder, id + INDEX, MOST_INDEX_BYTES);
    return bytes && readIndex(bytes);
  }
}

class FolderEntry implements StoredEntry {
  constructor(
    public header: EntryHeader,
    readonly table: PieceTable,
    private generation: number,
    private readonly data: RandomFile,
    private readonly index: RandomFile | undefined,
  ) {}

  async readPiece(piece: number, into: Uint8Array): Promise<boolean> {
    return (await this.data.read(into, piece * this.header.pieceBytes)) === into.length;
  }

  async writePiece(piece: number, bytes: Uint8Array, pieceChecksum: number): Promise<void> {
    await this.data.write(bytes, piece * this.header.pieceBytes);
    await this.writeIndex(recordWrite(piece, pieceChecksum));
  }

  dropPiece(piece: number): Promise<void> {
    return this.writeIndex(recordWrite(piece, undefined));
  }

  async writeHeader(header: EntryHeader): Promise<void> {
    await this.writeIndex(headerWrite(header, ++this.generation));
    this.header = header;
  }

  async flush(): Promise<void> {
    await this.data.flush();
    await this.index?.flush();
  }

  async close(): Promise<void> {
    await this.data.close();
    await this.index?.close();
  }

  // A reader has no index to write: what it finds damaged is found again by the next one.
  private async writeIndex({ at, bytes }: Write): Promise<void> {
    await this.index?.write(bytes, at);
  }
}
