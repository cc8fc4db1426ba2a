// One WebAssembly module with its memory and threads: the engine's functions (engine/api/wisp.h) as `exports`.
import type { GpuHost } from '../../gpu/host.mjs';
import { instantiate, instantiateThread, THREAD_STACK_BYTES } from '../../wasm/instance.mjs';
import { ModelError } from '../models/error.js';
import type { Platform, Thread } from '../platform/platform.js';
import type { ThreadWord } from '../platform/threads.js';
import type { Variant } from './variant.js';

/** Functions of wisp.h and wasm_exports.cpp. Pointers and sizes are numbers, 64-bit integers are bigints. */
export type Exports = Record<string, (...args: (number | bigint)[]) => number & bigint> & {
  readonly __stack_pointer: WebAssembly.Global;
  readonly __tls_size: WebAssembly.Global;
  readonly __tls_align: WebAssembly.Global;
};

/** What a worker needs to become a thread of a module. */
export interface ThreadStart extends ThreadPlace {
  module: WebAssembly.Module;
}
/** In the module's memory. */
export interface ThreadPlace {
  memory: WebAssembly.Memory;
  stackTop: number;
  tls: number;
  pool: number;
  worker: number;
}

export class WispModule {
  readonly exports: Exports;
  readonly memory: WebAssembly.Memory;
  readonly gpu: GpuHost;
  /** The handle of the thread pool. */
  readonly pool: number;
  readonly #threads: Thread[] = [];

  private constructor(exports: WebAssembly.Exports, memory: WebAssembly.Memory, gpu: GpuHost, /** That the memory may grow to. */ readonly mostBytes: number,
                      readonly threads: number) {
    this.exports = exports as unknown as Exports;
    this.memory = memory;
    this.gpu = gpu;
    this.pool = this.call('wisp_pool_create', threads);
    if (this.pool === 0) throw new Error(`${threads} threads were refused`);
  }

  /** The first instance, which initialises the memory, and its other threads. One thread for `single`. */
  static async open(platform: Platform, variant: Variant, threads: number): Promise<WispModule> {
    const shared = variant !== 'single';
    const compiled = await platform.loadModule(variant);
    const { exports, memory, gpu, mostBytes } = await instantiate(compiled, shared);
    const made = new WispModule(exports, memory, gpu, mostBytes, shared ? threads : 1);
    try {
      await made.#startThreads(platform, compiled);
    } catch (error) {
      made.end(); // close() would wait for threads that never came
      throw error;
    }
    return made;
  }

  /** Calls a function that gives a pointer, a size or a number of 32 bits; unsigned. */
  call(name: string, ...args: (number | bigint)[]): number {
    const called = this.exports[name];
    if (called === undefined) throw new Error(`the module has no function ${name}: module and script are of two versions`);
    return Number(called(...args)) >>> 0;
  }

  /** Copies bytes into the module's memory and calls use(pointer, length) with them. */
  with<T>(bytes: Uint8Array, use: (at: number, length: number) => T): T {
    const at = this.call('wisp_alloc', bytes.length);
    if (at === 0) throw new ModelError('out_of_memory', `the module has no ${bytes.length} bytes left`);
    new Uint8Array(this.memory.buffer, at, bytes.length).set(bytes);
    try {
      return use(at, bytes.length);
    } finally {
      this.exports.wisp_free?.(at);
    }
  }

  /** A copy of bytes in the module's memory. */
  bytesAt(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer, pointer, length).slice();
  }

  /** The text before the first NUL. */
  textAt(pointer: number): string {
    const bytes = new Uint8Array(this.memory.buffer, pointer);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  }

  /** After everything that uses it: ends the threads' loops, then their workers. */
  close(): void {
    this.exports.wisp_pool_destroy?.(this.pool);
    this.end();
  }

  /** The same for a module that trapped, or did not come up: no call may be made. */
  end(): void {
    this.#threads.splice(0).forEach(thread => thread.stop());
    this.gpu.onanswer = () => {};
  }

  // Everything a thread needs is allocated here: the C library's heap has no lock.
  async #startThreads(platform: Platform, module: WebAssembly.Module): Promise<void> {
    for (let worker = 1; worker < this.threads; ++worker) {
      const stack = this.call('wisp_alloc', THREAD_STACK_BYTES);
      const size = Number(this.exports.__tls_size.value) + Number(this.exports.__tls_align.value);
      const tls = this.call('wisp_alloc', size);
      if (stack === 0 || tls === 0) throw new Error('no memory for the stack of a thread');
      const stackTop = stack + THREAD_STACK_BYTES;
      this.#threads.push(platform.startThread({ module, memory: this.memory, stackTop, tls, pool: this.pool, worker }));
    }
    await Promise.all(this.#threads.map(thread => thread.ready));
  }
}

/** The life of a thread, in its own worker, until its pool is destroyed. `tell` hears it; a trap is an exception here. */
export function runThread(start: ThreadStart, tell: (word: ThreadWord) => void): void {
  try {
    const exports = instantiateThread(start) as unknown as Exports;
    tell({ type: 'runs' });
    exports.wisp_pool_run_worker?.(start.pool, start.worker);
    tell({ type: 'done' });
  } catch (error) {
    tell({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
}
