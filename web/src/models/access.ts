// How a model's entries are held: shared by readers of what is whole, by one writer while it comes, or by nobody while
// it passes by.
import type { Catalogue, Kept, MakeRoom } from './catalogue.js';
import { Download } from './download.js';
import { Entry } from './entry.js';
import { ModelError, throwIfAborted } from './error.js';
import { Fetcher, type FetcherHooks, type FetcherOptions } from './fetcher.js';
import type { Access, KeptModelOptions } from './kept_model.js';
import type { Held } from './lock.js';
import { headerOf, type Plan } from './plan.js';
import { Sha256 } from './sha256.js';
import type { EntryHeader, Store } from './store.js';
import { MemoryStore } from './store_memory.js';

export interface AccessOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onMakeRoom?: MakeRoom | undefined;
  readonly say: (sentence: string) => void;
  readonly waiting: () => void;
  /** Something came. */
  readonly came: () => void;
  /** `total`, where no model is open yet that has a size. */
  readonly checking: (hashed: number, total?: number) => void;
}

/** The user would rather not keep it. */
export class DoNotKeep extends Error {}

export type NetworkOptions = Omit<FetcherOptions, 'everything' | 'window'> & { readonly windowBytes: number };

/** Whether what is kept is what `plan` would fetch. Sizes and hashes that the plan does not tell agree with everything. */
export const isCurrent = (kept: Kept, plan: Plan): boolean =>
  kept.headers.length === plan.files.length &&
  kept.headers.every(({ source, size, sha256 }, part) => {
    const { source: wanted, remote } = plan.files[part]!;
    return (
      source === wanted &&
      (remote.size === 0 || remote.size === size) &&
      (remote.sha256 === '' || remote.sha256 === sha256)
    );
  });

export class AccessMaker {
  constructor(
    private readonly store: Store,
    private readonly catalogue: Catalogue,
    private readonly network: NetworkOptions,
  ) {}

  /** As a reader of what is whole; nothing where it is not. */
  async share(
    id: string,
    parts: number,
    { signal, waiting }: Pick<AccessOptions, 'signal' | 'waiting'>,
  ): Promise<Access | undefined> {
    const lock = await this.catalogue.lock(id, 'shared', { signal, onWait: waiting });
    const entries: Entry[] = [];
    const release = async () => {
      for (const entry of entries) await entry.close();
      await lock.release();
    };
    try {
      for (let part = 0; part < parts; ++part) {
        const stored = await this.store.open(`${id}.${part}`, 'read');
        if (stored !== undefined) entries.push(new Entry(stored));
      }
    } catch (error) {
      await release();
      throw ModelError.from(error);
    }
    if (
      entries.length === parts &&
      entries.every(({ header, table }) => header.complete && table.bytes === header.size)
    ) {
      return {
        entries,
        downloads: [],
        fetcher: undefined,
        resumed: entries.reduce((sum, { table }) => sum + table.bytes, 0),
        release,
      };
    }
    await release();
    return undefined;
  }

  /**
   * As the one who fetches it, all of it or (`everything` false) only what is read. Nothing where it is whole already.
   */
  async write(plan: Plan, everything: boolean, options: AccessOptions): Promise<Access | undefined> {
    const lock = await this.catalogue.lock(plan.id, 'exclusive', { signal: options.signal, onWait: options.waiting });
    return this.writeUnder(lock, plan, everything, options, async downloads =>
      downloads.every(({ finished }) => finished),
    );
  }

  /**
   * Hashes what was kept without a hash, where `plan` tells one, and keeps what is found. Tells what is kept now; nothing
   * where it is not whole after all.
   */
  async hash(kept: Kept, plan: Plan, options: AccessOptions): Promise<Kept | undefined> {
    const isMissing = plan.files.map(({ remote }, part) => remote.sha256 !== '' && kept.headers[part]?.sha256 === '');
    if (!isMissing.includes(true)) return kept;
    const access = await this.share(kept.id, kept.headers.length, options);
    if (access === undefined) return undefined;
    const headers = [...kept.headers];
    try {
      for (const [part, entry] of access.entries.entries()) {
        if (!isMissing[part]) continue;
        const sha256 = await hashOf(entry, options);
        if (sha256 === undefined) return undefined;
        headers[part] = { ...headers[part]!, sha256 };
      }
    } finally {
      await access.release();
    }
    // A store that refuses it just now: it is hashed again the next time.
    await this.keepHashes(kept.id, headers).catch(() => {});
    return { ...kept, headers };
  }

