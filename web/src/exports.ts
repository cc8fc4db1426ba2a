// What both platforms' entries export beside Wisp itself.
export { askToPersist } from './models/persist.js';
export { WispError, type WispErrorCode } from './client/errors.js';
export { Stream } from './client/stream.js';
export type { CallOptions } from './client/calls.js';
export type { ChatCompletions } from './client/chat.js';
export type { Completions } from './client/completions.js';
export type { Embeddings } from './client/embeddings.js';
export type { Quantisation, StoredModels } from './client/stored_models.js';
export type { DetokenizeOptions, LoadOptions, TokenizeOptions } from './client/wisp.js';
export type * from './client/requests.js';
export type * from './client/responses.js';
export type { EngineInfo, KvBlocks, LoadProgress, MemoryUse, ModelInfo, OpTime, StoreOptions } from './protocol.js';
export type { LocalFile, MakeRoomRequest, ModelSource, NamedFile, PickedFile, StoredModel, Usage as StorageUsage } from './models/index.js';
