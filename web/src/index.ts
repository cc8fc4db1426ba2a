// wisp-llm in a browser.
//
//   import { Wisp } from 'wisp-llm';
//   const wisp = await Wisp.load('owner/repo', { onProgress: p => console.log(p.phase, p.loaded, p.total) });
//   const answer = await wisp.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }] });
import { startEngineWorker } from './platform/web_workers.js';
import type { ModelSource } from './models/index.js';
import { StoredModels } from './client/stored_models.js';
import { LoadedModel, type LoadOptions } from './client/wisp.js';
import type { StoreOptions } from './protocol.js';

export * from './exports.js';

/**
 * A model, in a worker of its own: `Wisp.load()` makes one.
 *
 * Methods that ask the worker reject with a {@link WispError}: `worker_died` when it ended (`restart()` helps),
 * `disposed` after `dispose()`, `invalid_argument` while no model is loaded.
 * @category Loading
 * @hideconstructor
 */
export class Wisp extends LoadedModel {
  /**
   * Loads a model.
   * @param source "owner/repo" or "owner/repo:FILE" on Hugging Face, an address, a File of the user, or bytes
   * @param options Where, with how much context, and who hears of it
   * @returns A model that is ready. Rejects with a {@link WispError}: `not_found` and `io` from the network, `invalid_file` and
   *   `unsupported` for what wisp cannot run, `limit` and `out_of_memory` for what is too large here, `quota` where it cannot be
   *   kept, `device` where the device that was named does not work, `invalid_argument` for options that make no sense; or
   *   with an `AbortError`.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<Wisp> {
    return Wisp.loaded(new Wisp(startEngineWorker, source, options));
  }

  /**
   * What this origin keeps: list, remove, usage. Close it after use.
   * @param options Where models come from, and where they are kept
   */
  static models(options: StoreOptions = {}): StoredModels {
    return new StoredModels(startEngineWorker, options);
  }
}