  // For the next time, where nobody else has it open.
  private async keepHashes(id: string, headers: readonly EntryHeader[]): Promise<void> {
    const lock = await this.catalogue.tryLock(id);
    if (lock === undefined) return;
    try {
      for (const [part, { sha256, size, created }] of headers.entries()) {
        const entry = await this.store.open(`${id}.${part}`, 'write');
        if (entry === undefined) continue;
        try {
          const { header } = entry;
          // Another tab may have replaced it between the two locks.
          const isSame = header.complete && header.size === size && header.created === created;
          if (isSame && header.sha256 === '') await entry.writeHeader({ ...header, sha256 });
        } finally {
          await entry.close();
        }
      }
    } finally {
      await lock.release();
    }
  }

  /**
   * What an open model does with its access later: shares it when everything came, and fetches again what was damaged.
   */
  again(plan: () => Plan, options: AccessOptions): Pick<KeptModelOptions, 'share' | 'heal'> {
    const heal = () => {
      const damaged = plan();
      options.say(`what is kept of ${damaged.name} is damaged; fetching the damaged part again`);
      return this.heal(damaged, options);
    };
    return { heal, share: async () => (await this.share(plan().id, plan().files.length, options)) ?? heal() };
  }

  private async heal(plan: Plan, options: AccessOptions): Promise<Access> {
    const lock = await this.catalogue.tryLock(plan.id);
    if (lock === undefined) {
      throw new ModelError(
        'device',
        `what is kept of ${plan.name} is damaged; close other tabs that use it, and load it again`,
      );
    }
    const access = await this.writeUnder(lock, plan, true, options, async downloads => {
      for (const download of downloads) await scrub(download);
      return false;
    });
    return access!;
  }

  /** Nothing is kept: what was read is forgotten, and what is not read is not fetched. */
  async pass(plan: Plan, options: AccessOptions): Promise<Access> {
    const memory = new MemoryStore(Infinity);
    const downloads = this.downloads(plan, memory);
    const fetcher = this.fetcher(
      downloads,
      plan,
      memory,
      { window: this.network.windowBytes, everything: false },
      options,
    );
    await this.begin(downloads, fetcher, options.signal);
    return { entries: [], downloads, fetcher, resumed: 0, release: async () => {} };
  }

  private async writeUnder(
    lock: Held,
    plan: Plan,
    everything: boolean,
    options: AccessOptions,
    look: (downloads: readonly Download[]) => Promise<boolean>,
  ): Promise<Access | undefined> {
    const downloads = this.downloads(plan, this.store);
    let fetcher: Fetcher | undefined;
    const release = async () => {
      for (const { entry } of downloads) await entry?.close();
      await lock.release();
    };
    try {
      for (const [part, download] of downloads.entries()) await this.takeUp(plan, part, download, options.say);
      if (await look(downloads)) {
        await release();
        return undefined;
      }
      const resumed = downloads.reduce((sum, { entry }) => sum + (entry?.table.bytes ?? 0), 0);
      await this.makeRoom(plan, downloads, options);
      await this.createKnown(downloads);
      fetcher = this.fetcher(downloads, plan, this.store, { window: Infinity, everything }, options);
      await this.begin(downloads, fetcher, options.signal);
      if (plan.files.some(({ remote }) => remote.size === 0)) {
        await this.makeRoom(plan, downloads, options);
        await tellSum(downloads);
      }
      return { entries: [], downloads, fetcher, resumed, release };
    } catch (error) {
      await fetcher?.stop();
      const isEmpty = downloads.every(({ entry }) => (entry?.table.bytes ?? 0) === 0);
      await release();
      if (error instanceof DoNotKeep || isEmpty) await this.catalogue.remove(plan.id).catch(() => {});
      throw error instanceof DoNotKeep ? error : ModelError.from(error);
    }
  }

  private downloads(plan: Plan, store: Store): Download[] {
    const { pieceBytes } = this.network;
    const bytes = plan.files.reduce((sum, { remote }) => sum + remote.size, 0);
    return plan.files.map(
      ({ entry, remote }, part) =>
        new Download(
          remote,
          pieceBytes,
          async (size, validator) =>
            new Entry(await store.create(entry, headerOf(plan, part, size, validator, pieceBytes, bytes))),
        ),
    );
  }

