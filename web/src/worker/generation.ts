// One answer: its request in the engine, and what of it goes to the caller.
import { ModelError } from '../models/index.js';
import type { AnswerEvent, Delta, Figures, FinishReason, GenerateSettings, TokenOdds } from '../protocol.js';
import type { Native } from './native.js';
import type { SessionParts } from './session.js';
import { detokenize, textOf } from './text.js';

/** wisp_finish_reason, in its order. */
const REASONS = ['length', 'end_token', 'stop_string', 'context', 'cancelled', 'error'] as const;
/** wisp_figure. */
const FIGURES = { promptTokens: 0, cachedTokens: 1, generatedTokens: 2, submitted: 4, firstToken: 6, finished: 7, draftedTokens: 8, acceptedTokens: 9, forcedTokens: 10 };

export class Generation {
  /** The engine's number of the request. */
  number = 0;
  /** It was cancelled; the engine may not have said so before it is lost. */
  isLeft = false;
  onvector: ((vector: Float32Array) => void) | undefined;
  onfail: ((error: ModelError) => void) | undefined;

  #native: Native | undefined;
  #answer = 0; // a wisp_answer, where there is a chat
  readonly #ids: number[] = []; // chosen so far
  #said = ''; // their text, as far as it was told
  #resumed = 0; // of them on a device before this one
  #events: AnswerEvent[] = [];
  #odds: TokenOdds[] = [];
  #finish: Delta['finish'];

  constructor(readonly id: number, readonly choice: number, readonly settings: GenerateSettings,
              readonly post: (deltas: Delta[]) => void) {}

  submit(parts: SessionParts): void {
    const { chat } = this.settings;
    this.#submit(parts, { ...this.settings.settings, ...chat, ...(chat && { show_special: 2 }) });
    this.#answer = chat ? this.#answerTo(chat, parts) : 0;
  }

