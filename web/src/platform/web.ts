// The engine's worker in a browser. Addresses are written so that bundlers find the files: new URL('./x', import.meta.url)
// beside the script.
import type { Variant } from '../module/variant.js';
import { live } from './life.js';
import type { Platform } from './platform.js';
import { ThreadOrders } from './threads.js';

const MODULES: Record<Variant, () => URL> = {
  relaxed: () => new URL('./wisp-relaxed.wasm', import.meta.url),
  simd: () => new URL('./wisp-simd.wasm', import.meta.url),
  single: () => new URL('./wisp-single.wasm', import.meta.url),
};

// Of a dedicated worker; TypeScript has either a page's names or a worker's.
interface WorkerScope {
  onmessage: (event: MessageEvent<{ type?: string; life?: string }>) => void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
}
const scope = globalThis as unknown as WorkerScope;
const threads = new ThreadOrders((order, transfer) => scope.postMessage(order, transfer));

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
  startThread: start => threads.start(start),
  get gpu() {
    return (globalThis.navigator as Navigator | undefined)?.gpu;
  },
  get processors() {
    return globalThis.navigator?.hardwareConcurrency ?? 1;
  },
};

/** The worker's end of the line. */
export function lineToPage(): { post(message: unknown, transfer?: Transferable[]): void; listen(take: (message: unknown) => void): void } {
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer),
    listen(take) {
      scope.onmessage = ({ data }) => {
        if (data?.type === 'live') void live(data.life!).then(() => scope.postMessage({ type: 'alive' }));
        else if (!threads.take(data)) take(data);
      };
    },
  };
}
