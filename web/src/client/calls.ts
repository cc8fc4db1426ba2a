// What calls of all kinds share: their options, what they find around them, and the marks of an answer.
import type { WorkerLine } from './line.js';

/**
 * What a call may be given beside its request.
 * @category Chat
 */
export interface CallOptions {
  /** Ends the answer; the call, or the loop over its stream, then rejects with the signal's reason: an `AbortError`, if it has no other. Default none. */
  signal?: AbortSignal | undefined;
}

export interface Surroundings {
  readonly line: WorkerLine;
  /** The loaded model's name. */
  readonly modelName: string;
}

/** As OpenAI's: a kind, and what no other has. Not randomUUID(), which pages without HTTPS lack. */
export function newId(kind: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${kind}-${[...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Seconds since 1970. */
export const now = (): number => Math.floor(Date.now() / 1000);
