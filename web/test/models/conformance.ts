// What every store must do, wherever it runs: in Node over memory and a disk, in browsers over OPFS and IndexedDB.
import { Entry } from '../../src/models/entry.js';
import { ModelError, openModels, type Models } from '../../src/models/index.js';
import type { EntryHeader, Store } from '../../src/models/store.js';

export interface Fixture {
  /** A store of an empty place. */
  open(): Promise<Store>;
  /** The same place again, as another page has it. */
  again(): Promise<Store>;
  /** Changes a bit of what is kept of a piece, behind the store's back. Not where a store cannot be reached so. */
  damage?(id: string, piece: number, pieceBytes: number): Promise<void>;
}

export interface Check {
  readonly name: string;
  run(fixture: Fixture): Promise<void>;
}

const PIECE = 4096;
const SIZE = 3 * PIECE + 100;

export const headerFor = (size: number, pieceBytes: number, id = 'm-1'): EntryHeader => ({
  format: 1,
  source: `hf:a/b:${id}.gguf`,
  size,
  sha256: '',
  validator: '"x"',
  pieceBytes,
  created: 1,
  lastUsed: 2,
  complete: false,
  model: { id, name: `hf:a/b:${id}.gguf`, stem: id, type: '', part: 0, parts: 1, bytes: size, automatic: false },
});

/** A file that begins as a GGUF one does. */
export function sampleBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let i = 0, state = seed; i < size; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  bytes.set(new TextEncoder().encode('GGUF'));
  return bytes;
}

function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

function same(a: unknown, b: unknown, message: string): void {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  expect(left === right, `${message}: ${left} and not ${right}`);
}

const sameBytes = (a: Uint8Array, b: Uint8Array, message: string): void =>
  expect(a.length === b.length && a.every((byte, at) => byte === b[at]), message);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return ModelError.from(error).code;
  }
  return 'none';
}

/** Answers ranges of `bytes`, and counts. */
function fakeServer(bytes: Uint8Array<ArrayBuffer>) {
  const server = {
    sent: 0,
    requests: 0,
    fetch: async (_url: unknown, options: { headers?: Record<string, string>; signal?: AbortSignal | null } = {}) => {
      ++server.requests;
      const asked = /^bytes=(\d+)-(\d+)$/.exec(options.headers?.['Range'] ?? '');
      const first = Number(asked?.[1] ?? 0);
      const last = Math.min(Number(asked?.[2] ?? bytes.length - 1), bytes.length - 1);
      if (options.signal?.aborted) throw new DOMException('stopped', 'AbortError');
      server.sent += last + 1 - first;
      return new Response(bytes.slice(first, last + 1), {
        status: 206,
        headers: { 'Content-Range': `bytes ${first}-${last}/${bytes.length}`, ETag: '"one"' },
      });
    },
  };
  return server;
}

const ADDRESS = 'https://models.test/m.gguf';

async function modelsIn(store: Store, server: ReturnType<typeof fakeServer>): Promise<Models> {
  return openModels({
    store,
    pieceBytes: PIECE,
    requestBytes: 2 * PIECE,
    fetch: server.fetch as unknown as typeof fetch,
    patience: { pause: 2, retries: 1 },
  });
}

async function readAll(models: Models): Promise<Uint8Array> {
  const model = await models.open(ADDRESS);
  await model.complete();
  const bytes = await model.files[0]!.read(0, model.size);
  await model.close();
  return bytes;
}

