// wisp-llm in Node: models are kept as files, and there is no GPU unless the caller installs one as navigator.gpu.
//
//   import { Wisp } from 'wisp-llm';
//   const wisp = await Wisp.load('owner/repo', { onProgress: p => console.log(p.phase, p.loaded, p.total) });
//   const answer = await wisp.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }] });
import { startEngineWorker } from './platform/node.js';
import type { ModelSource } from './models/index.js';
import { StoredModels as Stored, Wisp as Base, type LoadOptions } from './client/wisp.js';
import type { LoadSettings } from './protocol.js';

export * from './exports.js';

export type Wisp = Base;
export const Wisp = {
  /**
   * Loads a model into a worker of its own. `source`: "owner/repo" or "owner/repo:FILE" on Hugging Face, an address, a File
   * of the user, or bytes. Rejects with a `WispError` that says what is wrong and what to do.
   */
  load: (source: ModelSource, options: LoadOptions = {}): Promise<Base> => Base.loadWith(startEngineWorker, source, options),
  /** What is kept: list, remove, usage. Close it after use. */
  models: (settings: Partial<LoadSettings> = {}): Stored => new Stored(startEngineWorker, settings),
};
