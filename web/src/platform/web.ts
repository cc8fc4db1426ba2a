// A browser. Addresses are written so that bundlers find the files: new URL('./x', import.meta.url) beside the script.
import type { ThreadStart } from '../module/module.js';
import type { Variant } from '../module/variant.js';
import { WispError } from '../client/errors.js';
import type { EngineWorker } from './engine_worker.js';
import type { Platform, Thread } from './platform.js';

const MODULES: Record<Variant, () => URL> = {
  relaxed: () => new URL('./wisp-relaxed.wasm', import.meta.url),
  simd: () => new URL('./wisp-simd.wasm', import.meta.url),
  single: () => new URL('./wisp-single.wasm', import.meta.url),
};

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

export const webPlatform: Platform = {
  async loadModule(variant) {
    const address = MODULES[variant]();
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address.pathname}: HTTP ${answer.status}; it has to lie beside the script`);
    // A host that gives another type than application/wasm would be refused by compileStreaming.
    const type = answer.headers.get('content-type') ?? '';
    if (type.startsWith('application/wasm')) return WebAssembly.compileStreaming(answer);
    return WebAssembly.compile(await answer.arrayBuffer());
  },
  startThread(start: ThreadStart): Thread {
    const script = scriptThatImports('thread.js');
    // Bundlers know the pattern only when it is written out.
    const worker = script ? new Worker(script.address, { type: 'module', name: 'wisp thread' })
      : new Worker(new URL('./thread.js', import.meta.url), { type: 'module', name: 'wisp thread' });
    const ready = new Promise<void>((resolve, reject) => {
      worker.onmessage = () => {
        script?.forget();
        resolve();
      };
      worker.onerror = event => reject(new Error(event.message || 'a thread could not be started'));
    });
    worker.postMessage(start);
    return { ready, stop: () => worker.terminate() };
  },
  get gpu() {
    return (globalThis.navigator as Navigator | undefined)?.gpu;
  },
  get processors() {
    return globalThis.navigator?.hardwareConcurrency ?? 1;
  },
};

// Chromium keeps the memory of workers for good whose parent is ended before they are gone (measured, version 156: 14 MB
// a load of a small model on two threads). The engine's worker ends its threads first, so it is given time for that.
const THREADS_GO_MILLISECONDS = 2000;

let lives = 0;

/** Starts the engine's worker. Its end is noticed by a lock that it holds while it lives: nothing else tells of a crash. */
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
      setTimeout(() => worker.terminate(), THREADS_GO_MILLISECONDS);
      script?.forget();
    },
  };
  const die = (reason: string): void => {
    if (dead) return;
    made.stop();
    made.ondeath(reason);
  };
  const lock = `wisp-worker-${Date.now().toString(36)}-${++lives}-${Math.random().toString(36).slice(2)}`;
  worker.onmessage = ({ data }: MessageEvent<unknown>) => {
    if ((data as { type?: string })?.type !== 'alive') return made.onmessage(data);
    script?.forget();
    void globalThis.navigator.locks?.request(lock, { signal: waiting.signal }, () => die('the worker was ended'))
      .catch(() => {});
  };
  worker.onerror = event => die(event.message || 'the worker broke, or its script could not be loaded');
  worker.onmessageerror = () => die('a message to the worker could not be read');
  worker.postMessage({ type: 'live', lock });
  return made;
}

// Of a dedicated worker; TypeScript has either a page's names or a worker's.
interface WorkerScope {
  onmessage: (event: MessageEvent<{ type?: string; lock?: string }>) => void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
  readonly navigator: Navigator;
}

/** The worker's end of the line. */
export function lineToPage(): { post(message: unknown, transfer?: Transferable[]): void; listen(take: (message: unknown) => void): void } {
  const scope = globalThis as unknown as WorkerScope;
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer),
    listen(take) {
      scope.onmessage = ({ data }) => {
        if (data?.type !== 'live') return take(data);
        const tell = (): void => scope.postMessage({ type: 'alive' });
        if (!scope.navigator.locks) return tell();
        void scope.navigator.locks.request(data.lock ?? '', () => {
          tell();
          return new Promise(() => {}); // held until this worker ends
        }).catch(tell); // a frame without an origin has no locks
      };
    },
  };
}
