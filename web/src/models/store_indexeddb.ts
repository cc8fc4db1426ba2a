// Entries in IndexedDB: where there is no OPFS. A piece is a value of its own; its checksum, which says that it is
// here, is written in the same transaction.
import { LeaseLocks, WebLocks, type Leases, type Locks } from './lock.js';
import { isHeader, PieceTable, type EntryHeader, type EntrySummary, type Store, type StoredEntry } from './store.js';

const HEADERS = 'headers'; // id -> EntryHeader
const PIECES = 'pieces'; // [id, piece] -> ArrayBuffer
const CHECKSUMS = 'checksums'; // [id, piece] -> number
const LEASES = 'leases'; // name -> { owner, until }
const ALL = [HEADERS, PIECES, CHECKSUMS, LEASES];

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const piecesOf = (id: string): IDBKeyRange => IDBKeyRange.bound([id, 0], [id, Infinity]);

/** Nothing where this page has none. Without `locks` its leases are in the database, too. */
export async function openIndexedDb(
  name: string,
  locks: LockManager | null | undefined = globalThis.navigator?.locks,
): Promise<Store | undefined> {
  if (globalThis.indexedDB === undefined) return undefined;
  try {
    const database = new Database(name);
    await database.use('readonly', [HEADERS], headers => settled(headers.count()));
    return new IndexedDbStore(database, !locks ? new LeaseLocks(leasesIn(database)) : new WebLocks(locks, `${name} `));
  } catch {
    return undefined; // a private window of some browsers
  }
}

class Database {
  private opened: Promise<IDBDatabase> | undefined;

  constructor(private readonly name: string) {}

  /** Resolves once the transaction has ended well, with what `use` gave. */
  async use<T>(
    mode: IDBTransactionMode,
    stores: readonly string[],
    use: (...stores: IDBObjectStore[]) => Promise<T>,
  ): Promise<T> {
    const database = await (this.opened ??= this.open());
    let transaction: IDBTransaction;
    try {
      transaction = database.transaction([...stores], mode, { durability: 'relaxed' });
    } catch (error) {
      // The browser closed the connection: somebody cleared the site's data, or a newer version waits.
      this.opened = undefined;
      if ((error as { name?: unknown }).name !== 'InvalidStateError') throw error;
      transaction = (await (this.opened = this.open())).transaction([...stores], mode, { durability: 'relaxed' });
    }
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () =>
        reject(transaction.error ?? new DOMException('the transaction was given up', 'AbortError'));
    });
    ended.catch(() => {});
    let result: T;
    try {
      result = await use(...stores.map(store => transaction.objectStore(store)));
    } catch (error) {
      // The reason of the whole (a full disk) says more than that of the request.
      await ended.catch((reason: unknown) => {
        throw reason;
      });
      throw error;
    }
    await ended;
    return result;
  }

  async close(): Promise<void> {
    const opened = this.opened;
    this.opened = undefined;
    (await opened)?.close();
  }

  private async open(): Promise<IDBDatabase> {
    const request = indexedDB.open(this.name, 1);
    request.onupgradeneeded = () => ALL.forEach(store => request.result.createObjectStore(store));
    const database = await settled(request);
    const forget = () => {
      database.close();
      this.opened = undefined;
    };
    database.onversionchange = forget;
    database.onclose = forget;
    return database;
  }
}

const leasesIn = (database: Database): Leases => ({
  take: (name, owner, until) =>
    database.use('readwrite', [LEASES], async leases => {
      const now = (await settled(leases!.get(name))) as { owner: string; until: number } | undefined;
      if (now !== undefined && now.owner !== owner && now.until > Date.now()) return false;
      await settled(leases!.put({ owner, until }, name));
      return true;
    }),
  drop: (name, owner) =>
    database.use('readwrite', [LEASES], async leases => {
      const now = (await settled(leases!.get(name))) as { owner: string } | undefined;
      if (now?.owner === owner) await settled(leases!.delete(name));
    }),
});

class IndexedDbStore implements Store {
  readonly kind = 'indexeddb';

  constructor(
    private readonly database: Database,
    readonly locks: Locks,
  ) {}

