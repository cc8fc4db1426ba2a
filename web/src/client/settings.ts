// From requests in OpenAI's words to the engine's (wisp_request_set_json() of engine/api/wisp.h).
import type { GenerateSettings } from '../protocol.js';
import { WispError } from './errors.js';
import type { ChatRequest, CompletionRequest, Sampling } from './requests.js';

const OWN: (keyof Sampling)[] = ['top_k', 'min_p', 'typical_p', 'top_n_sigma', 'repeat_penalty', 'penalty_last_n', 'xtc_probability',
  'xtc_threshold', 'dry_multiplier', 'dry_base', 'dry_allowed_length', 'dynatemp_range', 'dynatemp_exponent', 'mirostat', 'mirostat_tau',
  'mirostat_eta', 'samplers', 'grammar', 'regex', 'speculate', 'ignore_end'];
const SHARED = ['temperature', 'top_p', 'seed', 'presence_penalty', 'frequency_penalty', 'stop', 'logit_bias'] as const;
const CHAT = ['messages', 'tools', 'tool_choice', 'parallel_tool_calls', 'enable_thinking', 'reasoning_effort', 'chat_template_kwargs'] as const;
const SPEAKS = new Set(['system', 'developer', 'user', 'tool']); // an assistant may only have called
const FORMS = { json_schema: 'response_format', grammar: 'grammar', regex: 'regex' };
const MOST_ANSWERS = 128;

function common(request: ChatRequest | CompletionRequest): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const name of [...SHARED, ...OWN]) {
    const value = request[name];
    if (value !== undefined && value !== null) settings[name] = value;
  }
  if (settings.seed !== undefined && !Number.isSafeInteger(settings.seed)) {
    throw new WispError('invalid_argument', `seed is ${shown(settings.seed)}, expected an integer below 2^53`);
  }
  if (typeof settings.temperature === 'number' && settings.temperature < 0) {
    throw new WispError('invalid_argument', `temperature is ${settings.temperature}, expected 0 or more; 0 always takes the most likely token`);
  }
  // Drawn anew each time, as users of such interfaces expect; the same seed gives the same text.
  settings.seed ??= Math.floor(Math.random() * 2 ** 31);
  return settings;
}

function answers(n: number | null | undefined): number {
  const count = n ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MOST_ANSWERS) {
    throw new WispError('invalid_argument', `n is ${shown(n)}, expected 1 to ${MOST_ANSWERS}`);
  }
  return count;
}

/** How many of the most likely tokens are told. To the engine -1 is "tell nothing", and whoever reads its events would miss them. */
function told(name: string, count: unknown): number {
  if (!Number.isInteger(count) || (count as number) < 0) {
    throw new WispError('invalid_argument', `${name} is ${shown(count)}, expected 0 or more`);
  }
  return count as number;
}

function chatLogprobs({ logprobs, top_logprobs: top }: ChatRequest): number | undefined {
  if (typeof (logprobs ?? false) !== 'boolean') {
    throw new WispError('invalid_argument', `logprobs is ${shown(logprobs)}, expected true or false; how many are told beside is top_logprobs`);
  }
  const count = told('top_logprobs', top ?? 0);
  if (!logprobs && count > 0) throw new WispError('invalid_argument', `top_logprobs is ${count}, and logprobs is not true`);
  return logprobs ? count : undefined;
}

/** What has to be in a conversation, and what a request may not ask for at once. */
function checkChat({ messages, tools, tool_choice: choice }: ChatRequest, [form]: string[]): void {
  if (messages.length === 0) throw new WispError('invalid_argument', 'messages is empty, expected at least one message');
  messages.forEach((message, index) => {
    if (!SPEAKS.has(message?.role) || (message.content !== undefined && message.content !== null)) return;
    throw new WispError('invalid_argument', `messages[${index}].content is missing`);
  });
  if (choice === undefined || choice === null || choice === 'auto' || choice === 'none') return;
  if (!tools?.length) throw new WispError('invalid_argument', 'tool_choice asks for a call, and there are no tools');
  if (form) throw new WispError('invalid_argument', `tool_choice asks for a call, and ${form} for another answer; leave one of them out`);
}

