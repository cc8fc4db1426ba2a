// What can go wrong with a model's bytes, as codes that a program can ask for and sentences that say what to do.

/**
 * The engine's codes (engine/base/result.h), and `quota`: the browser gives no more storage. `not_found` is what a
 * server refuses, `io` what it does not deliver, `invalid_file` what cannot be the model that was asked for.
 */
export type ErrorCode =
  | 'invalid_argument'
  | 'invalid_file'
  | 'unsupported'
  | 'not_found'
  | 'io'
  | 'out_of_memory'
  | 'need_more_data'
  | 'limit'
  | 'cancelled'
  | 'device'
  | 'internal'
  | 'quota';

const CODES: ReadonlySet<unknown> = new Set<ErrorCode>([
  'invalid_argument',
  'invalid_file',
  'unsupported',
  'not_found',
  'io',
  'out_of_memory',
  'need_more_data',
  'limit',
  'cancelled',
  'device',
  'internal',
  'quota',
]);

interface PlainError {
  name: 'ModelError';
  code: ErrorCode;
  message: string;
  status?: number;
}

export class ModelError extends Error {
  readonly code: ErrorCode;
  /** Of HTTP, where a server refused. */
  readonly status?: number;

  constructor(code: ErrorCode, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'ModelError';
    this.code = code;
    if (options.status !== undefined) this.status = options.status;
  }

  /** To send across a worker's boundary, where the class and its fields would be lost. */
  toJSON(): PlainError {
    return {
      name: 'ModelError',
      code: this.code,
      message: this.message,
      ...(this.status !== undefined && { status: this.status }),
    };
  }

  /** Of what toJSON() gave, or of any other error: total, so that every `catch` ends in one kind of error. */
  static from(error: unknown): ModelError {
    if (error instanceof ModelError) return error;
    const { name, message, code, status } =
      typeof error === 'object' && error !== null
        ? (error as Partial<Record<'name' | 'message' | 'code' | 'status', unknown>>)
        : ({ message: error } as Record<string, unknown>);
    const text = typeof message === 'string' ? message : String(message);
    if (name === 'ModelError' && CODES.has(code)) {
      return new ModelError(code as ErrorCode, text, typeof status === 'number' ? { status } : {});
    }
    if (isFull(error))
      return new ModelError('quota', `there is no room to keep more of the model: ${text}`, { cause: error });
    if (name === 'AbortError') return new ModelError('cancelled', 'stopped', { cause: error });
    if (name === 'RangeError' && /alloc/i.test(text)) return new ModelError('out_of_memory', text, { cause: error });
    return new ModelError('io', text, { cause: error });
  }
}

/** The browser's quota, or a disk. */
export function isFull(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { name, code } = error as { name?: unknown; code?: unknown };
  // Firefox has its own name for it, in OPFS.
  return (
    name === 'QuotaExceededError' ||
    name === 'NS_ERROR_FILE_NO_DEVICE_SPACE' ||
    code === 'ENOSPC' ||
    code === 'EDQUOT' ||
    code === 'quota'
  );
}

export const cancelled = (): ModelError =>
  new ModelError('cancelled', 'stopped; the same call goes on where this ended');

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled();
}
