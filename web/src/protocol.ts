// What goes over the line between a caller's thread and the engine's worker: plain values, structured-cloneable.
import type { StoredModel, Usage, MakeRoomRequest, ModelProgress, Candidate, ModelSource, ErrorCode } from './models/index.js';

/**
 * Where models come from, and where they are kept.
 * @category Models that are kept
 */
export interface StoreOptions {
  /** A mirror of Hugging Face, as an address. Default `https://huggingface.co`. */
  endpoint?: string;
  /** Of Hugging Face, for private and gated repositories. Goes to the endpoint alone, and is never kept. Default none. */
  token?: string;
  /** Where models are kept. Default the first that there is: `opfs`, `indexeddb`, `memory`; in Node `files`. */
  store?: 'opfs' | 'indexeddb' | 'memory' | 'files';
  /** In Node: the folder of `files`. Default `$XDG_CACHE_HOME/wisp/web`, else `~/.cache/wisp/web`. */
  folder?: string;
}

/** The engine that a caller wants, but for its device. */
export interface EngineSettings extends StoreOptions {
  /**
   * Tokens of the longest conversation, its answer among them. Default the largest of 8192, 4096, 2048, 1024 and 512 that the
   * model was trained for and memory has room for; on a GPU 4096, or what the model was trained for if that is less.
   * More than the model was trained for is refused with `invalid_argument`, more than fits with `limit` or `out_of_memory`.
   */
  context?: number;
  /** The type of keys and values: less memory, less exact. Default `f16`; where the GPU has no room for it `q8_0`. */
  kv?: 'f32' | 'f16' | 'q8_0';
  /** Of the CPU, 1 to 16, more are as 16; one where the page is not cross-origin isolated. Default as many as there are processors. */
  threads?: number;
  /** Answers that are computed at once; further ones wait. Default 4. */
  maxSequences?: number;
  /** The model makes vectors in place of text: `embeddings.create()` alone works then. Default false. */
  embeddings?: boolean;
  /** False: nothing is kept, and only what is read is fetched. Default true; a user's files and bytes are never kept. */
  keep?: boolean;
  /** Of an address, also of a copy that is kept: the SHA-256 that its file must have, in hexadecimal; another is refused with `invalid_file`. Default any. */
  sha256?: string;
  /** Ask the source whether what is kept is current. Default false: what is complete is used without a request. */
  refresh?: boolean;
  /** Further options of an engine, by the names of `wisp_options_set_json()` (engine/api/wisp.h). Default none. */
  options?: Record<string, unknown>;
}

/** The engine that a caller wants. */
export interface LoadSettings extends EngineSettings {
  device: 'auto' | 'gpu' | 'cpu';
}

/** One generation: `settings` of wisp_request_set_json(), and the chat whose answer has to be taken apart. */
export interface GenerateSettings {
  settings: Record<string, unknown>;
  /** A request of wisp_model_chat_prompt(); its answer comes as events. */
  chat?: Record<string, unknown>;
  /** How many answers; each has a seed of its own. */
  n: number;
}

/** As wisp_answer_feed() gives them; without a chat there is only content. */
export type AnswerEvent =
  | { type: 'content' | 'reasoning'; text: string }
  | { type: 'call_begin'; index: number; id: string; name: string }
  | { type: 'arguments'; index: number; text: string }
  | { type: 'call_end'; index: number }
  | { type: 'error'; index: number; text: string };

export interface TokenOdds {
  token: string;
  bytes: number[];
  logprob: number;
  top: { token: string; bytes: number[]; logprob: number }[];
}

export interface Figures {
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
  draftedTokens: number;
  acceptedTokens: number;
  forcedTokens: number;
  /** Milliseconds from the request to its first token, and to its end. */
  firstTokenMilliseconds: number;
  milliseconds: number;
}

export type FinishReason = 'length' | 'end_token' | 'stop_string' | 'context' | 'cancelled';

/** What came of an answer `choice` since the last message. */
export interface Delta {
  choice: number;
  events: AnswerEvent[];
  odds: TokenOdds[];
  finish?: { reason: FinishReason; figures: Figures };
}

/**
 * The model that runs.
 * @category Loading
 */
export interface ModelInfo {
  /** The canonical name, which `load()` takes. */
  source: string;
  /** The name that the file gives itself; may be empty. */
  name: string;
  /** `llama`, `qwen3`, ... */
  architecture: string;
  /** The quantisation by the file's name, as `Q4_K_M`; empty where that tells none. */
  type: string;
  /** Of all its files. */
  bytes: number;
  /** Weights. */
  parameters: number;
  /** Tokens that it was trained for. */
  context: number;
  /** Layers. */
  layers: number;
  /** Whether it has a chat template, which `chat.completions.create()` needs. */
  chatTemplate: boolean;
  /** Why this quantisation, where it was chosen; else empty. */
  why: string;
}

/**
 * What runs, for people and programs.
 * @category Loading
 */
