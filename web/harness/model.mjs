// A model in a module: the functions of engine/api/wisp.h, with those that only a page needs (wasm_exports.cpp), as a
// JavaScript object. The thread that makes the calls owns the engine; on a GPU it has to return to its event loop for anything to
// happen.
import { openModule } from './module.mjs';

// wisp_status, in its order.
export const STATUSES = ['ok', 'invalid_argument', 'invalid_file', 'unsupported', 'not_found', 'io', 'out_of_memory',
  'need_more_data', 'limit', 'cancelled', 'device', 'internal'];
const NO_LOGITS = -1;
const PIECE_BYTES = 1 << 20;
const [FINISHED, MORE, WAITS] = [0, 1, 2]; // wisp_step_state
const [LOAD_DONE, , LOAD_WAITS, LOAD_WANTS_DATA] = [0, 1, 2, 3]; // wisp_load_state
const [NONE, TOKEN, LOGITS, FINISH] = [0, 1, 2, 3]; // wisp_kind
const REASON_ERROR = 5; // wisp_finish_reason
const CACHED_TOKENS = 1; // wisp_figure

export class Model {
  // `bytes` of a GGUF file. `reversed` feeds its pieces last first, which must make no difference. `gpu`: on host.gpu;
  // `texts`: what an earlier visit kept.
  static async open(host, variant, bytes, { threads = 1, context = 0, kv = 'f16', chunk = 0, reversed = false, gpu = false, texts = new Map(), output = 'logits' } = {}) {
    const model = new Model();
    model.host = host;
    model.module = await openModule(host, 'wisp', variant);
    const { exports } = model.module;
    model.exports = exports;
    model.pool = exports.wisp_pool_create(threads);
    if (model.pool === 0) throw new Error(`${threads} threads were refused`);
    model.stopThreads = await model.module.startThreads(threads, 'wisp_pool_run_worker', model.pool);
    model.error = exports.wisp_error_create();
    model.buffer = exports.wisp_buffer_create();
    model.event = exports.wisp_event_create();
    model.scratch = exports.wisp_alloc(8) >>> 0;
    try {
      model.source = model.make('wisp_source_from_pieces', BigInt(bytes.length));
      model.feed(bytes, reversed);
      model.model = model.make('wisp_model_open', model.source);
      model.options = exports.wisp_options_create();
      exports.wisp_options_set_pool(model.options, model.pool);
      // Plans of more rows than any step has would only take memory, and kernels to compile.
      model.set(model.options, 'wisp_options_set_json', {
        context, kv, max_sequences: 1, prefix_cache: false, device: gpu ? 'gpu' : 'cpu', output, ...(chunk && { prompt_chunk: chunk, rows: chunk }),
      });
      for (const [name, text] of texts) model.putText(name, text);
      if (gpu) exports.wisp_options_set_device(model.options, await model.openDevice());
      model.engine = model.make('wisp_engine_begin', model.model, model.options);
      await model.loadWeights();
      // A GPU reads its weights again after a loss.
      if (!gpu) model.call('wisp_source_discard', model.source);
    } catch (error) {
      model.close();
      throw error;
    }
    model.vocabulary = exports.wisp_engine_vocabulary(model.engine);
    return model;
  }

  // In steps: a device takes in weights while this thread is in its event loop.
  async loadWeights() {
    for (;;) {
      this.call('wisp_engine_load', this.engine, this.scratch);
      const state = new Int32Array(this.module.memory.buffer, this.scratch, 1)[0];
      if (state === LOAD_DONE) return;
      if (state === LOAD_WANTS_DATA) throw new Error('the whole file was fed, and more of it is wanted');
      if (state === LOAD_WAITS) await this.deviceAnswers();
    }
  }

  // A pointer to the module's device, which the call that takes it owns.
  async openDevice() {
    const { gpu } = this.module;
    gpu.onanswer = () => this.answered?.();
    const { pointer, info } = await gpu.open(this.host.gpu);
    this.deviceInfo = info;
    this.devices = (this.devices ?? 0) + 1;
    return pointer;
  }

  putText(name, text) {
    this.withText(name, (nameAt, nameBytes) => this.withText(text, (at, bytes) =>
      this.call('wisp_options_put_text', this.options, nameAt, nameBytes, at, bytes)));
  }

