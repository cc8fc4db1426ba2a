// Downloads from a server that misbehaves: nothing wrong is kept, and nothing comes twice.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ModelError, openModels, type Models, type ModelsOptions, type OpenOptions } from '../../src/models/index.js';
import { MemoryStore } from '../../src/models/store_memory.js';
import { hashOf, modelBytes, startServer, type Server } from './server.js';

const KIB = 1024;
const PIECE = 4 * KIB;
const SIZE = 150 * KIB + 123;
const bytes = modelBytes(SIZE);
const PATIENCE = { stall: 5000, pause: 2, retries: 3, mostWait: 1000 };

let server: Server;
let store: MemoryStore;
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
async function page(options: ModelsOptions = {}): Promise<Models> {
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

const url = () => `${server.url}/m.gguf`;

async function load(models: Models, options: OpenOptions = {}, name = url()) {
  const remarks: string[] = [];
  const model = await models.open(name, { onRemark: remark => remarks.push(remark), ...options });
  const completed = await model.complete();
  const read = await model.files[0]!.read(0, model.size);
  return { model, completed, read, remarks };
}

async function failure(promise: Promise<unknown>): Promise<ModelError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ModelError, `expected a ModelError, got ${String(error)}`);
  return error;
}

async function failedLoad(models: Models, options: OpenOptions = {}): Promise<ModelError> {
  return failure(
    (async () => {
      const model = await models.open(url(), options);
      await model.complete();
    })(),
  );
}

const keptBytes = async (models: Models) => (await models.list()).reduce((sum, { here }) => sum + here, 0);

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

for (const [status, code] of [
  [401, 'not_found'],
  [403, 'not_found'],
  [404, 'not_found'],
  [500, 'io'],
  [501, 'io'],
] as const) {
  test(`status ${status} is ${code}, and leaves nothing`, async () => {
    server.behaviour.intercept = (_request, response) => {
      response.writeHead(status).end();
      return true;
    };
    const models = await page();
    const error = await failedLoad(models);
    assert.equal(error.code, code);
    assert.equal(error.status, status);
    assert.deepEqual(await models.list(), []);
  });
}

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

test('a server without ranges gives one stream, which starts over after a break and is kept all the same', async () => {
  server.behaviour.ranges = false;
  server.behaviour.cutAfter = turn => (turn === 0 ? 60_000 : undefined);
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, bytes);
  assert.ok(remarks.some(remark => remark.includes('no ranges')));
  assert.equal(server.requests.length, 2);
  await load(await page());
  assert.equal(server.requests.length, 2);
});

test('a stream that starts over with other bytes is noticed', async () => {
  server.behaviour.ranges = false;
  server.behaviour.etag = undefined;
  server.behaviour.cutAfter = turn => (turn === 0 ? 60_000 : undefined);
  server.behaviour.intercept = (_request, _response, turn) => {
    if (turn === 1) server.files.set('/m.gguf', modelBytes(SIZE, 9));
    return false;
  };
  const { read, remarks } = await load(await page()).catch((error: unknown) => ({ read: error, remarks: [] }));
  if (read instanceof Uint8Array) assert.deepEqual(read, modelBytes(SIZE, 9));
  else assert.equal((read as ModelError).code, 'io');
  assert.ok(read instanceof ModelError || remarks.some(remark => remark.includes('changed')));
});

test('a file that changes between two pages starts over', async () => {
  server.behaviour.cutAfter = () => undefined;
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn >= 3) response.writeHead(404).end();
    return turn >= 3;
  };
  await failedLoad(await page());
  delete server.behaviour.intercept;
  const changed = modelBytes(SIZE, 2);
  server.files.set('/m.gguf', changed);
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, changed);
  assert.ok(
    remarks.some(remark => remark.includes('has changed')),
    remarks.join('; '),
  );
});

test('a file that changes while it is loaded is never mixed', async () => {
  server.behaviour.slow = 1;
  const models = await page({ connections: 1, requestBytes: PIECE });
  const model = await models.open(url());
  await model.files[0]!.read(0, PIECE);
  server.files.set('/m.gguf', modelBytes(SIZE, 3));
  const error = await failure(model.complete());
  assert.match(error.message, /changed .* load it again/);
  assert.equal((await failure(model.files[0]!.read(0, 10))).code, error.code);
  delete server.behaviour.slow;
  const { read } = await load(models);
  assert.deepEqual(read, modelBytes(SIZE, 3));
});

