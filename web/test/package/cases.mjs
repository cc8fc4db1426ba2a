// What the package promises wherever it runs: the same cases under Node and in every browser. Plain JavaScript, so that a
// page can import it as it is.

/** @param {unknown} condition @param {string} what */
function check(condition, what) {
  if (!condition) throw new Error(what);
}
/** @param {unknown} got @param {unknown} expected @param {string} what */
function equal(got, expected, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}
async function rejects(promise, code) {
  try {
    await promise;
  } catch (error) {
    const got = error.name === 'AbortError' ? 'AbortError' : error.code;
    if (got !== code) throw new Error(`failed with ${got} (${error.message}) instead of ${code}`);
    return error;
  }
  throw new Error(`was not refused (${code})`);
}

const QUESTION = [{ role: 'user', content: 'Tell me a story about a dog.' }];
const MARGIN = 0.1; // of logits: what other kernels may change
const GREEDY = { temperature: 0, seed: 1 };

/** Resolves when an engine has nothing left to do. @param {import('../../src/index.js').Wisp} wisp */
async function idle(wisp) {
  for (let tries = 0; tries < 100; ++tries) {
    const { running, waiting } = await wisp.counters();
    if (running === 0 && waiting === 0) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error('what nobody waits for goes on');
}

/**
 * @param {{Wisp: import('../../src/index.js')['Wisp'], source: unknown, options: object, greedy?: string | undefined}} place
 *   `greedy`: what the native engine says to QUESTION in 24 tokens
 * @returns {Record<string, () => Promise<string | void>>}
 */
export function casesOf({ Wisp, source, options = {}, greedy }) {
  /** @type {import('../../src/index.js').Wisp} */
  let wisp;
  const load = more => Wisp.load(source, { context: 256, ...options, ...more });
  return {
    async 'loads, and tells what runs'() {
      const phases = new Set();
      wisp = await load({ onProgress: progress => phases.add(progress.phase) });
      const info = wisp.info();
      equal(info.model.architecture, 'llama', 'architecture');
      check(info.model.chatTemplate, 'there is a template');
      check(info.context >= 256, `a context of ${info.context}`);
      check(info.executor.length > 0, 'an executor');
      for (const phase of ['loading', 'starting', 'ready']) check(phases.has(phase), `no progress of ${phase}: ${[...phases]}`);
    },
    async 'tokens and text are inverse'() {
      const text = 'Once upon a time, there was a dög. 🙂';
      equal(await wisp.detokenize(await wisp.tokenize(text)), text, 'text');
      for (const odd of ['\ufeff', 'a\ufeffb', '\u0000', '\u{10ffff}', 'e\u0301', '👩‍👩‍👧', ' \r\n\t', '']) equal(await wisp.detokenize(await wisp.tokenize(odd)), odd, 'an odd text');
      const { choices: [marked] } = await wisp.completions.create({ prompt: 'Hi', regex: '\ufeffyes\ufeff', max_tokens: 30, ...GREEDY });
      equal(marked.text, '\ufeffyes\ufeff', 'marks of byte order');
      check((await wisp.tokenize('<|user|>')).length > 1, 'a spelled control token is text');
      equal((await wisp.tokenize('<|user|>', { parse: true })).length, 1, 'a parsed control token');
    },
    async 'answers a conversation'() {
      const answer = await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 24, ...GREEDY });
      equal(answer.object, 'chat.completion', 'object');
      const [choice] = answer.choices;
      equal(choice.message.role, 'assistant', 'role');
      check(choice.message.content.length > 20, `content: ${choice.message.content}`);
      equal(choice.finish_reason, 'length', 'finish_reason');
      equal(answer.usage.completion_tokens, 24, 'completion_tokens');
      equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 24, 'total_tokens');
    },
    async 'greedy tokens are those of the native engine'() {
      if (!greedy) return 'the native command is not built';
      const { choices } = await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 24, logprobs: true, top_logprobs: 2, ...GREEDY });
      let text = '';
      for (const { token, top_logprobs: [best, next] } of choices[0].logprobs.content) {
        text += token;
        if (greedy.startsWith(text)) continue;
        // From here on the two tell different stories, which they may where both tokens were as good.
        check(best.logprob - next.logprob < MARGIN, `'${text}' where the native engine has '${greedy}', by ${best.logprob - next.logprob}`);
        return;
      }
      equal(text, greedy, 'text');
    },
    async 'streams the same text'() {
      const whole = await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 24, ...GREEDY });
      const stream = await wisp.chat.completions.create({
        messages: QUESTION, max_tokens: 24, stream: true, stream_options: { include_usage: true }, ...GREEDY,
      });
      let text = '';
      let pieces = 0;
      let finish;
      let usage;
      for await (const chunk of stream) {
        equal(chunk.object, 'chat.completion.chunk', 'object');
        const [choice] = chunk.choices;
        if (choice?.delta.content) {
          text += choice.delta.content;
          pieces += 1;
        }
        finish = choice?.finish_reason ?? finish;
        usage = chunk.usage ?? usage;
      }
      equal(text, whole.choices[0].message.content, 'text');
      check(pieces > 5, `${pieces} pieces`);
      equal(finish, 'length', 'finish_reason');
      equal(usage.completion_tokens, 24, 'usage');
    },
    async 'completes a text, with logprobs'() {
      const made = await wisp.completions.create({ prompt: 'Once upon a time', max_tokens: 8, logprobs: 2, ...GREEDY });
      equal(made.object, 'text_completion', 'object');
      equal(made.choices[0].logprobs.tokens.length, 8, 'tokens');
      equal(made.choices[0].logprobs.tokens.join(''), made.choices[0].text, 'tokens are the text');
      check(made.choices[0].logprobs.token_logprobs.every(value => value <= 0), 'logprobs');
      const chat = await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 3, logprobs: true, top_logprobs: 3, ...GREEDY });
      const { content } = chat.choices[0].logprobs;
      equal(content.length, 3, 'logprobs of a chat');
      equal(content[0].top_logprobs[0].token, content[0].token, 'the most likely one is chosen');
    },
    async 'holds an answer to a schema'() {
      const schema = { type: 'object', properties: { name: { type: 'string', maxLength: 8 }, age: { type: 'integer', minimum: 1, maximum: 9 } },
        required: ['name', 'age'], additionalProperties: false };
      const made = await wisp.chat.completions.create({
        messages: QUESTION, max_tokens: 80, response_format: { type: 'json_schema', json_schema: { name: 'dog', schema } }, ...GREEDY,
      });
      const value = JSON.parse(made.choices[0].message.content);
      equal(Object.keys(value).sort(), ['age', 'name'], 'members');
      check(value.age >= 1 && value.age <= 9, 'age');
      equal(made.choices[0].finish_reason, 'stop', 'finish_reason');
    },
    async 'several answers and conversations at once'() {
      const request = seed => ({ messages: QUESTION, max_tokens: 16, temperature: 1, seed });
      const alone = [];
      for (const seed of [1, 2, 3]) alone.push((await wisp.chat.completions.create(request(seed))).choices[0].message.content);
      const together = await Promise.all([1, 2, 3].map(seed => wisp.chat.completions.create(request(seed))));
      if (wisp.info().device === 'cpu') equal(together.map(made => made.choices[0].message.content), alone, 'texts do not depend on company');
      const many = await wisp.chat.completions.create({ ...request(1), n: 3 });
      equal(many.choices.map(choice => choice.index), [0, 1, 2], 'choices');
      if (wisp.info().device === 'cpu') equal(many.choices.map(choice => choice.message.content), alone, 'n answers are those of n seeds');
    },
    async 'an abort rejects with its reason, whatever that is'() {
      for (const reason of ['enough', new RangeError('enough'), 5]) {
        const controller = new AbortController();
        const request = { messages: QUESTION, max_tokens: 200, ignore_end: true, ...GREEDY };
        const whole = wisp.chat.completions.create(request, { signal: controller.signal });
        const stream = await wisp.chat.completions.create({ ...request, stream: true }, { signal: controller.signal });
        const pieces = (async () => {
          for await (const _ of stream);
        })();
        setTimeout(() => controller.abort(reason), 10);
        for (const outcome of await Promise.allSettled([whole, pieces, wisp.chat.completions.create(request, { signal: AbortSignal.abort(reason) })])) {
          check(outcome.status === 'rejected' && outcome.reason === reason, `${outcome.status}: ${outcome.reason} instead of ${reason}`);
        }
      }
    },
    async 'an answer can be aborted, and left'() {
      const controller = new AbortController();
      const waits = wisp.chat.completions.create({ messages: QUESTION, max_tokens: 200, ignore_end: true, ...GREEDY }, { signal: controller.signal });
      setTimeout(() => controller.abort(), 30);
      await rejects(waits, 'AbortError');
      const stream = await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 200, ignore_end: true, stream: true, ...GREEDY });
      let seen = 0;
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content && ++seen === 3) break;
      // Both are gone from the engine: it has nothing left to do.
      await idle(wisp);
    },
    async 'questions have their turn while an answer is written, and so has its end'() {
      const before = await wisp.counters();
      const controller = new AbortController();
      const stream = await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 200, ignore_end: true, stream: true, ...GREEDY }, { signal: controller.signal });
      let meanwhile;
      const left = (async () => {
        for await (const { choices } of stream) {
          if (!choices[0]?.delta.content || meanwhile) continue;
          meanwhile = await wisp.counters();
          controller.abort();
        }
      })();
      await rejects(left, 'AbortError');
      equal(meanwhile.running, 1, 'answers that are written');
      await idle(wisp);
      const after = await wisp.counters();
      equal(after.requests_cancelled - before.requests_cancelled, 1, 'answers that were ended');
    },
    async 'refuses what makes no sense'() {
      await rejects(wisp.chat.completions.create({ messages: 'Hi' }), 'invalid_argument');
      await rejects(wisp.chat.completions.create({ messages: QUESTION, top_k: -5 }), 'invalid_argument');
      await rejects(wisp.chat.completions.create({ messages: QUESTION, n: 0 }), 'invalid_argument');
      await rejects(wisp.completions.create({ prompt: 'word '.repeat(2000) }), 'limit');
      await rejects(wisp.completions.create({ prompt: 'Hi', grammar: 'root ::= (' }), 'invalid_argument');
    },
    async 'refuses a value with its name, and goes on'() {
      const form = { type: 'json_object' };
      const tools = [{ type: 'function', function: { name: 'clock' } }];
      for (const [name, more] of [
        ['top_logprobs', { logprobs: true, top_logprobs: -1 }], ['top_logprobs', { top_logprobs: 2 }], ['logprobs', { logprobs: 2 }],
        ['temperature', { temperature: -1 }], ['seed', { seed: '1' }], ['messages', { messages: [] }], ['content', { messages: [{ role: 'user', text: 'Hi' }] }],
        ['tool_choice', { tool_choice: 'required' }], ['tool_choice', { tools, tool_choice: 'required', response_format: form }],
        ['regex', { regex: 'a', response_format: form }], ['BigInt', { chat_template_kwargs: { a: 1n } }],
      ]) {
        const { message } = await rejects(wisp.chat.completions.create({ messages: QUESTION, max_tokens: 2, ...more }), 'invalid_argument');
        check(message.includes(name), `${name} is not named: ${message}`);
      }
      for (const logprobs of [-1, true, 0.5]) await rejects(wisp.completions.create({ prompt: 'Hi', max_tokens: 2, logprobs }), 'invalid_argument');
      await rejects(wisp.tokenize(5), 'invalid_argument');
      for (const id of [1.5, -1, 2 ** 32 + 1, '1']) await rejects(wisp.detokenize([id]), 'invalid_argument');
      await rejects(wisp.chatText(), 'invalid_argument');
      check((await wisp.counters()).requests_finished > 0, 'the model is still there');
    },
    async 'takes what a page may hold: proxies, and no more than that'() {
      const messages = new Proxy([new Proxy(QUESTION[0], {})], {});
      const made = await wisp.chat.completions.create({ messages, max_tokens: 2, ...GREEDY });
      check(made.choices[0].message.content.length > 0, 'an answer');
      await rejects(wisp.chat.completions.create(), 'invalid_argument');
      await rejects(wisp.completions.create({ max_tokens: 1 }), 'invalid_argument');
      await rejects(wisp.chat.completions.create({ messages: QUESTION, seed: 1.5 }), 'invalid_argument');
      await rejects(wisp.chat.completions.create({ messages: QUESTION, response_format: { type: 'xml' } }), 'invalid_argument');
      await rejects(wisp.chat.completions.create({ messages: QUESTION, response_format: { type: 'json_schema' } }), 'invalid_argument');
    },
    async 'goes on from several texts at once'() {
      const request = { max_tokens: 5, ...GREEDY };
      const [first, second] = ['Once upon a time', 'The dog'];
      const alone = [];
      for (const prompt of [first, second]) alone.push(await wisp.completions.create({ prompt, ...request }));
      const sum = name => alone[0].usage[name] + alone[1].usage[name];
      const made = await wisp.completions.create({ prompt: [first, second], n: 2, echo: true, ...request });
      equal(made.choices.map(({ index }) => index), [0, 1, 2, 3], 'choices');
      equal(made.usage.prompt_tokens, sum('prompt_tokens'), 'prompt_tokens');
      equal(made.usage.completion_tokens, 20, 'completion_tokens');
      if (wisp.info().device === 'cpu') equal(made.choices.map(({ text }) => text), [0, 0, 1, 1].map(at => [first, second][at] + alone[at].choices[0].text), 'texts');
      const ids = [await wisp.tokenize(first, { special: true }), await wisp.tokenize(second, { special: true })];
      const texts = ['', ''];
      let usage;
      for await (const chunk of await wisp.completions.create({ prompt: ids, stream: true, stream_options: { include_usage: true }, ...request })) {
        for (const { index, text } of chunk.choices) texts[index] += text;
        usage = chunk.usage;
      }
      if (wisp.info().device === 'cpu') equal(texts, alone.map(({ choices }) => choices[0].text), 'texts of ids, streamed');
      equal(usage.total_tokens, sum('total_tokens'), 'total_tokens');
      equal((await wisp.completions.create({ prompt: [first], ...request })).choices[0].text, alone[0].choices[0].text, 'a list of one');
      const [whole] = (await wisp.completions.create({ prompt: ids[0], echo: true, ...request })).choices;
      equal(whole.text, await wisp.detokenize(ids[0]) + alone[0].choices[0].text, 'ids, echoed');
      let echoed = '';
      const offsets = [];
      for await (const { choices: [choice] } of await wisp.completions.create({ prompt: first, echo: true, logprobs: 0, stream: true, ...request })) {
        echoed += choice.text;
        offsets.push(...(choice.logprobs?.text_offset ?? []));
      }
      equal([echoed, offsets[0]], [first + alone[0].choices[0].text, first.length], 'a stream, echoed');
      // One that is refused ends them all.
      await rejects(wisp.completions.create({ prompt: [first, 'word '.repeat(2000)], ignore_end: true, max_tokens: 200 }), 'limit');
      await idle(wisp);
      for (const prompt of [[], [[]], [first, 5], [[1], 'a', null]]) await rejects(wisp.completions.create({ prompt, ...request }), 'invalid_argument');
    },
    async 'offsets count every token, also those whose text is held back'() {
      const request = { prompt: 'Once upon a time', max_tokens: 12, logprobs: 1, stop: ['zzz', ' there was a giraffe'], ...GREEDY };
      const whole = (await wisp.completions.create(request)).choices[0].logprobs;
      const sums = [];
      whole.tokens.reduce((sum, token) => (sums.push(sum), sum + token.length), 0);
      equal(whole.text_offset, sums, 'offsets');
      const streamed = [];
      for await (const { choices } of await wisp.completions.create({ ...request, stream: true })) streamed.push(...(choices[0]?.logprobs?.text_offset ?? []));
      equal(streamed, sums, 'offsets of a stream');
    },
    async 'counts, and tells its memory'() {
      const counters = await wisp.counters();
      check(counters.generated_tokens > 50, 'generated_tokens');
      const memory = await wisp.memory();
      check(memory.weights > 100_000, 'weights');
      check(memory.module > 1_000_000, 'module');
    },
    async 'a model takes the place of another'() {
      const before = await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 8, ...GREEDY });
      await wisp.use(source);
      const after = await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 8, ...GREEDY });
      equal(after.choices[0].message.content, before.choices[0].message.content, 'text');
    },
    async 'a restart ends what waits, and says so'() {
      const text = rejects(wisp.completions.create({ prompt: 'Once', max_tokens: 200, ignore_end: true }), 'worker_died');
      const chat = rejects(wisp.chat.completions.create({ messages: QUESTION, max_tokens: 200, ignore_end: true }), 'worker_died');
      await wisp.restart();
      await Promise.all([text, chat]);
      check((await wisp.completions.create({ prompt: 'Once', max_tokens: 2, ...GREEDY })).choices[0].text.length > 0, 'an answer');
    },
    async 'a change that makes no sense leaves the model as it is'() {
      await rejects(wisp.use(source, { device: 'npu' }), 'invalid_argument');
      await rejects(wisp.use(source, { signal: AbortSignal.abort() }), 'AbortError');
      equal(wisp.info().model.architecture, 'llama', 'what runs');
      check((await wisp.chat.completions.create({ messages: QUESTION, max_tokens: 2, ...GREEDY })).choices.length === 1, 'an answer');
      // One that fails leaves none, and the next works. Its signal was its own.
      const controller = new AbortController();
      await rejects(wisp.use(new Uint8Array(1000), { signal: controller.signal }), 'invalid_file');
      await rejects(wisp.counters(), 'invalid_argument');
      controller.abort();
      await wisp.use(source);
    },
    async 'dispose ends what waits, and all calls'() {
      const waits = wisp.chat.completions.create({ messages: QUESTION, max_tokens: 200, ignore_end: true });
      const ended = rejects(waits, 'disposed').catch(error => error);
      await wisp.dispose();
      const outcome = await ended;
      check(!(outcome instanceof Error) || ['disposed', 'AbortError'].includes(outcome.code ?? outcome.name), String(outcome));
      await rejects(wisp.counters(), 'disposed');
      await rejects(wisp.restart(), 'disposed');
      await wisp.dispose();
    },
    async 'refuses bytes that are no model'() {
      await rejects(Wisp.load(new Uint8Array(1000), options), 'invalid_file');
      await rejects(Wisp.load(source, { ...options, device: 'npu' }), 'invalid_argument');
      for (const threads of [0, 1.5, 'all']) await rejects(Wisp.load(source, { ...options, threads }), 'invalid_argument');
      await rejects(Wisp.load(source, { ...options, onProgress: 'log' }), 'invalid_argument');
      await rejects(Wisp.load(source, { ...options, context: 10_000_000 }), 'invalid_argument');
    },
    async 'embeds texts'() {
      const embedder = await load({ embeddings: true });
      const { data, usage } = await embedder.embeddings.create({ input: ['A dog.', 'A cat.', 'A dog.'], pooling: 'mean' });
      equal(data.length, 3, 'vectors');
      equal(data[0].embedding, data[2].embedding, 'equal texts');
      const dot = data[0].embedding.reduce((sum, value, index) => sum + value * data[1].embedding[index], 0);
      check(dot < 0.9999 && dot > -1, `dot ${dot}`);
      check(usage.prompt_tokens > 3, 'usage');
      const short = (await embedder.embeddings.create({ input: 'A dog.', pooling: 'mean', dimensions: 8 })).data[0].embedding;
      equal(short.length, 8, 'dimensions');
      check(Math.abs(Math.hypot(...short) - 1) < 1e-5, 'a length of 1');
      await rejects(embedder.embeddings.create({ input: 'A dog.', dimensions: 1e6 }), 'invalid_argument');
      await rejects(embedder.embeddings.create({ input: 5 }), 'invalid_argument');
      await rejects(embedder.embeddings.create({ input: ['A dog.', 5] }), 'invalid_argument');
      await rejects(embedder.embeddings.create({ input: 'A dog.', encoding_format: 'int8' }), 'invalid_argument');
      await rejects(embedder.embeddings.create({ input: 'A dog.', pooling: 'none' }), 'invalid_argument');
      equal((await embedder.embeddings.create({ input: 'A dog.', dimensions: null })).data.length, 1, 'null is as left out');
      // Hundreds of texts, in turns; given up, they leave the engine alone.
      const controller = new AbortController();
      const waits = embedder.embeddings.create({ input: Array.from({ length: 1500 }, (_, index) => `Number ${index}.`) }, { signal: controller.signal });
      setTimeout(() => controller.abort(), 20);
      await rejects(waits, 'AbortError');
      await idle(embedder);
      await rejects(embedder.completions.create({ prompt: 'Hi', max_tokens: 1 }), 'invalid_argument');
      await embedder.dispose();
    },
  };
}

/** Runs them in order. A case gives the reason why it was skipped, or nothing. */
export async function runCases(cases, report = () => {}) {
  const outcomes = [];
  for (const [name, run] of Object.entries(cases)) {
    const begun = performance.now();
    let error;
    let skipped;
    try {
      skipped = await run();
    } catch (caught) {
      error = caught instanceof Error ? `${caught.message}` : String(caught);
    }
    const outcome = { name, error, skipped, milliseconds: Math.round(performance.now() - begun) };
    outcomes.push(outcome);
    report(outcome);
  }
  return outcomes;
}
