// Stores that are full, or fail: a clear error, what came stays, and nothing wrong is given.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ModelError, openModels, type MakeRoomRequest, type Models } from '../../src/models/index.js';
import type { EntryHeader, Store, StoredEntry } from '../../src/models/store.js';
import { MemoryStore } from '../../src/models/store_memory.js';
import { modelBytes, startServer, type Server } from './server.js';

const PIECE = 4096;
const bytes = modelBytes(40 * PIECE);

/** Takes `room` pieces and then no more, whatever its numbers say. */
class FullStore extends MemoryStore {
  room = Infinity;
  failing: (() => Error) | undefined;

  override async create(id: string, header: EntryHeader): Promise<StoredEntry> {
    return this.limit(await super.create(id, header));
  }

  override async open(id: string): Promise<StoredEntry | undefined> {
    const entry = await super.open(id);
    return entry && this.limit(entry);
  }

  private limit(entry: StoredEntry): StoredEntry {
    const write = entry.writePiece.bind(entry);
    entry.writePiece = async (...args) => {
      if (this.failing !== undefined) throw this.failing();
      if (this.room-- <= 0) throw new DOMException('it is full', 'QuotaExceededError');
      await write(...args);
    };
    return entry;
  }
}

let server: Server;
let store: FullStore;
let models: Models;

beforeEach(async () => {
  server = await startServer();
  server.files.set('/m.gguf', bytes);
  store = new FullStore(Infinity);
  models = await open(store);
});
afterEach(async () => {
  await models.close();
  await server.close();
});

const open = (place: Store) =>
  openModels({ store: place, pieceBytes: PIECE, requestBytes: 4 * PIECE, patience: { pause: 2, retries: 1 } });
const url = () => `${server.url}/m.gguf`;

async function failure(promise: Promise<unknown>): Promise<ModelError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ModelError, `expected a ModelError, got ${String(error)}`);
  return error;
}

test('a store that is full in the middle is an error of its own, and what came stays', async () => {
  store.room = 10;
  const model = await models.open(url());
  const error = await failure(model.complete());
  assert.equal(error.code, 'quota');
  assert.match(error.message, /no room to keep more of the model/);
  assert.equal((await failure(model.files[0]!.read(39 * PIECE, 1))).code, 'quota');
  await model.close();
  const [kept] = await models.list();
  assert.deepEqual([kept!.here, kept!.complete], [10 * PIECE, false]);
  store.room = Infinity;
  const again = await models.open(url());
  const completed = await again.complete();
  assert.deepEqual([completed.resumed, completed.received], [10 * PIECE, 30 * PIECE]);
  assert.deepEqual(await again.files[0]!.read(0, bytes.length), bytes);
});

test('room that is made in the middle is used', async () => {
  server.files.set('/o.gguf', modelBytes(PIECE, 2));
  const small = await models.open(`${server.url}/o.gguf`);
  await small.complete();
  await small.close();
  store.room = 10;
  const asked: MakeRoomRequest[] = [];
  const model = await models.open(url(), {
    onMakeRoom: async request => {
      asked.push(request);
      await new Promise(resolve => setTimeout(resolve, 50));
      store.room = Infinity;
      return request.models.map(({ id }) => id);
    },
  });
  await model.complete();
  assert.deepEqual(await model.files[0]!.read(0, bytes.length), bytes);
  assert.equal(asked.length, 1, 'connections that find it full together ask once');
  assert.ok(asked[0]!.needed > 0);
  assert.deepEqual(
    (await models.list()).map(({ shortName }) => shortName),
    ['m'],
  );
});

test('room that nobody makes is an error', async () => {
  store.room = 3;
  const model = await models.open(url(), { onMakeRoom: async () => undefined });
  assert.equal((await failure(model.complete())).code, 'quota');
});

test('a disk that fails is told, not tried for ever', async () => {
  store.failing = () => new DOMException('the disk is gone', 'UnknownError');
  const error = await failure(models.open(url()));
  assert.equal(error.code, 'device');
  assert.match(error.message, /cannot be kept: the disk is gone/);
});

test('a disk that cannot read is asked for the bytes again, by the network', async () => {
  const model = await models.open(url());
  await model.complete();
  await model.close();
  const original = store.open.bind(store);
  let broken = 1;
  store.open = async id => {
    const entry = await original(id);
    const read = entry!.readPiece.bind(entry);
    entry!.readPiece = async (piece, into) => {
      if (piece === 7 && broken-- > 0) throw new DOMException('it cannot be read', 'NotReadableError');
      return read(piece, into);
    };
    return entry;
  };
  const sent = server.sent;
  const again = await models.open(url());
  assert.deepEqual(await again.files[0]!.read(0, bytes.length), bytes);
  assert.equal(server.sent - sent, PIECE);
});

test('what is damaged again and again is given up', async () => {
  const original = store.create.bind(store);
  store.create = async (...args) => {
    const entry = await original(...args);
    entry.readPiece = async (_piece, into) => (into.fill(1), true);
    return entry;
  };
  const model = await models.open(url());
  const error = await failure(model.files[0]!.read(0, 10));
  assert.equal(error.code, 'device');
  assert.match(error.message, /damaged again and again/);
});
