// An answer to a conversation: streamed into it, through tools where the model calls some.
import { currentWisp, engine, isAbort, messageOf, noteFailure } from '../engine.js';
import type { ChatMessage, ToolCall } from '../package.js';
import { Store } from '../store.js';
import { change, conversations, newId, setMessage, type Conversation, type Message } from './conversations.js';
import { answerSettings, problemOf, requestFields } from './settings.js';
import { runTool, toolList } from './tools.js';

const MOST_ROUNDS = 6; // of calls, before the model has to answer
const DRAWN_EVERY = 50; // ms
const KEPT_EVERY = 1000; // ms; what a page that ends in the middle of an answer loses of it

/** Ids of conversations whose answer is coming. */
export const answering = new Store<ReadonlySet<string>>(new Set());
const aborts = new Map<string, AbortController>();

export const stopAnswer = (id: string): void => aborts.get(id)?.abort();

/** A call that was cut has half an object as its arguments. */
function isWhole({ function: { arguments: given } }: ToolCall): boolean {
  try {
    const parsed: unknown = JSON.parse(given);
    return parsed !== null && typeof parsed === 'object';
  } catch {
    return false;
  }
}

// Without what would have every later request refused: calls that are not whole or have no result, and results of those.
function messagesOf({ messages }: Conversation): ChatMessage[] {
  const { system } = answerSettings.value;
  const made: ChatMessage[] = system.trim() === '' ? [] : [{ role: 'system', content: system }];
  const results = new Set(messages.map(({ callId }) => callId));
  const called = new Set<string>();
  for (const { role, content, calls = [], callId } of messages) {
    const whole = calls.filter(call => isWhole(call) && results.has(call.id));
    for (const { id } of whole) called.add(id);
    if (role === 'assistant' && content === '' && whole.length === 0) continue;
    if (role === 'tool' && !called.has(callId ?? '')) continue;
    made.push({
      role, content, ...(whole.length > 0 && { tool_calls: whole, content: content || null }), ...(callId !== undefined && { tool_call_id: callId }),
    });
  }
  return made;
}

const conversation = (id: string): Conversation | undefined => conversations.value.find(one => one.id === id);

// One answer at a time: while one comes, nothing of its conversation may be taken away under it.

/** Says one thing more to the model, and lets it answer. */
export async function send(id: string, text: string): Promise<void> {
  if (aborts.has(id)) return;
  change(id, one => ({ ...one, messages: [...one.messages, { id: newId(), role: 'user', content: text }] }));
  await answer(id);
}

/** Answers again, as if nothing had been said after the message before `messageId`. */
export async function regenerate(id: string, messageId: string): Promise<void> {
  if (aborts.has(id)) return;
  change(id, one => {
    let end = one.messages.findIndex(message => message.id === messageId);
    while (end > 0 && one.messages[end - 1]?.role !== 'user') --end;
    return { ...one, messages: one.messages.slice(0, end) };
  });
  await answer(id);
}

/** A message of the user said otherwise: what followed it is gone, and the model answers. */
export async function editMessage(id: string, messageId: string, text: string): Promise<void> {
  if (aborts.has(id)) return;
  change(id, one => {
    const at = one.messages.findIndex(message => message.id === messageId);
    return { ...one, messages: [...one.messages.slice(0, at), { id: newId(), role: 'user', content: text }] };
  });
  await answer(id);
}

async function answer(id: string): Promise<void> {
  const abort = new AbortController();
  aborts.set(id, abort);
  answering.set(new Set([...answering.value, id]));
  // Nobody waits for the answer of a conversation that is deleted.
  const unwatch = conversations.subscribe(() => { if (!conversation(id)) abort.abort(); });
  try {
    for (let round = 0; round < MOST_ROUNDS; ++round) {
      const calls = await answerOnce(id, abort.signal, round + 1 < MOST_ROUNDS);
      if (calls.length === 0) break;
      const results = calls.map((call): Message => ({ id: newId(), role: 'tool', content: runTool(call), callId: call.id }));
      change(id, one => ({ ...one, messages: [...one.messages, ...results] }));
    }
  } finally {
    unwatch();
    aborts.delete(id);
    answering.set(new Set([...answering.value].filter(one => one !== id)));
  }
}

/** The calls that the model wants answered. */
async function answerOnce(id: string, signal: AbortSignal, mayCall: boolean): Promise<ToolCall[]> {
  const asked = conversation(id);
  if (!asked) return [];
  const settings = answerSettings.value;
  const messages = messagesOf(asked);
  let message: Message = { id: newId(), role: 'assistant', content: '', model: engine.value.label };
  change(id, one => ({ ...one, messages: [...one.messages, message] }));

  // Deltas come more often than a screen draws.
  let drawn = false;
  let kept = performance.now();
  const draw = (): void => {
    if (drawn) return;
    drawn = true;
    setTimeout(() => {
      drawn = false;
      if (ended) return;
      const isDue = performance.now() - kept > KEPT_EVERY;
      if (isDue) kept = performance.now();
      setMessage(id, message, isDue);
    }, DRAWN_EVERY);
  };
  let ended = false;
  let calls: ToolCall[] = [];
  let reason: string | null | undefined;
  const begun = performance.now();
  let first = 0;
  try {
    const problem = problemOf(settings);
    if (problem !== '') throw new Error(problem); // an answer in another form than was wanted helps nobody
    const stream = await currentWisp().chat.completions.create({
      messages, ...requestFields(settings), ...(settings.tools && mayCall && { tools: toolList }), stream: true, stream_options: { include_usage: true },
    }, { signal });
    for await (const { choices, usage } of stream) {
      const { delta, finish_reason: finish } = choices[0] ?? {};
      if (delta && (delta.content || delta.reasoning_content || delta.tool_calls)) first ||= performance.now();
      if (delta?.content) message = { ...message, content: message.content + delta.content };
      if (delta?.reasoning_content) message = { ...message, reasoning: (message.reasoning ?? '') + delta.reasoning_content };
      for (const { index, id: callId, function: called } of delta?.tool_calls ?? []) {
        const call = (calls[index] ??= { id: callId ?? '', type: 'function', function: { name: called?.name ?? '', arguments: '' } });
        call.function.arguments += called?.arguments ?? '';
        message = { ...message, calls: structuredClone(calls.filter(Boolean)) };
      }
      reason = finish ?? reason;
      if (finish === 'length') message = { ...message, cut: true };
      if (usage) {
        message = { ...message, figures: {
          promptTokens: usage.prompt_tokens, cachedTokens: usage.prompt_tokens_details.cached_tokens, generatedTokens: usage.completion_tokens,
          firstMilliseconds: (first || performance.now()) - begun, milliseconds: performance.now() - begun,
        } };
      }
      draw();
    }
    calls = calls.filter(Boolean);
    if (calls.length > 0 && !(reason === 'tool_calls' && calls.every(isWhole))) {
      calls = [];
      message = { ...message, calls, error: 'The model began to call a tool, and its answer ended before the call did.' };
    }
  } catch (error) {
    noteFailure(error);
    calls = [];
    message = signal.aborted || isAbort(error) ? { ...message, stopped: true, calls: [] } : { ...message, error: messageOf(error), calls: [] };
  }
  ended = true;
  setMessage(id, message, true);
  return calls;
}
