// The models of this origin: opens one by its name, from what is kept or from the network.
import { AccessMaker, DoNotKeep, isCurrent, type AccessOptions } from './access.js';
import { printable } from './bytes.js';
import { Catalogue, type Kept, type MakeRoom, type StoredModel, type Usage } from './catalogue.js';
import { chooseThatFits, type Candidate, type Fits } from './choice.js';
import { ModelError, throwIfAborted } from './error.js';
import { canCompare, contentLength, DEFAULT_PATIENCE, validatorOf, type Patience } from './http.js';
import { HuggingFace } from './hugging_face.js';
import { KeptModel, type Access } from './kept_model.js';
import { bytesOf, selectModel, type Listing, type RemoteModel } from './listing.js';
import { openLocal, openPath, pathOnDisk, type LocalFile } from './local_model.js';
import { isSafePath, parseModelName, type ModelName, type RepositoryName } from './name.js';
import { onAbort } from './on_abort.js';
import { openStore } from './open_store.js';
import type { OpenedModel } from './opened.js';
import { pathOf, planAddress, planRepository, type Plan } from './plan.js';
import { ProgressMeter, type ModelProgress } from './progress.js';
import type { Store, StoreKind } from './store.js';
import { openTexts, type TextStore } from './texts.js';

/**
 * A string is a name as `wisp pull` takes it: hf:OWNER/REPO[@REVISION][:FILE or TYPE], the same without "hf:", or an
 * address; in a page also an address that begins with a dot or a slash, in Node a path, or a `file:` URL. Bytes and files of the user are read where they are. An array: the
 * parts of a split model, in any order.
 * @category Loading
 */
export type ModelSource = string | URL | ArrayBufferLike | ArrayBufferView | LocalFile | readonly LocalFile[];

export interface ModelsOptions {
  /** The best there is, where it is left out. */
  readonly store?: Store | StoreKind;
  /** Node: in place of $XDG_CACHE_HOME/wisp/web. */
  readonly folder?: string;
  readonly endpoint?: string;
  /** For the endpoint alone; never kept, and in no message. */
  readonly token?: string;
  readonly connections?: number;
  readonly requestBytes?: number;
  readonly pieceBytes?: number;
  /** Of a model that is not kept: bytes that may wait in memory to be read. */
  readonly windowBytes?: number;
  readonly patience?: Partial<Patience>;
  readonly fetch?: typeof fetch;
}

export interface OpenOptions {
  /** Asked, largest first, where a repository is named without a file; else the largest is taken. */
  readonly fits?: Fits;
  /** That an address must have, in hexadecimal; also what is kept of it. */
  readonly sha256?: string;
  /**
   * Ask the source whether what is kept is still current. Else what is complete is used unasked, without a network too.
   */
  readonly refresh?: boolean;
  /** False: bytes pass by in memory, are forgotten once they were read, and only what is read is fetched. */
  readonly keep?: boolean;
  /** Ends open(), and everything that is fetched later. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ModelProgress) => void;
  /** Sentences: why this type, that the file has changed, a retry. */
  readonly onRemark?: (sentence: string) => void;
  /** Before a download that does not fit: the ids to delete, 'do not keep', or nothing to refuse. */
  readonly onMakeRoom?: MakeRoom;
}

const MIB = 1 << 20;

export async function openModels(options: ModelsOptions = {}): Promise<Models> {
  const store = await openStore(options.store, options.folder);
  return new Models(store, await openTexts(options.folder), options);
}

export class Models {
  readonly storeKind: StoreKind;
  private readonly catalogue: Catalogue;
  private readonly hub: HuggingFace;
  private readonly accesses: AccessMaker;
  private readonly fetch: typeof fetch;
  private readonly opened = new Set<OpenedModel>();