/** The schema that an answer has to obey, where one is asked for. */
function schemaOf({ response_format: format }: ChatRequest): unknown {
  if (format === undefined || format === null) return undefined;
  switch (format.type) {
    case 'text': return undefined;
    case 'json_object': return { type: 'object' };
    case 'json_schema':
      if (typeof format.json_schema !== 'object' || format.json_schema === null) {
        throw new WispError('invalid_argument', 'response_format.json_schema is missing');
      }
      return format.json_schema.schema ?? { type: 'object' };
    default:
      throw new WispError('invalid_argument', `response_format.type is '${String((format as { type?: unknown }).type)}', expected text, json_object or json_schema`);
  }
}

/** Names of what the answer has to obey; the engine takes one. */
function formsOf(settings: Record<string, unknown>): string[] {
  const names = Object.entries(FORMS).filter(([key]) => settings[key] !== undefined).map(([, name]) => name);
  if (names.length > 1) throw new WispError('invalid_argument', `an answer can obey one of ${names.join(' and ')}, not both`);
  return names;
}

// As it would go over a network: requests may hold proxies of a framework's state, which no worker can be sent.
export function plain<T>(value: T): T {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new WispError('invalid_argument', `the request is no JSON: ${(error as Error).message}`);
  }
  if (text === undefined) throw new WispError('invalid_argument', `the request is ${shown(value)}, expected an object`);
  return JSON.parse(text) as T;
}

/** A value as a program spells it, so that '1' is no 1. */
const shown = (value: unknown): string => (typeof value === 'string' ? `'${value.slice(0, 100)}'` : String(value));

export function chatSettings(request: ChatRequest): GenerateSettings {
  if (!Array.isArray(request?.messages)) throw new WispError('invalid_argument', 'messages is not a list');
  const settings = common(request);
  const most = request.max_completion_tokens ?? request.max_tokens;
  if (most !== undefined && most !== null) settings.max_tokens = most;
  const logprobs = chatLogprobs(request);
  if (logprobs !== undefined) settings.logprobs = logprobs;
  const schema = schemaOf(request);
  if (schema !== undefined) settings.json_schema = schema;
  const forms = formsOf(settings);
  checkChat(request, forms);
  const chat: Record<string, unknown> = {};
  for (const name of CHAT) {
    const value = request[name];
    if (value !== undefined && value !== null) chat[name] = value;
  }
  // Who asks for a form wants the answer; and a GBNF would have to describe the thought, too.
  if (forms.length > 0) chat.enable_thinking ??= false;
  return plain({ settings, chat, n: answers(request.n) });
}

/** One prompt or several: texts, or lists of token ids. */
export function promptsOf(prompt: CompletionRequest['prompt'] | undefined): (string | number[])[] {
  const isOne = (item: unknown): item is string | number[] =>
    typeof item === 'string' || (Array.isArray(item) && item.length > 0 && item.every(id => typeof id === 'number'));
  if (isOne(prompt)) return [prompt];
  if (Array.isArray(prompt) && prompt.length > 0 && prompt.every(isOne)) return prompt;
  throw new WispError('invalid_argument', 'prompt is neither a text, nor token ids, nor a list of one of these');
}

/** What each of the prompts asks for. */
export function completionSettings(request: CompletionRequest): GenerateSettings[] {
  const prompts = promptsOf(request?.prompt);
  const settings = common(request);
  if (request.max_tokens !== undefined && request.max_tokens !== null) settings.max_tokens = request.max_tokens;
  if (request.logprobs !== undefined && request.logprobs !== null) settings.logprobs = told('logprobs', request.logprobs);
  formsOf(settings);
  return prompts.map(prompt => plain({ settings: { ...settings, prompt }, n: answers(request.n) }));
}