test('an answer that is not what was asked for is not taken', async () => {
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn !== 1) return false;
    response.writeHead(206, { 'Content-Range': `bytes 7-${PIECE + 6}/${SIZE}`, 'Content-Length': PIECE });
    response.end(bytes.subarray(7, PIECE + 7));
    return true;
  };
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, bytes);
  assert.ok(remarks.some(remark => remark.includes('answers with')));
});

test('a server that tells another size in the middle is taken for another file', async () => {
  server.behaviour.intercept = (request, response, turn) => {
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (turn !== 2 || asked === null) return false;
    response.writeHead(206, { 'Content-Range': `bytes ${asked[1]}-${asked[2]}/${SIZE + 1}` }).end(bytes);
    return true;
  };
  const result = await load(await page()).catch((error: unknown) => error as ModelError);
  if (result instanceof ModelError) assert.equal(result.code, 'io');
  else assert.deepEqual(result.read, bytes);
});

test('a server that sends fewer bytes than it was asked for is asked for the others', async () => {
  server.behaviour.intercept = (request, response) => {
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')!;
    const first = Number(asked[1]);
    const last = Math.min(Number(asked[2]), first + 9999);
    response.writeHead(206, { 'Content-Range': `bytes ${first}-${last}/${SIZE}` }).end(bytes.subarray(first, last + 1));
    return true;
  };
  const { read } = await load(await page());
  assert.deepEqual(read, bytes);
});

test('a body that is too long is cut', async () => {
  server.behaviour.intercept = (request, response, turn) => {
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')!;
    if (turn === 0) return false;
    const first = Number(asked[1]);
    response.writeHead(206, { 'Content-Range': `bytes ${first}-${asked[2]}/${SIZE}` });
    response.end(Buffer.concat([bytes.subarray(first, Number(asked[2]) + 1), Buffer.alloc(9000, 7)]));
    return true;
  };
  const { read } = await load(await page());
  assert.deepEqual(read, bytes);
});

test('416 in the middle: the file has become shorter', async () => {
  const models = await page({ connections: 1 });
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn === 1) response.writeHead(404).end();
    return turn === 1;
  };
  await failedLoad(models);
  delete server.behaviour.intercept;
  const shorter = modelBytes(3 * PIECE, 4);
  server.files.set('/m.gguf', shorter);
  const { read } = await load(models);
  assert.deepEqual(read, shorter);
});

test('compressed answers are refused', async () => {
  server.behaviour.gzip = true;
  const error = await failedLoad(await page());
  assert.equal(error.code, 'unsupported');
  assert.match(error.message, /compressed \(gzip\)/);
});

test('a web page is no model, and leaves nothing', async () => {
  server.files.set('/m.gguf', new TextEncoder().encode('<!doctype html><p>not found'));
  const models = await page();
  const error = await failedLoad(models);
  assert.equal(error.code, 'invalid_file');
  assert.match(error.message, /web page/);
  assert.deepEqual(await models.list(), []);
});

test('a server that hides which bytes it sends is asked for the size, and held to it', async () => {
  server.behaviour.intercept = (request, response, turn) => {
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (asked === null) return false;
    const body = bytes.subarray(Number(asked[1]), Number(asked[2]) + 1 - (turn === 3 ? 1 : 0));
    response.writeHead(206, { 'Content-Length': body.length }).end(body);
    return true;
  };
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, bytes);
  assert.equal(server.requests.filter(({ method }) => method === 'HEAD').length, 1);
  assert.ok(remarks.some(remark => remark.includes('does not say which it sends')));
});

// What a page of another origin sees without Access-Control-Expose-Headers; refusals let it see nothing at all.
const hiding: typeof fetch = async (...request) => {
  const { status, headers, body, ok } = await fetch(...request);
  if (!ok) throw new TypeError('Failed to fetch');
  const names = ['content-length', 'content-type', 'last-modified'];
  return new Response(body, { status, headers: [...headers].filter(([name]) => names.includes(name)) });
};

