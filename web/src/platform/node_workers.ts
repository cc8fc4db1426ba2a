// The workers that a caller in Node starts, threads of the process: that of the engine, and its threads.
import { Worker } from 'node:worker_threads';

import type { EngineWorker } from './engine_worker.js';
import { Threads, type ThreadSeed, type ThreadWord } from './threads.js';

// Not what the caller's script was started with: `node --input-type=module -e ..` would refuse a worker's file.
const NO_FLAGS = { execArgv: [] };

function startThread(seed: ThreadSeed, hear: (word: ThreadWord) => void): () => void {
  const worker = new Worker(new URL('./thread.node.js', import.meta.url), { ...NO_FLAGS, workerData: seed, transferList: [seed.port as never] });
  worker.on('message', hear);
  worker.once('error', error => hear({ type: 'failed', reason: error.message }));
  worker.once('exit', () => hear({ type: 'gone' })); // after all that it said
  worker.unref();
  return () => void worker.terminate();
}

export function startEngineWorker(): EngineWorker {
  const worker = new Worker(new URL('./worker.node.js', import.meta.url), NO_FLAGS);
  let dead = false;
  const made: EngineWorker = {
    post: (message, transfer = []) => worker.postMessage(message, transfer as never),
    onmessage: () => {},
    ondeath: () => {},
    stop() {
      dead = true;
      threads.stop();
      void worker.terminate();
    },
  };
  const die = (reason: string): void => {
    if (dead) return;
    made.stop();
    made.ondeath(reason);
  };
  const threads = new Threads(startThread, news => worker.postMessage(news), die);
  worker.on('message', message => threads.take(message) || made.onmessage(message));
  worker.once('error', error => die(error.message));
  worker.once('exit', code => die(`the worker ended with ${code}`));
  return made;
}
