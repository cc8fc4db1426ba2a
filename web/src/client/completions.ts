// wisp.completions: text that goes on, without a template.
import type { Delta, Figures, GenerateSettings } from '../protocol.js';
import { usageOf } from './answer.js';
import { newId, now, type CallOptions, type Surroundings } from './calls.js';
import type { CompletionRequest } from './requests.js';
import type { Completion, CompletionLogprobs, Usage } from './responses.js';
import { completionSettings } from './settings.js';
import { anySignal, deltasOf, Stream } from './stream.js';

const textOf = (delta: Delta): string => delta.events.map(event => (event.type === 'content' ? event.text : '')).join('');
const finishOf = ({ reason }: NonNullable<Delta['finish']>): 'stop' | 'length' => (reason === 'length' || reason === 'context' ? 'length' : 'stop');

/** Of one answer: what was said, and how likely each token was. */
class Text {
  text = '';
  finish: Delta['finish'];
  readonly logprobs: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };

  /** `offset`: where the next token's text begins, in UTF-16 units; text may come later than its tokens. */
  constructor(public offset = 0) {}

  /** So many units stand in front of it. */
  moveBy(units: number): void {
    this.logprobs.text_offset = this.logprobs.text_offset.map(offset => offset + units);
  }

  add(delta: Delta): void {
    for (const { token, logprob, top } of delta.odds) {
      this.logprobs.tokens.push(token);
      this.logprobs.token_logprobs.push(logprob);
      this.logprobs.top_logprobs.push({ ...Object.fromEntries(top.map(one => [one.token, one.logprob])), [token]: logprob });
      this.logprobs.text_offset.push(this.offset);
      this.offset += token.length;
    }
    this.text += textOf(delta);
    if (delta.finish) this.finish = delta.finish;
  }
}

/**
 * `wisp.completions`: text that goes on, without a template.
 * @category Text
 * @hideconstructor
 */
export class Completions {
  readonly #wisp: Surroundings;
  constructor(wisp: Surroundings) {
    this.#wisp = wisp;
  }

  /**
   * Goes on from `prompt`, with `stream: true` in pieces. Rejects with a `WispError` as `chat.completions.create()` does; a
   * template is not needed.
   * @param request What is asked
   * @param options A signal that ends it
   */
  create(request: CompletionRequest & { stream: true }, options?: CallOptions): Promise<Stream<Completion>>;
  create(request: CompletionRequest & { stream?: false | null | undefined }, options?: CallOptions): Promise<Completion>;
  create(request: CompletionRequest, options?: CallOptions): Promise<Stream<Completion> | Completion>;
  async create(request: CompletionRequest, options: CallOptions = {}): Promise<Stream<Completion> | Completion> {
    const settings = completionSettings(request);
    if (request.stream) return new Stream(signal => this.#chunks(request, settings, anySignal(options.signal, signal)));
    // Not waited for before the answers are asked for, which keep their turn among all requests.
    const echoing = this.#echoed(request, settings);
    echoing.catch(() => {});
    const answers = settings.flatMap(({ n }) => Array.from({ length: n }, () => new Text()));
    for await (const delta of deltasOf(this.#wisp.line, settings, options.signal)) answers[delta.choice]?.add(delta);
    const echoed = await echoing;
    answers.forEach((answer, index) => answer.moveBy(echoed[index]!.length));
    return {
      ...this.#base(),
      choices: answers.map(({ text, finish, logprobs }, index) => ({
        index, text: echoed[index] + text, logprobs: wantsLogprobs(request) ? logprobs : null, finish_reason: finishOf(finish!),
      })),
      usage: usageOfAll(answers.map(({ finish }) => finish?.figures), settings),
    };
  }

  async *#chunks(request: CompletionRequest, settings: GenerateSettings[], signal: AbortSignal): AsyncGenerator<Completion, void, undefined> {
    const base = this.#base();
    const figures: Figures[] = [];
    const echoed = await this.#echoed(request, settings);
    const offsets = echoed.map(text => text.length);
    for (const [index, text] of echoed.entries()) {
      if (text !== '') yield { ...base, choices: [{ index, text, logprobs: null, finish_reason: null as unknown as 'stop' }] };
    }
    for await (const delta of deltasOf(this.#wisp.line, settings, signal)) {
      const piece = new Text(offsets[delta.choice]);
      piece.add(delta);
      offsets[delta.choice] = piece.offset;
      const finish = delta.finish ? finishOf(delta.finish) : (null as unknown as 'stop');
      yield { ...base, choices: [{ index: delta.choice, text: piece.text, logprobs: wantsLogprobs(request) ? piece.logprobs : null, finish_reason: finish }] };
      if (delta.finish) figures[delta.choice] = delta.finish.figures;
    }
    if (request.stream_options?.include_usage) yield { ...base, choices: [], usage: usageOfAll(figures, settings) };
  }

  /** What stands in front of each answer: its prompt, where that was asked for. */
  async #echoed({ echo }: CompletionRequest, generations: GenerateSettings[]): Promise<string[]> {
    const texts = await Promise.all(generations.map(async ({ settings: { prompt }, n }) => {
      const text = !echo ? '' : typeof prompt === 'string' ? prompt : await this.#wisp.line.call('detokenize', [prompt as number[], false]);
      return Array.from({ length: n }, () => text);
    }));
    return texts.flat();
  }

  #base(): { id: string; object: 'text_completion'; created: number; model: string } {
    return { id: newId('cmpl'), object: 'text_completion', created: now(), model: this.#wisp.modelName };
  }
}

/** Of the answers to all prompts; each prompt counts once. */
function usageOfAll(figures: readonly (Figures | undefined)[], generations: readonly GenerateSettings[]): Usage {
  const all = usageOf([]);
  let first = 0;
  for (const { n } of generations) {
    const one = usageOf(figures.slice(first, first += n).filter(given => given !== undefined));
    all.prompt_tokens += one.prompt_tokens;
    all.completion_tokens += one.completion_tokens;
    all.total_tokens += one.total_tokens;
    all.prompt_tokens_details.cached_tokens += one.prompt_tokens_details.cached_tokens;
  }
  return all;
}

const wantsLogprobs = ({ logprobs }: CompletionRequest): boolean => logprobs !== undefined && logprobs !== null;