for (const [what, ask] of [
  ['refuses HEAD', fetch],
  ['refuses HEAD to other sites', hiding],
] as const) {
  test(`a server that hides which bytes it sends and ${what} is asked for everything, and left at the size`, async () => {
    server.behaviour.intercept = (request, response) => {
      if (request.method === 'HEAD') response.writeHead(403).end();
      const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
      if (request.method === 'HEAD' || asked === null) return request.method === 'HEAD';
      const body = bytes.subarray(Number(asked[1]), Number(asked[2] || SIZE - 1) + 1);
      response.writeHead(206, { 'Content-Length': body.length });
      if (asked[2] === '') response.write(body.subarray(0, PIECE));
      else response.end(body);
      if (asked[2] === '') response.on('close', () => ++left);
      return true;
    };
    let left = 0;
    const { read } = await load(await page({ fetch: ask }));
    assert.deepEqual(read, bytes);
    assert.equal(server.requests.filter(({ range }) => range === 'bytes=0-').length, 1);
    for (let tries = 0; left === 0 && tries < 100; ++tries) await new Promise(resolve => setTimeout(resolve, 10));
    assert.equal(left, 1, 'that answer was left');
  });
}

test('what a server that refuses the size answers is told', async () => {
  server.behaviour.intercept = (request, response) => {
    if (request.method === 'GET' && request.headers.range !== 'bytes=0-') {
      response.writeHead(206, { 'Content-Length': PIECE }).end(bytes.subarray(0, PIECE));
    } else {
      response.writeHead(405).end();
    }
    return true;
  };
  const error = await failedLoad(await page());
  assert.equal(error.code, 'unsupported');
  assert.match(error.message, /does not tell the file's size/);
});

test('without any size nothing is fetched', async () => {
  server.behaviour.intercept = (request, response) => {
    response.writeHead(request.headers.range === undefined ? 404 : 206).flushHeaders();
    response.end(bytes.subarray(0, 10));
    return true;
  };
  const error = await failedLoad(await page());
  assert.equal(error.code, 'unsupported');
  assert.match(error.message, /does not tell the file's size/);
});

test('a list of files in place of one, and a stream without a length, say what to do', async () => {
  for (const [type, code, says] of [
    ['text/html; charset=utf-8', 'invalid_file', 'web page'],
    ['application/octet-stream', 'unsupported', 'Content-Length'],
  ] as const) {
    server.behaviour.intercept = (_request, response) => {
      response.writeHead(200, { 'Content-Type': type }).flushHeaders();
      response.end('<!doctype html><title>Index of /</title>');
      return true;
    };
    const error = await failedLoad(await page());
    assert.deepEqual([error.code, error.message.includes(says)], [code, true], error.message);
  }
});

test('a file that changes all the time is given up', async () => {
  let version = 0;
  server.behaviour.intercept = (_request, response) => {
    response.setHeader('ETag', `"${++version}"`);
    return false;
  };
  server.behaviour.etag = undefined;
  const error = await failedLoad(await page());
  assert.equal(error.code, 'io');
  assert.match(error.message, /again and again; given up/);
});

test('a begun file is begun anew where nothing would show that it has changed', async () => {
  server.behaviour.etag = undefined;
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn >= 3) response.writeHead(404).end();
    return turn >= 3;
  };
  await failedLoad(await page());
  delete server.behaviour.intercept;
  const changed = modelBytes(SIZE, 2);
  server.files.set('/m.gguf', changed);
  const { read, completed, remarks } = await load(await page());
  assert.deepEqual(read, changed);
  assert.equal(completed.resumed, 0);
  assert.ok(
    remarks.some(remark => remark.includes('nothing would show that it has changed')),
    remarks.join('; '),
  );
});

const MODIFIED = 'Fri, 02 Jan 2026 03:04:05 GMT';

async function breakOff(): Promise<void> {
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn >= 3) response.writeHead(404).end();
    return turn >= 3;
  };
  await failedLoad(await page());
  delete server.behaviour.intercept;
}

test('with a weak ETag the date shows whether a file has changed', async () => {
  server.behaviour.etag = 'W/"1"';
  server.behaviour.lastModified = MODIFIED;
  await breakOff();
  const same = await load(await page());
  assert.deepEqual(same.read, bytes);
  const { resumed, received } = same.completed;
  assert.ok(resumed > 0 && resumed + received === SIZE, `${resumed} bytes were taken up, ${received} came`);
  assert.ok(server.requests.every(({ headers }) => headers['if-range'] === undefined));
  assert.deepEqual(same.remarks, []);
});

