// From the bytes of a model, which arrive in pieces, to a session. The bytes go straight to where they are used: the module
// holds no more of the file than was read ahead.
import { WispModule } from '../module/module.js';
import type { Variant } from '../module/variant.js';
import { ModelError, type OpenedModel } from '../models/index.js';
import type { LoadSettings } from '../protocol.js';
import type { Platform } from '../platform/platform.js';
import { deviceAnswers } from './device_wait.js';
import { Feeder, feed } from './feeding.js';
import { bytesInModule, onceFed, openModel, openSource, optionsOf, type Described, type Memory } from './header.js';
import { BESIDE_MODEL, MODULE_BYTES } from './limits.js';
import { Native } from './native.js';
import { Parts, type Range } from './parts.js';
import { Session, type SessionParts } from './session.js';
import { Turns } from './turns.js';

/** wisp_load_state. */
const [DONE, , WAITS, WANTS_DATA] = [0, 1, 2, 3] as const;
// What is tried where the caller names no context: longer ones as they are, then with keys and values in half the bytes.
const CONTEXTS = [8192, 4096, 2048];
const NARROW_CONTEXTS = [2048, 1024, 512];
const GPU_CONTEXT = 4096; // the device itself says how much of it fits

/** How an engine is to run. */
export interface Way {
  device: 'gpu' | 'cpu';
  variant: Variant;
  threads: number;
}

/** The module did not come up; another variant may. */
export class ModuleError extends ModelError {}

export interface LoadHooks {
  /** Weights that are where they belong, and all, in bytes. */
  progress(done: number, total: number): void;
  /** All weights are there; kernels compile. */
  starting(): void;
  /** A sentence for the user. */
  remark(text: string): void;
  signal: AbortSignal;
  /** What an earlier visit kept of the device. */
  texts: ReadonlyMap<string, string>;
}

export interface Loaded {
  session: Session;
  model: Described;
  context: number;
}

export async function load(platform: Platform, file: OpenedModel, way: Way, settings: LoadSettings, hooks: LoadHooks): Promise<Loaded> {
  const module = await WispModule.open(platform, way.variant, way.threads).catch((error: unknown) => {
    throw new ModuleError('device', error instanceof Error ? error.message : String(error));
  });
  const native = new Native(module);
  const loading = new Loading(platform, module, native, new Parts(file.files), file, way, settings, hooks);
  try {
    return await loading.run();
  } catch (error) {
    loading.abandon(error);
    if (ModelError.from(error).code === 'invalid_file') file.distrust();
    throw error;
  }
}

class Loading {
  readonly #turns = new Turns();
  #source = 0;
  #model = 0;
  #options = 0;
  #engine = 0;
  #feeder: Feeder | undefined;

  constructor(readonly platform: Platform, readonly module: WispModule, readonly native: Native, readonly parts: Parts,
              readonly file: OpenedModel, readonly way: Way, readonly settings: LoadSettings, readonly hooks: LoadHooks) {}

