// Answers put together from what the engine tells: as messages, and as the pieces of a stream.
import type { AnswerEvent, Delta, Figures, TokenOdds } from '../protocol.js';
import type { ToolCall } from './requests.js';
import type { ChatChoice, ChatDelta, ChatFinishReason, ChatLogprobs, Usage } from './responses.js';

export function finishOf(delta: NonNullable<Delta['finish']>, hasCalls: boolean): ChatFinishReason {
  if (delta.reason === 'length' || delta.reason === 'context') return 'length';
  return hasCalls ? 'tool_calls' : 'stop';
}

/** Of all answers to one request, whose prompt counts once. */
export function usageOf(figures: readonly Figures[]): Usage {
  const prompt = figures[0]?.promptTokens ?? 0;
  const made = figures.reduce((sum, { generatedTokens }) => sum + generatedTokens, 0);
  return {
    prompt_tokens: prompt, completion_tokens: made, total_tokens: prompt + made,
    prompt_tokens_details: { cached_tokens: figures[0]?.cachedTokens ?? 0 },
  };
}

export function logprobsOf(odds: readonly TokenOdds[]): ChatLogprobs {
  return {
    content: odds.map(({ token, bytes, logprob, top }) => ({ token, bytes, logprob, top_logprobs: top.map(one => ({ ...one })) })),
    refusal: null,
  };
}

/** One answer that is put together. */
export class WholeAnswer {
  content = '';
  reasoning = '';
  readonly odds: TokenOdds[] = [];
  readonly #calls: (ToolCall | undefined)[] = [];
  finish: Delta['finish'];

  add(delta: Delta): void {
    for (const event of delta.events) this.#take(event);
    this.odds.push(...delta.odds);
    if (delta.finish) this.finish = delta.finish;
  }

  get calls(): ToolCall[] {
    return this.#calls.filter(call => call !== undefined);
  }

  choice(index: number, wantsLogprobs: boolean): ChatChoice {
    const { calls } = this;
    return {
      index,
      message: {
        role: 'assistant', content: this.content === '' && calls.length > 0 ? null : this.content, refusal: null,
        ...(this.reasoning !== '' && { reasoning_content: this.reasoning }),
        ...(calls.length > 0 && { tool_calls: calls }),
      },
      logprobs: wantsLogprobs ? logprobsOf(this.odds) : null,
      finish_reason: finishOf(this.finish!, calls.length > 0),
    };
  }

  #take(event: AnswerEvent): void {
    switch (event.type) {
      case 'content': this.content += event.text; break;
      case 'reasoning': this.reasoning += event.text; break;
      case 'call_begin': this.#calls[event.index] = { id: event.id, type: 'function', function: { name: event.name, arguments: '' } }; break;
      case 'arguments': {
        const call = this.#calls[event.index];
        if (call) call.function.arguments += event.text;
        break;
      }
      case 'call_end': break;
      case 'error': this.#calls[event.index] = undefined; break; // begun, and none
    }
  }
}

/** The changes that a stream tells of. */
export function deltasOfEvents(events: readonly AnswerEvent[]): ChatDelta[] {
  const made: ChatDelta[] = [];
  for (const event of events) {
    const last = made.at(-1);
    if (event.type === 'content') {
      if (last?.content !== undefined && Object.keys(last).length === 1) last.content += event.text;
      else made.push({ content: event.text });
    } else if (event.type === 'reasoning') {
      if (last?.reasoning_content !== undefined) last.reasoning_content += event.text;
      else made.push({ reasoning_content: event.text });
    } else if (event.type === 'call_begin') {
      made.push({ tool_calls: [{ index: event.index, id: event.id, type: 'function', function: { name: event.name, arguments: '' } }] });
    } else if (event.type === 'arguments') {
      made.push({ tool_calls: [{ index: event.index, function: { arguments: event.text } }] });
    }
  }
  return made;
}
