// A repository in place of Hugging Face: which file is taken and why, what is kept, and what happens without a network.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  ModelError,
  openModels,
  type Candidate,
  type Models,
  type ModelsOptions,
  type OpenOptions,
} from '../../src/models/index.js';
import { MemoryStore } from '../../src/models/store_memory.js';
import { modelBytes, startServer, treeOf, type Server } from './server.js';

const PIECE = 4096;
const repository = {
  'm-F16-00001-of-00002.gguf': modelBytes(50_000, 1),
  'm-F16-00002-of-00002.gguf': modelBytes(40_000, 2),
  'm-Q8_0.gguf': modelBytes(45_000, 3),
  'm-Q4_0.gguf': modelBytes(25_000, 4),
  'mmproj-m-F16.gguf': modelBytes(500, 5),
};

let server: Server;
let store: MemoryStore;
let models: Models;

beforeEach(async () => {
  server = await startServer();
  for (const [path, bytes] of Object.entries(repository)) server.files.set(`/owner/repo/resolve/main/${path}`, bytes);
  server.files.set('/api/models/owner/repo/tree/main', list(treeOf(repository)));
  store = new MemoryStore(Infinity);
  models = await page();
});
afterEach(async () => {
  await models.close();
  await server.close();
});

const list = (tree: unknown[]) => new TextEncoder().encode(JSON.stringify(tree));
const page = (options: ModelsOptions = {}) =>
  openModels({
    store,
    pieceBytes: PIECE,
    requestBytes: 4 * PIECE,
    endpoint: server.url,
    patience: { stall: 5000, pause: 2, retries: 2, mostWait: 1000 },
    ...options,
  });

async function load(name: string, options: OpenOptions = {}, by = models) {
  const remarks: string[] = [];
  const model = await by.open(name, { onRemark: remark => remarks.push(remark), ...options });
  const completed = await model.complete();
  const parts = await Promise.all(model.files.map(file => file.read(0, file.size)));
  await model.close();
  return { model, completed, parts, remarks };
}

async function failure(promise: Promise<unknown>): Promise<ModelError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ModelError, `expected a ModelError, got ${String(error)}`);
  return error;
}

const fileRequests = () => server.requests.filter(({ path }) => path.includes('/resolve/'));

test('a type, a file, and any part of a split one', async () => {
  const q4 = await load('owner/repo:q4_0');
  assert.deepEqual(q4.parts, [repository['m-Q4_0.gguf']]);
  assert.equal(q4.completed.verified, true, 'the list told its hash');
  assert.equal(q4.model.name, 'hf:owner/repo:m-Q4_0.gguf');
  assert.equal(q4.model.why, '');
  const f16 = await load('hf:owner/repo:m-F16-00002-of-00002.gguf');
  assert.deepEqual(f16.parts, [repository['m-F16-00001-of-00002.gguf'], repository['m-F16-00002-of-00002.gguf']]);
  assert.equal(f16.model.size, 90_000);
  assert.equal((await failure(models.open('owner/repo:Q2_K'))).code, 'not_found');
  assert.deepEqual(
    (await models.list()).map(({ shortName, complete, bytes, type }) => [shortName, complete, bytes, type]).sort(),
    [
      ['m-F16', true, 90_000, 'F16'],
      ['m-Q4_0', true, 25_000, 'Q4_0'],
    ],
  );
});

test('what is here is used without asking, and without a network', async () => {
  await load('owner/repo:Q8_0');
  const requests = server.requests.length;
  await models.close();
  models = await page({ endpoint: 'http://127.0.0.1:9' });
  const { parts, completed } = await load('hf:owner/repo:m-q8_0.gguf');
  assert.deepEqual(parts, [repository['m-Q8_0.gguf']]);
  assert.equal(completed.verified, true);
  assert.equal(server.requests.length, requests);
  const other = await failure(models.open('owner/repo:Q4_0'));
  assert.equal(other.code, 'io');
});

