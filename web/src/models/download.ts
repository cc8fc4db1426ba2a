// One file that is being fetched: what its server has shown, which pieces somebody fetches just now, and the hash that
// follows behind.
import { printable } from './bytes.js';
import { Entry } from './entry.js';
import { ModelError } from './error.js';
import { Sha256 } from './sha256.js';

/** What is fetched. */
export interface Remote {
  readonly url: string;
  readonly shown: string; // what messages call it; without a query
  readonly headers: Readonly<Record<string, string>>;
  readonly size: number; // as the repository says; 0: the server will tell
  readonly sha256: string; // as the repository or the caller says; '': none
}

/** Hashed bytes between two times that the state is kept, so that a page which is closed loses little. */
const HASH_KEPT_BYTES = 64 << 20;

export class Download {
  entry: Entry | undefined;
  /** An answer has shown that the server has the file that we think of. */
  confirmed = false;
  /** What that answer told of its bytes; '' where nothing. */
  validator = '';
  /** The server has no ranges. */
  wholeOnly = false;
  /** Bytes of it were given to somebody, who must not get those of another version. */
  wasRead = false;
  /** The size was given to somebody. */
  announced: number | undefined;
  finished = false;
  transfers = 0;
  readonly claimed = new Set<number>();
  /** Pieces that were here, were read, and are not wanted again; for bytes that are not kept. */
  readonly passed = new Set<number>();
  /** What came of pieces that broke off: the next request goes on there. */
  readonly partial = new Map<number, { readonly bytes: Uint8Array; filled: number }>();
  abort = new AbortController();

  private hash = new Sha256();
  private hashedPieces = 0;
  private hashKept = 0;
  private following: Promise<void> | undefined;

  /** `create` makes the entry anew, in place of what is there. */
  constructor(
    readonly remote: Remote,
    private readonly pieceBytes: number,
    private readonly create: (size: number, validator: string) => Promise<Entry>,
  ) {}

  /** Takes up what an earlier page left. */
  resume(entry: Entry): void {
    this.entry = entry;
    const hashed = entry.header.hashed;
    const pieces = hashed === undefined ? 0 : hashed.bytes / this.pieceBytes;
    if (hashed === undefined || !Number.isInteger(pieces)) return;
    for (let piece = 0; piece < pieces; ++piece) if (!entry.has(piece)) return;
    this.hash = Sha256.resume(hashed);
    this.hashKept = hashed.bytes;
    this.hashedPieces = pieces;
  }

  async start(size: number, validator: string): Promise<Entry> {
    if (this.announced !== undefined && this.announced !== size) {
      throw new ModelError(
        'io',
        `${printable(this.remote.shown, 400)}: it changed at its source while it was loaded; load it again`,
      );
    }
    this.forgetHash();
    this.entry = await this.create(size, validator);
    return this.entry;
  }

  /** What is here is of another file, or damaged on its way. */
  discard(): void {
    this.abort.abort();
    this.abort = new AbortController();
    this.claimed.clear();
    this.partial.clear();
    this.confirmed = false;
  }

  get size(): number {
    return this.entry?.header.size ?? this.remote.size;
  }

  get isHere(): boolean {
    return this.entry !== undefined && this.entry.table.bytes === this.entry.header.size;
  }

  canClaim(piece: number): boolean {
    return !this.claimed.has(piece) && !this.entry!.has(piece);
  }

  /** A piece has come. */
  async put(piece: number, bytes: Uint8Array): Promise<void> {
    const entry = this.entry!;
    await entry.write(piece, bytes);
    this.partial.delete(piece);
    if (this.remote.sha256 === '' || entry !== this.entry) return;
    if (this.following === undefined && piece === this.hashedPieces) {
      this.hash.update(bytes);
      ++this.hashedPieces;
    }
    this.follow();
  }

  /** A piece turned out to be damaged where it is kept. */
  damaged(piece: number): void {
    if (piece < this.hashedPieces) this.forgetHash();
  }

  private forgetHash(): void {
    this.hash = new Sha256();
    this.hashedPieces = 0;
    this.hashKept = 0;
  }

  // Hashes what is here behind what was hashed, in the order of the file.
  private follow(): void {
    this.following ??= this.hashForward()
      .catch(() => undefined)
      .finally(() => {
        this.following = undefined;
      });
  }

  private async hashForward(): Promise<void> {
    const entry = this.entry!;
    let bytes = new Uint8Array(this.pieceBytes);
    while (this.entry === entry && entry.has(this.hashedPieces)) {
      const hash = this.hash;
      const piece = this.hashedPieces;
      if (bytes.length !== entry.table.lengthOf(piece)) bytes = new Uint8Array(entry.table.lengthOf(piece));
      if (!(await entry.read(piece, bytes))) return this.forgetHash();
      if (hash !== this.hash) return; // something was found damaged meanwhile
      hash.update(bytes);
      ++this.hashedPieces;
    }
    await this.keepHash(HASH_KEPT_BYTES);
  }

  private async keepHash(interval: number): Promise<void> {
    const state = this.hash.state();
    if (this.remote.sha256 === '' || this.finished || state === undefined || state.bytes < this.hashKept + interval)
      return;
    this.hashKept = state.bytes;
    await this.entry?.update({ hashed: state });
  }

  /**
   * All pieces are here: checks them, and says so in the header. `progress` is told how many bytes are hashed. False
   * where a piece turned out to be lost, and has to come again.
   */
  async finish(progress: (hashed: number) => void, stopped: () => boolean): Promise<boolean> {
    const entry = this.entry!;
    const { sha256 } = this.remote;
    if (sha256 !== '') {
      while (this.hashedPieces < entry.table.count) {
        if (!this.isHere || stopped()) return false;
        const timer = setInterval(() => progress(this.hash.bytes), 100);
        this.follow();
        await this.following;
        clearInterval(timer);
      }
      const found = this.hash.digest();
      if (found !== sha256) {
        throw new ModelError(
          'invalid_file',
          `${printable(this.remote.shown, 400)}: its SHA-256 is ${found} and should be ${
            sha256
          }; it was damaged on the way, or changed at its source, and is removed`,
        );
      }
    }
    await entry.flush();
    // The state is of no more use.
    const { hashed: _, ...header } = entry.header;
    await entry.update({ ...header, complete: true, sha256 });
    await entry.flush();
    this.finished = true;
    return true;
  }

  /** What the hash of bytes that passed by says, where all of them did in their order; nothing else. */
  checkPassed(): boolean {
    if (this.remote.sha256 === '' || this.hashedPieces !== this.entry?.table.count) return false;
    const found = this.hash.digest();
    this.forgetHash();
    if (found === this.remote.sha256) return true;
    throw new ModelError(
      'invalid_file',
      `${printable(this.remote.shown, 400)}: its SHA-256 is ${found} and should be ${
        this.remote.sha256
      }; it was damaged on the way, or changed at its source`,
    );
  }

  /** Before the entry is closed. */
  async settle(): Promise<void> {
    await this.following;
    await this.keepHash(1).catch(() => undefined);
  }
}