  constructor(
    private readonly store: Store,
    readonly texts: TextStore,
    options: ModelsOptions,
  ) {
    this.storeKind = store.kind;
    this.catalogue = new Catalogue(store);
    const patience = { ...DEFAULT_PATIENCE, ...options.patience };
    this.fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
    this.accesses = new AccessMaker(store, this.catalogue, {
      fetch: this.fetch,
      patience,
      connections: options.connections ?? 4,
      requestBytes: options.requestBytes ?? 16 * MIB,
      pieceBytes: options.pieceBytes ?? MIB,
      windowBytes: options.windowBytes ?? 128 * MIB,
    });
    this.hub = new HuggingFace({
      endpoint: (options.endpoint ?? 'https://huggingface.co').replace(/\/+$/, ''),
      token: options.token ?? '',
      patience,
      fetch: this.fetch,
    });
  }

  /** What is kept, also what is incomplete; most recently used first. */
  list(): Promise<StoredModel[]> {
    return this.catalogue.shown();
  }

  /** `limit` while it is open here or in another tab. */
  async remove(id: string): Promise<void> {
    // It becomes names of files.
    if (typeof id !== 'string' || !isSafePath(id) || id.includes('/'))
      throw new ModelError('invalid_argument', `'${printable(String(id))}' is no id of a kept model; list() has them`);
    return this.catalogue.remove(id);
  }

  usage(): Promise<Usage> {
    return this.catalogue.usage();
  }

  async close(): Promise<void> {
    for (const model of this.opened) await model.close();
    await this.store.close();
  }

  /** What a repository holds, largest first. */
  async quantisations(name: string, options: Pick<OpenOptions, 'signal'> = {}): Promise<Candidate[]> {
    const parsed = parseModelName(name);
    if (parsed.kind !== 'repository') throw new ModelError('invalid_argument', `${name} is an address: one model`);
    const listing = await this.hub.list(parsed, options.signal);
    const kept = await this.catalogue.list();
    return listing.models.map(model =>
      this.candidate(planRepository(this.hub, parsed, model, ''), kept, model, options, new Set()),
    );
  }

  /** Resolves once sizes are known: of what is kept, without a request. Bytes come while they are read. */
  async open(source: ModelSource, options: OpenOptions = {}): Promise<OpenedModel> {
    const progress = new ProgressMeter(options.onProgress);
    const model = await this.openAny(source, options, progress);
    this.opened.add(model);
    const forget = options.signal && onAbort(options.signal, () => void model.close());
    // What is whole needs nobody any more who could be stopped.
    if (model.kept)
      void model.complete().then(
        () => forget?.(),
        () => {},
      );
    const close = model.close.bind(model);
    model.close = async () => {
      this.opened.delete(model);
      forget?.();
      await close();
    };
    return model;
  }

  private async openAny(source: ModelSource, options: OpenOptions, progress: ProgressMeter): Promise<OpenedModel> {
    throwIfAborted(options.signal);
    if (typeof source !== 'string' && !(source instanceof URL)) return openLocal(source, progress);
    const path = await pathOnDisk(source);
    if (path !== undefined) return openPath(path, progress);
    const name = parseModelName(String(source));
    const wanted = name.kind === 'address' ? planAddress(this.hub, name, options.sha256 ?? '') : undefined;
    const found = await this.catalogue.find(name);
    const kept = found && wanted ? await this.keptOf(wanted, found, options, progress) : found;
    if (kept !== undefined && options.refresh !== true) {
      const model = await this.openKept(kept, name, options, progress);
      if (model !== undefined) return model;
    }
    let plan: Plan;
    try {
      plan = wanted ?? (await this.chooseIn(name as RepositoryName, options, progress));
      if (kept !== undefined && name.kind === 'address') await this.dropChanged(kept, plan, options);
    } catch (error) {
      // Asked for news, but there is no network: what is here is better than nothing.
      const problem = ModelError.from(error);
      const model =
        kept !== undefined && problem.code === 'io' ? await this.openKept(kept, name, options, progress) : undefined;
      if (model === undefined) throw problem;
      options.onRemark?.(`${problem.message}; taking what is kept`);
      return model;
    }
    if (plan.why !== '') options.onRemark?.(plan.why);
    return this.openPlan(plan, options, progress);
  }