test('with a weak ETag a file that has changed since starts over', async () => {
  server.behaviour.etag = 'W/"1"';
  server.behaviour.lastModified = MODIFIED;
  await breakOff();
  const changed = modelBytes(SIZE, 2);
  server.files.set('/m.gguf', changed);
  server.behaviour.lastModified = 'Fri, 02 Jan 2026 03:04:06 GMT';
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, changed);
  assert.ok(
    remarks.some(remark => remark.includes('has changed')),
    remarks.join('; '),
  );
});

test('a date that is as young as the answer is not remembered', async () => {
  const young = new Date(Date.now() + 60_000).toUTCString();
  server.behaviour.etag = undefined;
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn >= 3) response.writeHead(404).end();
    else response.setHeader('Last-Modified', young);
    return turn >= 3;
  };
  await failedLoad(await page());
  delete server.behaviour.intercept;
  const { read, completed, remarks } = await load(await page());
  assert.deepEqual(read, bytes);
  assert.equal(completed.resumed, 0);
  assert.ok(
    remarks.some(remark => remark.includes('nothing would show that it has changed')),
    remarks.join('; '),
  );
});

for (const [etag, isChange] of [
  [undefined, true],
  ['W/"1"', false],
] as const) {
  test(`young dates that differ are ${isChange ? 'a' : 'no'} change ${isChange ? 'without' : 'beside'} an ETag`, async () => {
    server.behaviour.etag = etag;
    server.behaviour.intercept = (_request, response, turn) => {
      response.setHeader('Last-Modified', new Date(Date.now() + turn * 1000).toUTCString());
      return false;
    };
    const result = await load(await page()).catch((error: unknown) => error);
    if (isChange) assert.match(String(result), /again and again; given up/);
    else assert.deepEqual((result as { read: Uint8Array }).read, bytes);
  });
}

