// From requests in OpenAI's words to the engine's (wisp_request_set_json() of engine/api/wisp.h).
import type { GenerateSettings } from '../protocol.js';
import { WispError } from './errors.js';
import type { ChatRequest, CompletionRequest, Sampling } from './requests.js';

const OWN: (keyof Sampling)[] = ['top_k', 'min_p', 'typical_p', 'top_n_sigma', 'repeat_penalty', 'penalty_last_n', 'xtc_probability',
  'xtc_threshold', 'dry_multiplier', 'dry_base', 'dry_allowed_length', 'dynatemp_range', 'dynatemp_exponent', 'mirostat', 'mirostat_tau',
  'mirostat_eta', 'samplers', 'grammar', 'regex', 'speculate', 'ignore_end'];
const SHARED = ['temperature', 'top_p', 'seed', 'presence_penalty', 'frequency_penalty', 'stop', 'logit_bias'] as const;
const CHAT = ['messages', 'tools', 'tool_choice', 'parallel_tool_calls', 'enable_thinking', 'reasoning_effort', 'chat_template_kwargs'] as const;
const MOST_ANSWERS = 128;

function common(request: ChatRequest | CompletionRequest): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const name of [...SHARED, ...OWN]) {
    const value = request[name];
    if (value !== undefined && value !== null) settings[name] = value;
  }
  if (settings.seed !== undefined && !Number.isSafeInteger(settings.seed)) {
    throw new WispError('invalid_argument', `seed is ${String(settings.seed)}, expected an integer`);
  }
  // Drawn anew each time, as users of such interfaces expect; the same seed gives the same text.
  settings.seed ??= Math.floor(Math.random() * 2 ** 31);
  return settings;
}

function answers(n: number | null | undefined): number {
  const count = n ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MOST_ANSWERS) {
    throw new WispError('invalid_argument', `n is ${String(n)}, expected 1 to ${MOST_ANSWERS}`);
  }
  return count;
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

// As it would go over a network: requests may hold proxies of a framework's state, which no worker can be sent.
export const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

export function chatSettings(request: ChatRequest): GenerateSettings {
  if (!Array.isArray(request?.messages)) throw new WispError('invalid_argument', 'messages is not a list');
  const settings = common(request);
  const most = request.max_completion_tokens ?? request.max_tokens;
  if (most !== undefined && most !== null) settings.max_tokens = most;
  if (request.logprobs) settings.logprobs = request.top_logprobs ?? 0;
  const schema = schemaOf(request);
  if (schema !== undefined) settings.json_schema = schema;
  const chat: Record<string, unknown> = {};
  for (const name of CHAT) {
    const value = request[name];
    if (value !== undefined && value !== null) chat[name] = value;
  }
  // A form is for the answer: a model that thinks first would have to do so within it.
  if (settings.json_schema !== undefined || settings.grammar !== undefined || settings.regex !== undefined) chat.enable_thinking ??= false;
  return plain({ settings, chat, n: answers(request.n) });
}

export function completionSettings(request: CompletionRequest): GenerateSettings {
  if (typeof request?.prompt !== 'string' && !Array.isArray(request?.prompt)) {
    throw new WispError('invalid_argument', 'prompt is neither a text nor a list of token ids');
  }
  const settings = common(request);
  if (request.max_tokens !== undefined && request.max_tokens !== null) settings.max_tokens = request.max_tokens;
  if (request.logprobs !== undefined && request.logprobs !== null) settings.logprobs = request.logprobs;
  settings.prompt = request.prompt;
  return plain({ settings, n: answers(request.n) });
}