  private async chooseIn(name: RepositoryName, options: OpenOptions, progress: ProgressMeter): Promise<Plan> {
    progress.tell('asking');
    const listing = await this.hub.list(name, options.signal);
    const place = `hf:${name.repository}`;
    if (listing.models.length === 0) {
      throw new ModelError(
        'not_found',
        `${place} holds no model in GGUF files${
          listing.others.length === 0
            ? '; look for a repository whose name ends in -GGUF'
            : `, only files that go with one: ${listing.others[0]!}`
        }`,
      );
    }
    try {
      if (name.selection !== '') return planRepository(this.hub, name, selectModel(listing, name.selection), '');
      return await this.chooseAmong(name, listing, options);
    } catch (error) {
      const { code, message, status } = ModelError.from(error);
      throw new ModelError(code, message.startsWith(place) ? message : `${place}: ${message}`, {
        ...(status !== undefined && { status }),
        cause: error,
      });
    }
  }

  private async chooseAmong(name: RepositoryName, listing: Listing, options: OpenOptions): Promise<Plan> {
    const kept = await this.catalogue.list();
    const begun = new Set<string>();
    const candidateOf = (model: RemoteModel) =>
      this.candidate(planRepository(this.hub, name, model, ''), kept, model, options, begun);
    let plan: Plan | undefined;
    try {
      const { model, why } = await chooseThatFits(listing, candidateOf, options.fits ?? (() => true));
      return (plan = planRepository(this.hub, name, model, why));
    } finally {
      // What was read of types that are not taken is of no use later, and what is not to be kept is read again.
      const stays = options.keep === false ? undefined : plan?.id;
      for (const id of begun) if (id !== stays) await this.catalogue.remove(id).catch(() => {});
    }
  }

  private candidate(
    plan: Plan,
    kept: readonly Kept[],
    model: RemoteModel,
    { signal }: Pick<OpenOptions, 'signal'>,
    begun: Set<string>,
  ): Candidate {
    const here = kept.find(({ id }) => id === plan.id);
    return {
      stem: plan.stem,
      type: plan.type,
      bytes: bytesOf(model),
      parts: model.parts,
      sizes: model.files.map(({ size }) => size),
      name: plan.name,
      stored: here?.complete === true,
      readStart: async (count, part) => {
        if (here === undefined) begun.add(plan.id);
        const opened = await this.openPlan(
          plan,
          signal === undefined ? {} : { signal },
          new ProgressMeter(undefined),
          true,
        );
        try {
          const file = opened.files[part]!;
          return await file.read(0, Math.min(count, file.size), signal);
        } finally {
          await opened.close();
        }
      },
    };
  }

  /** What is kept, where its hashes are those of the plan. */
  private async keptOf(
    plan: Plan,
    kept: Kept,
    options: OpenOptions,
    progress: ProgressMeter,
  ): Promise<Kept | undefined> {
    const hashed = await this.accesses.hash(
      kept,
      plan,
      this.accessOptions(options, progress, () => undefined),
    );
    return hashed !== undefined && isCurrent(hashed, plan) ? hashed : undefined;
  }

  /** What is complete, as a reader; nothing where it is not whole after all. */
  private async openKept(
    kept: Kept,
    name: ModelName,
    options: OpenOptions,
    progress: ProgressMeter,
  ): Promise<OpenedModel | undefined> {
    let model: KeptModel | undefined;
    const accessOptions = this.accessOptions(options, progress, () => model);
    const access = await this.accesses.share(kept.id, kept.headers.length, accessOptions);
    if (access === undefined) return undefined;
    const touching = Promise.all(kept.headers.map((_, part) => this.store.touch(`${kept.id}.${part}`)));
    const release = () => touching.then(() => access.release());
    return (model = new KeptModel(
      { ...access, release },
      {
        id: kept.id,
        name: kept.name,
        type: kept.type,
        why: '',
        names: kept.headers.map(({ source }) => pathOf(source)),
        kept: true,
        forgets: false,
        verified: kept.headers.every(({ sha256 }) => sha256 !== ''),
        progress,
        say: accessOptions.say,
        drop: () => this.catalogue.remove(kept.id),
        ...this.accesses.again(() => this.planAgain(kept, name), accessOptions),
      },
    ));
  }

