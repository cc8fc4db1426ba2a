// Fetches the files of one model: which pieces next, over how many connections, and what to do when a server fails.
// Everything ends here: in all pieces being here and checked, or in one error that every reader gets.
import { printable } from './bytes.js';
import { cancelled, isFull, ModelError } from './error.js';
import type { Download } from './download.js';
import { pauseBeforeRetry, type Patience } from './http.js';
import { Changed, Retry, Transfer, type Run, type TransferHooks } from './transfer.js';
import { abortable } from './waiting.js';

export interface FetcherOptions {
  readonly fetch: typeof fetch;
  readonly patience: Patience;
  readonly connections: number;
  readonly requestBytes: number;
  readonly pieceBytes: number;
  /** Bytes that may lie around unread; Infinity where everything is kept. */
  readonly window: number;
  /** What nobody wants is fetched too, last. Else exactly what somebody waits for. */
  readonly everything: boolean;
}

export interface FetcherHooks {
  readonly say: (sentence: string) => void;
  /** Something came. */
  readonly progress: () => void;
  readonly checking: (hashed: number) => void;
  /** The store is full: true where room was made. */
  readonly makeRoom: () => Promise<boolean>;
  /** All of a file turned out to be of no use. */
  readonly remove: (download: Download) => Promise<void>;
}

/** Pieces of one of the files, in the order in which they are wanted. */
export interface Wanted {
  readonly download: Download;
  readonly first: number;
  readonly last: number;
}

interface Waiter {
  readonly download: Download;
  readonly piece: number; // or ANY_ANSWER
  readonly resolve: () => void;
  readonly reject: (error: ModelError) => void;
}

/** Whichever piece: what counts is that the server has the file. */
const ANY_ANSWER = -1;
const MOST_RESTARTS = 3;
/** This much makes failures before it forgotten: the server delivers, if in small portions. */
const PROGRESS_BYTES = 1024;

export class Fetcher {
  /** Bytes that came over the network. */
  received = 0;
  readonly done: Promise<void>;

  private readonly waiters = new Set<Waiter>();
  private wanted: readonly Wanted[] = [];
  private ended: ModelError | undefined;
  private isDone = false;
  private failures = 0;
  private restarts = 0;
  private progress = 0; // bytes since the last failure
  private resumeAt = 0; // ms; no request before
  private timer: ReturnType<typeof setTimeout> | undefined;
  private most: number;
  private finishing = false;
  private making: Promise<boolean> | undefined;
  private readonly idle = new Set<() => void>();
  private succeed!: () => void;
  private fail!: (error: ModelError) => void;
  private readonly transferHooks: TransferHooks;

  constructor(
    private readonly downloads: readonly Download[],
    private readonly options: FetcherOptions,
    private readonly hooks: FetcherHooks,
  ) {
    this.most = options.connections;
    this.done = new Promise((resolve, reject) => {
      this.succeed = resolve;
      this.fail = reject;
    });
    this.done.catch(() => {});
    this.transferHooks = {
      fetch: options.fetch,
      patience: options.patience,
      say: hooks.say,
      received: bytes => {
        this.received += bytes;
        this.progress += bytes;
        if (this.progress >= PROGRESS_BYTES && !this.downloads.some(download => download.wholeOnly)) this.failures = 0;
        hooks.progress();
      },
      pieceCame: (download, piece) => {
        download.claimed.delete(piece);
        this.wake(download, piece);
      },
      confirmed: download => this.wake(download, ANY_ANSWER),
    };
  }

  get error(): ModelError | undefined {
    return this.ended;
  }

  start(): void {
    this.pump();
  }

  /** Fetched first, in this order, after what somebody waits for. */
  want(wanted: readonly Wanted[]): void {
    for (const { passed } of this.downloads) passed.clear();
    this.wanted = wanted;
    this.pump();
  }

  /** Until the piece is here. */
  need(download: Download, piece: number, signal?: AbortSignal): Promise<void> {
    if (piece !== ANY_ANSWER && download.entry?.has(piece)) return Promise.resolve();
    if (this.ended !== undefined) return Promise.reject(this.ended);
    let waiter: Waiter | undefined;
    const came = new Promise<void>((resolve, reject) => {
      waiter = { download, piece, resolve, reject };
      this.waiters.add(waiter);
    });
    this.isDone = false;
    download.finished = false;
    this.pump();
    return abortable(came, signal).finally(() => this.waiters.delete(waiter!));
  }

