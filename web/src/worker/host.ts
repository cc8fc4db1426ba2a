// The engine's worker: one model at a time, and the methods that a caller's thread asks for (protocol.ts).
import { ModelError, openModels, type Models, type OpenedModel, type OpenOptions, type ModelSource, type ModelsOptions } from '../models/index.js';
import { abortable } from '../models/waiting.js';
import type { Platform } from '../platform/platform.js';
import type { EngineInfo, FromWorker, GenerateSettings, LoadProgress, LoadSettings, MemoryUse, Methods, ToWorker } from '../protocol.js';
import { fitsOn } from './fits.js';
import { MAX_SEQUENCES } from './header.js';
import { load, ModuleError, type Loaded, type Way } from './loader.js';
import type { Session } from './session.js';
import { findWays } from './ways.js';

type Post = (message: FromWorker, transfer?: Transferable[]) => void;
type Asked = { [M in keyof Methods]: (id: number, ...args: Parameters<Methods[M]>) => ReturnType<Methods[M]> | Promise<ReturnType<Methods[M]>> };

/** Wrong in every way: the file, the request, the network. */
const FINAL: ReadonlySet<string> = new Set(['invalid_file', 'invalid_argument', 'unsupported', 'not_found', 'io', 'cancelled', 'quota']);
const HIDE_SPECIAL = 4; // of wisp_model_detokenize()

export class Host {
  #models: Promise<Models> | undefined;
  #modelsKey = ''; // the options that they were opened with
  #file: OpenedModel | undefined;
  #session: Session | undefined;
  #info: EngineInfo | undefined;
  #settings: LoadSettings = { device: 'auto' };
  #abort = new AbortController();
  #questions = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastQuestion = 0;
  #waysLeft: Way[] = [];
  #loading: number | undefined;
  #recovering = false;
  /** Requests that came during a recovery. */
  readonly #waiting = new Map<number, GenerateSettings>();
  /** Settles when no load, and no recovery, runs. */
  #lastLoad: Promise<unknown> = Promise.resolve();

  constructor(readonly platform: Platform, readonly post: Post) {}

  take(message: ToWorker): void {
    switch (message.type) {
      case 'open': this.#settings = message.settings; break;
      case 'call': void this.#call(message.id, message.method, message.args); break;
      case 'generate': this.#generate(message.id, message.settings); break;
      case 'cancel': this.#cancel(message.id); break;
      case 'answer': {
        const question = this.#questions.get(message.question);
        this.#questions.delete(message.question);
        if (message.error) question?.reject(ModelError.from(message.error));
        else question?.resolve(message.value);
      }
    }
  }

