// Downloads over networks that fail: everything comes once, and goes on where it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIB, PATIENCE, PIECE, SIZE, bytes, failedLoad, failure, keptBytes, load, page, server, url } from './loading.js';

test('all of a file comes once, and a second page asks nobody', async () => {
  const first = await load(await page());
  assert.deepEqual(first.read, bytes);
  assert.equal(server.sent, SIZE);
  assert.ok(server.requests.length > 4, 'several ranges');
  assert.equal(first.completed.received, SIZE);
  const requests = server.requests.length;
  const second = await load(await page());
  assert.deepEqual(second.read, bytes);
  assert.equal(server.requests.length, requests);
  assert.equal(second.completed.resumed, SIZE);
});

test('bytes are given before everything is here, those that are wanted first', async () => {
  server.behaviour.slow = 3;
  const model = await (await page({ connections: 1, requestBytes: PIECE })).open(url());
  const [wanted, needed] = [100 * KIB, 60 * KIB];
  model.want([
    { file: 0, offset: wanted, count: 10 * KIB },
    { file: 0, offset: 20 * KIB, count: KIB },
  ]);
  assert.deepEqual(await model.files[0]!.read(needed, 10 * KIB), bytes.slice(needed, needed + 10 * KIB));
  assert.equal(model.files[0]!.has(wanted, 10 * KIB), false, 'what somebody waits for comes first');
  while (!model.files[0]!.has(wanted, 10 * KIB)) await new Promise(resolve => setTimeout(resolve, 1));
  assert.ok(server.sent < 60 * KIB, `${server.sent} bytes came before those that were wanted`);
  assert.equal(model.files[0]!.has(20 * KIB, KIB), false, 'in the order of the list');
  assert.equal(model.files[0]!.has(0, SIZE), false);
  await model.complete();
  assert.equal(model.files[0]!.has(0, SIZE), true);
  assert.equal(server.sent, SIZE);
});

test('ranges past the end and numbers that are none are refused', async () => {
  const { model } = await load(await page());
  const file = model.files[0]!;
  for (const [offset, count] of [
    [SIZE, 1],
    [0, SIZE + 1],
    [-1, 1],
    [0.5, 1],
    [0, NaN],
    [2 ** 53, 1],
    [1, 2 ** 53 - 1],
  ] as const) {
    assert.equal((await failure(file.read(offset, count))).code, 'invalid_argument');
  }
  assert.equal((await file.read(SIZE, 0)).length, 0);
});

test('connections that are cut go on where they were', async () => {
  server.behaviour.cutAfter = turn => (turn % 3 === 0 ? 5000 : undefined);
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, bytes);
  assert.ok(server.sent <= SIZE + 16 * KIB, `${server.sent} bytes for ${SIZE}`);
  assert.ok(remarks.some(remark => remark.includes('trying again')));
});

for (const point of [1, 3000, PIECE, 40_000, SIZE - 1]) {
  test(`a page that ends after ${point} bytes leaves what it had to the next`, async () => {
    let stopped: (() => void) | undefined;
    const reached = new Promise<void>(resolve => {
      stopped = resolve;
    });
    server.behaviour.slow = 1;
    const models = await page({ connections: 2 });
    const model = await models
      .open(url(), {
        onProgress: ({ loaded }) => {
          if (loaded >= point) stopped!();
        },
      })
      .catch(() => undefined);
    await Promise.race([reached, model?.complete()]);
    await models.close();
    const first = server.sent;
    delete server.behaviour.slow;
    const { read, completed } = await load(await page());
    assert.deepEqual(read, bytes);
    // What was under way in both connections is lost.
    assert.ok(server.sent <= SIZE + 2 * (PIECE + 32 * KIB), `${first} and then ${server.sent} bytes`);
    assert.equal(completed.received + completed.resumed, SIZE);
  });
}

test('a server that says nothing for too long is asked again', async () => {
  server.behaviour.intercept = (_request, _response, turn) => turn === 2; // never answers
  const { read, remarks } = await load(await page({ patience: { ...PATIENCE, stall: 200 } }));
  assert.deepEqual(read, bytes);
  assert.ok(remarks.some(remark => remark.includes('nothing came for 0.2 s')));
});

test('errors that pass are waited for, as long as the server asks', async () => {
  const began = Date.now();
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn === 1) response.writeHead(503).end();
    if (turn === 2) response.writeHead(429, { 'Retry-After': '1' }).end();
    return turn === 1 || turn === 2;
  };
  const { read } = await load(await page());
  assert.deepEqual(read, bytes);
  assert.ok(Date.now() - began >= 1000);
});

test('a wait that is too long is told instead', async () => {
  server.behaviour.intercept = (_request, response) => {
    response.writeHead(429, { 'Retry-After': '3600' }).end();
    return true;
  };
  const error = await failedLoad(await page());
  assert.equal(error.code, 'io');
  assert.equal(error.status, 429);
  assert.match(error.message, /asks to wait 3600 s/);
});

test('a server that fails in the middle leaves what came to the next try', async () => {
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn >= 3) response.writeHead(500).end();
    return turn >= 3;
  };
  const models = await page({ connections: 1 });
  const error = await failedLoad(models);
  assert.match(error.message, /given up after 4 tries, and the same call goes on where this ended/);
  const here = await keptBytes(models);
  assert.ok(here > 0);
  delete server.behaviour.intercept;
  const { read, completed } = await load(models);
  assert.deepEqual(read, bytes);
  assert.equal(completed.resumed, here);
  assert.equal(server.sent, SIZE);
});