test('the largest that fits is taken, with the reason', async () => {
  const asked: string[] = [];
  const fits = (candidate: Candidate) => {
    asked.push(candidate.type);
    return { fits: candidate.bytes < 60_000, needs: candidate.bytes + 1000, of: 60_000 };
  };
  const { model, parts, remarks } = await load('owner/repo', { fits });
  assert.deepEqual(asked, ['F16', 'Q8_0']);
  assert.deepEqual(parts, [repository['m-Q8_0.gguf']]);
  assert.equal(
    model.why,
    'Q8_0 (43.9 KiB): the largest of 3 that fits this device; it takes 44.9 KiB of 58.6 KiB; F16 would take 88.9 KiB',
  );
  assert.ok(remarks.includes(model.why));
  // The next time nobody is asked.
  const again = await load('owner/repo', {
    fits: () => {
      throw new Error('nobody should ask');
    },
  });
  assert.deepEqual(again.parts, parts);
});

test('where nothing fits, the sentence says what the smallest needs', async () => {
  const error = await failure(
    models.open('owner/repo', { fits: ({ bytes }) => ({ fits: false, needs: bytes, of: 1024 }) }),
  );
  assert.equal(error.code, 'out_of_memory');
  assert.match(
    error.message,
    /F16 \(87\.9 KiB\), Q8_0 \(43\.9 KiB\), Q4_0 \(24\.4 KiB\) fits this device; the smallest, Q4_0, would take 24\.4 KiB of 1\.0 KiB/,
  );
  assert.match(error.message, /\(:Q4_0\) loads it all the same/);
});

test('a header that is read for the choice comes once, and goes where it was not chosen', async () => {
  const { parts } = await load('owner/repo', {
    fits: async candidate => {
      const start = await candidate.readStart(6000, 0);
      assert.equal(start.length, 6000);
      return candidate.type === 'Q8_0';
    },
  });
  assert.deepEqual(parts, [repository['m-Q8_0.gguf']]);
  assert.equal(
    server.sent - server.files.get('/api/models/owner/repo/tree/main')!.length,
    45_000 + 2 * PIECE,
    'only two pieces of the other',
  );
  assert.deepEqual(
    (await models.list()).map(({ type }) => type),
    ['Q8_0'],
  );
});

test('a header that is read for the choice is not kept where nothing is', async () => {
  const fits = async (candidate: Candidate) => (await candidate.readStart(6000, 0)).length === 6000;
  const { parts, model } = await load('owner/repo', { fits, keep: false });
  assert.equal(model.id, '');
  assert.deepEqual(parts, [repository['m-F16-00001-of-00002.gguf'], repository['m-F16-00002-of-00002.gguf']]);
  assert.deepEqual(await models.list(), []);
});

test('a header that is read for the choice goes where nothing was chosen', async () => {
  const fits = async (candidate: Candidate) => (await candidate.readStart(6000, 0)).length !== 6000;
  assert.equal((await failure(load('owner/repo', { fits }))).code, 'out_of_memory');
  assert.deepEqual(await models.list(), []);
});

test('quantisations are listed with their sizes and what is here', async () => {
  await load('owner/repo:Q4_0');
  const found = await models.quantisations('owner/repo');
  assert.deepEqual(
    found.map(({ type, bytes, parts, stored }) => [type, bytes, parts, stored]),
    [
      ['F16', 90_000, 2, false],
      ['Q8_0', 45_000, 1, false],
      ['Q4_0', 25_000, 1, true],
    ],
  );
});

test('a file that differs from its list is refused and removed', async () => {
  server.files.set('/owner/repo/resolve/main/m-Q4_0.gguf', modelBytes(25_000, 9));
  const error = await failure(load('owner/repo:Q4_0'));
  assert.equal(error.code, 'invalid_file');
  assert.match(error.message, /SHA-256/);
  server.files.set('/owner/repo/resolve/main/m-Q4_0.gguf', modelBytes(24_000, 4));
  assert.match(
    (await failure(load('owner/repo:Q4_0'))).message,
    /the repository says 25000 bytes and the server 24000/,
  );
  assert.deepEqual(await models.list(), []);
});

test('refresh fetches what has changed, and nothing else', async () => {
  await load('owner/repo:Q4_0');
  const before = fileRequests().length;
  await load('owner/repo:Q4_0', { refresh: true });
  assert.equal(fileRequests().length, before);
  const changed = { ...repository, 'm-Q4_0.gguf': modelBytes(26_000, 8) };
  server.files.set('/api/models/owner/repo/tree/main', list(treeOf(changed)));
  server.files.set('/owner/repo/resolve/main/m-Q4_0.gguf', changed['m-Q4_0.gguf']);
  const { parts, remarks } = await load('owner/repo:Q4_0', { refresh: true });
  assert.deepEqual(parts, [changed['m-Q4_0.gguf']]);
  assert.ok(remarks.some(remark => remark.includes('has changed')));
});

