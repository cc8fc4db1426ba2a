// What this page keeps besides models: conversations and benchmark results, in IndexedDB. Where there is none (some private windows),
// they live as long as the page.
const VERSION = 1;
export type Table = 'conversations' | 'results';

let opened: Promise<IDBDatabase | undefined> | undefined;
const fallback: Record<Table, Map<string, unknown>> = { conversations: new Map(), results: new Map() };

function promised<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the database refused'));
  });
}

function open(): Promise<IDBDatabase | undefined> {
  opened ??= new Promise(resolve => {
    try {
      const request = indexedDB.open('wisp-site', VERSION);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('conversations', { keyPath: 'id' });
        request.result.createObjectStore('results', { keyPath: 'id' });
      };
      request.onsuccess = () => {
        // Another tab has a newer page: let it go on. What is closed is opened anew when it is wanted.
        request.result.onversionchange = () => {
          request.result.close();
          opened = undefined;
        };
        request.result.onclose = () => { opened = undefined; };
        resolve(request.result);
      };
      request.onerror = () => resolve(undefined);
    } catch {
      resolve(undefined);
    }
  });
  return opened;
}

export async function readAll<T>(table: Table): Promise<T[]> {
  const database = await open();
  if (!database) return [...fallback[table].values()] as T[];
  return promised(database.transaction(table).objectStore(table).getAll()) as Promise<T[]>;
}

/** Whether what is written is there at the next visit. */
export const isLasting = async (): Promise<boolean> => (await open()) !== undefined;

// That a request went well is not enough: a full disk shows when the whole is written.
function changed(database: IDBDatabase, table: Table, work: (store: IDBObjectStore) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(table, 'readwrite');
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('the database refused'));
    work(transaction.objectStore(table));
  });
}

export async function write<T extends { id: string }>(table: Table, value: T): Promise<void> {
  const database = await open();
  if (!database) return void fallback[table].set(value.id, structuredClone(value));
  await changed(database, table, store => store.put(value));
}

export async function erase(table: Table, id: string): Promise<void> {
  const database = await open();
  if (!database) return void fallback[table].delete(id);
  await changed(database, table, store => store.delete(id));
}
