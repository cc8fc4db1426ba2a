// The shipped model through a module: text, greedy continuations, and logits that keep every bit whatever the threads
// and chunks.
import { expect } from './expect.mjs';
import { expectGreedy, NO_DATA } from './golden_checks.mjs';
import { Model } from './model.mjs';

const SHIPPED = 'models/wisp-stories.gguf';
const STORY = 'Once upon a time';
const QUESTION = '<|user|>Tell me a story about a dog and a ball.<|end|><|assistant|>';

async function withModel({ host, variant }, options, use) {
  const model = await Model.open(host, variant, await host.read(SHIPPED), options);
  try {
    return await use(model);
  } finally {
    model.close();
  }
}

// Ids of a text come back as the text; the model's own spelling of its special tokens is read where that was asked for.
export async function checkTokenizer(where) {
  await withModel(where, {}, model => {
    for (const text of [STORY, ' two  spaces\n', 'Zoë 🙂 日本', '']) {
      expect(model.detokenize(model.tokenize(text)) === text, `'${text}' came back as '${model.detokenize(model.tokenize(text))}'`);
    }
    const marked = model.tokenize(QUESTION, { special: true, parse: true });
    expect(marked.length < model.tokenize(QUESTION).length, 'special tokens were read as plain text');
    expect(model.detokenize(marked) === `<s>${QUESTION}`, `${model.detokenize(marked)} is not the prompt behind <s>`);
  });
}

// The reference's prompts and greedy continuations; the margins tell how far both must agree.
export async function checkGreedyText(where) {
  const { host } = where;
  if (!host.hasData) return NO_DATA;
  const lines = new TextDecoder().decode(await host.readData('shipped/expected.jsonl')).trim().split('\n');
  const expected = lines.map(line => JSON.parse(line)).filter(({ model }) => SHIPPED.endsWith(`/${model}`));
  expect(expected.length > 0, 'nothing is expected of the shipped model');
  return withModel(where, {}, async model => {
    for (const { prompt, ids, greedy, margin } of expected) {
      const read = model.tokenize(prompt, { parse: true });
      expect(read.join() === ids.join(), `'${prompt}' became ${read}, not ${ids}`);
      const made = await model.generate(ids, greedy.length, { ignoreEnd: true });
      expectGreedy(made.ids, greedy, margin, 0.3);
    }
    return '';
  });
}

// A prompt longer than a batch bucket, and a decode behind it.
async function bitsOf(where, options) {
  return withModel(where, { kv: 'f32', ...options }, async model => {
    const ids = model.tokenize(`${STORY}, there was a little girl named Lily. She loved to play outside. `.repeat(5), { special: true });
    const { logits, ids: made } = await model.generate(ids, 12, { logitsFrom: 0, ignoreEnd: true });
    expect(logits.length === (ids.length + 11) * model.vocabulary, `${logits.length} logits of ${ids.length} + 11 positions`);
    expect(logits.some(x => x !== 0) && logits.every(Number.isFinite), 'logits are all zero, or not finite');
    return { logits, bits: new Uint32Array(logits.buffer), made };
  });
}

function expectSameBits(a, b, what) {
  let differ = 0;
  for (let i = 0; i < a.bits.length; ++i) if (a.bits[i] !== b.bits[i]) ++differ;
  expect(differ === 0, `${what}: ${differ} of ${a.bits.length} logits differ`);
  expect(a.made.join() === b.made.join(), `${what}: other ids were generated`);
}

export async function checkThreadsKeepBits(where) {
  const one = await bitsOf(where, { threads: 1 });
  for (const threads of [2, 3]) expectSameBits(await bitsOf(where, { threads }), one, `${threads} threads`);
}

export async function checkChunksKeepBits(where) {
  const threads = where.variant === 'single' ? 1 : 2;
  const whole = await bitsOf(where, { threads });
  for (const chunk of [1, 7, 64]) expectSameBits(await bitsOf(where, { threads, chunk }), whole, `chunks of ${chunk}`);
}

// Keys and values that are rounded move the logits a little, and not more.
export async function checkKvTypes(where) {
  const exact = (await bitsOf(where, {})).logits;
  const norm = Math.sqrt(exact.reduce((sum, x) => sum + x * x, 0));
  for (const [kv, atMost] of [['f16', 1e-2], ['q8_0', 2e-2]]) {
    const { logits } = await bitsOf(where, { kv });
    const share = Math.sqrt(logits.reduce((sum, x, i) => sum + (x - exact[i]) ** 2, 0)) / norm;
    expect(share > 0 && share <= atMost, `with keys and values in ${kv} the logits move by ${share} of their norm`);
  }
}

