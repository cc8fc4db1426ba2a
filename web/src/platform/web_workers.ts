// The workers that a page starts: that of the engine, and its threads. Addresses are written so that bundlers find the
// files: new URL('./x', import.meta.url) beside the script.
import { WispError } from '../client/errors.js';
import type { EngineWorker } from './engine_worker.js';
import { newLife, onEnd } from './life.js';
import { Threads, type ThreadSeed, type ThreadWord } from './threads.js';

/**
 * A worker may not come from another origin than its page; a script that imports it may. Nothing where this script is of the
 * page's own origin, or was put elsewhere by a bundler. The name stands apart from import.meta.url: as `new URL('./x',
 * import.meta.url)` bundlers would copy the worker a second time, unbuilt.
 */
function scriptThatImports(name: string): { address: string; forget(): void } | undefined {
  const { origin, protocol } = new URL(import.meta.url);
  if (!protocol.startsWith('http') || origin === globalThis.location.origin) return undefined;
  const beside = import.meta.url.replace(/[^/]*$/, name);
  const address = URL.createObjectURL(new Blob([`import ${JSON.stringify(beside)};`], { type: 'text/javascript' }));
  return { address, forget: () => URL.revokeObjectURL(address) };
}

function startThread(seed: ThreadSeed, hear: (word: ThreadWord) => void): () => void {
  const script = scriptThatImports('thread.js');
  // Bundlers know the pattern only when it is written out.
  const worker = script ? new Worker(script.address, { type: 'module', name: 'wisp thread' })
    : new Worker(new URL('./thread.js', import.meta.url), { type: 'module', name: 'wisp thread' });
  const life = newLife();
  const over = new AbortController();
  worker.onmessage = ({ data }: MessageEvent<ThreadWord | { type: 'alive' }>) => {
    script?.forget();
    if (data.type === 'alive') onEnd(life, over.signal, () => hear({ type: 'gone' }));
    else hear(data);
  };
  worker.onerror = event => hear({ type: 'failed', reason: event.message || 'a thread could not be started' });
  worker.onmessageerror = () => hear({ type: 'failed', reason: 'a message of a thread could not be read' });
  worker.postMessage({ ...seed, life }, [seed.port]);
  return () => {
    over.abort();
    script?.forget();
    worker.terminate();
  };
}

/** Starts the engine's worker. */
export function startEngineWorker(): EngineWorker {
  if (typeof Worker === 'undefined') {
    throw new WispError('unsupported', 'there are no workers here: load the model in the page, not where the page is rendered on a server');
  }
  const script = scriptThatImports('worker.js');
  let worker: Worker;
  try {
    worker = script ? new Worker(script.address, { type: 'module', name: 'wisp' })
      : new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'wisp' });
  } catch (error) {
    // A policy of the page, or a script of another origin in a bundle.
    throw new WispError('device', `this page may not start a worker: ${error instanceof Error ? error.message : String(error)}`);
  }
  let dead = false;
  const waiting = new AbortController();
  const made: EngineWorker = {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    onmessage: () => {},
    ondeath: () => {},
    stop() {
      dead = true;
      waiting.abort();
      script?.forget();
      threads.stop();
      worker.terminate();
    },
  };
  const die = (reason: string): void => {
    if (dead) return;
    made.stop();
    made.ondeath(reason);
  };
  const threads = new Threads(startThread, news => worker.postMessage(news), die);
  const life = newLife();
  worker.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (threads.take(data)) return;
    if ((data as { type?: string })?.type !== 'alive') return made.onmessage(data);
    script?.forget();
    onEnd(life, waiting.signal, () => die('the worker was ended'));
  };
  worker.onerror = event => die(event.message || 'the worker broke, or its script could not be loaded');
  worker.onmessageerror = () => die('a message to the worker could not be read');
  worker.postMessage({ type: 'live', life });
  return made;
}
