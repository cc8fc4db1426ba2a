// The models that are kept, made of the entries of a store: what there is, what a name means among them, and how to
// make room.
import { formatBytes, printable } from './bytes.js';
import { ModelError } from './error.js';
import { fileName, selectModel, type Listing, type RemoteModel } from './listing.js';
import { parseModelName, type ModelName } from './name.js';
import { pathOf } from './plan.js';
import type { EntryHeader, EntrySummary, Store } from './store.js';

/**
 * A model that is kept, or begun.
 * @category Models that are kept
 */
export interface StoredModel {
  /** What `remove()` takes. */
  readonly id: string;
  /** What `load()` takes. */
  readonly name: string;
  /** For people, as `Qwen3-0.6B-Q4_K_M`. */
  readonly shortName: string;
  /** Its quantisation, as `Q4_K_M`; empty where its name tells none. */
  readonly type: string;
  /** Of the whole model, in bytes; 0 where no server has told yet. */
  readonly bytes: number;
  /** Bytes that are kept. */
  readonly here: number;
  /** All of it is here: it is used without a network. */
  readonly complete: boolean;
  /** Its type was chosen for this device, not named. */
  readonly automatic: boolean;
  /** When its download began, in milliseconds since 1970. */
  readonly created: number;
  /** When it was opened last, in milliseconds since 1970. */
  readonly lastUsed: number;
}

/**
 * Storage of this origin.
 * @category Models that are kept
 */
export interface Usage {
  /** Bytes of this origin, with everything that it keeps. */
  readonly used: number;
  /** Bytes that the browser gives; Infinity where it does not tell. */
  readonly quota: number;
  /** Bytes between the two. */
  readonly free: number;
  /** The browser asks before it clears this origin's storage. */
  readonly persisted: boolean;
  /** Bytes of models. */
  readonly models: number;
}

/**
 * A download that does not fit: what `onMakeRoom` is asked.
 * @category Models that are kept
 */
export interface MakeRoomRequest {
  /** Bytes that are still to come. */
  readonly needed: number;
  /** Bytes that the browser gives. */
  readonly free: number;
  /** Without the one that is fetched; least recently used first. */
  readonly models: readonly StoredModel[];
  /** Ids of the least recently used ones that make enough room; empty where even all do not. */
  readonly suggestion: readonly string[];
}
export type MakeRoom = (request: MakeRoomRequest) => Promise<readonly string[] | 'do not keep' | undefined>;

export interface Kept extends StoredModel {
  readonly headers: readonly EntryHeader[]; // of the parts that are here, in their order
}

const lockOf = (id: string): string => `model ${id}`;

export class Catalogue {
  constructor(readonly store: Store) {}

  /** Most recently used first. */
  async list(): Promise<Kept[]> {
    const models = new Map<string, EntrySummary[]>();
    for (const entry of await this.store.list()) {
      const { id } = entry.header.model;
      models.set(id, [...(models.get(id) ?? []), entry]);
    }
    return [...models.values()].map(keptOf).sort((a, b) => b.lastUsed - a.lastUsed);
  }

  async shown(): Promise<StoredModel[]> {
    return (await this.list()).map(({ headers: _, ...model }) => model);
  }

  /**
   * What a name means among those that are whole: a repository with its selection (without one: that which was chosen
   * for this device, else the one used last), or an address.
   */
  async find(name: ModelName): Promise<Kept | undefined> {
    const models = (await this.list()).filter(model => model.complete && isOf(model, name));
    if (name.kind === 'address' || models.length === 0) return models[0];
    if (name.selection === '') return models.find(({ automatic }) => automatic) ?? models[0];
    const listing: Listing = { models: models.map(asRemote), others: [] };
    try {
      const selected = selectModel(listing, name.selection);
      return models[listing.models.indexOf(selected)];
    } catch {
      return undefined; // the repository is asked
    }
  }

  async remove(id: string): Promise<void> {
    const lock = await this.store.locks.tryAcquire(lockOf(id), 'exclusive');
    if (lock === undefined)
      throw new ModelError('limit', `${printable(id)} is in use, here or in another tab; close it there first`);
    try {
      for (const entry of await this.store.list()) {
        if (entry.header.model.id === id) await this.store.remove(entry.id);
      }
    } finally {
      await lock.release();
    }
  }

