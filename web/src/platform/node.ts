// Node: workers are threads of the process, and the modules are files beside the script.
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parentPort, Worker } from 'node:worker_threads';

import type { ThreadStart } from '../module/module.js';
import type { Variant } from '../module/variant.js';
import type { EngineWorker } from './engine_worker.js';
import type { Platform, Thread } from './platform.js';

const MODULES: Record<Variant, () => URL> = {
  relaxed: () => new URL('./wisp-relaxed.wasm', import.meta.url),
  simd: () => new URL('./wisp-simd.wasm', import.meta.url),
  single: () => new URL('./wisp-single.wasm', import.meta.url),
};

export const nodePlatform: Platform = {
  loadModule: async variant => WebAssembly.compile(await readFile(MODULES[variant]())),
  startThread(start: ThreadStart): Thread {
    const worker = new Worker(new URL('./thread.node.js', import.meta.url), { workerData: start });
    const ready = new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
    worker.unref();
    return { ready, stop: () => void worker.terminate() };
  },
  // An implementation that the caller installed.
  get gpu() {
    return (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  },
  get processors() {
    return availableParallelism();
  },
};

export function startEngineWorker(): EngineWorker {
  const worker = new Worker(new URL('./worker.node.js', import.meta.url));
  let dead = false;
  const made: EngineWorker = {
    post: (message, transfer = []) => worker.postMessage(message, transfer as never),
    onmessage: () => {},
    ondeath: () => {},
    stop() {
      dead = true;
      void worker.terminate();
    },
  };
  const die = (reason: string): void => {
    if (dead) return;
    dead = true;
    made.ondeath(reason);
  };
  worker.on('message', message => made.onmessage(message));
  worker.once('error', error => die(error.message));
  worker.once('exit', code => die(`the worker ended with ${code}`));
  return made;
}

export function lineToPage(): { post(message: unknown, transfer?: Transferable[]): void; listen(take: (message: unknown) => void): void } {
  return {
    post: (message, transfer = []) => parentPort?.postMessage(message, transfer as never),
    listen: take => parentPort?.on('message', take),
  };
}
