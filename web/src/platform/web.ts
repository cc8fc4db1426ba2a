// A browser. Addresses are written so that bundlers find the files: new URL('./x', import.meta.url) beside the script.
import type { ThreadStart } from '../module/module.js';
import type { Variant } from '../module/variant.js';
import { WispError } from '../client/errors.js';
import type { EngineWorker } from './engine_worker.js';
import { live, newLife, onEnd } from './life.js';
import type { Platform, Thread } from './platform.js';
import { ThreadWatch, type ThreadNews } from './thread_watch.js';

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

let threads = 0; // that were started

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
    const thread = ++threads;
    const life = newLife();
    const { port1, port2 } = new MessageChannel();
    const tell = (news: ThreadNews, transfer: Transferable[] = []): void => scope.postMessage(news, transfer);
    const ready = new Promise<void>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<'ready' | { refusal: string }>) => {
        script?.forget();
        if (data !== 'ready') return reject(new Error(data.refusal));
        tell({ type: 'thread began', thread, port: port1, life }, [port1]);
        resolve();
      };
      worker.onerror = event => reject(new Error(event.message || 'a thread could not be started'));
    });
    worker.postMessage({ start, life, port: port2 }, [port2]);
    return {
      ready,
      stop() {
        tell({ type: 'thread ended', thread });
        worker.terminate();
      },
    };
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
      forget();
      setTimeout(() => worker.terminate(), THREADS_GO_MILLISECONDS);
    },
  };
  const forget = (): void => {
    dead = true;
    waiting.abort();
    watch.close();
    script?.forget();
  };
  // Of what broke nothing is to be expected, and what it holds is wanted by the next: it goes at once. That costs the memory of
  // its threads, where it had some.
  const die = (reason: string): void => {
    if (dead) return;
    forget();
    worker.terminate();
    made.ondeath(reason);
  };
  const watch = new ThreadWatch(die, (thread, signal, gone) => onEnd(thread.life!, signal, gone));
  const life = newLife();
  worker.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (watch.take(data)) return;
    if ((data as { type?: string })?.type !== 'alive') return made.onmessage(data);
    script?.forget();
    onEnd(life, waiting.signal, () => die('the worker was ended'));
  };
  worker.onerror = event => die(event.message || 'the worker broke, or its script could not be loaded');
  worker.onmessageerror = () => die('a message to the worker could not be read');
  worker.postMessage({ type: 'live', life });
  return made;
}

// Of a dedicated worker; TypeScript has either a page's names or a worker's.
interface WorkerScope {
  onmessage: (event: MessageEvent<{ type?: string; life?: string }>) => void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
}
const scope = globalThis as unknown as WorkerScope;

/** The worker's end of the line. */
export function lineToPage(): { post(message: unknown, transfer?: Transferable[]): void; listen(take: (message: unknown) => void): void } {
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer),
    listen(take) {
      scope.onmessage = ({ data }) => {
        if (data?.type !== 'live') return take(data);
        void live(data.life!).then(() => scope.postMessage({ type: 'alive' }));
      };
    },
  };
}
