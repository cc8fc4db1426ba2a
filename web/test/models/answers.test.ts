// Servers that answer what they should not: nothing wrong is kept, and what is missing is asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelError } from '../../src/models/index.js';
import { PIECE, SIZE, bytes, failedLoad, load, page, server } from './loading.js';
import { modelBytes } from './server.js';

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