  async #call<M extends keyof Methods>(id: number, method: M, args: Parameters<Methods[M]>): Promise<void> {
    try {
      if (this.#recovering && method !== 'load' && method !== 'unload') await this.#lastLoad;
      const value = await (this.#methods[method] as (...rest: unknown[]) => unknown)(id, ...args);
      this.post({ type: 'result', id, value });
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #fail(id: number, error: unknown): void {
    const { code, message, status } = errorOf(error);
    this.post({ type: 'failure', id, error: { code, message, ...(status !== undefined && { status }) } });
  }

  readonly #methods: Asked = {
    load: (id, source, settings) => {
      this.#abort.abort();
      const abort = this.#abort = new AbortController();
      this.#loading = id;
      return this.#inTurn(() => this.#load(id, source, settings, abort));
    },
    counters: () => {
      const { native } = this.#current();
      const start = native.json<Record<string, number>>('wisp_engine_describe', this.#engine());
      return { ...native.json<Record<string, number>>('wisp_engine_counters', this.#engine()), compile_ns: start.compile_ns ?? 0, tuning_ns: start.tuning_ns ?? 0 };
    },
    memory: () => ({
      ...this.#current().native.json<MemoryUse>('wisp_engine_memory', this.#engine()),
      module: this.#current().parts.module.memory.buffer.byteLength,
    }),
    profile: () => this.#current().native.json('wisp_engine_profile', this.#engine()),
    setProfiling: (_id, on) => this.#current().native.do('wisp_engine_set_profiling', this.#engine(), on ? 1 : 0),
    tokenize: (_id, text, { special, parse }) => {
      const { native, parts } = this.#current();
      const flags = (special ? 1 : 0) | (parse ? 2 : 0);
      const bytes = native.withText(text, (at, length) => native.bytes('wisp_model_tokenize', parts.model, at, length, flags));
      return [...new Int32Array(bytes.buffer)];
    },
    detokenize: (_id, ids, hideSpecial) => {
      const { native, parts } = this.#current();
      const bytes = new Uint8Array(Int32Array.from(ids).buffer);
      return parts.module.with(bytes, (at, length) =>
        native.text('wisp_model_detokenize', parts.model, at, length / 4, hideSpecial ? HIDE_SPECIAL : 0));
    },
    chatText: (_id, chat) => {
      const { native, parts } = this.#current();
      return native.withText(JSON.stringify(chat), (at, length) => native.text('wisp_model_chat_text', parts.model, at, length, 0));
    },
    embed: async (id, inputs, pooling, normalise) => {
      const prompts = inputs.map(input => (typeof input === 'string' ? this.#tokens(input) : input));
      const vectors = await this.#current().embed(id, prompts, pooling, normalise);
      return { vectors, promptTokens: prompts.reduce((sum, prompt) => sum + prompt.length, 0) };
    },
    metadata: (_id, key) => {
      const { native, parts } = this.#current();
      return native.withText(key, (at, length) => native.json('wisp_model_metadata', parts.model, at, length));
    },
    unload: () => this.#unload(),
    listModels: async () => (await this.#open()).list(),
    removeModel: async (_id, model) => (await this.#open()).remove(model),
    usage: async () => (await this.#open()).usage(),
    quantisations: async (_id, name) => (await (await this.#open()).quantisations(name)).map(candidate => ({
      name: candidate.name, stem: candidate.stem, type: candidate.type, bytes: candidate.bytes, parts: candidate.parts, stored: candidate.stored,
    })),
    loseDevice: () => this.#current().parts.module.gpu.loseAll(),
  };

  // Loads and recoveries come one after another: each has given back what it held before the next begins.
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#lastLoad.then(task);
    this.#lastLoad = done.catch(() => {});
    return done;
  }

  async #load(id: number, source: ModelSource, settings: LoadSettings, abort: AbortController): Promise<EngineInfo> {
    const begun = performance.now();
    const progress = (told: LoadProgress): void => this.post({ type: 'progress', id, progress: told });
    // Bytes come and go to their device at the same time. What is told is what has to be waited for: the network, then the device.
    let bytes: LoadProgress | undefined;
    let isLoading = false;
    const remarks: string[] = [];
    const remark = (text: string): void => {
      remarks.push(text);
      this.post({ type: 'remark', id, text });
    };
    try {
      await this.#giveBack();
      abort.signal.throwIfAborted();
      this.#settings = settings;
      const found = await findWays(this.platform, settings);
      found.remarks.forEach(remark);
      const models = await this.#open();
      const ways = await this.#openFile(models, source, found.ways, {
        signal: abort.signal, onRemark: remark,
        onProgress: told => {
          bytes = told;
          if (told.phase !== 'reading' || !isLoading) progress({ ...told });
        },
        onMakeRoom: request => this.#ask(request, abort.signal),
        ...(settings.keep !== undefined && { keep: settings.keep }),
        ...(settings.sha256 !== undefined && { sha256: settings.sha256 }),
        ...(settings.refresh !== undefined && { refresh: settings.refresh }),
      });
      const texts = await models.texts.load();
      let total = 0;
      let weightsReady = begun;
      const loaded = await this.#tryWays(ways, remark, way => load(this.platform, this.#file!, way, settings, {
        signal: abort.signal, texts, remark,
        progress: (done, all) => {
          total = all;
          isLoading = true;
          if (bytes?.phase === 'fetching' && bytes.loaded < bytes.total && done < all) return;
          progress({ phase: 'loading', loaded: done, total: all, fromCache: Math.min(done, bytes?.fromCache ?? 0), bytesPerSecond: bytes?.bytesPerSecond ?? 0 });
        },
        starting: () => {
          weightsReady = performance.now();
          progress({ phase: 'starting', loaded: total, total, fromCache: 0, bytesPerSecond: 0 });
        },
      }));
      this.#use(loaded.loaded.session);
      // What the engine does not use is fetched too, so that the model is whole and works offline.
      await this.#file!.complete();
      abort.signal.throwIfAborted();
      this.#info = this.#describe(loaded.loaded, loaded.way, models, remarks, performance.now() - begun, performance.now() - weightsReady);
      await this.#keepTexts();
      progress({ phase: 'ready', loaded: total, total, fromCache: 0, bytesPerSecond: 0 });
      return this.#info;
    } catch (error) {
      await this.#giveBack();
      throw abort.signal.aborted ? new ModelError('cancelled', 'the load was cancelled') : error;
    } finally {
      if (this.#loading === id) this.#loading = undefined;
    }
  }

  // Each way until one works.
  async #tryWays(ways: Way[], remark: (text: string) => void, attempt: (way: Way) => Promise<Loaded>): Promise<{ loaded: Loaded; way: Way }> {
    let left = ways;
    for (;;) {
      const [way, ...others] = left;
      if (!way) throw new ModelError('internal', 'there is no way to run a model');
      try {
        const loaded = await attempt(way);
        this.#waysLeft = others;
        return { loaded, way };
      } catch (error) {
        const { code, message } = errorOf(error);
        // What fails on the GPU does so by another module, too, unless it was the module.
        left = others.filter(({ device }) => device === 'cpu' || error instanceof ModuleError);
        if (left.length === 0 || FINAL.has(code) || (code === 'limit' && way.device === 'cpu')) throw error;
        remark(`not on ${way.device === 'gpu' ? 'the GPU' : `the ${way.variant} module`}: ${message}`);
      }
    }
  }

  // Of a repository the type that fits the GPU; where none does, the one that fits the CPU, which then runs it. Gives the ways left.
  async #openFile(models: Models, source: ModelSource, ways: Way[], options: OpenOptions): Promise<Way[]> {
    const first = ways[0]!; // findWays() gives one at least
    const onCpu = ways.filter(({ device }) => device === 'cpu');
    try {
      this.#file = await models.open(source, { ...options, fits: fitsOn(this.platform, first, this.#settings) });
      return ways;
    } catch (error) {
      const { code, message } = ModelError.from(error);
      if (code !== 'out_of_memory' || first.device !== 'gpu' || !onCpu[0]) throw error;
      options.onRemark?.(`not on the GPU: ${message}`);
      this.#file = await models.open(source, { ...options, fits: fitsOn(this.platform, onCpu[0], this.#settings) });
      return onCpu;
    }
  }