test('ETags and dates in turn are no change', async () => {
  server.behaviour.lastModified = MODIFIED;
  server.behaviour.etag = undefined;
  server.behaviour.intercept = (request, response, turn) => {
    response.setHeader('ETag', turn % 2 === 0 ? '"1"' : 'W/"1"');
    delete request.headers['if-range']; // it is right
    return false;
  };
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, bytes);
  assert.deepEqual(remarks, []);
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

test('a hash that is known has to agree; what does not is removed', async () => {
  const models = await page();
  const good = await load(models, { sha256: hashOf(bytes) });
  assert.equal(good.completed.verified, true);
  await good.model.close();
  await models.remove(good.model.id);
  const error = await failedLoad(models, { sha256: hashOf(modelBytes(3)) });
  assert.equal(error.code, 'invalid_file');
  assert.match(error.message, /SHA-256/);
  assert.deepEqual(await models.list(), []);
});

test('what is kept with another hash is fetched anew, and refused where the source has the same', async () => {
  const [ours, theirs] = [hashOf(bytes), hashOf(modelBytes(SIZE, 2))];
  const models = await page();
  await (await load(models, { sha256: ours })).model.close();
  server.files.set('/m.gguf', modelBytes(SIZE, 2));
  const { read, completed, model } = await load(models, { sha256: theirs });
  assert.deepEqual(read, modelBytes(SIZE, 2));
  assert.deepEqual([completed.verified, completed.resumed], [true, 0]);
  await model.close();
  const error = await failedLoad(models, { sha256: ours });
  assert.equal(error.code, 'invalid_file');
  assert.match(error.message, /SHA-256/);
  assert.deepEqual(await models.list(), []);
});

for (const isOpen of [false, true]) {
  test(`what is kept without a hash is hashed${isOpen ? ', also while another page has it open' : ', once'}`, async () => {
    const first = await load(await page());
    if (!isOpen) await first.model.close();
    const phases: string[] = [];
    const onProgress = ({ phase }: { phase: string }) => {
      if (phases.at(-1) !== phase) phases.push(phase);
    };
    const models = await page();
    const second = await load(models, { sha256: hashOf(bytes).toUpperCase(), onProgress });
    assert.deepEqual(second.read, bytes);
    assert.deepEqual([second.completed.verified, server.sent], [true, SIZE]);
    assert.deepEqual(phases, ['checking', 'reading']);
    await second.model.close();
    phases.length = 0;
    await (await load(models, { sha256: hashOf(bytes), onProgress })).model.close();
    assert.deepEqual(phases, isOpen ? ['checking', 'reading'] : ['reading']);
  });
}

for (const keep of [true, false]) {
  test(`what is kept without a hash has to have the one that is wanted${keep ? '' : ', though nothing more is kept'}`, async () => {
    const models = await page();
    await (await load(models)).model.close();
    const theirs = modelBytes(SIZE, 2);
    server.files.set('/m.gguf', theirs);
    const { read, model } = await load(models, { sha256: hashOf(theirs), keep });
    assert.deepEqual(read, theirs);
    await model.close();
  });
}

test('what is kept without a hash and is damaged is healed, and hashed', async () => {
  const models = await page();
  const { model } = await load(models);
  await model.close();
  const [entry] = await store.list();
  const stored = (await store.open(entry!.id))!;
  await stored.writePiece(3, modelBytes(PIECE, 9), stored.table.checksums[3]!);
  await stored.close();
  const { read, completed } = await load(models, { sha256: hashOf(bytes) });
  assert.deepEqual(read, bytes);
  assert.equal(completed.verified, true);
});

test('a hash goes on where an earlier page ended', async () => {
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn >= 3) response.writeHead(404).end();
    return turn >= 3;
  };
  const sha256 = hashOf(bytes);
  await failedLoad(await page({ connections: 1 }), { sha256 });
  const [entry] = await store.list();
  assert.ok((entry!.header.hashed?.bytes ?? 0) > 0, 'the state of the hash is kept');
  delete server.behaviour.intercept;
  const { completed } = await load(await page(), { sha256 });
  assert.equal(completed.verified, true);
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

test('bytes that pass by in their order are hashed', async () => {
  const models = await page({ windowBytes: 8 * PIECE });
  const readAll = async (sha256: string) => {
    const model = await models.open(url(), { keep: false, sha256 });
    model.want([{ file: 0, offset: 0, count: SIZE }]);
    for (let at = 0; at < SIZE; at += 10 * KIB) await model.files[0]!.read(at, Math.min(10 * KIB, SIZE - at));
    return model.complete();
  };
  assert.equal((await readAll(hashOf(bytes))).verified, true);
  assert.equal((await failure(readAll(hashOf(modelBytes(5))))).code, 'invalid_file');
});

test('what passes by in another order is not checked, and that is told', async () => {
  const model = async (sha256?: string) => {
    const remarks: string[] = [];
    const opened = await (await page({ windowBytes: 8 * PIECE, connections: 1 })).open(url(), {
      keep: false,
      onRemark: remark => remarks.push(remark),
      ...(sha256 !== undefined && { sha256 }),
    });
    for (let at = SIZE - 10 * KIB; at > 0; at -= 10 * KIB) await opened.files[0]!.read(at, 10 * KIB);
    await opened.complete();
    return [(await opened.complete()).verified, remarks.filter(remark => remark.includes('was not checked')).length];
  };
  assert.deepEqual(await model(hashOf(bytes)), [false, 1]);
  assert.deepEqual(await model(), [false, 0]);
});

test('two that open the same model at once fetch it once', async () => {
  const models = await page();
  const other = await page();
  const both = await Promise.all([load(models), load(other)]);
  for (const { read } of both) assert.deepEqual(read, bytes);
  assert.equal(server.sent, SIZE);
});

test('refresh asks whether an address has changed', async () => {
  const models = await page();
  await (await load(models)).model.close();
  await (await load(models, { refresh: true })).model.close();
  assert.equal(server.sent, SIZE);
  const changed = modelBytes(SIZE + 5, 6);
  server.files.set('/m.gguf', changed);
  const { read } = await load(models, { refresh: true });
  assert.deepEqual(read, changed);
  await server.close();
  const offline = await load(models, { refresh: true });
  assert.deepEqual(offline.read, changed);
  assert.ok(offline.remarks.some(remark => remark.includes('taking what is kept')));
  server = await startServer();
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
