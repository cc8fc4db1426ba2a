// wisp.chat.completions: conversations, in the shapes of OpenAI's interface.
import { deltasOfEvents, finishOf, logprobsOf, usageOf, WholeAnswer } from './answer.js';
import type { Figures } from '../protocol.js';
import { newId, now, type CallOptions, type Surroundings } from './calls.js';
import type { ChatRequest } from './requests.js';
import type { ChatCompletion, ChatCompletionChunk } from './responses.js';
import { chatSettings } from './settings.js';
import { anySignal, deltasOf, Stream } from './stream.js';

/**
 * `wisp.chat.completions`: conversations. Several may be answered at once.
 * @category Chat
 * @hideconstructor
 */
export class ChatCompletions {
  readonly #wisp: Surroundings;
  constructor(wisp: Surroundings) {
    this.#wisp = wisp;
  }

  /**
   * Answers a conversation by the model's own chat template, with `stream: true` in pieces: then failures come where the
   * stream is read. Rejects with a `WispError`: `unsupported` for a model without a template, `limit` for a conversation that
   * does not fit the context or a queue that is full, `invalid_argument` for a request that makes no sense.
   * @param request What is asked
   * @param options A signal that ends it
   */
  create(request: ChatRequest & { stream: true }, options?: CallOptions): Promise<Stream<ChatCompletionChunk>>;
  create(request: ChatRequest & { stream?: false | null | undefined }, options?: CallOptions): Promise<ChatCompletion>;
  create(request: ChatRequest, options?: CallOptions): Promise<Stream<ChatCompletionChunk> | ChatCompletion>;
  async create(request: ChatRequest, options: CallOptions = {}): Promise<Stream<ChatCompletionChunk> | ChatCompletion> {
    const settings = chatSettings(request);
    if (request.stream) return new Stream(signal => this.#chunks(request, settings, anySignal(options.signal, signal)));
    const answers = Array.from({ length: settings.n }, () => new WholeAnswer());
    for await (const delta of deltasOf(this.#wisp.line, [settings], options.signal)) answers[delta.choice]?.add(delta);
    return {
      id: newId('chatcmpl'), object: 'chat.completion', created: now(), model: this.#wisp.modelName,
      choices: answers.map((answer, index) => answer.choice(index, Boolean(request.logprobs))),
      usage: usageOf(answers.flatMap(({ finish }) => (finish ? [finish.figures] : []))),
    };
  }

  async *#chunks(request: ChatRequest, settings: ReturnType<typeof chatSettings>, signal: AbortSignal): AsyncGenerator<ChatCompletionChunk, void, undefined> {
    const base = { id: newId('chatcmpl'), object: 'chat.completion.chunk' as const, created: now(), model: this.#wisp.modelName };
    const figures: Figures[] = [];
    const called = new Set<number>();
    const includesUsage = request.stream_options?.include_usage === true;
    const usage = includesUsage ? { usage: null } : {};
    for (let index = 0; index < settings.n; ++index) {
      yield { ...base, choices: [{ index, delta: { role: 'assistant', content: '', refusal: null }, logprobs: null, finish_reason: null }], ...usage };
    }
    for await (const { choice: index, events, odds, finish } of deltasOf(this.#wisp.line, [settings], signal)) {
      let logprobs = request.logprobs && odds.length > 0 ? logprobsOf(odds) : null;
      const deltas = deltasOfEvents(events);
      // Tokens may bring no text yet.
      if (deltas.length === 0 && logprobs) deltas.push({});
      // A call that is cut, by max_tokens say, is none.
      if (events.some(event => event.type === 'call_end')) called.add(index);
      for (const delta of deltas) {
        yield { ...base, choices: [{ index, delta, logprobs, finish_reason: null }], ...usage };
        logprobs = null;
      }
      if (finish) {
        figures.push(finish.figures);
        yield { ...base, choices: [{ index, delta: {}, logprobs: null, finish_reason: finishOf(finish, called.has(index)) }], ...usage };
      }
    }
    if (includesUsage) yield { ...base, choices: [], usage: usageOf(figures) };
  }
}