test('lists of several pages, and what is no list', async () => {
  const tree = treeOf(repository);
  server.behaviour.intercept = (request, response) => {
    if (!request.url!.startsWith('/api/')) return false;
    const isSecond = request.url!.includes('cursor=2');
    const mirror = 'https://huggingface.co/api/models/owner/repo/tree/main?recursive=true&cursor=2';
    response
      .writeHead(200, isSecond ? {} : { Link: `<${mirror}>; rel="next"` })
      .end(JSON.stringify(isSecond ? tree.slice(2) : tree.slice(0, 2)));
    return true;
  };
  assert.equal((await models.quantisations('owner/repo')).length, 3);
  for (const text of ['', '{}', '<html>', '[']) {
    server.behaviour.intercept = (_request, response) => {
      response.writeHead(200).end(text);
      return true;
    };
    assert.equal((await failure(models.open('owner/repo:Q4_0'))).code, 'invalid_file', text);
  }
  server.behaviour.intercept = (_request, response) => {
    response.writeHead(401).end();
    return true;
  };
  const hidden = await failure(models.open('owner/repo'));
  assert.equal(hidden.code, 'not_found');
  assert.match(hidden.message, /private, gated or not there/);
});

test('the token goes to the endpoint only', async () => {
  const other = await startServer();
  other.files.set('/m.gguf', modelBytes(1000));
  const mine = await page({ token: 'hf_secret' });
  await load('owner/repo:Q4_0', {}, mine);
  await load(`${other.url}/m.gguf`, {}, mine);
  assert.ok(server.requests.every(({ headers }) => headers.authorization === 'Bearer hf_secret'));
  assert.ok(other.requests.every(({ headers }) => headers.authorization === undefined));
  await other.close();
  await assert.rejects(page({ token: 'with space' }), ModelError);
});

test('the parts of an address lie beside each other', async () => {
  for (const part of [1, 2]) server.files.set(`/x/m-0000${part}-of-00002.gguf`, modelBytes(9000 + part, part));
  const { parts } = await load(`${server.url}/x/m-00002-of-00002.gguf?sig=secret`);
  assert.deepEqual(parts, [modelBytes(9001, 1), modelBytes(9002, 2)]);
  const [kept] = await models.list();
  assert.equal(kept!.bytes, 18_003);
  server.files.set('/x/one.gguf', modelBytes(9000, 3));
  await load(`${server.url}/x/one.gguf?sig=secret`);
  assert.ok(!JSON.stringify(await store.list()).includes('secret'), 'a signature is not kept');
});

test('room is asked for before the first byte, and what is named is deleted', async () => {
  store = new MemoryStore(80_000);
  await models.close();
  models = await page();
  await load('owner/repo:Q4_0');
  await load('owner/repo:Q8_0');
  const refused = await failure(models.open('owner/repo:F16'));
  assert.equal(refused.code, 'quota');
  assert.match(refused.message, /has 87\.9 KiB more to come, and there is room for 9\.8 KiB/);
  assert.equal((await models.list()).length, 2);
  server.files.set('/s.gguf', modelBytes(30_000, 6));
  const asked: unknown[] = [];
  const { parts } = await load(`${server.url}/s.gguf`, {
    onMakeRoom: async ({ needed, free, models: all, suggestion }) => {
      asked.push([needed >= 25_000, free < 10_001, all.map(({ type }) => type), suggestion.length]);
      return suggestion;
    },
  });
  assert.deepEqual(parts, [modelBytes(30_000, 6)]);
  assert.deepEqual(asked, [[true, true, ['Q4_0', 'Q8_0'], 1]], 'the least recently used first');
  assert.deepEqual((await models.list()).map(({ type }) => type).sort(), ['', 'Q8_0']);
  const passing = await models.open('owner/repo:F16', { onMakeRoom: async () => 'do not keep' });
  assert.equal(passing.kept, false);
  const part = passing.files[1]!;
  assert.deepEqual(await part.read(100, 5000), repository['m-F16-00002-of-00002.gguf'].slice(100, 5100));
  await passing.close();
  assert.equal((await models.list()).length, 2);
});

