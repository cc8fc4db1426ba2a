// The C interface (engine/api/wisp.h) as calls that throw: statuses become errors, buffers become values.
import type { WispModule } from '../module/module.js';
import { ModelError, type ErrorCode } from '../models/index.js';
import { textOf } from './text.js';

/** wisp_status, in its order. */
const STATUSES = ['ok', 'invalid_argument', 'invalid_file', 'unsupported', 'not_found', 'io', 'out_of_memory',
  'need_more_data', 'limit', 'cancelled', 'device', 'internal'] as const;

export class Native {
  readonly #error: number;
  readonly #buffer: number;
  readonly #scratch: number;

  constructor(readonly module: WispModule) {
    this.#error = module.call('wisp_error_create');
    this.#buffer = module.call('wisp_buffer_create');
    this.#scratch = module.call('wisp_alloc', 32);
  }

  close(): void {
    this.module.call('wisp_error_destroy', this.#error);
    this.module.call('wisp_buffer_destroy', this.#buffer);
    this.module.call('wisp_free', this.#scratch);
  }

  /** A function that returns a status; its error is added. */
  do(name: string, ...args: (number | bigint)[]): void {
    if (this.module.call(name, ...args, this.#error) !== 0) throw this.failure();
  }

  /** The same where bytes may be missing: false then. */
  try(name: string, ...args: (number | bigint)[]): boolean {
    const status = this.module.call(name, ...args, this.#error);
    if (STATUSES[status] === 'need_more_data') return false;
    if (status !== 0) throw this.failure();
    return true;
  }

  /** A function that returns what it made. */
  make(name: string, ...args: (number | bigint)[]): number {
    const made = this.module.call(name, ...args, this.#error);
    if (made === 0) throw this.failure();
    return made;
  }

  /** The same; 0 where bytes are missing. */
  tryMake(name: string, ...args: (number | bigint)[]): number {
    const made = this.module.call(name, ...args, this.#error);
    if (made === 0 && STATUSES[this.module.call('wisp_error_status', this.#error)] !== 'need_more_data') throw this.failure();
    return made;
  }

  /** The number of a request. */
  number(name: string, ...args: (number | bigint)[]): number {
    const called = this.module.exports[name];
    const made = Number(called?.(...args, this.#error) ?? 0);
    if (made === 0) throw this.failure();
    return made;
  }

  failure(): ModelError {
    const { module } = this;
    const status = module.call('wisp_error_status', this.#error);
    return this.errorOf(status, module.textAt(module.call('wisp_error_message', this.#error)));
  }

  errorOf(status: number, message: string): ModelError {
    const name = STATUSES[status] ?? 'internal';
    const code: ErrorCode = name === 'ok' || name === 'need_more_data' ? 'internal' : name;
    return new ModelError(code, message);
  }

  /** Calls `name(...args, buffer, error)` and gives the buffer's bytes. */
  bytes(name: string, ...args: (number | bigint)[]): Uint8Array<ArrayBuffer> {
    this.do(name, ...args, this.#buffer);
    return this.#content();
  }
  text(name: string, ...args: (number | bigint)[]): string {
    return textOf(this.bytes(name, ...args));
  }
  /** The same where a second buffer of the caller follows. */
  text2(name: string, handle: number, second: number): string {
    this.do(name, handle, this.#buffer, second);
    return new TextDecoder().decode(this.#content());
  }
  contentOf(buffer: number): string {
    const { module } = this;
    return new TextDecoder().decode(module.bytesAt(module.call('wisp_buffer_data', buffer), module.call('wisp_buffer_size', buffer)));
  }
  json<T>(name: string, ...args: (number | bigint)[]): T {
    return JSON.parse(this.text(name, ...args)) as T;
  }

  /** The same; nothing where bytes are missing. */
  tryJson<T>(name: string, ...args: (number | bigint)[]): T | undefined {
    if (!this.try(name, ...args, this.#buffer)) return undefined;
    return JSON.parse(new TextDecoder().decode(this.#content())) as T;
  }

  /** Calls use(pointer, length) with the text's bytes in the module's memory. */
  withText<T>(text: string, use: (at: number, length: number) => T): T {
    return this.module.with(new TextEncoder().encode(text), use);
  }

  /** Settings of a handle, by one of the functions that take JSON. */
  set(handle: number, name: string, settings: Record<string, unknown>): void {
    this.withText(JSON.stringify(settings), (at, length) => this.do(name, handle, at, length));
  }

  /** Calls `name(...args, scratch, error)` and reads a number of 32 bits from there. */
  out32(name: string, ...args: (number | bigint)[]): number {
    this.do(name, ...args, this.#scratch);
    return new DataView(this.module.memory.buffer).getUint32(this.#scratch, true);
  }

  /** Calls `name(...args, scratch, scratch + 8, error)` and reads two of 64 bits. */
  outPair(name: string, ...args: (number | bigint)[]): [number, number] {
    this.do(name, ...args, this.#scratch, this.#scratch + 8);
    const view = new DataView(this.module.memory.buffer);
    return [Number(view.getBigUint64(this.#scratch, true)), Number(view.getBigUint64(this.#scratch + 8, true))];
  }

  #content(): Uint8Array<ArrayBuffer> {
    const { module } = this;
    return module.bytesAt(module.call('wisp_buffer_data', this.#buffer), module.call('wisp_buffer_size', this.#buffer));
  }
}
