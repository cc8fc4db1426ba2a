// A folder of the origin private file system, in a dedicated worker: only there files can be written in place.
import type { Folder, RandomFile } from './folder.js';
import { ModelError } from './error.js';
import { sleep } from './waiting.js';

// Only TypeScript's library for workers has the type, and not the modes yet. In older WebKit some functions give
// promises.
interface SyncAccessHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void | Promise<void>;
  flush(): void | Promise<void>;
  getSize(): number | Promise<number>;
  close(): void | Promise<void>;
}
interface HandleMaker {
  createSyncAccessHandle(options: { mode: 'read-only' | 'readwrite' }): Promise<SyncAccessHandle>;
}

const isNamed = (error: unknown, name: string): boolean => (error as { name?: unknown } | null)?.name === name;

/**
 * Whether several handles may read a file at once. Elsewhere a handle is the only one, and readers go by way of Blobs.
 */
const hasModes = (): boolean =>
  'mode' in
  ((globalThis as { FileSystemSyncAccessHandle?: { prototype: object } }).FileSystemSyncAccessHandle?.prototype ?? {});

/** Nothing where this page, or this kind of worker, has none. */
export async function openOpfs(name: string): Promise<Folder | undefined> {
  if (typeof FileSystemFileHandle === 'undefined' || !('createSyncAccessHandle' in FileSystemFileHandle.prototype))
    return undefined;
  try {
    const root = await navigator.storage.getDirectory();
    const folder = new OpfsFolder(await root.getDirectoryHandle(name, { create: true }));
    await folder.probe();
    return folder;
  } catch {
    return undefined; // a private window of some browsers
  }
}

class OpfsFolder implements Folder {
  constructor(private readonly directory: FileSystemDirectoryHandle) {}

  /** Some browsers have the functions, and refuse them when they are used. */
  async probe(): Promise<void> {
    const name = `probe-${Math.random().toString(36).slice(2)}`;
    const file = await this.open(name, 'create');
    try {
      await file!.write(new Uint8Array(1), 0);
    } finally {
      await file!.close();
      await this.remove(name);
    }
  }

  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of (this.directory as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name);
    return names;
  }

  async open(name: string, access: 'read' | 'write' | 'create'): Promise<RandomFile | undefined> {
    try {
      const file = await this.directory.getFileHandle(name, { create: access === 'create' });
      if (access === 'read' && !hasModes()) return new BlobFile(await file.getFile());
      try {
        const handle = await exclusively(
          () =>
            (file as unknown as HandleMaker).createSyncAccessHandle({
              mode: access === 'read' ? 'read-only' : 'readwrite',
            }),
          access === 'read' ? 0 : 20,
        );
        if (access === 'create') await handle.truncate(0);
        return new HandleFile(handle);
      } catch (error) {
        // Somebody writes it just now.
        if (access === 'read' && isLocked(error)) return new BlobFile(await file.getFile());
        throw error;
      }
    } catch (error) {
      if (isNamed(error, 'NotFoundError')) return undefined;
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await exclusively(() => this.directory.removeEntry(name), 20);
    } catch (error) {
      if (!isNamed(error, 'NotFoundError')) throw error;
    }
  }
}

const isLocked = (error: unknown): boolean =>
  isNamed(error, 'NoModificationAllowedError') || isNamed(error, 'InvalidStateError');

// A worker that was ended gives its handles back a moment later.
async function exclusively<T>(use: () => Promise<T>, tries: number): Promise<T> {
  for (let failures = 0; ; ++failures) {
    try {
      return await use();
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (failures >= tries) {
        if (tries === 0) throw error;
        throw new ModelError('limit', 'another tab has this model open; close it there, and try again', {
          cause: error,
        });
      }
      await sleep(100);
    }
  }
}

class HandleFile implements RandomFile {
  constructor(private readonly handle: SyncAccessHandle) {}

  read(into: Uint8Array, at: number): number {
    return this.handle.read(into, { at });
  }

  write(bytes: Uint8Array, at: number): void {
    if (this.handle.write(bytes, { at }) !== bytes.length) {
      throw new DOMException('the browser wrote less than it was given', 'QuotaExceededError');
    }
  }

  flush(): void | Promise<void> {
    return this.handle.flush();
  }

  size(): number | Promise<number> {
    return this.handle.getSize();
  }

  close(): void | Promise<void> {
    return this.handle.close();
  }
}

class BlobFile implements RandomFile {
  constructor(private readonly blob: Blob) {}

  async read(into: Uint8Array, at: number): Promise<number> {
    const bytes = new Uint8Array(await this.blob.slice(at, at + into.length).arrayBuffer());
    into.set(bytes);
    return bytes.length;
  }

  write(): void {
    throw new ModelError('internal', 'a file that is read cannot be written');
  }

  flush(): void {}

  size(): number {
    return this.blob.size;
  }

  close(): void {}
}
