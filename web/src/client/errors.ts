// What goes wrong, with a code to act on and a sentence to show.
import type { ErrorJson } from '../protocol.js';

/**
 * The engine's codes; `quota`: the browser gives no more storage; `worker_died`: the engine's worker ended, and
 * `wisp.restart()` starts it again; `disposed`: it was ended by `wisp.dispose()`.
 */
export type WispErrorCode = ErrorJson['code'];

/** Every failure of this package, but a cancelled call, which rejects with an `AbortError` as fetch does. */
export class WispError extends Error {
  override readonly name = 'WispError';
  constructor(readonly code: WispErrorCode, message: string, /** Of HTTP, where a server refused. */ readonly status?: number) {
    super(message);
  }
}

export function errorFrom(json: ErrorJson): Error {
  if (json.code === 'cancelled') return new DOMException(json.message, 'AbortError');
  return new WispError(json.code, json.message, json.status);
}