  /** Until the sizes of all files are known: of those that no repository told, also whether they are what they were. */
  async sizes(signal?: AbortSignal): Promise<void> {
    this.start();
    for (const download of this.downloads) {
      if (download.remote.size !== 0 || download.isHere) continue;
      if (!download.confirmed) await this.need(download, ANY_ANSWER, signal);
      await this.need(download, 0, signal);
    }
  }

  private wake(download: Download, piece: number): void {
    for (const waiter of this.waiters) {
      if (waiter.download !== download || waiter.piece !== piece) continue;
      this.waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** Nothing more is fetched. What came stays. */
  async stop(reason: ModelError = cancelled()): Promise<void> {
    this.end(reason);
    while (this.downloads.some(download => download.transfers > 0) || this.finishing) {
      await this.change();
    }
    for (const download of this.downloads) await download.settle();
  }

  private end(error: ModelError): void {
    if (this.ended !== undefined) return;
    this.ended = error;
    clearTimeout(this.timer);
    for (const download of this.downloads) download.abort.abort();
    for (const waiter of this.waiters) waiter.reject(error);
    this.waiters.clear();
    this.fail(error);
  }

  private pump(): void {
    if (this.ended !== undefined || this.isDone || this.finishing) return;
    clearTimeout(this.timer);
    if (this.resumeAt === Infinity && globalThis.navigator?.onLine !== false) this.resumeAt = 0;
    const wait = this.resumeAt - Date.now();
    if (wait > 0) {
      this.timer = setTimeout(() => this.pump(), Math.min(wait, 60_000));
      return;
    }
    let active = this.downloads.reduce((sum, download) => sum + download.transfers, 0);
    for (; active < this.most; ++active) {
      const job = this.next();
      if (job === undefined) break;
      void this.perform(job.download, job.run);
    }
    if (active === 0) void this.finish();
  }

  private next(): { download: Download; run: Run } | undefined {
    for (const { download, piece } of this.waiters) {
      const run =
        piece === ANY_ANSWER
          ? this.runWithin(download, 0, Infinity)
          : this.runFrom(download, piece, this.options.everything ? Infinity : piece);
      if (run !== undefined) return { download, run };
    }
    if (!this.hasRoom()) return undefined;
    for (const { download, first, last } of this.wanted) {
      const run = this.runWithin(download, first, last);
      if (run !== undefined) return { download, run };
    }
    if (!this.options.everything) return undefined;
    for (const download of this.downloads) {
      const run = this.runWithin(download, 0, Infinity);
      if (run !== undefined) return { download, run };
    }
    return undefined;
  }

  private hasRoom(): boolean {
    if (this.options.window === Infinity) return true;
    const held = this.downloads.reduce(
      (sum, { entry, claimed }) => sum + (entry?.table.bytes ?? 0) + claimed.size * this.options.pieceBytes,
      0,
    );
    return held + this.options.pieceBytes <= this.options.window;
  }

  private runWithin(download: Download, first: number, last: number): Run | undefined {
    const end = Math.min(last, Math.ceil(download.size / this.options.pieceBytes) - 1);
    if (download.entry === undefined) return this.runFrom(download, 0, end);
    for (let piece = first; piece <= end; ++piece) {
      if (download.canClaim(piece) && !download.passed.has(piece)) return this.runFrom(download, piece, last);
    }
    return undefined;
  }

  // One request finds out what the server has before others join it; a server without ranges gets no second one.
  private runFrom(download: Download, piece: number, last: number): Run | undefined {
    const { entry } = download;
    if (download.transfers > 0 && (!download.confirmed || download.wholeOnly)) return undefined;
    if (entry === undefined) return { first: 0, count: 1 };
    if (!download.canClaim(piece)) return undefined;
    const end = Math.min(last, entry.table.count - 1);
    // Small files, too, are shared by all connections.
    const share = Math.ceil(
      (entry.header.size - entry.table.bytes) / this.options.pieceBytes / this.options.connections,
    );
    const room = this.options.window === Infinity ? Infinity : this.options.window / this.options.connections;
    const most = download.confirmed
      ? Math.max(1, Math.min(Math.floor(Math.min(this.options.requestBytes, room) / this.options.pieceBytes), share))
      : 1;
    let count = 1;
    // What broke off in the middle is the beginning of a request.
    const isFree = (next: number) =>
      download.canClaim(next) && !download.partial.has(next) && !download.passed.has(next);
    while (count < most && piece + count <= end && isFree(piece + count)) ++count;
    return { first: piece, count };
  }

  private async perform(download: Download, run: Run): Promise<void> {
    const { claimed } = download;
    const abort = download.abort;
    ++download.transfers;
    const pieces = Array.from({ length: run.count }, (_, index) => run.first + index);
    for (const piece of pieces) claimed.add(piece);
    try {
      await new Transfer(download, run, this.options.pieceBytes, this.transferHooks).perform();
    } catch (error) {
      // What was stopped has nothing to say.
      if (!abort.signal.aborted) await this.judge(download, error);
    } finally {
      if (!abort.signal.aborted) for (const piece of pieces) claimed.delete(piece);
      --download.transfers;
      this.pump();
      this.tellIdle();
    }
  }

  private async judge(download: Download, error: unknown): Promise<void> {
    try {
      if (error instanceof Retry) return this.retry(error);
      if (error instanceof Changed) return await this.restart(download, error.message);
      const problem = ModelError.from(error);
      if (isFull(problem) && this.ended === undefined && (await (this.making ??= this.makeRoom()))) return;
      this.end(problem);
      if (problem.code !== 'invalid_file') return;
      await this.others(download);
      await this.hooks.remove(download);
    } catch (second) {
      this.end(ModelError.from(second));
    }
  }

  private retry({ error, wait, tooMany }: Retry): void {
    if (tooMany) this.most = Math.max(1, Math.floor(this.most / 2));
    const { patience } = this.options;
    if (this.ended !== undefined) return;
    // Connections that break together are one failure.
    if (Date.now() < this.resumeAt) {
      if (wait !== undefined && wait <= patience.mostWait) this.resumeAt = Math.max(this.resumeAt, Date.now() + wait);
      return;
    }
    this.progress = 0;
    const hasSome = this.downloads.some(({ entry }) => (entry?.table.bytes ?? 0) > 0);
    if (globalThis.navigator?.onLine === false && this.downloads.some(({ confirmed }) => confirmed))
      return this.waitForNetwork();
    if (++this.failures > patience.retries) {
      const sentence = `${error.message}; given up after ${this.failures} tries${
        hasSome ? ', and the same call goes on where this ended' : ''
      }`;
      return this.end(
        new ModelError(error.code, sentence, {
          ...(error.status !== undefined && { status: error.status }),
          cause: error,
        }),
      );
    }
    const pause = Math.max(pauseBeforeRetry(patience, this.failures), wait ?? 0);
    if (pause > patience.mostWait) {
      return this.end(
        new ModelError(
          error.code,
          `${error.message}; it asks to wait ${Math.round(pause / 1000)} s`,
          error.status !== undefined ? { status: error.status } : {},
        ),
      );
    }
    this.hooks.say(`${error.message}; trying again in ${(pause / 1000).toFixed(1)} s`);
    this.resumeAt = Date.now() + pause;
  }

  private makeRoom(): Promise<boolean> {
    return this.hooks.makeRoom().finally(() => {
      this.making = undefined;
    });
  }

  // Until no other request for this file writes any more.
  private async others(download: Download): Promise<void> {
    while (download.transfers > 1) await this.change();
  }

  private change(): Promise<void> {
    return new Promise<void>(resolve => this.idle.add(resolve));
  }

  private waitForNetwork(): void {
    this.hooks.say('there is no network; going on when it is back');
    this.resumeAt = Infinity;
    globalThis.addEventListener?.('online', () => this.pump(), { once: true });
  }

  private async restart(download: Download, why: string): Promise<void> {
    const place = printable(download.remote.shown, 400);
    download.discard();
    await this.others(download);
    await this.hooks.remove(download);
    download.entry = undefined;
    if (++this.restarts > MOST_RESTARTS) throw new ModelError('io', `${place}: ${why}, again and again; given up`);
    if (download.wasRead) {
      throw new ModelError('io', `${place}: ${why} while it was loaded; load it again to get the new one`);
    }
    this.hooks.say(`${place}: ${why}; starting over`);
  }

  private async finish(): Promise<void> {
    if (!this.downloads.every(download => download.isHere) || this.waiters.size > 0) return;
    this.finishing = true;
    try {
      for (const download of this.downloads) {
        if (download.finished) continue;
        if (!(await download.finish(this.hooks.checking, () => this.ended !== undefined))) break;
      }
      if (this.downloads.every(download => download.finished)) {
        this.isDone = true;
        this.succeed();
      }
    } catch (error) {
      const problem = ModelError.from(error);
      const wrong = this.downloads.find(download => !download.finished);
      this.end(problem); // first: whoever reads from what is closed now is told why
      if (problem.code === 'invalid_file' && wrong !== undefined) await this.hooks.remove(wrong).catch(() => {});
    } finally {
      this.finishing = false;
      this.tellIdle();
      if (!this.isDone) this.pump();
    }
  }

  private tellIdle(): void {
    for (const resolve of this.idle) resolve();
    this.idle.clear();
  }
}