export interface EngineInfo {
  /** The engine's. */
  version: string;
  /** The model. */
  model: ModelInfo;
  /** What it runs on. */
  device: 'gpu' | 'cpu';
  /** A line of text: the device, or the instruction set and threads. */
  executor: string;
  /** The WebAssembly module: with threads and relaxed SIMD, with threads and SIMD, or without threads. */
  variant: 'relaxed' | 'simd' | 'single';
  /** Of the CPU; 1 on a GPU. */
  threads: number;
  /** Tokens of the longest conversation. */
  context: number;
  /** The type of keys and values: `f32`, `f16` or `q8_0`. */
  kv: string;
  /** Answers that are computed at once. */
  maxSequences: number;
  /** Milliseconds from the first byte asked for until the engine was ready. */
  loadMilliseconds: number;
  /** Milliseconds from the last byte of the file until it was ready. */
  readyMilliseconds: number;
  /** Kernels that were compiled for the GPU; 0 on the CPU. */
  kernels: number;
  /** Of these, how many an earlier visit had chosen already. */
  knownKernels: number;
  /** Where models are kept: `opfs`, `indexeddb`, `memory` or `files`. */
  store: string;
  /** What was tried and did not work, or works less well, in the order it happened. */
  remarks: string[];
}

export interface ErrorJson {
  code: ErrorCode | 'worker_died' | 'disposed';
  message: string;
  status?: number;
}

/** Methods of the worker: what they take and give. */
export interface Methods {
  load(source: ModelSource, settings: LoadSettings): EngineInfo;
  counters(): Record<string, number>;
  memory(): MemoryUse;
  profile(): OpTime[];
  setProfiling(on: boolean): void;
  tokenize(text: string, flags: { special: boolean; parse: boolean }): number[];
  detokenize(ids: number[], hideSpecial: boolean): string;
  chatText(chat: Record<string, unknown>): string;
  embed(inputs: (string | number[])[], pooling: string, normalise: boolean): { vectors: Float32Array[]; promptTokens: number };
  metadata(key: string): unknown;
  unload(): void;
  listModels(): StoredModel[];
  removeModel(id: string): void;
  usage(): Usage;
  quantisations(name: string): Omit<Candidate, 'readStart' | 'sizes'>[];
  /** For tests: destroys the GPU's device under the engine. */
  loseDevice(): void;
}

export type ToWorker =
  | { type: 'open'; settings: LoadSettings }
  | { [M in keyof Methods]: { type: 'call'; id: number; method: M; args: Parameters<Methods[M]> } }[keyof Methods]
  | { type: 'generate'; id: number; settings: GenerateSettings }
  | { type: 'cancel'; id: number }
  | { type: 'answer'; question: number; value?: unknown; error?: ErrorJson };

export type FromWorker =
  | { type: 'result'; id: number; value: unknown }
  | { type: 'failure'; id: number; error: ErrorJson }
  | { type: 'deltas'; id: number; deltas: Delta[] }
  | { type: 'progress'; id: number; progress: LoadProgress }
  | { type: 'remark'; id: number; text: string }
  /** What runs is another thing now: a device was lost for good. */
  | { type: 'changed'; info: EngineInfo; remark: string }
  | { type: 'ask'; question: number; what: 'makeRoom'; request: MakeRoomRequest };

/**
 * How far a load is.
 * @category Loading
 */
export interface LoadProgress {
  /**
   * `asking`: for a repository's list. `waiting`: another tab fetches the same model. `fetching`: from the network.
   * `reading`: everything is here. `checking`: SHA-256 of what was not hashed while it came. `loading`: weights go to their
   * device. `starting`: kernels compile and are measured. `ready`: the last one. Bytes
   * are loaded while others are fetched; what is told is `fetching` until the network is done, then `loading`.
   */
  readonly phase: ModelProgress['phase'] | 'loading' | 'starting' | 'ready';
  /** Bytes that this phase is done with. */
  readonly loaded: number;
  /** Bytes of all parts; 0 while unknown. */
  readonly total: number;
  /** Of `loaded`: bytes that did not come over the network now. */
  readonly fromCache: number;
  /** Bytes a second, over the last two seconds. */
  readonly bytesPerSecond: number;
}

/**
 * Bytes by owner. The engine's own owners have further names.
 * @category Looking inside
 */
export interface MemoryUse {
  /** Weights, where they are computed with. */
  weights: number;
  /** Keys and values. */
  kv: number;
  /** Between the layers. */
  activations: number;
  /** Of the module, everything in it: on the CPU that is all of the above. */
  module: number;
  /** Blocks of keys and values, of each group of layers. */
  kv_blocks: KvBlocks[];
  /** Further owners, in bytes. */
  [owner: string]: unknown;
}

/**
 * Blocks of keys and values.
 * @category Looking inside
 */
export interface KvBlocks {
  /** All that there are. */
  total: number;
  /** Of answers that are under way. */
  used: number;
  /** Of earlier prompts, which later ones may begin with. */
  cached: number;
}

/**
 * Time of one operation of the model.
 * @category Looking inside
 */
export interface OpTime {
  /** What it does: `attention`, `norm+matmul(qkv)`, ... */
  name: string;
  /** Of which layer, from 0; -1 outside of the layers. */
  layer: number;
  /** Times that it ran. */
  calls: number;
  /** Tokens in them, together. */
  rows: number;
  /** In all calls together. */
  nanoseconds: number;
}
