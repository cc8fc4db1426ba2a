// A model in a module, on a GPU or on the CPU, and the one loop that serves all its generations. Everything that takes
// time is asynchronous: between two steps the worker returns to its event loop, so a page can always cancel, ask and add.
import type { WispModule } from '../module/module.js';
import { ModelError } from '../models/index.js';
import type { Delta, GenerateSettings } from '../protocol.js';
import { deviceAnswers } from './device_wait.js';
import { Generation } from './generation.js';
import { Native } from './native.js';
import { Turns } from './turns.js';

/** wisp_step_state. */
const [FINISHED, , WAITS, , WANTS_DATA] = [0, 1, 2, 3, 4] as const;
/** wisp_kind. */
const [NONE, TOKEN, LOGITS] = [0, 1, 2] as const;

/** Texts in the engine's queue: it refuses more than 1,024. */
const EMBEDDED_AT_ONCE = 256;

/** The handles that a session owns, and what it needs of its surroundings. */
export interface SessionParts {
  module: WispModule;
  native: Native;
  source: number;
  model: number;
  options: number;
  engine: number;
  device: 'gpu' | 'cpu';
  /** A pointer to the next device of the module, where the last one was lost. */
  openDevice(): Promise<number>;
  /** Feeds the next weights that a new device needs. */
  feedMore(): Promise<void>;
}

export class Session {
  readonly #generations = new Map<number, Generation>(); // by the engine's number
  readonly #turns = new Turns();
  readonly #event: number;
  #running = false;
  #closed = false;
  #failure: ModelError | undefined;

  /** Called when no step can be made any more; generations that are not finished are still in `unfinished()`. */
  onbroken: (error: ModelError) => void = () => {};
  /** Called when all generations are finished. */
  onidle: () => void = () => {};

  constructor(readonly parts: SessionParts) {
    this.#event = parts.module.call('wisp_event_create');
  }

  get native(): Native {
    return this.parts.native;
  }

  /** Starts answers; `post` gets what comes of them, at most once a step. Throws where the engine refuses. */
  generate(id: number, settings: GenerateSettings, post: (deltas: Delta[]) => void): Generation[] {
    this.#check();
    const made: Generation[] = [];
    try {
      for (let choice = 0; choice < settings.n; ++choice) {
        const generation = new Generation(id, choice, settings, post);
        generation.submit(this.parts);
        this.#generations.set(generation.number, generation);
        made.push(generation);
      }
    } catch (error) {
      made.forEach(generation => this.#drop(generation));
      throw error;
    }
    void this.#run();
    return made;
  }

  /** Goes on with answers that another session began. */
  adopt(generations: Generation[]): void {
    for (const generation of generations) {
      try {
        generation.resume(this.parts);
        this.#generations.set(generation.number, generation);
      } catch (error) {
        generation.fail(ModelError.from(error));
      }
    }
    void this.#run();
  }

  /** Those that somebody waits for. */
  unfinished(): Generation[] {
    return [...this.#generations.values()].filter(({ isLeft }) => !isLeft);
  }

  /** Ends the answers of a request; they finish with `cancelled`. */
  cancel(id: number): void {
    for (const generation of this.#generations.values()) {
      if (generation.id !== id) continue;
      generation.isLeft = true;
      if (this.#failure) this.#generations.delete(generation.number); // nobody goes on with it
      // Unknown already: its end is among the events.
      else this.parts.module.call('wisp_engine_cancel', this.parts.engine, BigInt(generation.number), 0);
    }
    void this.#run();
  }

  /** Resolves when the device compiles and measures no more, so the first answer is as fast as the next. */
  async ready(): Promise<void> {
    for (;;) {
      this.#check();
      if (this.native.out32('wisp_engine_ready', this.parts.engine) === 1) return;
      await this.#deviceAnswers();
    }
  }

  /** What is worth keeping about the device for the next visit: texts by name. */
  takeTexts(): Map<string, string> {
    const { module, engine } = this.parts;
    const texts = new Map<string, string>();
    const text = module.call('wisp_buffer_create');
    for (;;) {
      const name = this.native.text2('wisp_engine_take_text', engine, text);
      if (name === '') break;
      texts.set(name, this.native.contentOf(text));
    }
    module.call('wisp_buffer_destroy', text);
    return texts;
  }

  /** Everything goes back. Answers that are not finished end without a word. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#turns.close();
    const { module, native, engine, options, model, source } = this.parts;
    // A module that trapped is in no state for calls.
    if (this.#failure?.code === 'internal') return module.end();
    this.#generations.forEach(generation => generation.close());
    module.call('wisp_event_destroy', this.#event);
    module.call('wisp_engine_destroy', engine);
    module.call('wisp_options_destroy', options);
    module.call('wisp_model_destroy', model);
    module.call('wisp_source_destroy', source);
    native.close();
    module.close();
  }

  /** Embeddings: as many vectors as there are inputs. `cancel(id)` ends them all, and so does one that fails. */
  async embed(id: number, prompts: number[][], pooling: string, normalise: boolean): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    for (let at = 0; at < prompts.length; at += EMBEDDED_AT_ONCE) {
      const some = prompts.slice(at, at + EMBEDDED_AT_ONCE);
      try {
        vectors.push(...await Promise.all(some.map(prompt => this.#embedOne(id, { prompt, max_tokens: 0, pooling, normalize: normalise }))));
      } catch (error) {
        this.cancel(id);
        throw error;
      }
    }
    return vectors;
  }

  #embedOne(id: number, settings: Record<string, unknown>): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      const [generation] = this.generate(id, { settings, n: 1 }, deltas => {
        if (deltas.some(delta => delta.finish)) reject(new ModelError('cancelled', 'the embedding was cancelled'));
      });
      if (!generation) return reject(new ModelError('internal', 'no request was made'));
      generation.onvector = resolve;
      generation.onfail = reject;
    });
  }

