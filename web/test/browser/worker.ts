// In a browser's worker: the conformance of its stores, and a page that can be told what to load.
import { openModels, type Models, type ModelsOptions, type OpenedModel } from '../../src/models/index.js';
import { openTexts } from '../../src/models/texts.js';
import { openStore } from '../../src/models/open_store.js';
import { openIndexedDb } from '../../src/models/store_indexeddb.js';
import { sha256 } from '../../src/models/sha256.js';
import type { Store, StoreKind } from '../../src/models/store.js';
import { checks, type Fixture } from '../models/conformance.js';

const PLACE = 'wisp-models';

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function empty(): Promise<void> {
  const root = await navigator.storage?.getDirectory?.().catch(() => undefined);
  await root?.removeEntry(PLACE, { recursive: true }).catch((error: unknown) => {
    if ((error as Error).name !== 'NotFoundError') throw error;
  });
  await settled(indexedDB.deleteDatabase(PLACE));
}

interface SyncFile {
  createSyncAccessHandle(): Promise<{
    read(into: Uint8Array, at: object): void;
    write(bytes: Uint8Array, at: object): void;
    close(): void;
  }>;
}

const damages: Record<string, NonNullable<Fixture['damage']>> = {
  async opfs(id, piece, pieceBytes) {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(PLACE);
    const file = await ((await folder.getFileHandle(`${id}.data`)) as unknown as SyncFile).createSyncAccessHandle();
    const byte = new Uint8Array(1);
    const at = { at: piece * pieceBytes + 5 };
    file.read(byte, at);
    byte[0]! ^= 4;
    file.write(byte, at);
    file.close();
  },
  async indexeddb(id, piece) {
    const database = await settled(indexedDB.open(PLACE));
    const pieces = database.transaction('pieces', 'readwrite').objectStore('pieces');
    const bytes = (await settled(pieces.get([id, piece]))) as ArrayBuffer;
    new Uint8Array(bytes)[5]! ^= 4;
    await settled(pieces.put(bytes, [id, piece]));
    database.close();
  },
};

async function openKind(kind: string): Promise<Store> {
  // A page that is not secure has no Web Locks.
  return kind === 'leases' ? (await openIndexedDb(PLACE, null))! : openStore(kind as StoreKind, undefined);
}

async function conformance(kind: string): Promise<unknown[]> {
  const results: { status: string }[] = [];
  const open = () => openKind(kind);
  for (const { name, run } of checks) {
    const began = performance.now();
    const result = { suite: `Store.${kind}`, name, status: 'passed', reason: '', seconds: 0 };
    const opened: { close(): Promise<void> }[] = [];
    const remember = async () => {
      const store = await open();
      opened.push(store);
      return store;
    };
    try {
      await empty();
      await run({ open: remember, again: remember, damage: damages[kind === 'leases' ? 'indexeddb' : kind]! });
    } catch (error) {
      result.status = 'failed';
      result.reason = told(error);
    }
    for (const store of opened) await store.close();
    result.seconds = (performance.now() - began) / 1000;
    results.push(result);
  }
  await empty().catch(() => {});
  return results;
}

// Firefox's stacks do not begin with the message.
const told = (error: unknown): string => `${String(error)} at ${(error as Error).stack ?? ''}`;

let models: Models | undefined;
let model: OpenedModel | undefined;
const remarks: string[] = [];

const commands: Record<string, (...args: never[]) => Promise<unknown>> = {
  kinds: async () => {
    const kinds: string[] = [];
    for (const kind of ['opfs', 'indexeddb'] as const) {
      await openStore(kind, undefined).then(
        store => {
          kinds.push(kind);
          return store.close();
        },
        () => {},
      );
    }
    return kinds;
  },
  best: async () => (await openModels()).storeKind,
  conformance,
  empty,
  open: async (options: ModelsOptions) => {
    models = await openModels(options);
  },
  begin: async (name: string) => {
    model = await models!.open(name, { onRemark: remark => remarks.push(remark) });
    return model.size;
  },
  finish: async () => {
    const completed = await model!.complete();
    const file = model!.files[0]!;
    const bytes = await file.read(0, file.size);
    return { ...completed, hash: sha256(bytes), remarks };
  },
  close: async () => model!.close(),
  list: async () => models!.list(),
  here: async () => (await models!.list()).reduce((sum, { here }) => sum + here, 0),
  remarks: async () => remarks,
  remove: async (id: string) =>
    models!.remove(id).then(
      () => 'removed',
      (error: { code?: string }) => error.code,
    ),
  usage: async () => models!.usage(),
  texts: async () => {
    const texts = await openTexts();
    await texts.clear();
    await texts.save(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    );
    await texts.save(new Map([['b', '3']]));
    const found = [...(await (await openTexts()).load())];
    await texts.clear();
    return found;
  },
  // MiB/s of writing and of reading again, with the checks.
  speed: async (kind: StoreKind, mib: number) => {
    await empty();
    const store = kind === 'indexeddb' ? (await openIndexedDb(PLACE))! : await openStore(kind, undefined);
    const bytes = new Uint8Array(mib << 20);
    for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
    bytes.set(new TextEncoder().encode('GGUF'));
    const fetchBytes = async (_: unknown, { headers }: { headers: Record<string, string> }) => {
      const [, first, last] = /(\d+)-(\d+)/.exec(headers['Range']!)!.map(Number);
      const end = Math.min(last! + 1, bytes.length);
      return new Response(bytes.subarray(first!, end), {
        status: 206,
        headers: { 'Content-Range': `bytes ${first}-${end - 1}/${bytes.length}`, ETag: '"x"' },
      });
    };
    const speeds: number[] = [];
    for (const _ of ['network', 'cache']) {
      const all = await openModels({ store, fetch: fetchBytes as unknown as typeof fetch });
      const began = performance.now();
      const one = await all.open('https://models.test/m.gguf');
      if (speeds.length === 0) await one.complete();
      else
        for (let at = 0; at < bytes.length; at += 4 << 20)
          await one.files[0]!.read(at, Math.min(4 << 20, bytes.length - at));
      speeds.push(Math.round((mib / (performance.now() - began)) * 1000));
      await one.close();
    }
    await store.close();
    await empty();
    return { kind, write: speeds[0], read: speeds[1] };
  },
};

self.onmessage = async ({
  data: { id, command, args },
}: MessageEvent<{ id: number; command: string; args: never[] }>) => {
  try {
    self.postMessage({ id, result: await commands[command]!(...args) });
  } catch (error) {
    self.postMessage({ id, error: told(error) });
  }
};
