// Where models are kept, opened with the options of the last load or question.
import { openModels, type Models, type ModelsOptions } from '../models/index.js';
import type { StoreOptions } from '../protocol.js';

export class Stores {
  /** Of the next `open()`. */
  options: StoreOptions = {};
  #models: Promise<Models> | undefined;
  #openedWith = '';

  open(): Promise<Models> {
    const { endpoint, token, store, folder } = this.options;
    const options: ModelsOptions = {
      ...(endpoint !== undefined && { endpoint }), ...(token !== undefined && { token }), ...(store !== undefined && { store }),
      ...(folder !== undefined && { folder }),
    };
    const key = JSON.stringify(options);
    if (key !== this.#openedWith) {
      void this.#models?.then(models => models.close(), () => {});
      this.#models = undefined;
    }
    this.#openedWith = key;
    this.#models ??= openModels(options).catch((error: unknown) => {
      this.#models = undefined;
      throw error;
    });
    return this.#models;
  }
}