export const checks: readonly Check[] = [
  {
    name: 'pieces come back as they were written, in any order, also to another page',
    async run({ open, again }) {
      const store = await open();
      const bytes = sampleBytes(SIZE);
      const piece = (at: number) => bytes.slice(at * PIECE, (at + 1) * PIECE);
      same(await store.list(), [], 'an empty place');
      expect((await store.open('m-1.0', 'read')) === undefined, 'nothing is there yet');
      const written = new Entry(await store.create('m-1.0', headerFor(SIZE, PIECE)));
      for (const at of [3, 0, 2]) await written.write(at, piece(at));
      const into = new Uint8Array(100);
      expect(await written.read(3, into), 'the writer reads, too');
      sameBytes(into, piece(3), 'the last piece is short');
      const seen = await store.list();
      same(
        seen.map(({ id, here }) => [id, here]),
        [['m-1.0', 2 * PIECE + 100]],
        'what is here is seen while it is written',
      );
      await written.update({ complete: true, validator: '"y"' });
      await written.close();
      const other = await again();
      const entry = new Entry((await other.open('m-1.0', 'read'))!);
      same([entry.header.complete, entry.header.validator], [true, '"y"'], 'the header');
      same(
        [0, 1, 2, 3].map(at => entry.has(at)),
        [true, false, true, true],
        'which pieces are here',
      );
      const whole = new Uint8Array(PIECE);
      expect(await entry.read(2, whole), 'a piece that is here');
      sameBytes(whole, piece(2), 'its bytes');
      expect(!(await entry.read(1, whole)), 'a piece that is not here');
      await entry.close();
      await other.close();
      await store.close();
    },
  },
  {
    name: 'a piece that is dropped is gone, one that is written again is the new one',
    async run({ open, again }) {
      const store = await open();
      const entry = new Entry(await store.create('m-1.0', headerFor(SIZE, PIECE)));
      await entry.write(0, sampleBytes(PIECE, 1));
      await entry.write(1, sampleBytes(PIECE, 2));
      await entry.write(1, sampleBytes(PIECE, 3));
      await entry.drop(0);
      await entry.close();
      const after = new Entry((await (await again()).open('m-1.0', 'write'))!);
      same([after.has(0), after.has(1), after.table.bytes], [false, true, PIECE], 'pieces');
      const into = new Uint8Array(PIECE);
      expect(await after.read(1, into), 'it is right');
      sameBytes(into, sampleBytes(PIECE, 3), 'the newer bytes');
      await after.close();
    },
  },
  {
    name: 'creating replaces, removing takes all away, and what is not there may be removed',
    async run({ open }) {
      const store = await open();
      const first = new Entry(await store.create('m-1.0', headerFor(SIZE, PIECE)));
      await first.write(0, sampleBytes(PIECE));
      await first.close();
      const second = new Entry(await store.create('m-1.0', headerFor(PIECE, PIECE)));
      same([second.has(0), second.header.size], [false, PIECE], 'nothing of the first');
      await second.close();
      const other = new Entry(await store.create('m-2.0', headerFor(PIECE, PIECE, 'm-2')));
      await other.close();
      await store.remove('m-1.0');
      await store.remove('m-1.0');
      same(
        (await store.list()).map(({ id }) => id),
        ['m-2.0'],
        'the other stays',
      );
      expect((await store.open('m-1.0', 'write')) === undefined, 'it is gone');
    },
  },
  {
    name: 'touching tells when it was used, and changes nothing else',
    async run({ open }) {
      const store = await open();
      const entry = new Entry(await store.create('m-1.0', headerFor(SIZE, PIECE)));
      await entry.write(0, sampleBytes(PIECE));
      await entry.close();
      await store.touch('m-1.0');
      await store.touch('m-9.0');
      const [seen] = await store.list();
      expect(seen!.header.lastUsed > 1e12, 'it was used now');
      same([seen!.here, seen!.header.validator], [PIECE, '"x"'], 'all else');
    },
  },
  {
    name: 'offsets beyond 4 GiB are exact',
    async run({ open, again }) {
      const store = await open();
      const pieceBytes = 1 << 20;
      const size = 4.5 * 2 ** 30 + 77;
      const entry = new Entry(await store.create('m-1.0', headerFor(size, pieceBytes)));
      const pieces = [4095, 4096, 4608]; // around 4 GiB, and the last
      const { usage = 0, quota = Infinity } = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
      if (quota - usage < size) return void (await entry.close()); // a browser that gives too little
      for (const piece of pieces) await entry.write(piece, sampleBytes(entry.table.lengthOf(piece), piece));
      await entry.close();
      const after = new Entry((await (await again()).open('m-1.0', 'read'))!);
      for (const piece of pieces) {
        const into = new Uint8Array(after.table.lengthOf(piece));
        expect(await after.read(piece, into), `piece ${piece} is here`);
        sameBytes(into, sampleBytes(into.length, piece), `piece ${piece}`);
      }
      await after.close();
      await store.remove('m-1.0');
    },
  },
  {
    name: 'one writes, many read, and who waits gets its turn',
    async run({ open, again }) {
      const { locks } = await open();
      const others = (await again()).locks;
      const writer = await locks.acquire('m', 'exclusive');
      expect((await others.tryAcquire('m', 'shared')) === undefined, 'nobody reads what is written');
      let waited = 0;
      const next = others.acquire('m', 'exclusive', { onWait: () => ++waited });
      const controller = new AbortController();
      const impatient = codeOf(others.acquire('m', 'exclusive', { signal: controller.signal }));
      await new Promise(resolve => setTimeout(resolve, 20));
      controller.abort();
      same(await impatient, 'cancelled', 'who gives up');
      same(waited, 1, 'who waits hears of it');
      await writer.release();
      await (await next).release();
      const readers = [await locks.acquire('m', 'shared'), await others.acquire('m', 'shared')];
      for (const reader of readers) await reader.release();
      const last = await others.tryAcquire('m', 'exclusive');
      expect(last !== undefined, 'free again');
      await last.release();
    },
  },
  {
    name: 'a model comes once, goes on in another page, and is read by two at once',
    async run({ open, again }) {
      const bytes = sampleBytes(20 * PIECE + 5);
      const server = fakeServer(bytes);
      const first = await modelsIn(await open(), server);
      const begun = await first.open(ADDRESS);
      begun.want([{ file: 0, offset: 8 * PIECE, count: PIECE }]);
      await begun.files[0]!.read(8 * PIECE, PIECE);
      await first.close();
      const sent = server.sent;
      expect(sent < bytes.length + 8 * PIECE, 'it was broken off');
      const second = await modelsIn(await again(), server);
      sameBytes(await readAll(second), bytes, 'what came in two goes');
      expect(server.sent <= bytes.length + 9 * PIECE, `${server.sent} bytes for ${bytes.length}`);
      const third = await modelsIn(await again(), server);
      const requests = server.requests;
      const [a, b] = await Promise.all([second.open(ADDRESS), third.open(ADDRESS)]);
      const parts = await Promise.all([a, b].map(model => model!.files[0]!.read(100, 9000)));
      for (const part of parts) sameBytes(part, bytes.slice(100, 9100), 'two readers');
      same(await codeOf(third.remove(a!.id)), 'limit', 'what is read is not removed');
      await a!.close();
      await b!.close();
      await third.remove(a!.id);
      same(await second.list(), [], 'now it is');
      same(server.requests, requests, 'nobody was asked');
      await second.close();
      await third.close();
    },
  },
  {
    name: 'two pages that want the same model fetch it once',
    async run({ open, again }) {
      const bytes = sampleBytes(30 * PIECE);
      const server = fakeServer(bytes);
      const pages = [await modelsIn(await open(), server), await modelsIn(await again(), server)];
      const results = await Promise.all(pages.map(readAll));
      for (const result of results) sameBytes(result, bytes, 'both have it');
      same(server.sent, bytes.length, 'bytes');
      for (const page of pages) await page.close();
    },
  },
  {
    name: 'a piece that was damaged is noticed, and fetched again',
    async run({ open, again, damage }) {
      if (damage === undefined) return;
      const bytes = sampleBytes(20 * PIECE);
      const server = fakeServer(bytes);
      const first = await modelsIn(await open(), server);
      await readAll(first);
      const [kept] = await first.list();
      await first.close();
      const entry = `${kept!.id}.0`;
      await damage(entry, 3, PIECE);
      await damage(entry, 9, PIECE);
      const second = await modelsIn(await again(), server);
      const model = await second.open(ADDRESS);
      sameBytes(
        await model.files[0]!.read(2 * PIECE, 2 * PIECE),
        bytes.slice(2 * PIECE, 4 * PIECE),
        'nothing damaged is given',
      );
      await model.complete();
      await model.close();
      same(server.sent, bytes.length + 2 * PIECE, 'two pieces came again, one of which nobody had read yet');
      await second.close();
      const third = await modelsIn(await again(), fakeServer(new Uint8Array(1)));
      sameBytes(await readAll(third), bytes, 'it is whole again, without a network');
      await third.close();
    },
  },
];
