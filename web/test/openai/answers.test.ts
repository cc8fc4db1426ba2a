// What the package answers, on the shipped model, against schemas made of the types that the `openai` package declares: what has
// to be there is there, null where it is null, and nothing is undefined.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Ajv, type ValidateFunction } from 'ajv';
import type { Tool } from '../../src/index.js';

type Declared = 'ChatCompletion' | 'ChatCompletionChunk' | 'Completion' | 'CreateEmbeddingResponse';

const root = new URL('../../../../', import.meta.url);
const skip = existsSync(new URL('web/dist/node.js', root)) ? false : 'web/dist is not there: run ./dev web';
const messages = [{ role: 'user' as const, content: 'Tell me a story about a dog.' }];
const GREEDY = { temperature: 0, seed: 1 };
const tools: Tool[] = [{ type: 'function', function: { name: 'weather', description: 'The weather of a town', parameters: {
  type: 'object', properties: { town: { enum: ['Rome', 'Oslo'] } }, required: ['town'] } } }];

/** By path, what is there and has no value: `JSON.stringify()` would leave it out. */
function* undefinedIn(value: unknown, path = ''): Generator<string> {
  if (value === undefined) yield path;
  if (value === null || typeof value !== 'object') return;
  for (const [name, member] of Object.entries(value)) yield* undefinedIn(member, `${path}/${name}`);
}

