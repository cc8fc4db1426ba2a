// The shapes of OpenAI's interface, as far as a model in a page has them, with wisp's own settings beside. What the types of
// the `openai` package accept, these give.

export interface TextPart {
  type: 'text';
  text: string;
}
export interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}
export interface ChatMessage {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  content?: string | TextPart[] | null;
  name?: string;
  /** Of an assistant: what it thought before it answered. */
  reasoning_content?: string;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}
export interface Tool {
  type: 'function';
  function: { name: string; description?: string; parameters?: Record<string, unknown>; strict?: boolean | null };
}
export type ToolChoice = 'none' | 'auto' | 'required' | { type: 'function'; function: { name: string } };
export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | { type: 'json_schema'; json_schema: { name: string; schema?: Record<string, unknown>; strict?: boolean | null; description?: string } };

/** Settings that OpenAI's interface does not have, by the engine's names (docs/sampling.md). */
export interface Sampling {
  top_k?: number;
  min_p?: number;
  typical_p?: number;
  top_n_sigma?: number;
  repeat_penalty?: number;
  penalty_last_n?: number;
  xtc_probability?: number;
  xtc_threshold?: number;
  dry_multiplier?: number;
  dry_base?: number;
  dry_allowed_length?: number;
  dynatemp_range?: number;
  dynatemp_exponent?: number;
  mirostat?: boolean;
  mirostat_tau?: number;
  mirostat_eta?: number;
  samplers?: string[];
  /** GBNF, or a regular expression, that the answer has to obey. */
  grammar?: string;
  regex?: string;
  /** Tokens guessed from the text itself, checked in one step: faster where a text repeats itself, never another text. */
  speculate?: 'off' | 'ngram';
  ignore_end?: boolean;
}

interface Common extends Sampling {
  /** Ignored: there is one model. */
  model?: string;
  max_tokens?: number | null;
  temperature?: number | null;
  top_p?: number | null;
  n?: number | null;
  stop?: string | string[] | null;
  seed?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  logit_bias?: Record<string, number> | null;
  stream_options?: { include_usage?: boolean } | null;
  user?: string;
}

export interface ChatRequest extends Common {
  messages: ChatMessage[];
  max_completion_tokens?: number | null;
  stream?: boolean | null;
  tools?: Tool[];
  tool_choice?: ToolChoice;
  parallel_tool_calls?: boolean;
  response_format?: ResponseFormat;
  logprobs?: boolean | null;
  top_logprobs?: number | null;
  /** For templates that know it: whether, and how much, the model thinks first. */
  enable_thinking?: boolean;
  reasoning_effort?: 'minimal' | 'low' | 'medium' | 'high' | null;
  chat_template_kwargs?: Record<string, unknown>;
}

export interface CompletionRequest extends Common {
  prompt: string | number[];
  stream?: boolean | null;
  echo?: boolean | null;
  logprobs?: number | null;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
}
export interface TokenLogprob {
  token: string;
  bytes: number[];
  logprob: number;
}
export interface ChatLogprobs {
  content: (TokenLogprob & { top_logprobs: TokenLogprob[] })[];
  refusal: null;
}
export type ChatFinishReason = 'stop' | 'length' | 'tool_calls';

export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  created: number;
  model: string;
  choices: {
    index: number;
    message: { role: 'assistant'; content: string | null; refusal: null; reasoning_content?: string; tool_calls?: ToolCall[] };
    logprobs: ChatLogprobs | null;
    finish_reason: ChatFinishReason;
  }[];
  usage: Usage;
}
export interface ChatCompletionChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  choices: {
    index: number;
    delta: {
      role?: 'assistant';
      content?: string | null;
      reasoning_content?: string;
      tool_calls?: { index: number; id?: string; type?: 'function'; function?: { name?: string; arguments?: string } }[];
    };
    logprobs?: ChatLogprobs | null;
    finish_reason: ChatFinishReason | null;
  }[];
  usage?: Usage | null;
}
export interface Completion {
  id: string;
  object: 'text_completion';
  created: number;
  model: string;
  choices: {
    index: number;
    text: string;
    logprobs: { tokens: string[]; token_logprobs: number[]; top_logprobs: Record<string, number>[]; text_offset: number[] } | null;
    finish_reason: 'stop' | 'length';
  }[];
  usage?: Usage;
}

export interface EmbeddingRequest {
  model?: string;
  input: string | string[] | number[] | number[][];
  encoding_format?: 'float' | 'base64';
  /** How a text becomes one vector; what the model's file says, where it is left out. */
  pooling?: 'last' | 'mean' | 'cls';
  /** To a length of 1. */
  normalize?: boolean;
  user?: string;
}
export interface EmbeddingResponse {
  object: 'list';
  model: string;
  data: { object: 'embedding'; index: number; embedding: number[] }[];
  usage: { prompt_tokens: number; total_tokens: number };
}
