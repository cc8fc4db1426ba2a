// A model that lies in a store, or comes into it while it is read.
import type { Download } from './download.js';
import type { Entry } from './entry.js';
import { cancelled, ModelError, throwIfAborted } from './error.js';
import type { Fetcher, Wanted } from './fetcher.js';
import { checkRange, type Completed, type ModelFile, type OpenedModel, type Range } from './opened.js';
import type { ProgressMeter } from './progress.js';

/** Where the bytes are, and who brings those that are missing: nobody, where everything is here. */
export interface Access {
  readonly entries: readonly Entry[]; // in place of those of downloads, where there are none
  readonly downloads: readonly Download[];
  readonly fetcher: Fetcher | undefined;
  /** Bytes that were here before. */
  readonly resumed: number;
  /** Gives the files and the lock back. */
  release(): Promise<void>;
}

export interface KeptModelOptions {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly why: string;
  readonly names: readonly string[]; // of the files
  readonly kept: boolean;
  readonly forgets: boolean; // what was read
  readonly verified: boolean; // by a hash, where everything is here
  readonly progress: ProgressMeter;
  readonly say: (sentence: string) => void;
  /** Everything came: access as a reader, whom others may join. */
  readonly share: () => Promise<Access>;
  /** Deletes what is kept. */
  readonly drop: () => Promise<void>;
  /** Something that was here turned out to be damaged: access as the one who fetches it again. */
  readonly heal: () => Promise<Access>;
}

const MOST_REPAIRS = 3;

export class KeptModel implements OpenedModel {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly why: string;
  readonly kept: boolean;
  readonly size: number;
  readonly files: readonly KeptFile[];

  private ended: ModelError | undefined;
  private ending: Promise<void> | undefined;
  private readers = 0;
  private readonly idle = new Set<() => void>();
  private switching: Promise<void> | undefined;
  private completed: Promise<Completed> | undefined;
  private readonly resumed: number;
  private readonly readPieces: Set<number>[];
  private readBytes = 0;
  private received = 0; // by fetchers before this one
  private verified: boolean;
  private toldUnverified = false;
  private distrusted = false;

  constructor(
    private access: Access,
    private readonly options: KeptModelOptions,
  ) {
    ({
      id: this.id,
      name: this.name,
      type: this.type,
      why: this.why,
      kept: this.kept,
      verified: this.verified,
    } = options);
    this.files = options.names.map((name, file) => new KeptFile(this, file, name, this.entry(file).header));
    this.size = this.files.reduce((sum, { size }) => sum + size, 0);
    this.resumed = access.resumed;
    this.readPieces = this.files.map(() => new Set());
    if (access.fetcher !== undefined && this.kept) void this.complete().catch(() => {});
  }

  entry(file: number): Entry {
    const entry = this.access.downloads[file]?.entry ?? this.access.entries[file];
    if (entry === undefined) throw this.access.fetcher?.error ?? new ModelError('io', `${this.name} is starting over`);
    return entry;
  }

  want(ranges: readonly (Range & { readonly file: number })[]): void {
    const { fetcher, downloads } = this.access;
    const wanted: Wanted[] = ranges.map(({ file, offset, count }) => {
      const one = this.files[file];
      if (one === undefined)
        throw new ModelError('invalid_argument', `${this.name} has ${this.files.length} files, none of number ${file}`);
      checkRange(one.name, one.size, offset, count);
      const { pieceBytes } = one;
      return {
        download: downloads[file]!,
        first: Math.floor(offset / pieceBytes),
        last: Math.ceil((offset + count) / pieceBytes) - 1,
      };
    });
    fetcher?.want(wanted);
  }

  complete(): Promise<Completed> {
    if (!this.kept) return this.passed();
    return (this.completed ??= this.finish());
  }

  distrust(): void {
    this.distrusted = this.kept && !this.verified;
  }

  async close(): Promise<void> {
    await this.end(cancelled());
  }

