// A model in a module: engine/api/wasm_exports.cpp as a JavaScript object. The thread that makes the calls owns the engine;
// on a GPU it has to return to its event loop for anything to happen.
import { openModule } from './module.mjs';

// wisp::Code, in its order.
export const CODES = ['invalid_argument', 'invalid_file', 'unsupported', 'not_found', 'io', 'out_of_memory', 'need_more_data',
  'limit', 'cancelled', 'device', 'internal'];
const KV_TYPES = ['f32', 'f16', 'q8_0'];
const NO_LOGITS = 0xffffffff;
const PIECE_BYTES = 1 << 20;
const [FINISHED, MORE, WAITS] = [0, 1, 2]; // answers of wisp_step

export class Model {
  // `bytes` of a GGUF file. `reversed` feeds its pieces last first, which must make no difference. `gpu`: on host.gpu;
  // `texts`: what an earlier visit kept.
  static async open(host, variant, bytes, { threads = 1, context = 0, kv = 'f16', chunk = 0, reversed = false, gpu = false, texts = new Map() } = {}) {
    const model = new Model();
    model.host = host;
    model.module = await openModule(host, 'wisp', variant);
    model.exports = model.module.exports;
    model.handle = model.exports.wisp_create(BigInt(bytes.length), threads);
    if (model.handle === 0) throw new Error(`a session of ${threads} threads was refused`);
    model.stopThreads = await model.module.startThreads(threads, 'wisp_run_worker', model.handle);
    try {
      model.feed(bytes, reversed);
      for (const [name, text] of texts) model.putText(name, text);
      const device = gpu ? await model.openDevice() : 0;
      model.call('wisp_load', context, KV_TYPES.indexOf(kv), chunk, device);
    } catch (error) {
      model.close();
      throw error;
    }
    model.vocabulary = model.exports.wisp_vocabulary(model.handle);
    return model;
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
    const encoder = new TextEncoder();
    this.with(encoder.encode(name), (nameAt, nameBytes) => this.with(encoder.encode(text), (at, bytes) =>
      this.exports.wisp_put_text(this.handle, nameAt, nameBytes, at, bytes)));
  }

  // What is to be kept for the next visit: texts by name.
  takeTexts() {
    const texts = new Map();
    while (this.call('wisp_take_text') === 1) {
      const [name, ...rest] = new TextDecoder().decode(this.result()).split('\n');
      texts.set(name, rest.join('\n'));
    }
    return texts;
  }

  // Resolves once the device has answered; another device where it was lost.
  async deviceAnswers() {
    if (this.exports.wisp_wants_device(this.handle) === 1) return this.call('wisp_give_device', await this.openDevice());
    return new Promise(resolve => { this.answered = resolve; });
  }

  feed(bytes, reversed) {
    const offsets = [];
    for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) offsets.push(offset);
    if (reversed) offsets.reverse();
    for (const offset of offsets) {
      this.with(bytes.subarray(offset, offset + PIECE_BYTES), (at, length) =>
        this.call('wisp_feed', BigInt(offset), at, length));
    }
  }

  // Ends the workers' loops, then the workers.
  close() {
    this.exports.wisp_destroy(this.handle);
    this.stopThreads();
  }

  bytesRead() {
    return Number(this.exports.wisp_bytes_read(this.handle));
  }

  // `special`: add the vocabulary's own special tokens; `parse`: read the text of special tokens.
  tokenize(text, { special = false, parse = false } = {}) {
    const flags = (special ? 1 : 0) | (parse ? 2 : 0);
    this.with(new TextEncoder().encode(text), (at, length) => this.call('wisp_tokenize', at, length, flags));
    return [...new Int32Array(this.result())];
  }

  detokenize(ids) {
    this.with(bytesOf(ids), (at, length) => this.call('wisp_detokenize', at, length / 4));
    return new TextDecoder().decode(this.result());
  }

  // Greedy. Logits are those of position `logitsFrom` and all behind it, [positions, vocabulary]. `onstep` hears how many
  // tokens there are.
  async generate(ids, count, { logitsFrom = NO_LOGITS, ignoreEnd = false, onstep = () => {} } = {}) {
    const begun = performance.now();
    this.with(bytesOf(ids), (at, length) =>
      this.call('wisp_begin', at, length / 4, count, logitsFrom, ignoreEnd ? 1 : 0));
    let first = 0;
    for (let state = MORE; state !== FINISHED;) {
      state = this.call('wisp_step');
      const made = this.count('wisp_tokens') / 4;
      if (first === 0 && made > 0) first = performance.now();
      onstep(made);
      if (state === WAITS) await this.deviceAnswers();
    }
    const ended = performance.now();
    this.call('wisp_logits');
    const logits = new Float32Array(this.result());
    this.call('wisp_text');
    const text = new TextDecoder().decode(this.result());
    this.call('wisp_tokens');
    return {
      ids: [...new Int32Array(this.result())],
      text,
      logits,
      promptMilliseconds: first - begun,
      decodeMilliseconds: ended - first,
    };
  }

  // ---- the C interface ----

  // A call that answers 0 or more; throws the sentence of a failure.
  call(name, ...rest) {
    const answer = this.exports[name](this.handle, ...rest);
    if (answer >= 0) return answer;
    const error = new Error(new TextDecoder().decode(this.result()));
    error.code = CODES[-1 - answer];
    throw error;
  }

  // A copy of the last result's bytes.
  result() {
    const at = this.exports.wisp_result(this.handle) >>> 0;
    return new Uint8Array(this.module.memory.buffer, at, this.exports.wisp_result_bytes(this.handle) >>> 0).slice().buffer;
  }

  count(name) {
    this.call(name);
    return this.exports.wisp_result_bytes(this.handle);
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
}

const bytesOf = ids => new Uint8Array(Int32Array.from(ids).buffer);