  #use(session: Session): void {
    this.#session = session;
    session.onidle = () => void this.#keepTexts();
    session.onbroken = error => {
      this.#recovering = true;
      void this.#inTurn(() => this.#recover(session, error)).finally(() => {
        this.#recovering = false;
        const waiting = [...this.#waiting];
        this.#waiting.clear();
        for (const [id, settings] of waiting) this.#generate(id, settings);
      });
    };
  }

  // A device that is lost for good must not take the answers with it: they go on in the next way.
  async #recover(session: Session, error: ModelError): Promise<void> {
    if (session !== this.#session) return; // given back meanwhile
    const fail = (why: ModelError): void => session.unfinished().forEach(generation => generation.fail(why));
    const next = this.#waysLeft.find(way => way.device === 'cpu');
    if (!next || !this.#file || !this.#info || session.parts.device !== 'gpu' || this.#settings.device !== 'auto') {
      this.#session = undefined;
      session.close();
      fail(error);
      return;
    }
    const remark = `the GPU was lost, and the CPU goes on: ${error.message}`;
    this.#info.remarks.push(remark);
    try {
      this.#session = undefined;
      session.close();
      const ways = this.#waysLeft.slice(this.#waysLeft.indexOf(next));
      const remarks = this.#info.remarks;
      const { loaded, way } = await this.#tryWays(ways, text => remarks.push(text), tried => load(this.platform, this.#file!, tried, this.#settings, {
        signal: this.#abort.signal, texts: new Map(), progress: () => {}, starting: () => {}, remark: text => remarks.push(text),
      }));
      this.#use(loaded.session);
      this.#info = { ...this.#info, ...this.#running(loaded, way) };
      this.post({ type: 'changed', info: this.#info, remark });
      loaded.session.adopt(session.unfinished());
    } catch (cause) {
      this.#session = undefined;
      fail(ModelError.from(cause));
    }
  }

  #generate(id: number, settings: GenerateSettings): void {
    if (this.#recovering) {
      this.#waiting.set(id, settings);
      return;
    }
    try {
      const made = this.#current().generate(id, settings, deltas => this.post({ type: 'deltas', id, deltas }));
      made.forEach(generation => {
        generation.onfail = error => this.#fail(id, error);
      });
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #cancel(id: number): void {
    if (this.#loading === id) this.#abort.abort();
    else if (!this.#waiting.delete(id)) this.#session?.cancel(id);
  }

  async #unload(): Promise<void> {
    this.#abort.abort();
    await this.#inTurn(() => this.#giveBack());
  }

  async #giveBack(): Promise<void> {
    const [session, file] = [this.#session, this.#file];
    this.#session = this.#file = this.#info = undefined;
    session?.unfinished().forEach(generation => generation.fail(new ModelError('cancelled', 'the model was unloaded')));
    session?.close();
    await file?.close();
  }

  #open(): Promise<Models> {
    const { endpoint, token, store, folder } = this.#settings;
    const options: ModelsOptions = {
      ...(endpoint !== undefined && { endpoint }), ...(token !== undefined && { token }), ...(store !== undefined && { store }),
      ...(folder !== undefined && { folder }),
    };
    const key = JSON.stringify(options);
    if (key !== this.#modelsKey) {
      void this.#models?.then(models => models.close(), () => {});
      this.#models = undefined;
    }
    this.#modelsKey = key;
    this.#models ??= openModels(options).catch((error: unknown) => {
      this.#models = undefined;
      throw error;
    });
    return this.#models;
  }

  async #ask(request: Extract<FromWorker, { type: 'ask' }>['request'], signal: AbortSignal): Promise<readonly string[] | 'do not keep' | undefined> {
    const question = ++this.#lastQuestion;
    const answered = new Promise<readonly string[] | 'do not keep' | undefined>((resolve, reject) => {
      this.#questions.set(question, { resolve: resolve as (value: unknown) => void, reject });
      this.post({ type: 'ask', question, what: 'makeRoom', request });
    });
    return abortable(answered, signal).finally(() => this.#questions.delete(question));
  }

  async #keepTexts(): Promise<void> {
    const session = this.#session;
    if (!session || session.parts.device !== 'gpu') return;
    const texts = session.takeTexts();
    if (texts.size > 0) await (await this.#open()).texts.save(texts).catch(() => {});
  }

  #describe(loaded: Loaded, way: Way, models: Models, remarks: string[], loadMilliseconds: number, readyMilliseconds: number): EngineInfo {
    const { model } = loaded;
    const file = this.#file!;
    const { module } = loaded.session.parts;
    return {
      version: module.textAt(module.call('wisp_version')),
      model: {
        source: file.name, name: model.name ?? '', architecture: model.architecture, type: file.type, bytes: file.size,
        parameters: model.parameters ?? 0, context: model.context ?? 0, layers: model.layers ?? 0,
        chatTemplate: model.chat_template, why: file.why,
      },
      ...this.#running(loaded, way),
      loadMilliseconds, readyMilliseconds, store: models.storeKind, remarks,
    };
  }

  #running({ session }: Loaded, way: Way): Pick<EngineInfo, 'device' | 'executor' | 'variant' | 'threads' | 'context' | 'kv' | 'maxSequences' | 'kernels' | 'knownKernels'> {
    const { native, parts } = session;
    const told = native.json<{ executor: string; kv: string; kernels: number; known_kernels: number }>('wisp_engine_describe', parts.engine);
    return {
      device: way.device, executor: told.executor, variant: way.variant, threads: way.threads,
      context: parts.module.call('wisp_engine_max_positions', parts.engine), kv: told.kv,
      maxSequences: this.#settings.maxSequences ?? MAX_SEQUENCES, kernels: told.kernels, knownKernels: told.known_kernels,
    };
  }

  #tokens(text: string): number[] {
    const { native, parts } = this.#current();
    const bytes = native.withText(text, (at, length) => native.bytes('wisp_model_tokenize', parts.model, at, length, 1));
    return [...new Int32Array(bytes.buffer)];
  }
  #current(): Session {
    if (!this.#session) throw new ModelError('invalid_argument', 'no model is loaded');
    return this.#session;
  }
  #engine(): number {
    return this.#current().parts.engine;
  }
}

function errorOf(error: unknown): ModelError {
  if (error instanceof WebAssembly.RuntimeError) return new ModelError('internal', `the engine ended unexpectedly: ${error.message}`);
  // Of the language: a mistake in this code or in a value that it was given, not in what was fetched.
  const isMistake = error instanceof TypeError || error instanceof SyntaxError || error instanceof ReferenceError;
  return isMistake ? new ModelError('internal', error.message) : ModelError.from(error);
}
