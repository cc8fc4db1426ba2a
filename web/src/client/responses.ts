// Answers in the shapes of OpenAI's interface: what takes the types of the `openai` package takes these, which
// test/openai/ holds them to.
import type { ToolCall } from './requests.js';

/**
 * Tokens that an answer took.
 * @category Chat
 */
export interface Usage {
  /** Of the prompt, as the template wrote it; counted once for all `n` answers. */
  prompt_tokens: number;
  /** Written, in all answers together; those of reasoning and calls among them. */
  completion_tokens: number;
  /** Both. */
  total_tokens: number;
  /** More of the prompt. */
  prompt_tokens_details: {
    /** Tokens that an earlier request had computed already. */
    cached_tokens: number;
  };
}

/**
 * A token and how likely it was.
 * @category Chat
 */
export interface TokenLogprob {
  /** Its text; a token that holds a part of a character has the replacement character here. */
  token: string;
  /** Its exact bytes, in UTF-8. */
  bytes: number[];
  /** ln of its probability in the model's own distribution, before bias, penalties and temperature; -9999 for never. */
  logprob: number;
}

/**
 * A chosen token, with those that the model found most likely in its place.
 * @category Chat
 */
export interface ChosenTokenLogprob extends TokenLogprob {
  /** As many as `top_logprobs` asked for, most likely first. */
  top_logprobs: TokenLogprob[];
}

/**
 * How likely the tokens of an answer were.
 * @category Chat
 */
export interface ChatLogprobs {
  /** Of all tokens, in their order; those of reasoning and calls too. */
  content: ChosenTokenLogprob[];
  /** Always null. */
  refusal: null;
}

/**
 * Why an answer ended. `stop`: the model ended, or a stop text came. `length`: `max_tokens` were written, or the context is
 * full. `tool_calls`: it waits for the results of its calls.
 * @category Chat
 */
export type ChatFinishReason = 'stop' | 'length' | 'tool_calls';

/**
 * What the model said.
 * @category Chat
 */
export interface AnswerMessage {
  /** Always the assistant. */
  role: 'assistant';
  /** The text; null where there are only calls. */
  content: string | null;
  /** Always null. */
  refusal: null;
  /** What it thought first, where its template marks that; absent where it did not. */
  reasoning_content?: string;
  /** What it calls; absent where nothing. */
  tool_calls?: ToolCall[];
}

/**
 * One of the `n` answers.
 * @category Chat
 */
export interface ChatChoice {
  /** 0 to n - 1. */
  index: number;
  /** What was said. */
  message: AnswerMessage;
  /** Null unless asked for. */
  logprobs: ChatLogprobs | null;
  /** Why it ended. */
  finish_reason: ChatFinishReason;
}

/**
 * A whole answer to a conversation.
 * @category Chat
 */
export interface ChatCompletion {
  /** `chatcmpl-` and a random number. */
  id: string;
  /** What this is. */
  object: 'chat.completion';
  /** Seconds since 1970. */
  created: number;
  /** The loaded model's name. */
  model: string;
  /** As many as `n`. */
  choices: ChatChoice[];
  /** Tokens of all answers together. */
  usage: Usage;
}

/**
 * A piece of a call while it comes: the first one has `id`, `type` and `name`, those after it more of the arguments.
 * @category Chat
 */
export interface ToolCallDelta {
  /** Which of the answer's calls, from 0. */
  index: number;
  /** In the first piece. */
  id?: string;
  /** In the first piece. */
  type?: 'function';
  /** What it calls. */
  function?: {
    /** In the first piece. */
    name?: string;
    /** More of them: JSON text to be strung together. */
    arguments?: string;
  };
}

/**
 * What a piece adds to an answer: to be strung together.
 * @category Chat
 */
export interface ChatDelta {
  /** In the first piece. */
  role?: 'assistant';
  /** More of the text. */
  content?: string;
  /** Null, in the first piece. */
  refusal?: null;
  /** More of what it thinks. */
  reasoning_content?: string;
  /** More of its calls. */
  tool_calls?: ToolCallDelta[];
}

/**
 * A piece of one of the `n` answers.
 * @category Chat
 */
export interface ChatChunkChoice {
  /** Of which answer, 0 to n - 1. */
  index: number;
  /** What it adds. */
  delta: ChatDelta;
  /** Of this piece's tokens; null where they were not asked for, or told already. */
  logprobs: ChatLogprobs | null;
  /** Null but in an answer's last piece. */
  finish_reason: ChatFinishReason | null;
}

/**
 * A piece of an answer to a conversation, of a stream.
 * @category Chat
 */
export interface ChatCompletionChunk {
  /** The same in all pieces. */
  id: string;
  /** What this is. */
  object: 'chat.completion.chunk';
  /** Seconds since 1970, the same in all pieces. */
  created: number;
  /** The loaded model's name. */
  model: string;
  /** One, or none in the last piece where `include_usage` was asked for. */
  choices: ChatChunkChoice[];
  /** Only where `include_usage` was asked for: null but in the last piece. */
  usage?: Usage | null;
}

/**
 * How likely the tokens of a text were: lists of equal length.
 * @category Text
 */
export interface CompletionLogprobs {
  /** Texts of the tokens. */
  tokens: string[];
  /** ln of their probabilities. */
  token_logprobs: number[];
  /** The most likely ones, by text, as many as were asked for. */
  top_logprobs: Record<string, number>[];
  /** Where each begins in the choice's text, in UTF-16 units as JavaScript counts them; in a stream from the answer's start on. */
  text_offset: number[];
}

/**
 * One of the `n` texts, or a piece of it.
 * @category Text
 */
export interface CompletionChoice {
  /** 0 to n - 1; those of a second prompt follow. */
  index: number;
  /** The text; of a stream what is new. */
  text: string;
  /** Null unless asked for. */
  logprobs: CompletionLogprobs | null;
  /**
   * `stop`: the model ended, or a stop text came. `length`: `max_tokens` were written, or the context is full. In pieces of a
   * stream it is null until the last, although the type, which is OpenAI's, does not say so.
   */
  finish_reason: 'stop' | 'length';
}

/**
 * A text that went on, or a piece of it.
 * @category Text
 */
export interface Completion {
  /** `cmpl-` and a random number; the same in all pieces of a stream. */
  id: string;
  /** What this is. */
  object: 'text_completion';
  /** Seconds since 1970. */
  created: number;
  /** The loaded model's name. */
  model: string;
  /** As many as `n`; in a stream one, or none in the last piece where `include_usage` was asked for. */
  choices: CompletionChoice[];
  /** Tokens of all texts together; in a stream only in the last piece, where it was asked for. */
  usage?: Usage;
}

/**
 * A vector.
 * @category Embeddings
 */
export interface Embedding {
  /** What this is. */
  object: 'embedding';
  /** Of which input, from 0. */
  index: number;
  /** The vector; a base64 text in its place where the request asked for that. */
  embedding: number[];
}

/**
 * Vectors, in the order of the inputs.
 * @category Embeddings
 */
export interface EmbeddingResponse {
  /** What this is. */
  object: 'list';
  /** The loaded model's name. */
  model: string;
  /** One an input. */
  data: Embedding[];
  /** What it took. */
  usage: {
    /** Tokens of all inputs. */
    prompt_tokens: number;
    /** The same: nothing is written. */
    total_tokens: number;
  };
}