describe('answers are what OpenAI declares', { skip }, () => {
  let wisp: import('../../src/node.js').Wisp;
  let load: typeof import('../../src/node.js').Wisp.load;
  const checks = new Map<Declared, ValidateFunction>();
  const model = new Uint8Array(readFileSync(new URL('models/wisp-stories.gguf', root)));

  before(async () => {
    const schemas = JSON.parse(execFileSync(process.execPath, [fileURLToPath(new URL('web/test/openai/schemas.mjs', root))], { encoding: 'utf8' })) as Record<Declared, object>;
    const ajv = new Ajv({ allErrors: true, strict: false });
    for (const [name, schema] of Object.entries(schemas)) checks.set(name as Declared, ajv.compile(schema));
    const { Wisp } = await import(new URL('web/dist/node.js', root).href) as typeof import('../../src/node.js');
    load = Wisp.load;
    wisp = await load(model, { device: 'cpu', threads: 1, context: 512 });
  });
  after(() => wisp?.dispose());

  /** Holds a value to the type; gives it back. */
  function declared<T>(value: T, type: Declared): T {
    const check = checks.get(type)!;
    assert.ok(check(value), `${type}: ${JSON.stringify(check.errors?.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`))} in ${JSON.stringify(value)}`);
    assert.deepEqual([...undefinedIn(value)], [], 'undefined members');
    return value;
  }
  async function chunksOf<T>(stream: AsyncIterable<T>, type: Declared): Promise<T[]> {
    const chunks: T[] = [];
    for await (const chunk of stream) chunks.push(declared(chunk, type));
    assert.ok(chunks.length > 2, `${chunks.length} pieces`);
    return chunks;
  }
  const equalOf = <T, K extends keyof T>(chunks: T[], name: K): void =>
    assert.equal(new Set(chunks.map(chunk => chunk[name])).size, 1, `${String(name)} is the same in all pieces`);

  test('a chat', async () => {
    const made = declared(await wisp.chat.completions.create({ messages, max_tokens: 8, n: 2, ...GREEDY }), 'ChatCompletion');
    assert.deepEqual(made.choices.map(({ index }) => index), [0, 1]);
    assert.equal(made.choices[0]?.logprobs, null);
    assert.equal(made.choices[0]?.finish_reason, 'length');
    assert.match(made.id, /^chatcmpl-\w{32}$/);
    assert.ok(Math.abs(made.created - Date.now() / 1000) < 60, 'created in seconds');
  });

  test('a chat that the model ends, and one that a text stops', async () => {
    const ended = declared(await wisp.chat.completions.create({ messages, max_tokens: 300, ...GREEDY }), 'ChatCompletion');
    assert.equal(ended.choices[0]?.finish_reason, 'stop');
    const stopped = declared(await wisp.chat.completions.create({ messages, stop: ['a'], ...GREEDY }), 'ChatCompletion');
    assert.equal(stopped.choices[0]?.finish_reason, 'stop');
    assert.ok(!stopped.choices[0]?.message.content?.includes('a'));
  });

  test('a chat with logprobs', async () => {
    const made = declared(await wisp.chat.completions.create({ messages, max_tokens: 5, logprobs: true, top_logprobs: 2, ...GREEDY }), 'ChatCompletion');
    assert.deepEqual(made.choices[0]?.logprobs?.content.map(({ top_logprobs }) => top_logprobs.length), [2, 2, 2, 2, 2]);
  });

  test('a call of a tool', async () => {
    const made = declared(await wisp.chat.completions.create({ messages, tools, tool_choice: 'required', max_tokens: 250, ...GREEDY }), 'ChatCompletion');
    const [choice] = made.choices;
    assert.equal(choice?.finish_reason, 'tool_calls');
    assert.equal(choice.message.content, null);
    assert.equal(choice.message.tool_calls?.[0]?.function.name, 'weather');
    assert.ok(['Rome', 'Oslo'].includes((JSON.parse(choice.message.tool_calls[0].function.arguments) as { town: string }).town));
    // It goes back as it is, and its result after it.
    const again = [...messages, choice.message, { role: 'tool' as const, tool_call_id: choice.message.tool_calls[0].id, content: 'rain' }];
    declared(await wisp.chat.completions.create({ messages: again, tools, max_tokens: 4, ...GREEDY }), 'ChatCompletion');
  });

  test('calls of several answers, and of the next turn, have ids of their own', async () => {
    const request = { messages, tools, tool_choice: 'required', max_tokens: 250, parallel_tool_calls: false, ...GREEDY } as const;
    const idsOf = async (more: object): Promise<string[]> =>
      (await wisp.chat.completions.create({ ...request, ...more })).choices.flatMap(({ message }) => message.tool_calls?.map(({ id }) => id) ?? []);
    const ids = [...await idsOf({ n: 2 }), ...await idsOf({ messages: [...messages, ...messages] }), ...await idsOf({ seed: 9 })];
    assert.equal(ids.length, 4);
    assert.equal(new Set(ids).size, 4, ids.join());
    assert.deepEqual(await idsOf({}), ids.slice(0, 1), 'the same request gives the same answer');
  });

  test('a chat in pieces, with logprobs and usage', async () => {
    const stream = await wisp.chat.completions.create({
      messages, max_tokens: 6, n: 2, logprobs: true, stream: true, stream_options: { include_usage: true }, ...GREEDY });
    const chunks = await chunksOf(stream, 'ChatCompletionChunk');
    for (const name of ['id', 'created', 'model', 'object'] as const) equalOf(chunks, name);
    const last = chunks.at(-1)!;
    assert.deepEqual([last.choices, last.usage?.completion_tokens], [[], 12]);
    for (const { choices, usage } of chunks.slice(0, -1)) {
      assert.equal(usage, null, 'usage is null before');
      assert.equal(choices.length, 1);
      assert.ok('finish_reason' in choices[0]! && 'logprobs' in choices[0], 'null, not absent');
    }
    for (const index of [0, 1]) {
      const own = chunks.flatMap(({ choices }) => choices.filter(choice => choice.index === index));
      assert.equal(own[0]?.delta.role, 'assistant');
      assert.deepEqual(own.map(choice => choice.finish_reason).filter(reason => reason !== null), ['length']);
      assert.equal(own.at(-1)?.finish_reason, 'length');
      assert.equal(own.flatMap(({ logprobs }) => logprobs?.content ?? []).length, 6);
    }
  });

  test('a chat in pieces without usage', async () => {
    const chunks = await chunksOf(await wisp.chat.completions.create({ messages, max_tokens: 6, stream: true, ...GREEDY }), 'ChatCompletionChunk');
    assert.ok(chunks.every(chunk => !('usage' in chunk) && chunk.choices[0]?.logprobs === null));
  });

  test('a call of a tool in pieces', async () => {
    const stream = await wisp.chat.completions.create({ messages, tools, tool_choice: 'required', max_tokens: 250, stream: true, ...GREEDY });
    const chunks = await chunksOf(stream, 'ChatCompletionChunk');
    const pieces = chunks.flatMap(({ choices }) => choices.flatMap(({ delta }) => delta.tool_calls ?? []));
    assert.deepEqual([pieces[0]?.type, pieces[0]?.function?.name, pieces[0]?.index], ['function', 'weather', 0]);
    assert.ok(pieces.slice(1).every(({ id, type }) => id === undefined && type === undefined), 'only the first has a name');
    JSON.parse(pieces.map(piece => piece.function?.arguments ?? '').join(''));
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'tool_calls');
  });

  test('a call that is cut is none', async () => {
    const request = { messages, tools, tool_choice: 'required', max_tokens: 45, ...GREEDY } as const;
    const chunks = await chunksOf(await wisp.chat.completions.create({ ...request, stream: true }), 'ChatCompletionChunk');
    assert.ok(chunks.some(({ choices }) => choices[0]?.delta.tool_calls), 'it has begun');
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'length');
    const { choices: [whole] } = declared(await wisp.chat.completions.create(request), 'ChatCompletion');
    assert.deepEqual([whole?.finish_reason, whole?.message.tool_calls], ['length', undefined]);
  });

  test('a text, with logprobs', async () => {
    const made = declared(await wisp.completions.create({ prompt: 'Once', max_tokens: 6, logprobs: 2, echo: true, ...GREEDY }), 'Completion');
    const { text, logprobs } = made.choices[0]!;
    assert.ok(text.startsWith('Once'));
    logprobs!.tokens.forEach((token, at) => assert.equal(text.slice(logprobs!.text_offset[at], logprobs!.text_offset[at]! + token.length), token));
    logprobs!.tokens.forEach((token, at) => assert.equal(logprobs!.top_logprobs[at]?.[token], logprobs!.token_logprobs[at], 'the chosen one is among them'));
    assert.equal(declared(await wisp.completions.create({ prompt: 'Once', max_tokens: 2 }), 'Completion').choices[0]?.logprobs, null);
  });

  test('a text in pieces', async () => {
    const stream = await wisp.completions.create({ prompt: 'Once', max_tokens: 6, logprobs: 0, stream: true, stream_options: { include_usage: true }, ...GREEDY });
    const chunks: Awaited<ReturnType<typeof wisp.completions.create>>[] = [];
    let text = '';
    for await (const chunk of stream) {
      const [choice] = chunk.choices;
      // Servers of OpenAI give null until the last piece, which their types leave out.
      const told = choice && (choice.finish_reason as string | null) === null ? { ...chunk, choices: [{ ...choice, finish_reason: 'stop' as const }] } : chunk;
      declared(told, 'Completion');
      if (choice) {
        assert.equal(choice.logprobs?.text_offset[0] ?? text.length, text.length, 'offsets go on');
        text += choice.text;
      }
      chunks.push(chunk as never);
    }
    const last = chunks.at(-1) as unknown as import('../../src/index.js').Completion;
    assert.deepEqual([last.choices, last.usage?.completion_tokens], [[], 6]);
  });

  test('vectors', async () => {
    const embedder = await load(model, { device: 'cpu', threads: 1, embeddings: true, context: 128 });
    try {
      const made = declared(await embedder.embeddings.create({ input: ['A dog.', 'A cat.'] }), 'CreateEmbeddingResponse');
      assert.deepEqual(made.data.map(({ index }) => index), [0, 1]);
      const packed = await embedder.embeddings.create({ input: 'A dog.', encoding_format: 'base64' });
      assert.equal(Buffer.from(packed.data[0]!.embedding as unknown as string, 'base64').length, 4 * made.data[0]!.embedding.length);
    } finally {
      await embedder.dispose(); // its worker would keep the process
    }
  });
});
