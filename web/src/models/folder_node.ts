// A folder of the disk, in Node. Node's modules are asked of the process, so that no bundler for browsers looks for
// them.
import type { FileHandle } from 'node:fs/promises';
import type { Folder, RandomFile } from './folder.js';
import type { Leases } from './lock.js';

interface NodeModules {
  'node:fs/promises': typeof import('node:fs/promises');
  'node:path': typeof import('node:path');
  'node:os': typeof import('node:os');
  'node:url': typeof import('node:url');
}

/** Node 20.16 and newer; nothing elsewhere. */
export function nodeModule<Name extends keyof NodeModules>(name: Name): NodeModules[Name] | undefined {
  const process = (
    globalThis as { process?: { versions?: { node?: string }; getBuiltinModule?: (name: string) => unknown } }
  ).process;
  if (process?.versions?.node === undefined) return undefined;
  return process.getBuiltinModule?.(name) as NodeModules[Name] | undefined;
}

/** $XDG_CACHE_HOME/wisp, else ~/.cache/wisp, as the command has it; '' where there is no home. */
export function cacheFolder(): string {
  const os = nodeModule('node:os');
  const path = nodeModule('node:path');
  if (os === undefined || path === undefined) return '';
  const cache = process.env['XDG_CACHE_HOME'];
  if (cache !== undefined && path.isAbsolute(cache)) return path.join(cache, 'wisp');
  return os.homedir() === '' ? '' : path.join(os.homedir(), '.cache', 'wisp');
}

const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === 'ENOENT';

/** Made where it is not there, readable by its owner only. */
export async function openNodeFolder(path: string): Promise<NodeFolder | undefined> {
  const fs = nodeModule('node:fs/promises');
  if (fs === undefined) return undefined;
  await fs.mkdir(path, { recursive: true, mode: 0o700 });
  return new NodeFolder(fs, path);
}

export class NodeFolder implements Folder, Leases {
  constructor(
    private readonly fs: NodeModules['node:fs/promises'],
    private readonly path: string,
  ) {}

  names(): Promise<string[]> {
    return this.fs.readdir(this.path);
  }

  async open(name: string, access: 'read' | 'write' | 'create'): Promise<RandomFile | undefined> {
    try {
      const flags = { read: 'r', write: 'r+', create: 'w+' }[access];
      return new NodeFile(await this.fs.open(this.pathOf(name), flags, 0o600));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    await this.fs.rm(this.pathOf(name), { force: true });
  }

  /** Room on the disk, and what lies in this folder. */
  async usage(): Promise<{ used: number; quota: number }> {
    let used = 0;
    for (const name of await this.names()) {
      used += await this.fs.stat(this.pathOf(name)).then(
        ({ blocks }) => blocks * 512,
        () => 0,
      );
    }
    const disk = await this.fs.statfs(this.path);
    return { used, quota: used + disk.bavail * disk.bsize };
  }

  async take(name: string, owner: string, until: number): Promise<boolean> {
    const path = this.pathOf(`${name}.lock`);
    const now = await this.readLease(path);
    if (now !== undefined && now.owner !== owner && now.until > Date.now()) return false;
    if (now?.owner === owner) {
      await this.fs.writeFile(path, JSON.stringify({ owner, until }), { mode: 0o600 });
      return true;
    }
    if (now !== undefined) await this.fs.rm(path, { force: true });
    try {
      await this.fs.writeFile(path, JSON.stringify({ owner, until }), { flag: 'wx', mode: 0o600 });
    } catch {
      return false;
    }
    // Two that found the same lease over may both have removed it; the later one has it.
    if (now !== undefined) await new Promise(resolve => setTimeout(resolve, 50));
    return (await this.readLease(path))?.owner === owner;
  }

  async drop(name: string, owner: string): Promise<void> {
    const path = this.pathOf(`${name}.lock`);
    if ((await this.readLease(path))?.owner === owner) await this.fs.rm(path, { force: true });
  }

  private async readLease(path: string): Promise<{ owner: string; until: number } | undefined> {
    let text: string;
    try {
      text = await this.fs.readFile(path, 'utf8');
    } catch {
      return undefined;
    }
    try {
      const { owner, until } = JSON.parse(text) as { owner?: unknown; until?: unknown };
      if (typeof owner === 'string' && typeof until === 'number') return { owner, until };
    } catch {
      // Torn: somebody is writing it, or ended meanwhile.
    }
    const age = await this.fs.stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    return { owner: '', until: age > 2000 ? 0 : Number.MAX_SAFE_INTEGER };
  }

  private pathOf(name: string): string {
    return `${this.path}/${name}`;
  }
}

/** A file of the user, to be read. */
export async function openNodeFile(path: string): Promise<RandomFile> {
  return new NodeFile(await nodeModule('node:fs/promises')!.open(path, 'r'));
}

class NodeFile implements RandomFile {
  constructor(private readonly file: FileHandle) {}

  async read(into: Uint8Array, at: number): Promise<number> {
    let count = 0;
    while (count < into.length) {
      const { bytesRead } = await this.file.read(into, count, into.length - count, at + count);
      if (bytesRead === 0) break;
      count += bytesRead;
    }
    return count;
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    for (let count = 0; count < bytes.length; ) {
      count += (await this.file.write(bytes, count, bytes.length - count, at + count)).bytesWritten;
    }
  }

  flush(): Promise<void> {
    return this.file.datasync();
  }

  async size(): Promise<number> {
    return (await this.file.stat()).size;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
