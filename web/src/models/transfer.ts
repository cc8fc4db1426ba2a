// One request for a run of pieces, and what its answer means. Nothing that a server sends is taken for what it was not
// asked for.
import { printable } from './bytes.js';
import type { Download } from './download.js';
import { isFull, ModelError } from './error.js';
import {
  canCompare,
  contentLength,
  describeStatus,
  encodingOf,
  isPassingStatus,
  lastingValidatorOf,
  parseContentRange,
  parseRetryAfter,
  validatorOf,
  type Patience,
} from './http.js';
import { onAbort } from './on_abort.js';

/** May go by itself: try again, from where it is. */
export class Retry extends Error {
  constructor(
    readonly error: ModelError,
    readonly wait: number | undefined = undefined,
    readonly tooMany = false,
  ) {
    super(error.message);
  }
}

/** What is here is of another file. */
export class Changed extends Error {}

export interface TransferHooks {
  readonly fetch: typeof fetch;
  readonly patience: Patience;
  readonly received: (bytes: number) => void;
  readonly pieceCame: (download: Download, piece: number) => void;
  /** The server has the file that we think of. */
  readonly confirmed: (download: Download) => void;
  readonly say: (sentence: string) => void;
}

/** Consecutive pieces; of a file whose size is not known yet, its first one. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

export class Transfer {
  private readonly controller = new AbortController();
  private stallTimer: ReturnType<typeof setTimeout> | undefined;
  private stalled = false;

  constructor(
    private readonly download: Download,
    private readonly run: Run,
    private readonly pieceBytes: number,
    private readonly hooks: TransferHooks,
  ) {}

  /** Until the run is here. Rejects with Retry, Changed, or a ModelError that ends everything. */
  async perform(): Promise<void> {
    const { download } = this;
    const forget = onAbort(download.abort.signal, () => this.controller.abort());
    try {
      await this.exchange();
    } catch (error) {
      if (error instanceof Retry || error instanceof Changed || error instanceof ModelError) throw error;
      if (isFull(error)) throw ModelError.from(error);
      throw new Retry(
        this.stalled
          ? this.problem('io', `nothing came for ${(this.hooks.patience.stall / 1000).toFixed(1)} s`)
          : new ModelError(
              'io',
              `cannot fetch ${this.place}: ${printable(String((error as Error)?.message ?? error), 200)}${
                download.confirmed
                  ? ''
                  : '; there may be no network, or the server does not let other sites read it (CORS)'
              }`,
              { cause: error },
            ),
      );
    } finally {
      clearTimeout(this.stallTimer);
      forget();
      this.controller.abort(); // of an answer that was not read to its end
    }
  }

  private get place(): string {
    return printable(this.download.remote.shown, 400);
  }

  private problem(code: ConstructorParameters<typeof ModelError>[0], sentence: string): ModelError {
    return new ModelError(code, `${this.place}: ${sentence}`);
  }

  private alive(): void {
    clearTimeout(this.stallTimer);
    this.stallTimer = setTimeout(() => {
      this.stalled = true;
      this.controller.abort();
    }, this.hooks.patience.stall);
  }

  private async exchange(): Promise<void> {
    const { download, run, pieceBytes } = this;
    const begun = download.partial.get(run.first);
    // It came, and could not be kept: there was no room.
    const isWaiting = begun !== undefined && begun.filled === begun.bytes.length;
    if (isWaiting) await this.completePiece(run.first, begun.bytes, false);
    if (isWaiting && run.count === 1) return;
    const from = run.first * pieceBytes + (begun?.filled ?? 0);
    const known = download.entry?.header;
    const size = known?.size ?? download.remote.size;
    const end = size === 0 ? pieceBytes : Math.min((run.first + run.count) * pieceBytes, size);
    const headers: Record<string, string> = { ...download.remote.headers };
    if (!download.wholeOnly) headers['Range'] = `bytes=${from}-${end - 1}`;
    // The rest of the same bytes, or all of the new ones. Other origins would have to allow that header first, and many
    // do not; what they answer is compared all the same.
    if (known?.validator.startsWith('"') && isOwnOrigin(download.remote.url)) headers['If-Range'] = known.validator;
    const answer = await this.request('GET', headers);
    if (answer.status === 416 && download.entry !== undefined) throw new Changed('the file has become shorter');
    if (answer.status !== 200 && answer.status !== 206) throw this.refusal(answer);
    const encoding = encodingOf(answer.headers);
    if (encoding !== '')
      throw this.problem('unsupported', `the server sends it compressed (${encoding}), though it was asked not to`);
    if (answer.status === 206) await this.takeRange(answer, from, end);
    else await this.takeWhole(answer);
  }

  private async request(method: string, headers: Record<string, string>): Promise<Response> {
    this.alive();
    const answer = await this.hooks.fetch(this.download.remote.url, {
      method,
      headers,
      signal: this.controller.signal,
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
    });
    this.alive();
    if (this.download.remote.url.startsWith('https:') && answer.url.startsWith('http:')) {
      throw this.problem(
        'unsupported',
        'the server redirects from https to http, where anybody could change the bytes',
      );
    }
    return answer;
  }

  private refusal(answer: Response): Error {
    const error = describeStatus(answer.status, this.place, 'Authorization' in this.download.remote.headers);
    if (!isPassingStatus(answer.status)) return error;
    return new Retry(error, parseRetryAfter(answer.headers.get('retry-after') ?? ''), answer.status === 429);
  }

  private async takeRange(answer: Response, from: number, end: number): Promise<void> {
    const text = answer.headers.get('content-range');
    const range = parseContentRange(text ?? '');
    if (text !== null && (range === undefined || range.first !== from || range.last >= end)) {
      throw new Retry(
        this.problem('io', `the server was asked for bytes ${from}-${end - 1} and answers with '${printable(text)}'`),
      );
    }
    const size = range?.total ?? (await this.hiddenSize(answer, end - from));
    const isSame = await this.checkIdentity(answer, size);
    if (!isSame) return;
    await this.takeBytes(answer, from, range === undefined ? Math.min(end, size) : range.last + 1, false);
  }

  // A server of another origin may hide Content-Range from us, but not Content-Length.
  private async hiddenSize(answer: Response, asked: number): Promise<number> {
    const size = this.download.size;
    if (size !== 0) {
      if (contentLength(answer.headers) === asked) return size;
      throw new Retry(this.problem('io', `the server was asked for ${asked} bytes and does not say which it sends`));
    }
    const length = (await this.sizeByHead()) ?? (await this.sizeByRange());
    if (length === undefined || length === 0) throw this.noSize(answer);
    return length;
  }

  private noSize(answer: Response): ModelError {
    return answer.headers.get('content-type')?.startsWith('text/html')
      ? this.problem('invalid_file', 'the server answers with a web page, not with a model; look at the address')
      : this.problem('unsupported', "the server does not tell the file's size; it has to send Content-Length");
  }

  private async sizeByHead(): Promise<number | undefined> {
    try {
      const head = await this.request('HEAD', { ...this.download.remote.headers });
      return head.ok ? contentLength(head.headers) : undefined;
    } catch (error) {
      // A refusal that lets no other site read it rejects; what was stopped goes no further.
      if (this.controller.signal.aborted || error instanceof ModelError) throw error;
      return undefined;
    }
  }

  // Servers that give GET alone, as of signed addresses: of the range that is everything the length is the file's.
  private async sizeByRange(): Promise<number | undefined> {
    const answer = await this.request('GET', { ...this.download.remote.headers, Range: 'bytes=0-' });
    void answer.body?.cancel().catch(() => {});
    if (answer.ok) return contentLength(answer.headers);
    if (isPassingStatus(answer.status)) throw this.refusal(answer);
    return undefined;
  }

  private async takeWhole(answer: Response): Promise<void> {
    const { download } = this;
    const length = contentLength(answer.headers);
    if (length === 0) throw this.problem('invalid_file', 'the file is empty');
    const size = length ?? download.remote.size;
    if (size === 0) throw this.noSize(answer);
    // First of all: a file that has changed comes whole, too, from a server with ranges.
    if (!(await this.checkIdentity(answer, size))) return;
    if (!download.wholeOnly) {
      this.hooks.say(`${this.place}: the server has no ranges: one stream, which starts over after a break`);
    }
    download.wholeOnly = true;
    await this.takeBytes(answer, 0, size, true);
  }

  /** Whether it is the file that we have the beginning of, or the first that we hear of it. */
  private async checkIdentity(answer: Response, size: number): Promise<boolean> {
    const { download } = this;
    const { remote } = download;
    if (remote.size !== 0 && size !== remote.size) {
      throw this.problem('invalid_file', `the repository says ${remote.size} bytes and the server ${size}`);
    }
    const validator = validatorOf(answer.headers);
    const lasting = lastingValidatorOf(answer.headers);
    const known = download.entry?.header;
    if (known === undefined) {
      await download.start(size, lasting);
    } else {
      // Servers of one address may send an ETag and only a date in turn. What another page began needs one that agrees.
      const before = download.confirmed ? download.validator : known.validator;
      const tells = download.confirmed ? canCompare(validator, before) : validator !== '' && before !== '';
      if (size !== known.size || (tells && validator !== before)) {
        throw new Changed('the file has changed at its source');
      }
      const isFirst = !download.confirmed && known.validator === '' && lasting !== '';
      if (isFirst) await download.entry!.update({ validator: lasting });
    }
    // Beside a weak ETag the date may be that of each answer.
    if (!download.confirmed) download.validator = answer.headers.has('etag') ? lasting : validator;
    if (this.controller.signal.aborted) return false;
    if (!download.confirmed) {
      download.confirmed = true;
      this.hooks.confirmed(download);
    }
    return true;
  }

  private async takeBytes(answer: Response, from: number, end: number, isWhole: boolean): Promise<void> {
    const reader = answer.body?.getReader();
    if (reader === undefined) throw new Retry(this.problem('io', 'the answer has no body'));
    let next = from;
    // Of a whole stream what is here already is compared, and not written again.
    let buffer: { readonly bytes: Uint8Array; filled: number } | undefined;
    while (next < end) {
      const { done, value } = await reader.read();
      if (done) break;
      this.alive();
      this.hooks.received(value.length);
      // A server that sends more than it was asked for: what is right of it is taken.
      let bytes = value.subarray(0, Math.min(value.length, end - next));
      if (next === 0 && bytes.length > 0) this.checkStart(bytes);
      while (bytes.length > 0) {
        const piece = Math.floor(next / this.pieceBytes);
        buffer ??= this.bufferOf(piece, next - piece * this.pieceBytes, isWhole);
        const count = Math.min(bytes.length, buffer.bytes.length - buffer.filled);
        buffer.bytes.set(bytes.subarray(0, count), buffer.filled);
        buffer.filled += count;
        next += count;
        bytes = bytes.subarray(count);
        if (buffer.filled < buffer.bytes.length) break;
        await this.completePiece(piece, buffer.bytes, isWhole);
        buffer = undefined;
      }
    }
    if (next < end) throw new Retry(this.problem('io', 'the server sent less than it promised'));
  }

  private bufferOf(piece: number, filled: number, isWhole: boolean): { readonly bytes: Uint8Array; filled: number } {
    const { partial, entry } = this.download;
    const begun = isWhole ? undefined : partial.get(piece);
    if (begun?.filled === filled) return begun;
    const buffer = { bytes: new Uint8Array(entry!.table.lengthOf(piece)), filled: 0 };
    if (!isWhole) partial.set(piece, buffer);
    return buffer;
  }

  private async completePiece(piece: number, bytes: Uint8Array, isWhole: boolean): Promise<void> {
    const { download } = this;
    if (this.controller.signal.aborted) throw new ModelError('cancelled', 'stopped');
    if (isWhole && download.entry!.has(piece)) {
      if (!download.entry!.matches(piece, bytes)) throw new Changed('the file has changed at its source');
      return;
    }
    try {
      await download.put(piece, bytes);
    } catch (error) {
      throw isFull(error)
        ? error
        : new ModelError('device', `${this.place} cannot be kept: ${ModelError.from(error).message}`, { cause: error });
    }
    this.hooks.pieceCame(download, piece);
  }

  // A web page that says "not found" with status 200 is the most common of all wrong files: its first bytes show it.
  private checkStart(bytes: Uint8Array): void {
    const text = String.fromCharCode(...bytes.subarray(0, 4));
    if ('GGUF'.startsWith(text)) return;
    throw this.problem(
      'invalid_file',
      `this is not a GGUF file: it starts with '${printable(text)}'${
        text.startsWith('<') ? ', so it is a web page' : ''
      }`,
    );
  }
}

const isOwnOrigin = (url: string): boolean => {
  const own = (globalThis as { location?: { origin?: string } }).location?.origin;
  return own === undefined || new URL(url).origin === own;
};
