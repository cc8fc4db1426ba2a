// What differs between a browser and Node: where the modules' bytes are, how messages come and go, whether there is a GPU.
import type { ThreadStart } from '../module/module.js';
import type { Variant } from '../module/variant.js';

export interface Thread {
  /** Resolves once the thread runs; rejects where it cannot. */
  readonly ready: Promise<void>;
  stop(): void;
}

/** Inside the engine's worker. */
export interface Platform {
  loadModule(variant: Variant): Promise<WebAssembly.Module>;
  startThread(start: ThreadStart): Thread;
  readonly gpu: GPU | undefined;
  /** Processors, as far as it is told. */
  readonly processors: number;
}
