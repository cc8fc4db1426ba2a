// The models that are kept, without an engine.
import type { StoredModel, Usage } from '../models/index.js';
import type { WorkerStarter } from '../platform/engine_worker.js';
import type { StoreOptions } from '../protocol.js';
import { WispError } from './errors.js';
import { WorkerLine } from './line.js';

/**
 * A quantisation that a repository holds.
 * @category Models that are kept
 */
export interface Quantisation {
  /** What `load()` takes. */
  readonly name: string;
  /** The file's name without its ending, as `Qwen3-0.6B-Q4_K_M`. */
  readonly stem: string;
  /** As `Q4_K_M`; empty where the name tells none. */
  readonly type: string;
  /** Of all its files. */
  readonly bytes: number;
  /** Files. */
  readonly parts: number;
  /** All of it is here already. */
  readonly stored: boolean;
}

/**
 * What this origin keeps, from `Wisp.models()`: in a worker of its own, which `close()` ends.
 * @category Models that are kept
 * @hideconstructor
 */
export class StoredModels {
  readonly #line: WorkerLine;
  constructor(start: WorkerStarter, options: StoreOptions) {
    this.#line = new WorkerLine(start());
    this.#line.worker.post({ type: 'open', settings: { device: 'auto', ...options } });
  }

  /** What is kept, also what is incomplete; most recently used first. */
  list(): Promise<StoredModel[]> {
    return this.#line.call('listModels', []);
  }
  /**
   * Deletes a model. Rejects with `limit` while it is open, here or in another tab.
   * @param id Of `list()`
   */
  remove(id: string): Promise<void> {
    return this.#line.call('removeModel', [id]);
  }
  /** Bytes that this origin uses, and may use. */
  usage(): Promise<Usage> {
    return this.#line.call('usage', []);
  }
  /**
   * What a repository of Hugging Face holds, largest first. Rejects with `not_found` where there is no such repository, `io`
   * without a network, `invalid_argument` for a name that is an address.
   * @param name "owner/repo"
   */
  quantisations(name: string): Promise<Quantisation[]> {
    return this.#line.call('quantisations', [name]);
  }
  /** Ends the worker; what waits rejects with `disposed`. */
  close(): void {
    this.#line.end(new WispError('disposed', 'the list was closed'));
  }
}