  // An address has no list that would tell sizes and hashes.
  private async dropChanged(kept: Kept, plan: Plan, options: OpenOptions): Promise<void> {
    for (const [part, { size, validator }] of kept.headers.entries()) {
      const { remote } = plan.files[part]!;
      const answer = await this.fetch(remote.url, {
        method: 'HEAD',
        headers: remote.headers,
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
        signal: options.signal ?? null,
      });
      if (!answer.ok)
        throw new ModelError('io', `${remote.shown}: the server answers with status ${answer.status}`, {
          status: answer.status,
        });
      const newSize = contentLength(answer.headers) ?? size;
      const newValidator = validatorOf(answer.headers);
      if (newSize === size && (newValidator === validator || !canCompare(newValidator, validator))) continue;
      options.onRemark?.(`${remote.shown} has changed since it was fetched; it starts over`);
      return this.catalogue.remove(kept.id);
    }
  }

  /** Where the files of a kept model came from. */
  private planAgain(kept: Kept, name: ModelName): Plan {
    if (name.kind === 'address')
      return planAddress(this.hub, name, kept.headers.length > 1 ? '' : kept.headers[0]!.sha256);
    const files = kept.headers.map(({ source, size, sha256 }) => ({ path: pathOf(source), size, sha256 }));
    const { stem, type, parts } = kept.headers[0]!.model;
    return planRepository(this.hub, name, { stem, type, parts, files }, '');
  }

  private async openPlan(
    plan: Plan,
    options: OpenOptions,
    progress: ProgressMeter,
    isPeek = false,
  ): Promise<OpenedModel> {
    // Somebody may have finished it meanwhile, and still have it open.
    const found = (await this.catalogue.list()).find(({ id, complete }) => id === plan.id && complete);
    const kept = found && (await this.keptOf(plan, found, options, progress));
    if (kept !== undefined) {
      const model = await this.openKept(kept, parseModelName(plan.name), options, progress);
      if (model !== undefined) return model;
    }
    let model: KeptModel | undefined;
    const accessOptions = this.accessOptions(options, progress, () => model);
    let access: Access | undefined;
    let keep = isPeek || options.keep !== false;
    try {
      if (keep) access = await this.accesses.write(plan, !isPeek, accessOptions);
    } catch (error) {
      if (!(error instanceof DoNotKeep)) throw error;
      keep = false;
    }
    if (!keep) access = await this.accesses.pass(plan, accessOptions);
    if (access === undefined) return this.openPlan(plan, options, progress, isPeek);
    return (model = new KeptModel(access, {
      id: keep ? plan.id : '',
      name: plan.name,
      type: plan.type,
      why: plan.why,
      names: plan.files.map(({ path }) => path),
      kept: keep && !isPeek,
      forgets: !keep,
      verified: false,
      progress,
      say: accessOptions.say,
      drop: () => this.catalogue.remove(plan.id),
      ...this.accesses.again(() => plan, accessOptions),
    }));
  }

  private accessOptions(
    options: OpenOptions,
    progress: ProgressMeter,
    model: () => KeptModel | undefined,
  ): AccessOptions {
    return {
      signal: options.signal,
      onMakeRoom: options.onMakeRoom,
      say: sentence => options.onRemark?.(sentence),
      waiting: () => {
        progress.tell('waiting');
        options.onRemark?.('another tab is fetching this model; waiting for it');
      },
      came: () => model()?.tellFetching(),
      checking: (hashed, total) => progress.tell('checking', hashed, total ?? model()?.size ?? 0),
    };
  }
}
