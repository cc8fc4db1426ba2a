// The engine's worker in Node: the modules are files beside the script.
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parentPort } from 'node:worker_threads';

import type { Variant } from '../module/variant.js';
import type { Platform } from './platform.js';
import { ThreadOrders } from './threads.js';

const MODULES: Record<Variant, () => URL> = {
  relaxed: () => new URL('./wisp-relaxed.wasm', import.meta.url),
  simd: () => new URL('./wisp-simd.wasm', import.meta.url),
  single: () => new URL('./wisp-single.wasm', import.meta.url),
};

const threads = new ThreadOrders((order, transfer) => parentPort?.postMessage(order, transfer as never));

export const nodePlatform: Platform = {
  loadModule: async variant => WebAssembly.compile(await readFile(MODULES[variant]())),
  startThread: start => threads.start(start),
  // An implementation that the caller installed.
  get gpu() {
    return (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  },
  get processors() {
    return availableParallelism();
  },
};

export function lineToPage(): { post(message: unknown, transfer?: Transferable[]): void; listen(take: (message: unknown) => void): void } {
  return {
    post: (message, transfer = []) => parentPort?.postMessage(message, transfer as never),
    listen: take => parentPort?.on('message', message => threads.take(message) || take(message)),
  };
}
