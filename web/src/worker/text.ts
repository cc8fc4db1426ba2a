// Texts as tokens of a loaded model, and back.
import type { SessionParts } from './session.js';

/** Of wisp_model_tokenize(). */
export const [ADD_SPECIAL, PARSE_SPECIAL] = [1, 2];
/** Of wisp_model_detokenize(). */
export const HIDE_SPECIAL = 4;

type Vocabulary = Pick<SessionParts, 'module' | 'native' | 'model'>;

export function tokenize({ native, model }: Vocabulary, text: string, flags: number): number[] {
  return idsOf(native.withText(text, (at, length) => native.bytes('wisp_model_tokenize', model, at, length, flags)));
}

/** The exact bytes, which may begin or end within a character. */
export function detokenize({ module, native, model }: Vocabulary, ids: number[], flags = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Int32Array.from(ids).buffer);
  return module.with(bytes, (at, length) => native.bytes('wisp_model_detokenize', model, at, length / 4, flags));
}

/** The text of bytes; a mark of byte order is a character like any other, which decoders drop unless they are told. */
export const textOf = (bytes: Uint8Array<ArrayBuffer>): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

const idsOf = (bytes: Uint8Array<ArrayBuffer>): number[] => [...new Int32Array(bytes.buffer)];