  lock(id: string, mode: 'exclusive' | 'shared', options: { signal?: AbortSignal | undefined; onWait?: () => void }) {
    return this.store.locks.acquire(lockOf(id), mode, options);
  }

  tryLock(id: string) {
    return this.store.locks.tryAcquire(lockOf(id), 'exclusive');
  }

  async usage(): Promise<Usage> {
    const { used, quota } = await this.store.usage();
    const models = (await this.list()).reduce((sum, { here }) => sum + here, 0);
    const persisted =
      this.store.kind === 'files' || (await globalThis.navigator?.storage?.persisted?.().catch(() => false)) === true;
    return { used, quota, free: Math.max(0, quota - used), persisted, models };
  }

  /**
   * Room for `needed` more bytes of the model `id`. False where the user would rather not keep it; `quota` where there
   * is no room and nobody makes any.
   */
  async makeRoom(
    id: string,
    name: string,
    needed: number,
    onMakeRoom: MakeRoom | undefined,
    isFull = false,
  ): Promise<boolean> {
    for (let tries = 0; needed > 0; ++tries) {
      const { used, quota } = await this.store.usage();
      // A browser whose numbers were wrong has just refused to take more.
      const free = isFull && tries === 0 ? 0 : Math.max(0, quota - used);
      if (needed <= free) break;
      const models = (await this.shown()).filter(model => model.id !== id).reverse();
      const answer =
        tries < 3
          ? await onMakeRoom?.({ needed, free, models, suggestion: suggest(models, needed - free) })
          : undefined;
      if (answer === 'do not keep') return false;
      if (answer === undefined || answer.length === 0) {
        throw new ModelError(
          'quota',
          `${printable(name, 300)} has ${formatBytes(needed)} more to come, and there is room for ${formatBytes(
            free,
          )}; delete models that you do not need, choose a smaller type, or free space on the disk`,
        );
      }
      for (const one of answer) await this.remove(one);
    }
    return true;
  }
}

function keptOf(entries: readonly EntrySummary[]): Kept {
  const sorted = [...entries].sort((a, b) => a.header.model.part - b.header.model.part);
  const { header } = sorted[0]!;
  const { model } = header;
  return {
    id: model.id,
    name: model.name,
    shortName: fileName(model.stem),
    type: model.type,
    bytes: Math.max(
      ...sorted.map(one => one.header.model.bytes),
      sorted.reduce((sum, one) => sum + one.header.size, 0),
    ),
    here: sorted.reduce((sum, { here }) => sum + here, 0),
    complete: sorted.length === model.parts && sorted.every(one => one.header.complete && one.here === one.header.size),
    automatic: model.automatic,
    created: Math.min(...sorted.map(one => one.header.created)),
    lastUsed: Math.max(...sorted.map(one => one.header.lastUsed)),
    headers: sorted.map(one => one.header),
  };
}

const asRemote = ({ headers }: Kept): RemoteModel => ({
  stem: headers[0]!.model.stem,
  type: headers[0]!.model.type,
  parts: headers.length,
  files: headers.map(({ source, size, sha256 }) => ({ path: pathOf(source), size, sha256 })),
});

function isOf(model: Kept, name: ModelName): boolean {
  const { source } = model.headers[0]!;
  let kept: ModelName;
  try {
    kept = parseModelName(source);
  } catch {
    return false;
  }
  if (kept.kind === 'address') {
    return name.kind === 'address' && model.headers.some(header => header.source === name.address);
  }
  return (
    name.kind === 'repository' &&
    kept.repository.toLowerCase() === name.repository.toLowerCase() &&
    kept.revision === name.revision
  );
}

/** The least recently used ones that free `bytes`; none where all together do not. */
function suggest(models: readonly StoredModel[], bytes: number): string[] {
  const ids: string[] = [];
  for (const model of models) {
    if (bytes <= 0) break;
    ids.push(model.id);
    bytes -= model.here;
  }
  return bytes <= 0 ? ids : [];
}