  list(): Promise<EntrySummary[]> {
    return this.database
      .use('readonly', [HEADERS, CHECKSUMS], async (headers, checksums) => {
        const [ids, values] = await Promise.all([settled(headers!.getAllKeys()), settled(headers!.getAll())]);
        return Promise.all(
          ids.map(async (id, at) => ({
            id: String(id),
            header: values[at] as unknown,
            keys: await settled(checksums!.getAllKeys(piecesOf(String(id)))),
          })),
        );
      })
      .then(found =>
        found.flatMap(({ id, header, keys }) => {
          if (!isHeader(header)) return [];
          const table = new PieceTable(header.size, header.pieceBytes);
          for (const key of keys) table.set((key as [string, number])[1], 0);
          return [{ id, header, here: table.bytes }];
        }),
      );
  }

  async open(id: string): Promise<StoredEntry | undefined> {
    const { header, keys, values } = await this.database.use(
      'readonly',
      [HEADERS, CHECKSUMS],
      async (headers, checksums) => {
        const [value, allKeys, allValues] = await Promise.all([
          settled(headers!.get(id)),
          settled(checksums!.getAllKeys(piecesOf(id))),
          settled(checksums!.getAll(piecesOf(id))),
        ]);
        return { header: value as unknown, keys: allKeys, values: allValues as unknown[] };
      },
    );
    if (!isHeader(header)) return undefined;
    const table = new PieceTable(header.size, header.pieceBytes);
    keys.forEach((key, at) => {
      const piece = (key as [string, number])[1];
      const value = values[at];
      if (piece < table.count && typeof value === 'number') table.set(piece, value);
    });
    return new IndexedDbEntry(this.database, id, header, table);
  }

  async create(id: string, header: EntryHeader): Promise<StoredEntry> {
    await this.remove(id);
    await this.database.use('readwrite', [HEADERS], headers => settled(headers!.put(header, id)));
    return new IndexedDbEntry(this.database, id, header, new PieceTable(header.size, header.pieceBytes));
  }

  async remove(id: string): Promise<void> {
    await this.database.use('readwrite', [HEADERS, PIECES, CHECKSUMS], (headers, pieces, checksums) =>
      Promise.all([
        settled(headers!.delete(id)),
        settled(pieces!.delete(piecesOf(id))),
        settled(checksums!.delete(piecesOf(id))),
      ]),
    );
  }

  async touch(id: string): Promise<void> {
    await this.database
      .use('readwrite', [HEADERS], async headers => {
        const header: unknown = await settled(headers!.get(id));
        if (isHeader(header)) await settled(headers!.put({ ...header, lastUsed: Date.now() }, id));
      })
      .catch(() => {});
  }

  async usage(): Promise<{ used: number; quota: number }> {
    const { usage = 0, quota = Infinity } = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
    return { used: usage, quota };
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

class IndexedDbEntry implements StoredEntry {
  constructor(
    private readonly database: Database,
    private readonly id: string,
    public header: EntryHeader,
    readonly table: PieceTable,
  ) {}

  async readPiece(piece: number, into: Uint8Array): Promise<boolean> {
    const bytes: unknown = await this.database.use('readonly', [PIECES], pieces =>
      settled(pieces!.get([this.id, piece])),
    );
    if (!(bytes instanceof ArrayBuffer) || bytes.byteLength !== into.length) return false;
    into.set(new Uint8Array(bytes));
    return true;
  }

  async writePiece(piece: number, bytes: Uint8Array, checksum: number): Promise<void> {
    const copy = bytes.slice().buffer;
    await this.database.use('readwrite', [PIECES, CHECKSUMS], (pieces, checksums) =>
      Promise.all([settled(pieces!.put(copy, [this.id, piece])), settled(checksums!.put(checksum, [this.id, piece]))]),
    );
  }

  async dropPiece(piece: number): Promise<void> {
    await this.database.use('readwrite', [PIECES, CHECKSUMS], (pieces, checksums) =>
      Promise.all([settled(pieces!.delete([this.id, piece])), settled(checksums!.delete([this.id, piece]))]),
    );
  }

  async writeHeader(header: EntryHeader): Promise<void> {
    await this.database.use('readwrite', [HEADERS], headers => settled(headers!.put(header, this.id)));
    this.header = header;
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}
}