  /** Bytes [from, to) of a piece, into `into`. */
  async fill(
    file: number,
    piece: number,
    from: number,
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (let repairs = 0; ; ) {
      throwIfAborted(signal);
      await this.switching;
      if (this.ended !== undefined) throw this.ended;
      const { access } = this;
      try {
        await this.await(file, piece, signal);
      } catch (error) {
        // Who would have brought the piece was replaced meanwhile: the next one is asked.
        if (access === this.access && this.switching === undefined) throw error;
        continue;
      }
      if (this.switching !== undefined) continue;
      try {
        if (await this.readNow(file, piece, from, into)) break;
      } catch (error) {
        throw access.fetcher?.error ?? error;
      }
      if (++repairs > MOST_REPAIRS)
        throw new ModelError('device', `what is kept of ${this.name} is damaged again and again`);
    }
    this.count(file, piece);
  }

  /** For progress of a reader who has everything. */
  private count(file: number, piece: number): void {
    const pieces = this.readPieces[file]!;
    const { table } = this.entry(file);
    if (!pieces.has(piece)) this.readBytes += table.lengthOf(piece);
    pieces.add(piece);
    if (this.access.fetcher === undefined)
      this.options.progress.tell('reading', this.readBytes, this.size, this.readBytes);
  }

  tellFetching(): void {
    if (!this.kept)
      return this.options.progress.tell('fetching', Math.min(this.access.fetcher?.received ?? 0, this.size), this.size);
    this.options.progress.tell('fetching', this.here(), this.size, this.resumed);
  }

  private here(): number {
    let sum = 0;
    for (let file = 0; file < this.files.length; ++file) {
      sum += (this.access.downloads[file]?.entry ?? this.access.entries[file])?.table.bytes ?? 0;
    }
    return sum;
  }

  private async await(file: number, piece: number, signal: AbortSignal | undefined): Promise<void> {
    const download = this.access.downloads[file];
    if (download !== undefined) download.wasRead = true;
    const { fetcher } = this.access;
    if (download !== undefined && fetcher !== undefined) {
      await fetcher.need(download, piece, signal);
    } else if (!this.entry(file).has(piece)) {
      await this.exchange(this.options.heal);
      await this.await(file, piece, signal);
    }
  }

  private async readNow(file: number, piece: number, from: number, into: Uint8Array): Promise<boolean> {
    const entry = this.entry(file);
    const length = entry.table.lengthOf(piece);
    ++this.readers;
    try {
      if (into.length === length && into.byteOffset % 4 === 0) {
        if (!(await entry.read(piece, into))) return this.lost(file, piece);
      } else {
        const bytes = await this.files[file]!.whole(entry, piece, length);
        if (bytes === undefined) return this.lost(file, piece);
        into.set(bytes.subarray(from, from + into.length));
      }
      if (this.options.forgets && from + into.length === length) await this.forget(file, piece);
      return true;
    } finally {
      --this.readers;
      if (this.readers === 0) {
        for (const wake of this.idle) wake();
        this.idle.clear();
      }
    }
  }

  private lost(file: number, piece: number): false {
    this.access.downloads[file]?.damaged(piece);
    return false;
  }

  // What passes by makes room for what comes next.
  private async forget(file: number, piece: number): Promise<void> {
    this.access.downloads[file]?.passed.add(piece);
    await this.entry(file).drop(piece);
    this.access.fetcher?.start();
  }

  private async finish(): Promise<Completed> {
    const { fetcher, downloads } = this.access;
    if (fetcher !== undefined) {
      try {
        await fetcher.done;
      } catch (error) {
        if (this.ended === undefined) await this.end(ModelError.from(error));
        throw this.ended;
      }
      this.tellFetching();
      this.verified = downloads.every(({ remote }) => remote.sha256 !== '');
      await this.exchange(this.options.share);
    }
    return { verified: this.verified, received: this.received, resumed: this.resumed };
  }