test('a network that is gone is waited for', async () => {
  const global = globalThis as { navigator?: unknown; addEventListener?: unknown };
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  let online: (() => void) | undefined;
  const network = { onLine: true };
  Object.defineProperty(globalThis, 'navigator', { value: network, configurable: true });
  global.addEventListener = (_name: string, use: () => void) => {
    online = use;
  };
  try {
    server.behaviour.intercept = (_request, response, turn) => {
      if (turn < 2 || (network.onLine && turn > 2)) return false;
      network.onLine = false;
      response.destroy();
      return true;
    };
    const loading = load(await page({ connections: 1 }));
    while (online === undefined) await new Promise(resolve => setTimeout(resolve, 5));
    await new Promise(resolve => setTimeout(resolve, 30));
    const { requests } = server;
    assert.equal(requests.length, 3, 'nobody is asked meanwhile');
    network.onLine = true;
    online();
    const { read, remarks } = await loading;
    assert.deepEqual(read, bytes);
    assert.ok(remarks.includes('there is no network; going on when it is back'));
  } finally {
    delete global.addEventListener;
    if (before === undefined) delete global.navigator;
    else Object.defineProperty(globalThis, 'navigator', before);
  }
});

test('redirects are followed', async () => {
  server.behaviour.intercept = (request, response) => {
    if (request.url !== '/r.gguf') return false;
    response.writeHead(302, { Location: '/m.gguf' }).end();
    return true;
  };
  const { read } = await load(await page(), {}, `${server.url}/r.gguf`);
  assert.deepEqual(read, bytes);
});

test('abort ends everything at once, and what came stays', async () => {
  server.behaviour.slow = 2;
  const models = await page();
  const controller = new AbortController();
  const model = await models.open(url(), { signal: controller.signal });
  await model.files[0]!.read(0, 3 * PIECE);
  const waiting = failure(model.files[0]!.read(SIZE - 1, 1));
  controller.abort();
  assert.equal((await waiting).code, 'cancelled');
  assert.equal((await failure(model.complete())).code, 'cancelled');
  await new Promise(resolve => setTimeout(resolve, 30)); // requests that were under way arrive
  const requests = server.requests.length;
  await new Promise(resolve => setTimeout(resolve, 50));
  assert.ok(server.requests.length === requests && server.sent < SIZE, 'nothing more is asked for');
  assert.ok((await keptBytes(models)) >= 3 * PIECE);
  assert.equal((await failure(models.open(url(), { signal: AbortSignal.abort() }))).code, 'cancelled');
  delete server.behaviour.slow;
  const late = new AbortController();
  const { model: whole } = await load(models, { signal: late.signal });
  late.abort();
  assert.deepEqual(await whole.files[0]!.read(5, 5), bytes.slice(5, 10), 'what is whole stays open');
});

test('progress tells the same of network and cache', async () => {
  const models = await page();
  const seen: string[] = [];
  const sums: [number, number, number][] = [];
  const onProgress = ({
    phase,
    loaded,
    total,
    fromCache,
  }: {
    phase: string;
    loaded: number;
    total: number;
    fromCache: number;
  }) => {
    if (seen.at(-1) !== phase) seen.push(phase);
    sums.push([loaded, total, fromCache]);
  };
  await (await load(models, { onProgress })).model.close();
  assert.deepEqual(seen, ['fetching', 'reading']);
  assert.ok(sums.every(([loaded, total]) => loaded <= total && total === SIZE));
  sums.length = 0;
  await load(models, { onProgress });
  assert.deepEqual(sums.at(-1), [SIZE, SIZE, SIZE]);
});

test('what is not kept passes by in a bounded window, and only what is read comes', async () => {
  const models = await page({ windowBytes: 8 * PIECE });
  const model = await models.open(url(), { keep: false });
  assert.equal(model.kept, false);
  model.want([{ file: 0, offset: 0, count: 100 * KIB }]);
  await new Promise(resolve => setTimeout(resolve, 60));
  assert.ok(server.sent <= 9 * PIECE, `${server.sent} bytes wait to be read`);
  for (let at = 0; at < 100 * KIB; at += 10 * KIB) {
    assert.deepEqual(await model.files[0]!.read(at, 10 * KIB), bytes.slice(at, at + 10 * KIB));
  }
  assert.ok(
    server.sent <= 100 * KIB + PIECE,
    `${server.sent} bytes: ${server.requests.map(({ range }) => range).join(' ')}`,
  );
  assert.deepEqual(await models.list(), []);
});

test('two that open the same model at once fetch it once', async () => {
  const models = await page();
  const other = await page();
  const both = await Promise.all([load(models), load(other)]);
  for (const { read } of both) assert.deepEqual(read, bytes);
  assert.equal(server.sent, SIZE);
});

test('bytes beyond 4 GiB are asked for by their exact numbers', async () => {
  const total = 5 * 2 ** 30 + 321;
  const at = (offset: number) => (offset < 4 ? 'GGUF'.charCodeAt(offset) : (offset / 4096) % 251);
  server.behaviour.intercept = (request, response) => {
    const [first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!.slice(1).map(Number) as [number, number];
    const body = Uint8Array.from({ length: last + 1 - first }, (_, index) => at(first + index));
    response.writeHead(206, { 'Content-Range': `bytes ${first}-${last}/${total}`, ETag: '"big"' }).end(body);
    return true;
  };
  const models = await page({ pieceBytes: 64 * KIB, windowBytes: KIB * KIB });
  const model = await models.open(url(), { keep: false });
  assert.equal(model.size, total);
  for (const offset of [2 ** 32 - 100, 2 ** 32 + 64 * KIB - 7, total - 200]) {
    const read = await model.files[0]!.read(offset, 200);
    assert.deepEqual(
      read,
      Uint8Array.from({ length: 200 }, (_, index) => at(offset + index)),
      `from ${offset} on`,
    );
  }
  assert.ok(server.requests.length <= 6, 'only what was read');
});
