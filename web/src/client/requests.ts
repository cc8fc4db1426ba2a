// Requests in the shapes of OpenAI's interface, as far as a model in a page has them, with wisp's own settings beside. What
// is not here is not looked at; a member whose value makes no sense is refused with the code `invalid_argument`.

/**
 * A piece of a message that is written in pieces. Only text: pictures, sound and files are refused with `unsupported`.
 * @category Chat
 */
export interface TextPart {
  /** What kind of piece it is. */
  type: 'text';
  /** What it says. */
  text: string;
}

/**
 * A call of a function that the model asks for. Nothing is run: the caller runs it, and answers with a message of the role
 * `tool`.
 * @category Chat
 */
export interface ToolCall {
  /** Made by wisp; the answering message names it as `tool_call_id`. */
  id: string;
  /** The only kind there is. */
  type: 'function';
  /** Which function, and with what. */
  function: ToolCallFunction;
}

/**
 * What a {@link ToolCall} calls.
 * @category Chat
 */
export interface ToolCallFunction {
  /** One of the names in `tools`. */
  name: string;
  /** An object as JSON text, which obeys the function's `parameters`. */
  arguments: string;
}

/**
 * A message of a conversation. Those of an answer can be put back into it as they are.
 * @category Chat
 */
export interface ChatMessage {
  /** Who speaks. `developer` is `system` to templates that do not know it. */
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  /** What is said; only an assistant's may be absent, beside `tool_calls`. */
  content?: string | TextPart[] | null;
  /** The speaker's, or the tool's; few templates show it. */
  name?: string;
  /** Of an assistant: what it thought before it answered. Templates say whether it is shown again. */
  reasoning_content?: string;
  /** Not looked at: wisp has no refusals apart from the text. */
  refusal?: string | null;
  /** Of an assistant: the calls that it made. */
  tool_calls?: ToolCall[];
  /** Of a tool: whose result this is. */
  tool_call_id?: string;
}

/**
 * A function that the model may call.
 * @category Chat
 */
export interface Tool {
  /** The only kind there is. */
  type: 'function';
  /** Its name, what it is good for, and what it takes. */
  function: ToolFunction;
}

/**
 * How a {@link Tool} is described to the model.
 * @category Chat
 */
export interface ToolFunction {
  /** What the call names. */
  name: string;
  /** For the model: when to call it. */
  description?: string;
  /** A JSON schema of the arguments; none: the function takes nothing. */
  parameters?: Record<string, unknown>;
  /** Not looked at: arguments always obey the schema. */
  strict?: boolean | null;
}

/**
 * `auto`: the model decides. `none`: no calls. `required`: at least one. Or one function.
 * @category Chat
 */
export type ToolChoice = 'none' | 'auto' | 'required' | NamedToolChoice;

/**
 * The function that has to be called.
 * @category Chat
 */
export interface NamedToolChoice {
  /** The only kind there is. */
  type: 'function';
  /** Which. */
  function: {
    /** One of the names in `tools`. */
    name: string;
  };
}

/**
 * What form the answer has.
 * @category Chat
 */
export type ResponseFormat = PlainFormat | JsonSchemaFormat;

/**
 * Text as it comes, or any JSON object.
 * @category Chat
 */
export interface PlainFormat {
  /** Which of the two. */
  type: 'text' | 'json_object';
}

/**
 * JSON that a schema accepts, token by token; docs/constraints.md has the keywords. A schema that cannot be held is refused with
 * `unsupported` or `invalid_argument` before anything is written.
 * @category Chat
 */
export interface JsonSchemaFormat {
  /** What kind of form. */
  type: 'json_schema';
  /** The schema, and what it is called. */
  json_schema: {
    /** Not looked at. */
    name: string;
    /** The schema; none: any object. */
    schema?: Record<string, unknown>;
    /** Not looked at: answers always obey. */
    strict?: boolean | null;
    /** Not looked at. */
    description?: string;
  };
}

/**
 * What a stream tells beside the text.
 * @category Chat
 */
export interface StreamOptions {
  /** The last piece has no choices, and tells the {@link Usage}. Default false. */
  include_usage?: boolean;
}

/**
 * Settings that OpenAI's interface does not have, by the engine's names: docs/sampling.md says what each does, and in which
 * order they run.
 * @category Sampling
 */
export interface Sampling {
  /** Only so many of the most likely tokens; 0: all. Default 40. */
  top_k?: number;
  /** Only tokens at least this likely, as a share of the most likely one's probability; 0: off. Default 0.05. */
  min_p?: number;
  /** Only tokens of the most typical surprise that hold this share of the probability; 1: off. Default 1. */
  typical_p?: number;
  /** Only logits within so many standard deviations of the highest; 0: off. Default 0. */
  top_n_sigma?: number;
  /** Divides the logits of tokens that are there already; 1: off. Default 1. */
  repeat_penalty?: number;
  /** How many last tokens all penalties look at; -1: all. Default 64. */
  penalty_last_n?: number;
  /** How often, from 0 to 1, all top choices but the least likely are left out. Default 0. */
  xtc_probability?: number;
  /** From which probability on a token is a top choice. Default 0.1. */
  xtc_threshold?: number;
  /** DRY's penalty for going on with a repetition; 0: off. Default 0. */
  dry_multiplier?: number;
  /** Grows by this factor with each token that was repeated. Default 1.75. */
  dry_base?: number;
  /** Repetitions shorter than so many tokens are free. Default 2. */
  dry_allowed_length?: number;
  /** The temperature moves so far either way with the entropy. Default 0. */
  dynatemp_range?: number;
  /** How it follows the entropy. Default 1. */
  dynatemp_exponent?: number;
  /** Mirostat 2 in place of the samplers that drop tokens. Default false. */
  mirostat?: boolean;
  /** Bits of surprise that Mirostat aims at. Default 5. */
  mirostat_tau?: number;
  /** How fast it learns. Default 0.1. */
  mirostat_eta?: number;
  /** Which samplers run, in this order. Default penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc, temperature. */
  samplers?: string[];
  /** A grammar in GBNF that the text has to obey; `invalid_argument` names line and column of a mistake. Default none. */
  grammar?: string;
  /** A regular expression that the whole text has to match. One of this, `grammar` and `response_format` at most. Default none. */
  regex?: string;
  /**
   * Tokens guessed from the text itself, checked in one step: faster where a text repeats itself, never another text.
   * Default `off`.
   */
  speculate?: 'off' | 'ngram';
  /** End tokens are tokens like any other, so that `max_tokens` are written. For measurements. Default false. */
  ignore_end?: boolean;
}

