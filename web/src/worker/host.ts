// The engine's worker as its caller sees it: messages come (protocol.ts), and methods answer them.
import { ModelError } from '../models/index.js';
import { abortable } from '../models/waiting.js';
import type { Platform } from '../platform/platform.js';
import type { FromWorker, GenerateSettings, MemoryUse, Methods, ToWorker } from '../protocol.js';
import { errorOf } from './failures.js';
import { RunningModel } from './running_model.js';
import { Stores } from './stores.js';
import { ADD_SPECIAL, detokenize, HIDE_SPECIAL, PARSE_SPECIAL, textOf, tokenize } from './text.js';

type Post = (message: FromWorker, transfer?: Transferable[]) => void;
type Asked = { [M in keyof Methods]: (id: number, ...args: Parameters<Methods[M]>) => ReturnType<Methods[M]> | Promise<ReturnType<Methods[M]>> };
type Room = readonly string[] | 'do not keep' | undefined;

export class Host {
  readonly #stores = new Stores();
  readonly #model: RunningModel;
  readonly #questions = new Map<number, { resolve(value: Room): void; reject(error: Error): void }>();
  #lastQuestion = 0;
  /** Requests that came while the model recovers. */
  readonly #waiting = new Map<number, GenerateSettings>();

  constructor(platform: Platform, readonly post: Post) {
    this.#model = new RunningModel(platform, this.#stores, {
      progress: (id, progress) => post({ type: 'progress', id, progress }),
      remark: (id, text) => post({ type: 'remark', id, text }),
      makeRoom: (request, signal) => this.#ask(request, signal),
      changed: (info, remark) => post({ type: 'changed', info, remark }),
      recovered: () => {
        const waiting = [...this.#waiting];
        this.#waiting.clear();
        for (const [id, settings] of waiting) this.#generate(id, settings);
      },
    });
  }

  take(message: ToWorker): void {
    switch (message.type) {
      case 'open': this.#stores.options = message.settings; break;
      case 'call': void this.#call(message.id, message.method, message.args); break;
      case 'generate': this.#generate(message.id, message.settings); break;
      case 'cancel': if (!this.#waiting.delete(message.id)) this.#model.cancel(message.id); break;
      case 'answer': {
        const question = this.#questions.get(message.question);
        this.#questions.delete(message.question);
        if (message.error) question?.reject(ModelError.from(message.error));
        else question?.resolve(message.value as Room);
      }
    }
  }

  async #call<M extends keyof Methods>(id: number, method: M, args: Parameters<Methods[M]>): Promise<void> {
    try {
      if (this.#model.isRecovering && method !== 'load' && method !== 'unload') await this.#model.settled();
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
    load: (id, source, settings) => this.#model.load(id, source, settings),
    unload: () => this.#model.unload(),
    counters: () => {
      const { native, parts: { engine } } = this.#model.session;
      const start = native.json<Record<string, number>>('wisp_engine_describe', engine);
      return { ...native.json<Record<string, number>>('wisp_engine_counters', engine), compile_ns: start.compile_ns ?? 0, tuning_ns: start.tuning_ns ?? 0 };
    },
    memory: () => {
      const { native, parts: { engine, module } } = this.#model.session;
      return { ...native.json<MemoryUse>('wisp_engine_memory', engine), module: module.memory.buffer.byteLength };
    },
    profile: () => {
      const { native, parts: { engine } } = this.#model.session;
      return native.json('wisp_engine_profile', engine);
    },
    setProfiling: (_id, on) => {
      const { native, parts: { engine } } = this.#model.session;
      native.do('wisp_engine_set_profiling', engine, on ? 1 : 0);
    },
    tokenize: (_id, text, { special, parse }) =>
      tokenize(this.#model.session.parts, text, (special ? ADD_SPECIAL : 0) | (parse ? PARSE_SPECIAL : 0)),
    detokenize: (_id, ids, hideSpecial) => textOf(detokenize(this.#model.session.parts, ids, hideSpecial ? HIDE_SPECIAL : 0)),
    chatText: (_id, chat) => {
      const { native, parts: { model } } = this.#model.session;
      return native.withText(JSON.stringify(chat), (at, length) => native.text('wisp_model_chat_text', model, at, length, 0));
    },
    embed: async (id, inputs, pooling, normalise) => {
      const { session } = this.#model;
      const prompts = inputs.map(input => (typeof input === 'string' ? tokenize(session.parts, input, ADD_SPECIAL) : input));
      const vectors = await session.embed(id, prompts, pooling, normalise);
      return { vectors, promptTokens: prompts.reduce((sum, prompt) => sum + prompt.length, 0) };
    },
    metadata: (_id, key) => {
      const { native, parts: { model } } = this.#model.session;
      return native.withText(key, (at, length) => native.json('wisp_model_metadata', model, at, length));
    },
    listModels: async () => (await this.#stores.open()).list(),
    removeModel: async (_id, model) => (await this.#stores.open()).remove(model),
    usage: async () => (await this.#stores.open()).usage(),
    quantisations: async (_id, name) => (await (await this.#stores.open()).quantisations(name)).map(candidate => ({
      name: candidate.name, stem: candidate.stem, type: candidate.type, bytes: candidate.bytes, parts: candidate.parts, stored: candidate.stored,
    })),
    loseDevice: () => this.#model.session.parts.module.gpu.loseAll(),
  };

  #generate(id: number, settings: GenerateSettings): void {
    if (this.#model.isRecovering) {
      this.#waiting.set(id, settings);
      return;
    }
    try {
      const made = this.#model.session.generate(id, settings, deltas => this.post({ type: 'deltas', id, deltas }));
      made.forEach(generation => {
        generation.onfail = error => this.#fail(id, error);
      });
    } catch (error) {
      this.#fail(id, error);
    }
  }

  async #ask(request: Extract<FromWorker, { type: 'ask' }>['request'], signal: AbortSignal): Promise<Room> {
    const question = ++this.#lastQuestion;
    const answered = new Promise<Room>((resolve, reject) => {
      this.#questions.set(question, { resolve, reject });
      this.post({ type: 'ask', question, what: 'makeRoom', request });
    });
    return abortable(answered, signal).finally(() => this.#questions.delete(question));
  }
}
