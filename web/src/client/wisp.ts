// The package's main object: one model, in a worker of its own.
import type { WorkerStarter } from '../platform/engine_worker.js';
import type { EngineInfo, EngineSettings, LoadProgress, LoadSettings, MemoryUse, OpTime } from '../protocol.js';
import type { LocalFile, MakeRoomRequest, ModelSource } from '../models/index.js';
import { ChatCompletions } from './chat.js';
import { Completions } from './completions.js';
import { Embeddings } from './embeddings.js';
import { WispError } from './errors.js';
import { plain } from './settings.js';
import { WorkerLine } from './line.js';
import type { ChatRequest } from './requests.js';

/**
 * How a model is loaded: everything may be left out.
 * @category Loading
 */
export interface LoadOptions extends EngineSettings {
  /**
   * `auto`: the GPU where it is a real one and computes right, else the CPU, and whatever fails falls to the next, with a
   * remark. `gpu` and `cpu` (`webgpu` and `wasm` mean the same) are never replaced by another. Default `auto`.
   */
  device?: 'auto' | 'gpu' | 'cpu' | 'webgpu' | 'wasm';
  /**
   * Hears of the network, the cache and the device, about ten times a second. Default nobody.
   * @param progress How far it is
   */
  onProgress?: (progress: LoadProgress) => void;
  /**
   * Hears sentences for the user: why this quantisation, what did not work and what was taken instead. Default nobody.
   * @param remark The sentence
   */
  onRemark?: (remark: string) => void;
  /**
   * Asked before a download that does not fit the storage the browser gives. Ids of models to delete, 'do not keep' to load
   * without keeping, or nothing: the load is then refused with the code `quota`. Nothing is deleted unasked. Default nobody is asked: `quota`.
   * @param request What is needed, and what could go
   */
  onMakeRoom?: (request: MakeRoomRequest) => Promise<readonly string[] | 'do not keep' | undefined> | readonly string[] | 'do not keep' | undefined;
  /** Ends the load, which then rejects with an `AbortError`; what was fetched stays, for the next time. Default none. */
  signal?: AbortSignal;
}

/**
 * How a text becomes tokens.
 * @category Looking inside
 */
export interface TokenizeOptions {
  /** With BOS and EOS as the vocabulary says. Default false. */
  special?: boolean;
  /** Control tokens that are spelled in the text are taken for such. Default false: they are text. */
  parse?: boolean;
}

/**
 * How tokens become a text.
 * @category Looking inside
 */
export interface DetokenizeOptions {
  /** Without control tokens. Default false. */
  hideSpecial?: boolean;
}

/** One model, in a worker of its own; each platform's `Wisp` says how that is started. */
export class LoadedModel {
  /** Conversations, under the name that OpenAI's client has for them. */
  readonly chat: {
    /** Conversations. */
    readonly completions: ChatCompletions;
  };
  /** Text that goes on, without a template. */
  readonly completions: Completions;
  /** Texts as vectors. */
  readonly embeddings: Embeddings;

  readonly #start: WorkerStarter;
  #line: WorkerLine;
  #source: ModelSource;
  #options: LoadOptions;
  #info: EngineInfo | undefined;