/**
 * What requests for text have in common.
 * @category Sampling
 */
export interface TextRequest extends Sampling {
  /** Not looked at: there is one model. */
  model?: string;
  /** Tokens that are written at most. Default: until the model ends, or the context is full. */
  max_tokens?: number | null;
  /** 0: always the most likely token; more is wilder. Default 0.8. */
  temperature?: number | null;
  /** Only the most likely tokens that hold this share of the probability; 1: off. Default 0.95. */
  top_p?: number | null;
  /** Answers to the same prompt, 1 to 128, whose seeds follow each other. Default 1. */
  n?: number | null;
  /** Ends before any of these texts, which are not part of the answer. Default none. */
  stop?: string | string[] | null;
  /** The same seed gives the same text on the same device; integers up to 2^53. Default: drawn anew each time. */
  seed?: number | null;
  /** Subtracted once from the logits of tokens that are there already. Default 0. */
  presence_penalty?: number | null;
  /** Subtracted for each time that a token is there already. Default 0. */
  frequency_penalty?: number | null;
  /** Added to the logits of tokens, by their ids: `{"13": -100}`. Default none. */
  logit_bias?: Record<string, number> | null;
  /** True: an async iterable of pieces in place of the whole. Default false. */
  stream?: boolean | null;
  /** What a stream tells beside the text. Default nothing. */
  stream_options?: StreamOptions | null;
  /** Not looked at. */
  user?: string;
}

/**
 * Asks for an answer to a conversation: `wisp.chat.completions.create()`.
 * @category Chat
 */
export interface ChatRequest extends TextRequest {
  /** The conversation, oldest first; at least one message. One that does not fit the context is refused with `limit`, never cut. */
  messages: ChatMessage[];
  /** As `max_tokens`, and comes before it. */
  max_completion_tokens?: number | null;
  /** What the model may call. Default nothing. */
  tools?: Tool[];
  /** Whether and what it calls. A call that has to come needs `tools`, and leaves no room for another form. Default `auto` where there are tools. */
  tool_choice?: ToolChoice;
  /** False: one call an answer at most. Default true. */
  parallel_tool_calls?: boolean;
  /**
   * The form of what the model says; where there are `tools`, calls may come in its place. Its template is then
   * asked for no thought unless `enable_thinking` says otherwise; a model may think first all the same. Default text.
   */
  response_format?: ResponseFormat;
  /** Tell how likely each token was, by the model's own distribution. Default false. */
  logprobs?: boolean | null;
  /** So many of the most likely tokens beside each; more than 0 needs `logprobs`. Default 0. */
  top_logprobs?: number | null;
  /** For templates that know it: whether the model thinks first. Default the template's. */
  enable_thinking?: boolean;
  /** For templates that know it: how much it thinks. Default the template's. */
  reasoning_effort?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max' | null;
  /** Further variables of the model's chat template. Default none. */
  chat_template_kwargs?: Record<string, unknown>;
}

/**
 * Asks for more of a text, without a template: `wisp.completions.create()`.
 * @category Text
 */
export interface CompletionRequest extends TextRequest {
  /** What to go on from: a text, which gets BOS as the vocabulary says, or token ids, taken as they are; or several of one kind, with `n` choices each, in their order. */
  prompt: string | string[] | number[] | number[][];
  /** Put the prompt in front of the answer; of a stream it is the first piece. Default false. */
  echo?: boolean | null;
  /** Tell how likely each token was, and so many of the most likely beside it. Default: do not. */
  logprobs?: number | null;
}

/**
 * Asks for vectors: `wisp.embeddings.create()`.
 * @category Embeddings
 */
export interface EmbeddingRequest {
  /** Not looked at: there is one model. */
  model?: string;
  /** A text, texts, the token ids of one, or of several. A text longer than the context is refused with `limit`. */
  input: string | string[] | number[] | number[][];
  /** `base64`: little-endian floats as text in place of the list, as servers send them. Default `float`. */
  encoding_format?: 'float' | 'base64';
  /** Only so many of the first values, made a length of 1 again if `normalize` says so. Default all; for models that were trained to be cut. */
  dimensions?: number;
  /** How a text becomes one vector: its last token's state, the mean of all, the first one's. Default what the file says, else `last`. */
  pooling?: 'last' | 'mean' | 'cls';
  /** To a Euclidean length of 1, so that the dot product of two is the cosine of their angle. Default true. */
  normalize?: boolean;
  /** Not looked at. */
  user?: string;
}