  /** Bytes of the module's memory that a model may take. */
  get #room(): number {
    return Math.min(MODULE_BYTES, this.module.mostBytes - BESIDE_MODEL);
  }

  async run(): Promise<Loaded> {
    const { native } = this;
    await this.#open();
    const model = native.json<Described>('wisp_model_describe', this.#model);
    const context = await this.#configure(model);
    if (this.way.device === 'gpu') native.module.call('wisp_options_set_device', this.#options, await this.#openDevice());
    native.do('wisp_source_discard', this.#source);
    native.do('wisp_source_set_read_once', this.#source, 1);
    this.#engine = await this.#fed(() => native.tryMake('wisp_engine_begin', this.#model, this.#options));
    await this.#loadWeights();
    this.hooks.starting();
    const session = new Session(this.#sessionParts());
    await session.ready();
    this.#turns.close();
    return { session, model, context };
  }

  /** Gives back what there is, as far as the module still works. */
  abandon(cause: unknown): void {
    this.#turns.close();
    this.#feeder?.stop();
    if (cause instanceof WebAssembly.RuntimeError) return this.module.end();
    this.module.call('wisp_engine_destroy', this.#engine);
    this.module.call('wisp_options_destroy', this.#options);
    this.module.call('wisp_model_destroy', this.#model);
    this.module.call('wisp_source_destroy', this.#source);
    this.native.close();
    this.module.close();
  }

  async #open(): Promise<void> {
    this.#source = openSource(this.native, this.parts);
    this.#model = await openModel(this.native, this.#source, this.parts.size, async range => {
      await this.#feed(range);
      this.hooks.signal.throwIfAborted();
    });
  }

  #fed<T>(ask: () => T | undefined): Promise<T> {
    return onceFed(this.native, this.#source, ask, async range => {
      await this.#feed(range);
      this.hooks.signal.throwIfAborted();
    });
  }

  async #feed(range: Range): Promise<void> {
    let at = range.offset;
    for (const bytes of await this.parts.read(range, this.hooks.signal)) {
      feed(this.module, this.native, this.#source, at, bytes);
      at += bytes.length;
    }
  }

  // Sets the options, and gives the context in tokens.
  async #configure(model: Described): Promise<number> {
    const { module, native, settings, way } = this;
    this.#options = module.call('wisp_options_create');
    module.call('wisp_options_set_pool', this.#options, module.pool);
    for (const [name, text] of this.hooks.texts) {
      native.withText(name, (nameAt, nameBytes) => native.withText(text, (at, length) =>
        native.do('wisp_options_put_text', this.#options, nameAt, nameBytes, at, length)));
    }
    const set = (context: number, kv = settings.kv): void =>
      native.set(this.#options, 'wisp_options_set_json', { device: way.device, ...optionsOf(settings, context, kv) });
    const trained = model.context ?? 0xffff_ffff;
    if (settings.context !== undefined && settings.context > trained) {
      throw new ModelError('invalid_argument', `a context of ${settings.context} tokens was asked for, and the model was trained for ${trained}`);
    }
    if (way.device === 'gpu' || !model.supported) {
      const context = settings.context ?? Math.min(trained, GPU_CONTEXT);
      set(context);
      return context;
    }
    const among = (contexts: number[]): number[] =>
      settings.context !== undefined ? [settings.context] : [...new Set(contexts.map(context => Math.min(trained, context)))];
    const candidates = among(CONTEXTS).map(context => ({ context, kv: settings.kv }));
    if (settings.kv === undefined) for (const context of among(NARROW_CONTEXTS)) candidates.push({ context, kv: 'q8_0' });
    let least: Memory | undefined;
    for (const { context, kv } of candidates) {
      set(context, kv);
      least = await this.#fed(() => native.tryJson<Memory>('wisp_model_memory', this.#model, this.#options));
      if (bytesInModule(least) > this.#room) continue;
      if (kv !== settings.kv) this.hooks.remark(`keys and values are kept as ${kv}: as f16 a context of ${context} tokens does not fit beside the weights`);
      return context;
    }
    const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    throw new ModelError('limit', `this model takes ${gigabytes(least ? bytesInModule(least) : 0)} on the CPU, and WebAssembly has ${gigabytes(this.#room)} here: `
      + 'take a smaller quantisation or a shorter context, or a browser with WebGPU, whose memory has no such bound');
  }

  async #loadWeights(): Promise<void> {
    const { native, hooks } = this;
    this.#startFeeding();
    for (;;) {
      hooks.signal.throwIfAborted();
      const state = native.out32('wisp_engine_load', this.#engine);
      const [done, total] = native.outPair('wisp_engine_load_progress', this.#engine);
      hooks.progress(done, total);
      if (state === DONE) break;
      if (state === WANTS_DATA) await this.#feedMore();
      else if (state === WAITS) await deviceAnswers(this.module, native, this.#engine, () => this.#openDevice());
      else await this.#turns.next();
    }
    this.#feeder?.stop();
    this.#feeder = undefined;
  }

  // In the order in which the engine wants it, the network too.
  #startFeeding(): void {
    const pairs = new BigUint64Array(this.native.bytes('wisp_engine_wanted', this.#engine).buffer);
    const ranges: Range[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) ranges.push({ offset: Number(pairs[i]), count: Number(pairs[i + 1]) });
    this.file.want(ranges.flatMap(range => this.parts.split(range)));
    this.#feeder = new Feeder(this.parts, ranges, this.hooks.signal);
  }

  async #feedMore(): Promise<void> {
    if (!this.#feeder) this.#startFeeding();
    const piece = await this.#feeder!.next();
    if (!piece) {
      this.#feeder = undefined; // the engine began anew, on another device
      return;
    }
    feed(this.module, this.native, this.#source, piece.offset, piece.bytes);
  }

  async #openDevice(): Promise<number> {
    // Another device gets the weights from the first one on.
    this.#feeder?.stop();
    this.#feeder = undefined;
    // It may fail where the probe did not: here it has all features and limits.
    const { pointer } = await this.module.gpu.open(this.platform.gpu).catch((error: unknown) => {
      throw new ModelError('device', `the GPU's device could not be opened: ${error instanceof Error ? error.message : String(error)}`);
    });
    return pointer;
  }

  #sessionParts(): SessionParts {
    return {
      module: this.module, native: this.native, source: this.#source, model: this.#model, options: this.#options,
      engine: this.#engine, device: this.way.device,
      openDevice: () => this.#openDevice(),
      feedMore: () => this.#feedMore(),
    };
  }
}
