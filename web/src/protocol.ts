// What goes over the line between a caller's thread and the engine's worker: plain values, structured-cloneable.
import type { StoredModel, Usage, MakeRoomRequest, ModelProgress, Candidate, ModelSource, ErrorCode } from './models/index.js';

/** The engine that a caller wants. */
export interface LoadSettings {
  device: 'auto' | 'gpu' | 'cpu';
  context?: number;
  kv?: 'f32' | 'f16' | 'q8_0' | 'q4_0';
  threads?: number;
  maxSequences?: number;
  embeddings?: boolean;
  keep?: boolean;
  sha256?: string;
  refresh?: boolean;
  endpoint?: string;
  token?: string;
  store?: 'opfs' | 'indexeddb' | 'memory' | 'files';
  folder?: string;
  /** More of wisp_options_set_json() (engine/api/wisp.h). */
  options?: Record<string, unknown>;
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

/** What runs, for people and programs. */
export interface EngineInfo {
  version: string;
  model: {
    /** The canonical name, which load() takes. */
    source: string;
    name: string;
    architecture: string;
    type: string;
    bytes: number;
    parameters: number;
    context: number;
    layers: number;
    chatTemplate: boolean;
    /** Why this quantisation, where it was chosen. */
    why: string;
  };
  device: 'gpu' | 'cpu';
  /** A line of text: the device, or the instruction set and threads. */
  executor: string;
  variant: 'relaxed' | 'simd' | 'single';
  threads: number;
  /** Tokens of the longest sequence, and the type of keys and values. */
  context: number;
  kv: string;
  maxSequences: number;
  /** Milliseconds from the first byte asked for until the engine was ready. */
  loadMilliseconds: number;
  /** Milliseconds from the last byte of the file until it was ready. */
  readyMilliseconds: number;
  kernels: number;
  knownKernels: number;
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
  info(): EngineInfo;
  counters(): Record<string, number>;
  memory(): Record<string, unknown>;
  profile(): unknown[];
  setProfiling(on: boolean): void;
  tokenize(text: string, flags: { special: boolean; parse: boolean }): number[];
  detokenize(ids: number[], hideSpecial: boolean): string;
  chatText(chat: Record<string, unknown>): string;
  embed(inputs: (string | number[])[], pooling: string, normalise: boolean): { vectors: Float32Array[]; promptTokens: number };
  describeModel(): Record<string, unknown>;
  metadata(key: string): unknown;
  unload(): void;
  listModels(): StoredModel[];
  removeModel(id: string): void;
  usage(): Usage;
  quantisations(name: string): Omit<Candidate, 'readStart'>[];
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
  | { type: 'ask'; question: number; what: 'makeRoom'; request: MakeRoomRequest };

/** `loading`: weights go to their device, bytes of the file. `starting`: kernels compile and are measured. */
export interface LoadProgress extends Omit<ModelProgress, 'phase'> {
  phase: ModelProgress['phase'] | 'loading' | 'starting' | 'ready';
}
