// Readers of a model whose access is exchanged under them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Download } from '../../src/models/download.js';
import { Entry } from '../../src/models/entry.js';
import { cancelled, ModelError } from '../../src/models/error.js';
import type { Fetcher } from '../../src/models/fetcher.js';
import { KeptModel, type Access } from '../../src/models/kept_model.js';
import { ProgressMeter, type ModelProgress } from '../../src/models/progress.js';
import { MemoryStore } from '../../src/models/store_memory.js';
import { headerFor, sampleBytes } from './conformance.js';

const PIECE = 4096;

async function entryWith(...pieces: number[]): Promise<Entry> {
  const entry = new Entry(await new MemoryStore(Infinity).create('m.0', headerFor(2 * PIECE, PIECE)));
  for (const piece of pieces) await entry.write(piece, sampleBytes(PIECE, piece));
  return entry;
}

/** Brings nothing; everything else is as a fetcher's. */
class IdleFetcher {
  received = 0;
  error: ModelError | undefined;
  succeed = () => {};
  stopped = false;
  private readonly waiting: ((error: ModelError) => void)[] = [];
  readonly done = new Promise<void>(resolve => {
    this.succeed = resolve;
  });

  need(download: Download, piece: number): Promise<void> {
    if (download.entry!.has(piece)) return Promise.resolve();
    return new Promise((_, reject) => this.waiting.push(reject));
  }

  async stop(reason = cancelled()): Promise<void> {
    this.stopped = true;
    this.error = reason;
    for (const reject of this.waiting) reject(reason);
  }
}

const remote = { sha256: '' };

async function modelOf(fetcher: IdleFetcher, share: () => Promise<Access>) {
  let released = 0;
  const download = { entry: await entryWith(0), remote, wasRead: false, damaged: () => {} } as unknown as Download;
  const access: Access = {
    entries: [],
    downloads: [download],
    fetcher: fetcher as unknown as Fetcher,
    resumed: 0,
    release: async () => void ++released,
  };
  const model = new KeptModel(access, {
    id: 'm',
    name: 'hf:a/b:m.gguf',
    type: '',
    why: '',
    names: ['m.gguf'],
    kept: true,
    forgets: false,
    verified: false,
    progress: new ProgressMeter(undefined),
    say: () => {},
    share,
    drop: async () => {}, heal: () => Promise.reject(new ModelError('internal', 'nobody asked for it')),
  });
  return { model, released: () => released };
}

const readerOf = (entry: Entry): Access => ({
  entries: [entry],
  downloads: [],
  fetcher: undefined,
  resumed: 2 * PIECE,
  release: async () => {},
});

test('a reader that waits while its writer becomes a reader gets its bytes from there', async () => {
  const fetcher = new IdleFetcher();
  const { model, released } = await modelOf(fetcher, async () => readerOf(await entryWith(0, 1)));
  const reading = model.files[0]!.read(PIECE, PIECE);
  await new Promise(resolve => setTimeout(resolve, 5));
  fetcher.succeed();
  assert.deepEqual(await reading, sampleBytes(PIECE, 1));
  assert.equal(fetcher.stopped, true);
  assert.equal(released(), 1);
});

test('where the exchange fails, every reader hears why', async () => {
  const fetcher = new IdleFetcher();
  const { model } = await modelOf(fetcher, () => Promise.reject(new ModelError('device', 'the disk is gone')));
  const reading = model.files[0]!.read(PIECE, PIECE);
  fetcher.succeed();
  for (const promise of [reading, model.complete(), model.files[0]!.read(0, 1)]) {
    await assert.rejects(promise, { code: 'device', message: 'the disk is gone' });
  }
  await model.close();
});

test('closing rejects who waits, and gives everything back once', async () => {
  const fetcher = new IdleFetcher();
  const { model, released } = await modelOf(fetcher, () => Promise.reject(new Error('nobody asked for it')));
  const reading = model.files[0]!.read(PIECE, PIECE);
  await new Promise(resolve => setTimeout(resolve, 5));
  await Promise.all([model.close(), model.close(), assert.rejects(reading, { code: 'cancelled' })]);
  assert.equal(released(), 1);
});

test('progress is told at most ten times a second, and the end always', () => {
  let now = 0;
  const seen: ModelProgress[] = [];
  const meter = new ProgressMeter(
    progress => seen.push(progress),
    () => now,
  );
  for (now = 0; now <= 5000; now += 10) meter.tell('fetching', now * 1000, 5_000_000, 7);
  assert.ok(seen.length >= 50 && seen.length <= 53, `${seen.length} times in 5 s`);
  assert.deepEqual(seen.at(-1), {
    phase: 'fetching',
    loaded: 5_000_000,
    total: 5_000_000,
    fromCache: 7,
    bytesPerSecond: 1_000_000,
  });
  meter.tell('reading', 1, 2, 9);
  assert.equal(seen.at(-1)!.fromCache, 1, 'never more than there is');
});
