// What went wrong in this worker, as an error with a code.
import { ModelError } from '../models/index.js';

/** Wrong in every way to run a model: the file, the request, the network. */
const FINAL: ReadonlySet<string> = new Set(['invalid_file', 'invalid_argument', 'unsupported', 'not_found', 'io', 'cancelled', 'quota']);
export const isFinal = ({ code }: ModelError): boolean => FINAL.has(code);

export function errorOf(error: unknown): ModelError {
  if (error instanceof WebAssembly.RuntimeError) return new ModelError('internal', `the engine ended unexpectedly: ${error.message}`);
  // Of the language: a mistake in this code or in a value that it was given, not in what was fetched.
  const isMistake = error instanceof TypeError || error instanceof SyntaxError || error instanceof ReferenceError;
  return isMistake ? new ModelError('internal', error.message) : ModelError.from(error);
}