// What one module saves another one goes on with, though the files of both are gone by then; what is cut is refused.
export async function checkSavedSequences(where) {
  const { whole, state } = await withModel(where, {}, async model => {
    const ids = model.tokenize(STORY, { special: true });
    const all = await model.generate(ids, 24, { ignoreEnd: true });
    const first = await model.generate(ids, 9, { ignoreEnd: true, keepState: true });
    return { whole: [...ids, ...all.ids], state: first.state };
  });
  await withModel(where, {}, async model => {
    const told = model.stateTokens(state);
    expect(told.join() === whole.slice(0, told.length).join(), `${told} was saved of ${whole}`);
    const rest = await model.generate(told, whole.length - told.length, { ignoreEnd: true, state });
    expect([...told, ...rest.ids].join() === whole.join(), `${rest.ids} came behind ${told}, not the rest of ${whole}`);
    expect(rest.cachedTokens === told.length - 1, `${rest.cachedTokens} of ${told.length} tokens were restored`);
    let refusal = null;
    await model.generate(told, 1, { state: state.subarray(0, state.length - 1) }).catch(error => { refusal = error; });
    expect(refusal?.code === 'invalid_file', `a state that was cut: ${refusal}`);
  });
}

// Pieces in any order; what is damaged, cut or missing is refused with a sentence, and never ends the module.
export async function checkLoading(where) {
  const { host, variant } = where;
  const bytes = await host.read(SHIPPED);
  await withModel(where, { reversed: true }, async model => {
    expect((await model.generate(model.tokenize(STORY, { special: true }), 4)).text.length > 0, 'no text was made');
    // The embedding table is the output matrix too, and a stream is read once for each.
    expect(model.bytesRead() > 0.95 * bytes.length && model.bytesRead() < 1.2 * bytes.length,
      `${model.bytesRead()} of ${bytes.length} bytes were read`);
  });
  const damaged = bytes.slice();
  damaged.fill(0xff, 8, 24);
  const half = bytes.subarray(0, bytes.length >> 1);
  for (const [what, code, file, options] of [
    ['a cut model', 'invalid_file', half, {}],
    ['a damaged model', 'invalid_file', damaged, {}],
    ['an empty model', 'invalid_file', bytes.subarray(0, 0), {}],
    ['keys and values above 4 GiB', 'out_of_memory', bytes, { context: 1 << 20, kv: 'f32' }],
  ]) {
    let refusal = null;
    try {
      (await Model.open(host, variant, file, options)).close();
    } catch (error) {
      refusal = error;
    }
    expect(refusal?.code === code && refusal.message.length > 20, `${what}: ${refusal ?? 'accepted'}`);
  }
}

// A vector of length 1, which is the mean of the tokens' own; and a sentence where an engine gives the other thing.
export async function checkEmbeddings(where) {
  await withModel(where, { output: 'embeddings' }, model => {
    const ids = model.tokenize(STORY, { special: true });
    const [each, mean] = [model.embed(ids, 'none'), model.embed(ids, 'mean')];
    const width = model.exports.wisp_engine_embedding_width(model.engine);
    expect(mean.length === width && each.length === ids.length * width, `${mean.length} and ${each.length} floats, of ${width} a vector`);
    const byHand = mean.map((_, i) => ids.reduce((sum, _, token) => sum + each[token * width + i], 0));
    const length = Math.hypot(...byHand);
    expect(length > 0 && mean.every((x, i) => Math.abs(x - byHand[i] / length) < 1e-5), 'the mean is not that of the tokens');
    expectRefusal(() => model.submit({ prompt: [...ids] }), 'set pooling');
  });
  await withModel(where, {}, model => expectRefusal(() => model.submit({ prompt: [1], pooling: 'last' }), 'embeddings'));
}

function expectRefusal(use, because) {
  let refusal = null;
  try {
    use();
  } catch (error) {
    refusal = error;
  }
  expect(refusal?.code === 'invalid_argument' && refusal.message.includes(because), `${refusal ?? 'accepted'}`);
}

// Tokens per second, told and not judged.
export async function measureSpeed(where) {
  const threads = where.variant === 'single' ? 1 : 2;
  await withModel(where, { threads }, async model => {
    const ids = model.tokenize(`${STORY}, there was a dog. `.repeat(40), { special: true }).slice(0, 256);
    await model.generate(ids, 8);  // warm
    const { ids: made, promptMilliseconds, decodeMilliseconds } = await model.generate(ids, 64, { ignoreEnd: true });
    const prefill = (1000 * ids.length) / promptMilliseconds;
    const decode = (1000 * (made.length - 1)) / decodeMilliseconds;
    console.log(`${where.host.name}, wasm-${where.variant}, ${threads} thread${threads > 1 ? 's' : ''}: ` +
      `prefill ${prefill.toFixed(0)} t/s (${ids.length} tokens), decode ${decode.toFixed(0)} t/s`);
  });
}
