// What the tests of downloads share: a server, a store that outlives pages, and models that are loaded whole.
import assert from 'node:assert/strict';
import { afterEach, beforeEach } from 'node:test';
import { ModelError, openModels, type Models, type ModelsOptions, type OpenOptions } from '../../src/models/index.js';
import { MemoryStore } from '../../src/models/store_memory.js';
import { modelBytes, startServer, type Server } from './server.js';

export const KIB = 1024;
export const PIECE = 4 * KIB;
export const SIZE = 150 * KIB + 123;
export const bytes = modelBytes(SIZE);
export const PATIENCE = { stall: 5000, pause: 2, retries: 3, mostWait: 1000 };

export let server: Server;
export let store: MemoryStore;
let opened: Models[];

beforeEach(async () => {
  server = await startServer();
  server.files.set('/m.gguf', bytes);
  store = new MemoryStore(Infinity);
  opened = [];
});
afterEach(async () => {
  for (const models of opened) await models.close();
  await server.close();
});

// A page: the store outlives it.
export async function page(options: ModelsOptions = {}): Promise<Models> {
  const models = await openModels({
    store,
    pieceBytes: PIECE,
    requestBytes: 8 * PIECE,
    endpoint: server.url,
    patience: { ...PATIENCE },
    ...options,
  });
  opened.push(models);
  return models;
}

export const url = () => `${server.url}/m.gguf`;

export async function load(models: Models, options: OpenOptions = {}, name = url()) {
  const remarks: string[] = [];
  const model = await models.open(name, { onRemark: remark => remarks.push(remark), ...options });
  const completed = await model.complete();
  const read = await model.files[0]!.read(0, model.size);
  return { model, completed, read, remarks };
}

export async function failure(promise: Promise<unknown>): Promise<ModelError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ModelError, `expected a ModelError, got ${String(error)}`);
  return error;
}

export async function failedLoad(models: Models, options: OpenOptions = {}): Promise<ModelError> {
  return failure(
    (async () => {
      const model = await models.open(url(), options);
      await model.complete();
    })(),
  );
}

export const keptBytes = async (models: Models) => (await models.list()).reduce((sum, { here }) => sum + here, 0);
