// A model that is open, wherever its bytes are.
import { isCount, type OwnBytes } from './bytes.js';
import { ModelError } from './error.js';

export interface Range {
  readonly offset: number;
  readonly count: number;
}

export interface ModelFile {
  /** Path in the repository, or the file's name. */
  readonly name: string;
  /** At most 2^50, so that every offset is an exact number; BigInt(offset) is for the boundary to WebAssembly. */
  readonly size: number;
  /** The server's ETag or date; '' where there is none. */
  readonly etag: string;
  /** '' where it is not known. */
  readonly sha256: string;
  /**
   * Bytes [offset, offset + count), as an array of its own. Bytes that are still to come are fetched first. Rejects
   * with `invalid_argument` past the end, with the download's error where that ended, with `cancelled` after close().
   */
  read(offset: number, count: number, signal?: AbortSignal): Promise<OwnBytes>;
  /** It would not wait for the network. */
  has(offset: number, count: number): boolean;
}

export interface Completed {
  /** Every file agrees with a SHA-256 that was known before. */
  readonly verified: boolean;
  /** Bytes that came over the network by this page. */
  readonly received: number;
  /** Bytes that were here before. */
  readonly resumed: number;
}

export interface OpenedModel {
  /** Of StoredModel; '' for bytes of the user. */
  readonly id: string;
  /** "hf:OWNER/REPO:FILE", the address without its query, or the file's name. */
  readonly name: string;
  readonly type: string;
  /** Why this type; '' where it was named. */
  readonly why: string;
  /** The parts, in their order; each is a GGUF file of its own. */
  readonly files: readonly ModelFile[];
  readonly size: number;
  /** It will be here, without a network too, once complete() has resolved. */
  readonly kept: boolean;
  /**
   * The order in which the loader will read: fetched first, in this order, and then the rest, so that it works offline.
   * Replaces the order that was given before; without any, files come in their order.
   */
  want(ranges: readonly (Range & { readonly file: number })[]): void;
  /** Until everything is here and was checked. Rejects with what went wrong; nothing wrong is kept then. */
  complete(): Promise<Completed>;
  /**
   * The bytes are no model, although all came as the server has them. Where no hash says that they are right, close() forgets
   * what is kept, so that the next load asks the source again.
   */
  distrust(): void;
  /** Stops fetching (what came stays, to go on with), gives locks and files back. */
  close(): Promise<void>;
}

/** A reader asks for bytes of a file of `size` bytes. Nothing of it is taken unchecked. */
export function checkRange(name: string, size: number, offset: number, count: number): void {
  if (isCount(offset) && isCount(count) && offset <= size && count <= size - offset) return;
  throw new ModelError('invalid_argument', `${name} has ${size} bytes; there are none from ${offset} on for ${count}`);
}
