// What goes wrong, with a code to act on and a sentence to show.
import type { ErrorJson } from '../protocol.js';

/**
 * What went wrong:
 *
 * - `invalid_argument`: a request or option that makes no sense, or that this model or way of loading does not serve
 * - `invalid_file`: bytes that are no GGUF, or contradict themselves
 * - `unsupported`: a model, template or schema that wisp does not know, or a browser without WebAssembly SIMD
 * - `not_found`: a repository, file, stored model or metadata key that is not there; also what a server refuses to show
 * - `io`: the network or the disk; the same call goes on where this ended
 * - `out_of_memory`: the device has no more
 * - `limit`: longer than the context, a queue that is full, a model too large for WebAssembly, one that is in use
 * - `quota`: the browser gives no more storage
 * - `device`: the GPU is not there or was lost for good, or a module could not be started
 * - `worker_died`: the engine's worker ended, or one of its threads did; `wisp.restart()` starts it again
 * - `disposed`: `wisp.dispose()` was called
 * - `internal`: a mistake of wisp's own
 *
 * @category Errors
 */
export type WispErrorCode = 'invalid_argument' | 'invalid_file' | 'unsupported' | 'not_found' | 'io' | 'out_of_memory' | 'limit' | 'quota'
  | 'device' | 'worker_died' | 'disposed' | 'internal';

/**
 * Every failure of this package, but that of a call which its caller aborted: that rejects with an `AbortError`, as `fetch` does.
 * Its `message` is a sentence for people: what is wrong, and what to do.
 * @category Errors
 * @hideconstructor
 */
export class WispError extends Error {
  /** What kind of error it is. */
  override readonly name = 'WispError';
  /** To act on. */
  readonly code: WispErrorCode;
  /** The status of HTTP, where a server refused. */
  readonly status?: number;

  constructor(code: WispErrorCode, message: string, status?: number) {
    super(message);
    this.code = code;
    if (status !== undefined) this.status = status;
  }
}

export function errorFrom(json: ErrorJson): Error {
  if (json.code === 'cancelled') return new DOMException(json.message, 'AbortError');
  // The loader waits for data itself: nobody else hears of it.
  return new WispError(json.code === 'need_more_data' ? 'internal' : json.code, json.message, json.status);
}
