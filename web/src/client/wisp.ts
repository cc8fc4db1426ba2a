// The package's main object: one model, in a worker of its own.
import type { EngineWorker } from '../platform/platform.js';
import type { EngineInfo, LoadProgress, LoadSettings } from '../protocol.js';
import type { ModelSource, StoredModel } from '../models/index.js';
import { ChatCompletions } from './chat.js';
import { Completions } from './completions.js';
import { Embeddings } from './embeddings.js';
import { WispError } from './errors.js';
import { WorkerLine, type Question } from './line.js';

export interface LoadOptions extends Omit<LoadSettings, 'device'> {
  /**
   * `auto`: the GPU where it is a real one and computes right, else the CPU, and whatever fails falls to the next, with a
   * remark. `gpu` and `cpu` (`webgpu` and `wasm` mean the same) are never replaced by another.
   */
  device?: 'auto' | 'gpu' | 'cpu' | 'webgpu' | 'wasm';
  /** Of the network, the cache, the device; about ten times a second. */
  onProgress?: (progress: LoadProgress) => void;
  /** Sentences for the user: why this quantisation, what did not work and what was taken instead. */
  onRemark?: (remark: string) => void;
  /**
   * Asked before a download that does not fit the storage the browser gives. Ids of models to delete, 'do not keep' to load
   * without keeping, or nothing: the load is then refused with the code `quota`. Nothing is deleted unasked.
   */
  onMakeRoom?: (request: Question) => Promise<readonly string[] | 'do not keep' | undefined> | readonly string[] | 'do not keep' | undefined;
  /** Ends the load; what was fetched stays, for the next time. */
  signal?: AbortSignal;
}

export type WorkerStarter = () => EngineWorker;

export class Wisp {
  readonly chat: { readonly completions: ChatCompletions };
  readonly completions: Completions;
  readonly embeddings: Embeddings;

  readonly #start: WorkerStarter;
  #line: WorkerLine;
  #source: ModelSource;
  #options: LoadOptions;
  #info: EngineInfo | undefined;

  private constructor(start: WorkerStarter, source: ModelSource, options: LoadOptions) {
    this.#start = start;
    this.#source = source;
    this.#options = options;
    this.#line = new WorkerLine(start());
    const surroundings = ((wisp: Wisp) => ({
      get line() {
        return wisp.#line;
      },
      get modelName() {
        return wisp.#info?.model.source ?? '';
      },
    }))(this);
    this.chat = { completions: new ChatCompletions(surroundings) };
    this.completions = new Completions(surroundings);
    this.embeddings = new Embeddings(surroundings);
  }

  /** What `Wisp.load()` of each platform does. */
  static async loadWith(start: WorkerStarter, source: ModelSource, options: LoadOptions): Promise<Wisp> {
    const wisp = new Wisp(start, source, options);
    try {
      await wisp.#load();
      return wisp;
    } catch (error) {
      wisp.#line.end(new WispError('disposed', 'the model was not loaded'));
      throw error;
    }
  }

