// Stands in for the package in tests of the page: answers at once what a test wants to see, in the shapes of the real one.
export class WispError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'WispError';
    this.code = code;
  }
}

const pause = (milliseconds, signal) => new Promise((resolve, reject) => {
  const stop = () => reject(new DOMException('cancelled', 'AbortError'));
  if (signal?.aborted) return stop();
  setTimeout(resolve, milliseconds);
  signal?.addEventListener('abort', stop, { once: true });
});

const MARKDOWN = [
  '# A heading\n\nSome **bold** text, `code`, a [link](https://example.org/a) and a [bad one](javascript:alert(1)).',
  '<img src=x onerror="window.broken = true"><script>window.broken = true</script> ![picture](https://example.org/p.png)',
  '```js\nconst answer = 42;\nconsole.log(answer);\n```',
  '| left | right |\n|:--|--:|\n| a | 1 |\n| b | 22 |',
  '- one\n- two\n\n> a quotation',
].join('\n\n');

const STORY = 'Once upon a time there was a small dog named Max. Max had a red balloon, and he loved it very much. '.repeat(3).trim();

function scriptFor({ messages, tools, response_format: format }) {
  const last = messages.at(-1);
  const asked = String(last.content ?? '');
  if (last.role === 'tool') return { content: `The tool says ${asked}.` };
  if (tools && /compute/.test(asked)) return { call: { name: 'calculator', arguments: '{"expression": "6 * 7"}' } };
  if (tools && /cut/.test(asked)) return { call: { name: 'calculator', arguments: '{"expression": "6 *' }, finish: 'length' };
  if (tools && /broken/.test(asked)) return { call: { name: 'calculator', arguments: '{"expression": ' } };
  if (format?.type === 'json_schema') return { content: '{"answer": "yes"}' };
  if (/markdown/.test(asked)) return { content: MARKDOWN };
  if (/think/.test(asked)) return { reasoning: 'First I look at it from all sides.', content: 'Yes.' };
  if (/die/.test(asked)) return { code: 'worker_died', error: 'the worker ended: out of memory' };
  if (/fail/.test(asked)) return { error: 'the conversation takes 3000 tokens, the context has 2048' };
  if (/long/.test(asked)) return { content: `${STORY} `.repeat(15) };
  return { content: STORY };
}

async function* chunks(request, signal, fake) {
  const chunk = (delta, finish_reason = null) => ({ id: 'x', object: 'chat.completion.chunk', created: 0, model: 'fake', choices: [{ index: 0, delta, finish_reason }], usage: null });
  const { reasoning, content = '', call, error, code = 'limit', finish = call ? 'tool_calls' : 'stop' } = scriptFor(request);
  fake.requests.push(structuredClone(request));
  await pause(fake.slow ? 300 : 5, signal);
  if (error) throw new WispError(code, error);
  yield chunk({ role: 'assistant', content: '' });
  if (reasoning) yield chunk({ reasoning_content: reasoning });
  if (call) {
    yield chunk({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: call.name, arguments: '' } }] });
    yield chunk({ tool_calls: [{ index: 0, function: { arguments: call.arguments } }] });
  }
  const words = content.match(/\S+\s*/g) ?? [];
  for (const word of words) {
    await pause(fake.slow ? 20 : 1, signal);
    yield chunk({ content: word });
  }
  yield chunk({}, finish);
  yield { ...chunk({}), choices: [], usage: { prompt_tokens: 20, completion_tokens: words.length + 1, total_tokens: 21 + words.length, prompt_tokens_details: { cached_tokens: 0 } } };
}

const KEPT = [
  { id: 'a', name: 'owner/Some-Model:Q4_K_M', shortName: 'Some-Model-1B-Q4_K_M', type: 'Q4_K_M', bytes: 807e6, here: 807e6, complete: true, automatic: true, created: Date.now() - 9e8, lastUsed: Date.now() - 9e7 },
  { id: 'b', name: 'owner/Other:Q8_0', shortName: 'Other-3B-Q8_0', type: 'Q8_0', bytes: 3.4e9, here: 1.2e9, complete: false, automatic: false, created: Date.now() - 9e8, lastUsed: Date.now() - 9e8 },
];