  // What an earlier page left, where it is of the same file, and something would show if it were not.
  private async takeUp(plan: Plan, part: number, download: Download, say: (sentence: string) => void): Promise<void> {
    const { entry: id, source, remote } = plan.files[part]!;
    const stored = await this.store.open(id, 'write');
    if (stored === undefined) return;
    const entry = new Entry(stored);
    const { header, table } = entry;
    const isOther =
      (remote.size !== 0 && remote.size !== header.size) ||
      (remote.sha256 !== '' && header.sha256 !== '' && remote.sha256 !== header.sha256);
    const isSame =
      !isOther &&
      header.source === source &&
      header.pieceBytes === this.network.pieceBytes &&
      (header.complete || header.validator !== '' || header.sha256 !== '');
    if (!isSame) {
      if (table.bytes > 0) {
        say(
          isOther
            ? `${remote.shown} has changed since it was fetched; it starts over`
            : `${remote.shown}: nothing would show that it has changed since it was begun; it starts over`,
        );
      }
      await entry.close();
      await this.store.remove(id);
      return;
    }
    download.resume(entry);
    // What is whole and has no hash yet is hashed as if it had just come.
    download.finished = header.complete && download.isHere && (remote.sha256 === '' || remote.sha256 === header.sha256);
    if (header.complete && !download.finished) await entry.update({ complete: false });
  }

  private async createKnown(downloads: readonly Download[]): Promise<void> {
    for (const download of downloads) {
      if (download.entry === undefined && download.remote.size > 0) await download.start(download.remote.size, '');
    }
  }

  private async begin(
    downloads: readonly Download[],
    fetcher: Fetcher,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    try {
      await this.createKnown(downloads);
      await fetcher.sizes(signal);
    } catch (error) {
      await fetcher.stop(ModelError.from(error));
      throw error;
    }
    for (const download of downloads) download.announced = download.size;
  }

  private async makeRoom(
    plan: Plan,
    downloads: readonly Download[],
    { onMakeRoom }: AccessOptions,
    isFull = false,
  ): Promise<void> {
    const needed = downloads.reduce((sum, download) => sum + download.size - (download.entry?.table.bytes ?? 0), 0);
    if (!(await this.catalogue.makeRoom(plan.id, plan.name, needed, onMakeRoom, isFull))) throw new DoNotKeep();
  }

  private fetcher(
    downloads: readonly Download[],
    plan: Plan,
    store: Store,
    kind: Pick<FetcherOptions, 'window' | 'everything'>,
    options: AccessOptions,
  ): Fetcher {
    const hooks: FetcherHooks = {
      say: options.say,
      progress: options.came,
      checking: options.checking,
      makeRoom: async () => {
        if (options.onMakeRoom === undefined) return false;
        try {
          await this.makeRoom(plan, downloads, options, true);
          return true;
        } catch (error) {
          // In the middle it is too late to let the rest pass by.
          if (error instanceof DoNotKeep) return false;
          throw error;
        }
      },
      remove: async download => {
        await download.entry?.close();
        await store.remove(plan.files[downloads.indexOf(download)]!.entry);
      },
    };
    return new Fetcher(downloads, { ...this.network, ...kind }, hooks);
  }
}

/** Of everything in it; nothing where a piece of it is damaged. */
async function hashOf(entry: Entry, { signal, checking }: AccessOptions): Promise<string | undefined> {
  const hash = new Sha256();
  let bytes = new Uint8Array(0);
  for (let piece = 0; piece < entry.table.count; ++piece) {
    throwIfAborted(signal);
    const length = entry.table.lengthOf(piece);
    if (bytes.length !== length) bytes = new Uint8Array(length);
    if (!(await entry.read(piece, bytes))) return undefined;
    hash.update(bytes);
    checking(hash.bytes, entry.header.size);
    // Who wants to stop it has to be heard, where all reads are done at once.
    if (piece % 16 === 15) await new Promise(resolve => setTimeout(resolve, 0));
  }
  return hash.digest();
}

/** Finds all that is damaged, at once. */
async function scrub(download: Download): Promise<void> {
  const { entry } = download;
  if (entry === undefined) return;
  for (let piece = 0; piece < entry.table.count; ++piece) {
    if (!(await entry.read(piece, new Uint8Array(entry.table.lengthOf(piece))))) download.damaged(piece);
  }
  download.finished = false;
  await entry.update({ complete: false });
}

/** The parts of an address tell their sizes one by one. */
async function tellSum(downloads: readonly Download[]): Promise<void> {
  const bytes = downloads.reduce((sum, { size }) => sum + size, 0);
  for (const { entry } of downloads) await entry?.update({ model: { ...entry.header.model, bytes } });
}