  /** What runs: model, device, context, and what was tried before. */
  info(): EngineInfo {
    if (!this.#info) throw this.#line.death ?? new WispError('invalid_argument', 'no model is loaded');
    return this.#info;
  }

  /** Totals since the start: tokens, steps, times in nanoseconds (docs/c-api.md, wisp_engine_counters). */
  counters(): Promise<Record<string, number>> {
    return this.#line.call('counters', []);
  }
  /** Bytes by owner; `module` is the size of the WebAssembly memory. */
  memory(): Promise<Record<string, unknown>> {
    return this.#line.call('memory', []);
  }
  /** Time per operation of the model, while measuring is on. */
  async profile(on: boolean): Promise<unknown[]> {
    const list = await this.#line.call('profile', []);
    await this.#line.call('setProfiling', [on]);
    return list;
  }

  /** Token ids. `special`: with the BOS and EOS of the vocabulary's own rule; `parse`: control tokens spelled in the text count. */
  tokenize(text: string, { special = false, parse = false }: { special?: boolean; parse?: boolean } = {}): Promise<number[]> {
    return this.#line.call('tokenize', [text, { special, parse }]);
  }
  /** The text of token ids. */
  detokenize(ids: readonly number[], { hideSpecial = false }: { hideSpecial?: boolean } = {}): Promise<string> {
    return this.#line.call('detokenize', [[...ids], hideSpecial]);
  }
  /** The prompt that the model's template makes of a conversation, for people to read. */
  chatText(request: { messages: unknown[]; tools?: unknown[] }): Promise<string> {
    return this.#line.call('chatText', [request as unknown as Record<string, unknown>]);
  }
  /** A value of the model file's metadata, by its key; `not_found` where there is none. */
  metadata(key: string): Promise<unknown> {
    return this.#line.call('metadata', [key]);
  }

  /**
   * Another model, or another quantisation, in place of this one. Conversations are the caller's, so they go on: the next
   * `create()` is answered by the new model. Answers that are not finished end with an `AbortError`. When it fails, no model
   * is loaded.
   */
  async use(source: ModelSource, options: LoadOptions = {}): Promise<EngineInfo> {
    this.#source = source;
    this.#options = { ...this.#options, ...options };
    return this.#load();
  }

  /** Starts the worker again, after `worker_died`, with the same model; what is cached is not fetched again. */
  async restart(): Promise<EngineInfo> {
    this.#line.end(new WispError('worker_died', 'the worker was restarted'));
    this.#line = new WorkerLine(this.#start());
    return this.#load();
  }

  /** Ends the worker and gives everything back. All that waits rejects with the code `disposed`. */
  async dispose(): Promise<void> {
    this.#info = undefined;
    await this.#line.finish(new WispError('disposed', 'this model was disposed'));
  }

  /** For tests of a page: destroys the GPU's device under the engine, which goes on with another. */
  loseDevice(): Promise<void> {
    return this.#line.call('loseDevice', []);
  }

  async #load(): Promise<EngineInfo> {
    const { onProgress, onRemark, onMakeRoom, signal, device = 'auto', ...settings } = this.#options;
    this.#line.onMakeRoom = async request => onMakeRoom?.(request);
    this.#info = undefined;
    const named = ({ auto: 'auto', gpu: 'gpu', webgpu: 'gpu', cpu: 'cpu', wasm: 'cpu' } as const)[device];
    if (named === undefined) throw new WispError('invalid_argument', `device is '${String(device)}', expected auto, gpu or cpu`);
    this.#line.worker.post({ type: 'open', settings: { ...settings, device: named } });
    // An address cannot be posted to a worker as an object.
    const source = this.#source instanceof URL ? this.#source.href : this.#source;
    this.#info = await this.#line.call('load', [source, { ...settings, device: named }], { signal, onProgress, onRemark });
    return this.#info;
  }
}

/** The models that this origin keeps, without an engine. */
export class StoredModels {
  readonly #line: WorkerLine;
  constructor(start: WorkerStarter, settings: Partial<LoadSettings> = {}) {
    this.#line = new WorkerLine(start());
    this.#line.worker.post({ type: 'open', settings: { device: 'auto', ...settings } });
  }
  list(): Promise<StoredModel[]> {
    return this.#line.call('listModels', []);
  }
  remove(id: string): Promise<void> {
    return this.#line.call('removeModel', [id]);
  }
  usage(): Promise<{ used: number; quota: number; free: number; persisted: boolean; models: number }> {
    return this.#line.call('usage', []);
  }
  /** What a repository holds, largest first. */
  quantisations(name: string): Promise<{ stem: string; type: string; bytes: number; parts: number; stored: boolean }[]> {
    return this.#line.call('quantisations', [name]);
  }
  close(): void {
    this.#line.end(new WispError('disposed', 'the list was closed'));
  }
}