  /** On another engine of the same model: the prompt and all that was chosen are computed again, and it goes on from there. */
  resume(parts: SessionParts): void {
    const { chat, settings } = this.settings;
    this.#resumed = this.#ids.length;
    const most = settings.max_tokens as number | undefined;
    const rest = { ...settings, answer: this.#ids, ...(most !== undefined && { max_tokens: most - this.#resumed }) };
    this.#submit(parts, { ...rest, ...chat, ...(chat && { show_special: 2 }) });
    if (!chat) return;
    // What was said already is said again to a new parser, which nobody hears.
    this.#answer = this.#answerTo(chat, parts);
    this.#feed(this.#said);
  }

  takeToken(parts: SessionParts, event: number): void {
    this.#ids.push(parts.module.call('wisp_event_token', event));
    this.#take(eventText(parts, event));
    if (typeof this.settings.settings.logprobs === 'number') this.#odds.push(oddsOf(parts, event));
  }

  takeFinish(parts: SessionParts, event: number): void {
    this.#take(eventText(parts, event));
    if (this.#answer !== 0) this.#events.push(...parts.native.json<AnswerEvent[]>('wisp_answer_finish', this.#answer));
    const reason = REASONS[parts.module.call('wisp_event_finish_reason', event)] ?? 'error';
    if (reason === 'error') {
      const status = parts.module.call('wisp_event_status', event);
      this.fail(parts.native.errorOf(status, parts.module.textAt(parts.module.call('wisp_event_message', event))));
    } else {
      if (reason !== 'cancelled') this.onvector?.(vectorOf(parts, event));
      const figures = figuresOf(parts, event);
      figures.promptTokens -= this.#resumed;
      figures.generatedTokens += this.#resumed;
      this.#finish = { reason: reason as FinishReason, figures };
    }
    this.close();
  }

  /** Tells the caller what came since the last time. */
  flush(): void {
    if (this.#events.length === 0 && this.#odds.length === 0 && !this.#finish) return;
    this.post([{ choice: this.choice, events: this.#events, odds: this.#odds, ...(this.#finish && { finish: this.#finish }) }]);
    this.#events = [];
    this.#odds = [];
  }

  fail(error: ModelError): void {
    this.onfail?.(error);
  }

  close(): void {
    if (this.#answer !== 0) this.#native?.module.call('wisp_answer_destroy', this.#answer);
    this.#answer = 0;
  }

  #submit(parts: SessionParts, settings: Record<string, unknown>): void {
    const { module, native } = parts;
    this.#native = native;
    this.#answer = 0;
    const request = module.call('wisp_request_create');
    try {
      native.set(request, 'wisp_request_set_json', { ...settings, seed: this.#seed });
      this.number = native.number('wisp_engine_submit', parts.engine, request);
    } finally {
      module.call('wisp_request_destroy', request);
    }
  }

  /** What takes the answer to a chat apart: a wisp_answer. By the seed calls of several answers have ids of their own. */
  #answerTo(chat: Record<string, unknown>, { native, model }: SessionParts): number {
    const { json_schema, regex } = this.settings.settings; // where there is one, marks in what is said mean themselves
    const request = JSON.stringify({ ...chat, json_schema, regex, seed: this.#seed });
    return native.withText(request, (at, length) => native.make('wisp_answer_create', model, at, length));
  }

  /** Each of the answers has its own. */
  get #seed(): number {
    return Number(BigInt.asIntN(64, BigInt((this.settings.settings.seed as number | undefined) ?? 0) + BigInt(this.choice)));
  }

  #take(text: string): void {
    if (text === '') return;
    this.#said += text;
    if (this.#answer !== 0) this.#events.push(...this.#feed(text));
    else this.#events.push({ type: 'content', text });
  }

  #feed(text: string): AnswerEvent[] {
    const native = this.#native!;
    return native.withText(text, (at, length) => native.json<AnswerEvent[]>('wisp_answer_feed', this.#answer, at, length));
  }
}

function eventText({ module }: SessionParts, event: number): string {
  return textOf(module.bytesAt(module.call('wisp_event_text', event), module.call('wisp_event_text_size', event)));
}

/** The exact bytes of a token, and its text. */
function tokenOf(parts: SessionParts, id: number): { token: string; bytes: number[] } {
  const bytes = detokenize(parts, [id]);
  return { token: textOf(bytes), bytes: [...bytes] };
}

function oddsOf(parts: SessionParts, event: number): TokenOdds {
  type Told = { logprob: number | null; top: { token: number; logprob: number | null }[] };
  const told = parts.native.json<Told>('wisp_event_logprobs', event);
  const least = -9999; // what OpenAI's interface gives for "never"
  return {
    ...tokenOf(parts, parts.module.call('wisp_event_token', event)),
    logprob: told.logprob ?? least,
    top: told.top.map(({ token, logprob }) => ({ ...tokenOf(parts, token), logprob: logprob ?? least })),
  };
}

function vectorOf({ module }: SessionParts, event: number): Float32Array {
  const count = module.call('wisp_event_embedding_count', event);
  return new Float32Array(module.bytesAt(module.call('wisp_event_embedding', event), 4 * count).buffer);
}

function figuresOf({ module }: SessionParts, event: number): Figures {
  const figure = (which: number): number => Number(module.exports.wisp_event_figure?.(event, which) ?? 0);
  const since = (moment: number): number => (moment === 0 ? 0 : Math.max(0, moment - figure(FIGURES.submitted)) / 1e6);
  return {
    promptTokens: figure(FIGURES.promptTokens),
    cachedTokens: figure(FIGURES.cachedTokens),
    generatedTokens: figure(FIGURES.generatedTokens),
    draftedTokens: figure(FIGURES.draftedTokens),
    acceptedTokens: figure(FIGURES.acceptedTokens),
    forcedTokens: figure(FIGURES.forcedTokens),
    firstTokenMilliseconds: since(figure(FIGURES.firstToken)),
    milliseconds: since(figure(FIGURES.finished)),
  };
}
