// What differs between a browser and Node: where the modules' bytes are, how a worker is started, whether there is a GPU.
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

/** The two ends of the line between a caller's thread and the engine's worker. */
export interface Line {
  post(message: unknown, transfer?: Transferable[]): void;
  onmessage: (message: unknown) => void;
}

/** A worker as its starter sees it. */
export interface EngineWorker extends Line {
  /** Called once, with the reason, when it ended or broke without being asked to. */
  ondeath: (reason: string) => void;
  stop(): void;
}