  protected constructor(start: WorkerStarter, source: ModelSource, options: LoadOptions) {
    this.#start = start;
    this.#source = source;
    this.#options = options;
    this.#line = new WorkerLine(start());
    const surroundings = ((wisp: LoadedModel) => ({
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

  /** @internal What `Wisp.load()` of each platform does. */
  protected static async loaded<T extends LoadedModel>(wisp: T): Promise<T> {
    try {
      await wisp.#load();
      return wisp;
    } catch (error) {
      // What it holds, of a download say, is given back first.
      void wisp.#line.finish(new WispError('disposed', 'the model was not loaded'));
      throw error;
    }
  }

  /** What runs: model, device, context, and what was tried before. Throws a `WispError` where no model is loaded any more. */
  info(): EngineInfo {
    if (!this.#info) throw this.#line.death ?? new WispError('invalid_argument', 'no model is loaded');
    return this.#info;
  }

  /**
   * Totals since the start: `steps`, `prompt_tokens`, `cached_tokens`, `generated_tokens`, `requests_finished` and others;
   * `execute_ns` and `step_ns` are nanoseconds, as are `compile_ns` (while kernels of a GPU compiled) and `tuning_ns` (what measuring
   * them took); `running` and `waiting` are requests now.
   */
  counters(): Promise<Record<string, number>> {
    return this.#line.call('counters', []);
  }
  /** Who holds memory, in bytes. */
  memory(): Promise<MemoryUse> {
    return this.#line.call('memory', []);
  }
  /**
   * What was measured so far of each operation of the model. Measuring costs speed.
   * @param on Measure from now on, or no more
   */
  async profile(on: boolean): Promise<OpTime[]> {
    const list = await this.#line.call('profile', []);
    await this.#line.call('setProfiling', [on]);
    return list;
  }

  /**
   * Token ids of a text.
   * @param text What to take apart
   * @param options Which tokens there may be
   */
  async tokenize(text: string, options: TokenizeOptions = {}): Promise<number[]> {
    if (typeof text !== 'string') throw new WispError('invalid_argument', `the text is a ${typeof text}, expected a string`);
    const { special = false, parse = false } = options;
    return this.#line.call('tokenize', [text, { special, parse }]);
  }
  /**
   * The text of token ids.
   * @param ids Of the model's vocabulary
   * @param options What is shown
   */
  async detokenize(ids: readonly number[], options: DetokenizeOptions = {}): Promise<string> {
    const list = Array.isArray(ids) || ArrayBuffer.isView(ids) ? [...ids as readonly number[]] : [NaN];
    // The engine's are of 32 bits: a larger one would become another token on its way.
    if (!list.every(id => (id | 0) === id)) throw new WispError('invalid_argument', 'ids is not a list of token ids');
    return this.#line.call('detokenize', [list, options.hideSpecial ?? false]);
  }
  /**
   * The prompt that the model's template makes of a conversation, for people to read. Rejects with `unsupported` for a model
   * without a template.
   * @param request The messages, and the tools that the template tells of
   */
  async chatText(request: Pick<ChatRequest, 'messages' | 'tools'>): Promise<string> {
    return this.#line.call('chatText', [plain(request) as unknown as Record<string, unknown>]);
  }
  /**
   * A value of the model file's metadata. Rejects with `not_found` where there is none.
   * @param key As `general.name`
   */
  metadata(key: string): Promise<unknown> {
    return this.#line.call('metadata', [key]);
  }

  /**
   * Another model, or another quantisation, in place of this one. Conversations are the caller's, so they go on: the next
   * `create()` is answered by the new model. Answers that are not finished end with an `AbortError`. Options are those of
   * before, but `signal`, `sha256` and `refresh`, with `options` over them. Rejects as `Wisp.load()` does; no model is loaded
   * then, unless it was the options that made no sense or the signal that had ended already.
   * @param source As of `Wisp.load()`
   * @param options What changes of those of before
   */
  async use(source: ModelSource, options: LoadOptions = {}): Promise<EngineInfo> {
    const all = { ...lasting(this.#options), ...options };
    deviceOf(all);
    options.signal?.throwIfAborted();
    this.#source = source;
    this.#options = all;
    return this.#load();
  }

  /** Starts the worker again, after `worker_died`, with the same model; what is cached is not fetched again. */
  async restart(): Promise<EngineInfo> {
    if (this.#line.death?.code === 'disposed') throw this.#line.death;
    this.#options = lasting(this.#options);
    this.#line.end(new WispError('worker_died', 'the worker was restarted'));
    this.#line = new WorkerLine(this.#start());
    return this.#load();
  }

  /** Ends the worker and gives everything back. All that waits rejects with the code `disposed`. */
  async dispose(): Promise<void> {
    this.#info = undefined;
    await this.#line.finish(new WispError('disposed', 'this model was disposed'));
  }

  /** For tests of a page: takes the GPU's device away from the engine, which goes on with another. */
  loseDevice(): Promise<void> {
    return this.#line.call('loseDevice', []);
  }

  async #load(): Promise<EngineInfo> {
    const { onProgress, onRemark, onMakeRoom, signal, ...settings } = this.#options;
    const device = deviceOf(this.#options);
    this.#line.onMakeRoom = async request => onMakeRoom?.(request);
    this.#line.onChange = (info, remark) => {
      this.#info = info;
      onRemark?.(remark);
    };
    this.#info = undefined;
    this.#info = await this.#line.call('load', [asPosted(this.#source), { ...settings, device }], { signal, onProgress, onRemark });
    return this.#info;
  }
}

/** The device, of options that make sense as far as a page can see; the rest is the engine's to refuse. */
function deviceOf({ device = 'auto', threads = 1, ...options }: LoadOptions): LoadSettings['device'] {
  for (const name of ['onProgress', 'onRemark', 'onMakeRoom'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') throw new WispError('invalid_argument', `${name} is not a function`);
  }
  if (!Number.isInteger(threads) || threads < 1) throw new WispError('invalid_argument', `threads is ${String(threads)}, expected 1 or more`);
  const named = ({ auto: 'auto', gpu: 'gpu', webgpu: 'gpu', cpu: 'cpu', wasm: 'cpu' } as const)[device];
  if (named === undefined) throw new WispError('invalid_argument', `device is '${String(device)}', expected auto, gpu or cpu`);
  return named;
}

/** An address cannot be posted to a worker as an object; and one that begins with a dot or a slash is relative to the page, not to the worker. */
function asPosted(source: ModelSource): ModelSource {
  if (source instanceof URL) return source.href;
  if (Array.isArray(source)) return (source as readonly LocalFile[]).map(withName);
  if (source instanceof Blob) return withName(source);
  const page = globalThis.document?.baseURI ?? globalThis.location?.href; // nothing in Node, where these are paths
  return typeof source === 'string' && /^\.{0,2}\//.test(source) && page !== undefined && URL.canParse(source, page) ? new URL(source, page).href : source;
}

/** Node's files lose their names on the way to a worker. */
const withName = (file: LocalFile): LocalFile =>
  (file instanceof Blob && 'name' in file && typeof file.name === 'string' ? { name: file.name, blob: file } : file);

/** Without what belongs to one call, or to one file. */
function lasting({ signal: _signal, sha256: _sha256, refresh: _refresh, ...options }: LoadOptions): LoadOptions {
  return options;
}