  private async passed(): Promise<Completed> {
    if (this.ended !== undefined) throw this.ended;
    let verified = true;
    for (const download of this.access.downloads) verified = download.checkPassed() && verified;
    const isHashKnown = this.access.downloads.some(({ remote }) => remote.sha256 !== '');
    if (!verified && isHashKnown && !this.toldUnverified) {
      this.toldUnverified = true;
      this.options.say(
        `the SHA-256 of ${this.name} was not checked: it is not kept, and its bytes were not all read in their order`,
      );
    }
    return { verified, received: this.received + (this.access.fetcher?.received ?? 0), resumed: 0 };
  }

  // Other files for the same bytes, while nobody reads.
  private exchange(other: () => Promise<Access>): Promise<void> {
    return (this.switching ??= this.exchangeNow(other).finally(() => {
      this.switching = undefined;
    }));
  }

  private async exchangeNow(other: () => Promise<Access>): Promise<void> {
    while (this.readers > 0) await new Promise<void>(resolve => this.idle.add(resolve));
    if (this.ended !== undefined) throw this.ended;
    this.received += this.access.fetcher?.received ?? 0;
    await this.access.fetcher?.stop();
    await this.access.release();
    try {
      this.access = await other();
    } catch (error) {
      this.ended = ModelError.from(error);
      this.access = { entries: [], downloads: [], fetcher: undefined, resumed: 0, release: async () => {} };
      throw this.ended;
    }
    if (this.access.fetcher !== undefined) {
      this.completed = undefined;
      void this.complete().catch(() => {});
    }
  }

  // Whoever closes it relies on the lock being free then, also where an error is ending it just now.
  private end(reason: ModelError): Promise<void> {
    this.ended ??= reason;
    return (this.ending ??= this.endNow());
  }

  private async endNow(): Promise<void> {
    await this.access.fetcher?.stop(this.ended);
    await this.switching?.catch(() => {});
    while (this.readers > 0) await new Promise<void>(resolve => this.idle.add(resolve));
    await this.access.release();
    if (this.distrusted) await this.options.drop().catch(() => {}); // another tab may have it open
  }
}

class KeptFile implements ModelFile {
  readonly size: number;
  readonly sha256: string;
  readonly pieceBytes: number;
  // The piece that was read last in part: a header is read in small portions.
  private last:
    | { readonly entry: Entry; readonly piece: number; readonly bytes: Promise<Uint8Array | undefined> }
    | undefined;

  constructor(
    private readonly model: KeptModel,
    private readonly file: number,
    readonly name: string,
    header: { size: number; sha256: string; pieceBytes: number },
  ) {
    ({ size: this.size, sha256: this.sha256, pieceBytes: this.pieceBytes } = header);
  }

  get etag(): string {
    return this.model.entry(this.file).header.validator;
  }

  has(offset: number, count: number): boolean {
    checkRange(this.name, this.size, offset, count);
    const entry = this.model.entry(this.file);
    for (let piece = Math.floor(offset / this.pieceBytes); piece * this.pieceBytes < offset + count; ++piece) {
      if (!entry.has(piece)) return false;
    }
    return true;
  }

  async read(offset: number, count: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this.name, this.size, offset, count);
    const result = new Uint8Array(count);
    const end = offset + count;
    const parts: Promise<void>[] = [];
    for (let from = offset; from < end; ) {
      const piece = Math.floor(from / this.pieceBytes);
      const to = Math.min(end, (piece + 1) * this.pieceBytes);
      parts.push(
        this.model.fill(
          this.file,
          piece,
          from - piece * this.pieceBytes,
          result.subarray(from - offset, to - offset),
          signal,
        ),
      );
      from = to;
    }
    await Promise.all(parts);
    return result;
  }

  /** All of a piece, where a part of it was asked for. */
  async whole(entry: Entry, piece: number, length: number): Promise<Uint8Array | undefined> {
    if (this.last?.entry !== entry || this.last.piece !== piece || !entry.has(piece)) {
      const bytes = new Uint8Array(length);
      this.last = { entry, piece, bytes: entry.read(piece, bytes).then(isRight => (isRight ? bytes : undefined)) };
    }
    return this.last.bytes;
  }
}