  async #run(): Promise<void> {
    if (this.#running || this.#closed || this.#failure) return;
    this.#running = true;
    try {
      await Promise.resolve(); // whoever began a generation still has to say who listens
      for (;;) {
        const state = this.native.out32('wisp_engine_step', this.parts.engine);
        this.#takeEvents();
        if (state === FINISHED) break;
        if (state === WAITS) await this.#deviceAnswers();
        else if (state === WANTS_DATA) await this.parts.feedMore();
        else await this.#turns.next();
        if (this.#closed) return;
      }
      this.#running = false;
      this.onidle();
    } catch (error) {
      this.#running = false;
      if (!this.#closed) this.#break(error);
    }
  }

  #break(cause: unknown): void {
    // A trap of the module comes as a WebAssembly.RuntimeError: nothing in its memory can be relied on.
    this.#failure = cause instanceof WebAssembly.RuntimeError
      ? new ModelError('internal', `the engine ended unexpectedly: ${cause.message}`) : ModelError.from(cause);
    this.onbroken(this.#failure);
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new ModelError('cancelled', 'the model was unloaded');
  }

  #takeEvents(): void {
    const { module } = this.parts;
    const touched = new Set<Generation>();
    for (;;) {
      this.native.do('wisp_engine_next_event', this.parts.engine, this.#event);
      const kind = module.call('wisp_event_kind', this.#event);
      if (kind === NONE) break;
      const generation = this.#generations.get(Number(module.exports.wisp_event_request?.(this.#event) ?? 0));
      if (!generation) continue;
      if (kind === TOKEN) generation.takeToken(this.parts, this.#event);
      else if (kind !== LOGITS) {
        generation.takeFinish(this.parts, this.#event);
        this.#generations.delete(generation.number);
      }
      touched.add(generation);
    }
    touched.forEach(generation => generation.flush());
  }

  #drop(generation: Generation): void {
    this.parts.module.call('wisp_engine_cancel', this.parts.engine, BigInt(generation.number), 0);
    this.#generations.delete(generation.number);
    generation.close();
  }

  #deviceAnswers(): Promise<void> {
    const { module, native, engine, openDevice } = this.parts;
    return deviceAnswers(module, native, engine, openDevice);
  }
}
