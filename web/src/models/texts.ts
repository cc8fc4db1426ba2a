// What is kept about devices from visit to visit (engine/gpu/storage.h): texts by name. A convenience: what cannot be
// kept is lost, what cannot be read is found out again, and neither is an error.
import { cacheFolder, nodeModule } from './folder_node.js';

export interface TextStore {
  load(): Promise<Map<string, string>>;
  /** Replaces those of the same names. */
  save(texts: ReadonlyMap<string, string>): Promise<void>;
  clear(): Promise<void>;
}

const DATABASE = 'wisp-gpu';
const STORE = 'texts';
const NAME = /^[A-Za-z0-9.-]{1,200}$/;
const FILE_END = '.txt';

export async function openTexts(folder?: string): Promise<TextStore> {
  const fs = nodeModule('node:fs/promises');
  if (fs !== undefined) return new FileTexts(fs, folder ?? (cacheFolder() === '' ? '' : `${cacheFolder()}/web`));
  return globalThis.indexedDB === undefined ? new MemoryTexts() : new DatabaseTexts();
}

class MemoryTexts implements TextStore {
  private texts = new Map<string, string>();

  async load(): Promise<Map<string, string>> {
    return new Map(this.texts);
  }

  async save(texts: ReadonlyMap<string, string>): Promise<void> {
    for (const [name, text] of texts) this.texts.set(name, text);
  }

  async clear(): Promise<void> {
    this.texts.clear();
  }
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

class DatabaseTexts implements TextStore {
  async load(): Promise<Map<string, string>> {
    const pairs = await this.use('readonly', async store => {
      const [names, texts] = await Promise.all([settled(store.getAllKeys()), settled(store.getAll())]);
      return names.map((name, index) => [String(name), String(texts[index])] as const);
    });
    return new Map(pairs ?? []);
  }

  async save(texts: ReadonlyMap<string, string>): Promise<void> {
    await this.use('readwrite', store => Promise.all([...texts].map(([name, text]) => settled(store.put(text, name)))));
  }

  async clear(): Promise<void> {
    await this.use('readwrite', store => settled(store.clear()));
  }

  private async use<T>(mode: IDBTransactionMode, run: (store: IDBObjectStore) => Promise<T>): Promise<T | undefined> {
    let database: IDBDatabase | undefined;
    try {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      database = await settled(request);
      return await run(database.transaction(STORE, mode).objectStore(STORE));
    } catch {
      return undefined;
    } finally {
      database?.close();
    }
  }
}

class FileTexts implements TextStore {
  constructor(
    private readonly fs: typeof import('node:fs/promises'),
    private readonly folder: string,
  ) {}

  async load(): Promise<Map<string, string>> {
    const texts = new Map<string, string>();
    for (const file of await this.files()) {
      const text = await this.fs.readFile(`${this.folder}/${file}`, 'utf8').catch(() => undefined);
      if (text !== undefined) texts.set(file.slice(0, -FILE_END.length), text);
    }
    return texts;
  }

  async save(texts: ReadonlyMap<string, string>): Promise<void> {
    try {
      await this.fs.mkdir(this.folder, { recursive: true, mode: 0o700 });
      for (const [name, text] of texts) {
        if (!NAME.test(name)) continue;
        // In one step, so that two processes at once leave one of both texts.
        const path = `${this.folder}/${name}${FILE_END}`;
        const mine = `${path}.${process.pid}`;
        await this.fs.writeFile(mine, text, { mode: 0o600 });
        await this.fs.rename(mine, path);
      }
    } catch {
      // Nothing is kept.
    }
  }

  async clear(): Promise<void> {
    for (const file of await this.files()) await this.fs.rm(`${this.folder}/${file}`, { force: true }).catch(() => {});
  }

  private async files(): Promise<string[]> {
    if (this.folder === '') return [];
    return (await this.fs.readdir(this.folder).catch(() => [])).filter(name => name.endsWith(FILE_END));
  }
}
