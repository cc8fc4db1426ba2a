// What both platforms' entries export beside Wisp itself.
export { WispError, type WispErrorCode } from './client/errors.js';
export { Stream } from './client/stream.js';
export type { CallOptions } from './client/chat.js';
export type { LoadOptions, StoredModels } from './client/wisp.js';
export type * from './client/openai.js';
export type { EngineInfo, LoadProgress } from './protocol.js';
export type { ModelSource, StoredModel, Usage as StorageUsage } from './models/index.js';