class FakeWisp {
  requests = [];
  slow = false;
  #info;
  constructor() {
    globalThis.fakeWisp = this;
  }
  async begin(source, options) {
    const { onProgress, onRemark, signal } = options;
    Object.assign(this, { source, options: { ...this.options, ...options } });
    if (/missing/.test(String(source))) throw new WispError('not_found', 'hf:owner/missing: there is no such repository');
    const total = 8e6;
    for (let loaded = 0; loaded <= total; loaded += total / 4) {
      onProgress?.({ phase: 'loading', loaded, total, fromCache: 0, bytesPerSecond: 12e6 });
      await pause(/slow/.test(String(source)) ? 400 : 5, signal);
    }
    onRemark?.('WebGPU: there is no adapter; the CPU is used');
    const name = source instanceof File ? source.name : String(source).split('/').at(-1);
    this.#info = {
      version: '0.1.0', device: options.device === 'gpu' ? 'gpu' : 'cpu', executor: 'CPU: wasm relaxed SIMD, 2 threads', variant: 'relaxed', threads: 2, context: 1024, kv: 'f16', maxSequences: 4,
      loadMilliseconds: 812, readyMilliseconds: 40, kernels: 0, knownKernels: 0, store: 'opfs', remarks: ['WebGPU: there is no adapter; the CPU is used'],
      model: { source: String(source), name, architecture: 'llama', type: 'Q8_0', bytes: 7914112, parameters: 7.3e6, context: 1024, layers: 8, chatTemplate: true, why: '' },
    };
  }
  info() { return this.#info; }
  async use(source, options) { await this.begin(source, options); return this.#info; }
  async dispose() {}
  async tokenize(text) { return [...text].map(letter => letter.codePointAt(0)); }
  async counters() { return { steps: 33, generated_tokens: 32, execute_ns: 4e7, step_ns: 5e7 }; }
  async memory() { return { weights: 7.9e6, kv: 4.2e6, activations: 1.1e6, module: 33e6, kv_blocks: [] }; }
  #profiled = 0;
  async profile(on) {
    const times = this.#profiled += on ? 1 : 2;
    const ops = [{ name: 'embedding', layer: -1, calls: 32, rows: 36, nanoseconds: 2e5 }, { name: 'logits', layer: -1, calls: 32, rows: 33, nanoseconds: 9e6 }];
    for (let layer = 0; layer < 8; ++layer) {
      for (const [name, nanoseconds] of [['qkv', 9e5], ['attention', 7e5 + layer * 5e4], ['attention output', 4e5], ['gate-up', 1.6e6], ['down', 8e5]]) ops.push({ name, layer, calls: 32, rows: 36, nanoseconds });
    }
    return ops.map(op => ({ ...op, calls: op.calls * times, rows: op.rows * times, nanoseconds: op.nanoseconds * times }));
  }
  chat = { completions: { create: async (request, { signal } = {}) => chunks(request, signal, this) } };
  completions = {
    create: async (request, { signal } = {}) => {
      if (request.stream) {
        return (async function* () {
          await pause(2, signal);
          yield { choices: [{ text: 'a' }] };
          await pause(10, signal);
          yield { choices: [], usage: { prompt_tokens: 1, completion_tokens: request.max_tokens } };
        })();
      }
      await pause(5, signal);
      const n = request.max_tokens;
      return { choices: [{ text: '', logprobs: { tokens: Array(n).fill('a'), token_logprobs: Array(n).fill(-0.1), top_logprobs: Array(n).fill({ a: -0.1, b: -3 }), text_offset: [] } }] };
    },
  };
}

export const Wisp = {
  async load(source, options = {}) {
    const made = new FakeWisp();
    await made.begin(source, options);
    return made;
  },
  models: () => ({
    list: async () => KEPT, remove: async id => void KEPT.splice(KEPT.findIndex(model => model.id === id), 1), close() {},
    usage: async () => ({ used: 2.2e9, quota: 60e9, free: 57.8e9, persisted: false, models: 2.0e9 }),
    quantisations: async () => [['Q8_0', 8.5e9], ['Q6_K', 6.6e9], ['Q4_K_M', 4.9e9], ['Q3_K_S', 3.5e9]].map(([type, bytes]) => ({ name: `hf:owner/repo:sub/Model-8B-${type}.gguf`, stem: `sub/Model-8B-${type}`, type, bytes, parts: 1, stored: false })),
  }),
};
