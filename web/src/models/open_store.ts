// The best store that there is.
import { ModelError } from './error.js';
import { cacheFolder, openNodeFolder } from './folder_node.js';
import { openOpfs } from './folder_opfs.js';
import { FolderStore } from './folder_store.js';
import { LeaseLocks, LocalLocks, WebLocks } from './lock.js';
import type { Store, StoreKind } from './store.js';
import { openIndexedDb } from './store_indexeddb.js';
import { MemoryStore } from './store_memory.js';

const NAME = 'wisp-models';

// A browser tells a coarse number of GiB; half of it may be the model.
const memoryQuota = (): number =>
  ((globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory ?? 4) * 2 ** 29;

async function openKind(kind: StoreKind, folder: string | undefined): Promise<Store | undefined> {
  switch (kind) {
    case 'memory':
      return new MemoryStore(memoryQuota());
    case 'indexeddb':
      return openIndexedDb(NAME);
    case 'opfs': {
      const opfs = await openOpfs(NAME);
      if (opfs === undefined) return undefined;
      // Where there is OPFS there are Web Locks: both ask for a secure context.
      const locks = navigator.locks === undefined ? new LocalLocks() : new WebLocks(navigator.locks, `${NAME} `);
      return new FolderStore('opfs', locks, opfs, async () => {
        const { usage = 0, quota = Infinity } = await navigator.storage.estimate();
        return { used: usage, quota };
      });
    }
    case 'files': {
      const path = folder ?? (cacheFolder() === '' ? '' : `${cacheFolder()}/web`);
      const node = path === '' ? undefined : await openNodeFolder(path);
      return node && new FolderStore('files', new LeaseLocks(node), node, () => node.usage());
    }
  }
}

export async function openStore(wanted: Store | StoreKind | undefined, folder: string | undefined): Promise<Store> {
  if (typeof wanted === 'object') return wanted;
  const kinds: readonly StoreKind[] = wanted !== undefined ? [wanted] : ['opfs', 'files', 'indexeddb', 'memory'];
  for (const kind of kinds) {
    const store = await openKind(kind, folder);
    if (store !== undefined) return store;
  }
  throw new ModelError('unsupported', `there is no store of the kind '${wanted}' here`);
}