  // What is to be kept for the next visit: texts by name.
  takeTexts() {
    const texts = new Map();
    const text = this.exports.wisp_buffer_create();
    for (;;) {
      this.call('wisp_engine_take_text', this.engine, this.buffer, text);
      const name = this.text();
      if (name === '') break;
      texts.set(name, this.text(text));
    }
    this.exports.wisp_buffer_destroy(text);
    return texts;
  }

  // Kernels that were known from an earlier visit, and compiled while the weights were packed.
  knownKernels() {
    this.call('wisp_engine_describe', this.engine, this.buffer);
    return JSON.parse(this.text()).known_kernels;
  }

  // Resolves once the device has answered; another device where it was lost.
  async deviceAnswers() {
    if (this.exports.wisp_engine_wants_device(this.engine) === 1) {
      return this.call('wisp_engine_give_device', this.engine, await this.openDevice());
    }
    return new Promise(resolve => { this.answered = resolve; });
  }

  feed(bytes, reversed) {
    const offsets = [];
    for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) offsets.push(offset);
    if (reversed) offsets.reverse();
    for (const offset of offsets) {
      this.with(bytes.subarray(offset, offset + PIECE_BYTES), (at, length) =>
        this.call('wisp_source_feed', this.source, BigInt(offset), at, length));
    }
  }

  // Ends the workers' loops, then the workers.
  close() {
    const { exports } = this;
    exports.wisp_engine_destroy(this.engine ?? 0);
    exports.wisp_options_destroy(this.options ?? 0);
    exports.wisp_model_destroy(this.model ?? 0);
    exports.wisp_source_destroy(this.source ?? 0);
    exports.wisp_event_destroy(this.event);
    exports.wisp_buffer_destroy(this.buffer);
    exports.wisp_error_destroy(this.error);
    exports.wisp_free(this.scratch);
    exports.wisp_pool_destroy(this.pool);
    this.stopThreads();
  }

  bytesRead() {
    return Number(this.exports.wisp_source_bytes_read(this.source));
  }

  describe() {
    this.call('wisp_model_describe', this.model, this.buffer);
    return JSON.parse(this.text());
  }

  // `special`: add the vocabulary's own special tokens; `parse`: read the text of special tokens.
  tokenize(text, { special = false, parse = false } = {}) {
    const flags = (special ? 1 : 0) | (parse ? 2 : 0);
    this.withText(text, (at, length) => this.call('wisp_model_tokenize', this.model, at, length, flags, this.buffer));
    return [...new Int32Array(this.result())];
  }

  detokenize(ids) {
    this.with(bytesOf(ids), (at, length) => this.call('wisp_model_detokenize', this.model, at, length / 4, 0, this.buffer));
    return this.text();
  }

  // Greedy, unless `settings` of a request say otherwise. Logits are those of position `logitsFrom` and all behind it,
  // [positions, vocabulary]. `onstep` hears how many tokens there are. With `keepState` the bytes of the saved sequence
  // come along; `state` are such bytes, of the first ids.
  async generate(ids, count, { logitsFrom = NO_LOGITS, ignoreEnd = false, keepState = false, state = null, settings = {}, onstep = () => {} } = {}) {
    const begun = performance.now();
    const made = { ids: [], text: '', pieces: [], positions: 0, keepState, state: null, cachedTokens: 0 };
    this.submit({
      prompt: [...ids], temperature: 0, max_tokens: count, ignore_end: ignoreEnd, logits_from: logitsFrom,
      token_logits: logitsFrom !== NO_LOGITS, keep_state: keepState, ...settings,
    }, state);
    let first = 0;
    for (let step = MORE; step !== FINISHED;) {
      this.call('wisp_engine_step', this.engine, this.scratch);
      step = new Int32Array(this.module.memory.buffer, this.scratch, 1)[0];
      this.takeEvents(made, ids.length);
      if (first === 0 && made.ids.length > 0) first = performance.now();
      onstep(made.ids.length);
      if (step === WAITS) await this.deviceAnswers();
    }
    const ended = performance.now();
    const logits = new Float32Array(made.positions * this.vocabulary);
    made.pieces.forEach((piece, index) => logits.set(piece, index * this.vocabulary));
    const { state: kept, cachedTokens } = made;
    return { ids: made.ids, text: made.text, logits, state: kept, cachedTokens, promptMilliseconds: first - begun, decodeMilliseconds: ended - first };
  }

  // The vectors that stand for a text, of a model with the output "embeddings"; on a CPU.
  embed(ids, pooling) {
    const { exports, event } = this;
    this.submit({ prompt: [...ids], pooling });
    this.call('wisp_engine_wait_event', this.engine, event);
    if (exports.wisp_event_kind(event) !== FINISH) throw new Error(`an event of kind ${exports.wisp_event_kind(event)}, not the end`);
    return new Float32Array(this.bytesAt(exports.wisp_event_embedding(event), 4 * exports.wisp_event_embedding_count(event)).buffer);
  }

  submit(settings, state = null) {
    const request = this.exports.wisp_request_create();
    try {
      this.set(request, 'wisp_request_set_json', settings);
      if (state !== null) this.with(state, (at, length) => this.call('wisp_request_set_state', request, at, length));
      if (this.exports.wisp_engine_submit(this.engine, request, this.error) === 0n) throw this.failure();
    } finally {
      this.exports.wisp_request_destroy(request);
    }
  }

  takeEvents(made, promptTokens) {
    const { exports, event } = this;
    for (;;) {
      this.call('wisp_engine_next_event', this.engine, event);
      const kind = exports.wisp_event_kind(event);
      if (kind === NONE) return;
      made.text += new TextDecoder().decode(this.bytesAt(exports.wisp_event_text(event), exports.wisp_event_text_size(event)));
      if (kind === TOKEN) made.ids.push(exports.wisp_event_token(event));
      // The first token was chosen from the last position of the prompt, which LOGITS has told already.
      if (kind === LOGITS || exports.wisp_event_position(event) > promptTokens) {
        const count = exports.wisp_event_logit_count(event) >>> 0;
        if (count > 0) {
          made.pieces.push(new Float32Array(this.bytesAt(exports.wisp_event_logits(event), 4 * count).buffer));
          made.positions += 1;
        }
      }
      if (kind === FINISH) made.cachedTokens = Number(exports.wisp_event_figure(event, CACHED_TOKENS));
      if (kind === FINISH && made.keepState) {
        this.call('wisp_event_state', event, this.buffer);
        made.state = new Uint8Array(this.result());
      }
      if (kind === FINISH && exports.wisp_event_finish_reason(event) === REASON_ERROR) {
        throw this.failure(exports.wisp_event_status(event), exports.wisp_event_message(event));
      }
    }
  }

  // Of a saved sequence.
  stateTokens(state) {
    this.with(state, (at, length) => this.call('wisp_state_tokens', at, length, this.buffer));
    return [...new Int32Array(this.result())];
  }

  // ---- the C interface ----

  // A function that returns a status; its error is added.
  call(name, ...rest) {
    if (this.exports[name](...rest, this.error) !== 0) throw this.failure();
  }

  // A function that returns what it made.
  make(name, ...rest) {
    const made = this.exports[name](...rest, this.error) >>> 0;
    if (made === 0) throw this.failure();
    return made;
  }

  // Settings of a handle, by one of the functions that take JSON.
  set(handle, name, settings) {
    this.withText(JSON.stringify(settings), (at, length) => this.call(name, handle, at, length));
  }

  failure(status = this.exports.wisp_error_status(this.error), message = this.exports.wisp_error_message(this.error)) {
    const bytes = new Uint8Array(this.module.memory.buffer, message >>> 0);
    const error = new Error(new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0))));
    error.code = STATUSES[status];
    return error;
  }

  // A copy of bytes in the module's memory.
  bytesAt(pointer, length) {
    return new Uint8Array(this.module.memory.buffer, pointer >>> 0, length >>> 0).slice();
  }

  // A copy of a buffer's content, and the same as text.
  result(buffer = this.buffer) {
    return this.bytesAt(this.exports.wisp_buffer_data(buffer), this.exports.wisp_buffer_size(buffer)).buffer;
  }
  text(buffer = this.buffer) {
    return new TextDecoder().decode(this.result(buffer));
  }

  // Calls use(pointer, length) with the bytes in the module's memory.
  with(bytes, use) {
    const at = this.module.put(bytes);
    try {
      return use(at, bytes.length);
    } finally {
      this.exports.wisp_free(at);
    }
  }
  withText(text, use) {
    return this.with(new TextEncoder().encode(text), use);
  }
}

const bytesOf = ids => new Uint8Array(Int32Array.from(ids).buffer);