test('what is open is not removed', async () => {
  const model = await models.open('owner/repo:Q4_0');
  await model.complete();
  assert.equal((await failure(models.remove(model.id))).code, 'limit');
  for (const wrong of ['../x', '', undefined]) assert.equal((await failure(models.remove(wrong as string))).code, 'invalid_argument');
  assert.equal((await failure(models.quantisations(undefined as never))).code, 'invalid_argument');
  await model.close();
  await models.remove(model.id);
  assert.deepEqual(await models.list(), []);
});

test('files and bytes of the user', async () => {
  const part = (number: number) => new File([modelBytes(1000 + number, number)], `m-Q4_0-0000${number}-of-00002.gguf`);
  const model = await models.open([part(2), part(1)]);
  assert.equal(model.type, 'Q4_0');
  assert.equal(model.size, 2003);
  assert.deepEqual(await model.files[0]!.read(1, 1000), modelBytes(1001, 1).slice(1));
  assert.equal((await failure(model.files[0]!.read(1, 1001))).code, 'invalid_argument');
  assert.match((await failure(models.open([part(1)]))).message, /has 2 parts, and 1 were given/);
  assert.match((await failure(models.open([part(1), part(1)]))).message, /2 parts, and 1/);
  assert.match((await failure(models.open([part(1), new File([], 'x.gguf')]))).message, /not the parts of one model/);
  const bytes = await models.open(modelBytes(100));
  assert.deepEqual(await bytes.files[0]!.read(90, 10), modelBytes(100).slice(90));
  await bytes.close();
  assert.equal((await failure(bytes.files[0]!.read(0, 1))).code, 'cancelled');
  const whole = modelBytes(128).buffer;
  const shared = new SharedArrayBuffer(128);
  new Uint8Array(shared).set(modelBytes(128));
  for (const view of [new DataView(whole, 8, 100), new Uint16Array(whole, 8, 50), new Uint8Array(shared, 8, 100)]) {
    const some = await models.open(view);
    assert.equal(some.size, 100);
    assert.deepEqual(await some.files[0]!.read(90, 10), modelBytes(128).slice(98, 108));
  }
  assert.equal((await models.open(shared)).size, 128);
  for (const [wrong, kind] of [[undefined, 'undefined'], [null, 'null'], [5, 'a number'], [{}, 'Object'], [new Response(), 'Response']]) {
    const { code, message } = await failure(models.open(wrong as never));
    assert.equal(code, 'invalid_argument');
    assert.ok(message.includes(kind as string), message);
  }
  assert.deepEqual(await models.list(), []);
});

test('files of the disk, in Node', async () => {
  const folder = await mkdtemp(`${tmpdir()}/wisp-local-`);
  try {
    for (const part of [1, 2])
      await writeFile(`${folder}/m-Q8_0-0000${part}-of-00002.gguf`, modelBytes(3000 + part, part));
    await writeFile(`${folder}/one.gguf`, modelBytes(500, 7));
    const split = await models.open(`${folder}/m-Q8_0-00002-of-00002.gguf`);
    assert.deepEqual([split.type, split.size, split.kept], ['Q8_0', 6003, false]);
    assert.deepEqual(await split.files[1]!.read(2990, 12), modelBytes(3002, 2).slice(2990));
    await split.close();
    assert.equal((await failure(split.files[0]!.read(0, 1))).code, 'cancelled');
    const one = await models.open(pathToFileURL(`${folder}/one.gguf`));
    assert.deepEqual(await one.files[0]!.read(0, 500), modelBytes(500, 7));
    await one.close();
    assert.equal((await failure(models.open(pathToFileURL(`${folder}/none.gguf`)))).code, 'not_found');
    for (const [path, why] of [[`${folder}/none.gguf`, 'not there'], ['./none.gguf', 'not there'], [folder, 'no file']]) {
      const { code, message } = await failure(models.open(path!));
      assert.deepEqual([code, message.includes(why!)], ['not_found', true], message);
    }
    assert.equal((await failure(models.open('none.gguf'))).code, 'invalid_argument');
    await rm(`${folder}/m-Q8_0-00001-of-00002.gguf`);
    assert.match(
      (await failure(models.open(`${folder}/m-Q8_0-00002-of-00002.gguf`))).message,
      /00001-of-00002\.gguf cannot be opened/,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
