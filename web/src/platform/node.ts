// Node: workers are threads of the process, and the modules are files beside the script.
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { MessageChannel, parentPort, Worker } from 'node:worker_threads';

import type { ThreadStart } from '../module/module.js';
import type { Variant } from '../module/variant.js';
import type { EngineWorker } from './engine_worker.js';
import type { Platform, Thread } from './platform.js';
import { ThreadWatch } from './thread_watch.js';

const MODULES: Record<Variant, () => URL> = {
  relaxed: () => new URL('./wisp-relaxed.wasm', import.meta.url),
  simd: () => new URL('./wisp-simd.wasm', import.meta.url),
  single: () => new URL('./wisp-single.wasm', import.meta.url),
};

let threads = 0; // that were started

export const nodePlatform: Platform = {
  loadModule: async variant => WebAssembly.compile(await readFile(MODULES[variant]())),
  startThread(start: ThreadStart): Thread {
    const thread = ++threads;
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(new URL('./thread.node.js', import.meta.url), { workerData: { start, port: port2 }, transferList: [port2] });
    // At once: a port whose other end is gone cannot be sent any more.
    parentPort?.postMessage({ type: 'thread began', thread, port: port1 }, [port1]);
    const ready = new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
    worker.unref();
    return {
      ready,
      stop() {
        parentPort?.postMessage({ type: 'thread ended', thread });
        void worker.terminate();
      },
    };
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
      watch.close();
      void worker.terminate();
    },
  };
  const die = (reason: string): void => {
    if (dead) return;
    made.stop();
    made.ondeath(reason);
  };
  // A port ends with the thread at its other end.
  const watch = new ThreadWatch(die, ({ port }, _signal, gone) => port.addEventListener('close', gone));
  worker.on('message', message => watch.take(message) || made.onmessage(message));
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
