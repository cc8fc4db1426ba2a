// What shows that a file has changed: ETags, dates, sizes. Bytes of two files are never mixed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelError } from '../../src/models/index.js';
import { PIECE, SIZE, bytes, failedLoad, failure, load, page, server, url } from './loading.js';
import { modelBytes } from './server.js';

/** A load that ends after some of its ranges. */
async function breakOff(): Promise<void> {
  server.behaviour.intercept = (_request, response, turn) => {
    if (turn >= 3) response.writeHead(404).end();
    return turn >= 3;
  };
  await failedLoad(await page());
  delete server.behaviour.intercept;
}

/** What lies at the address from now on. */
function anotherFile(): Uint8Array {
  const changed = modelBytes(SIZE, 2);
  server.files.set('/m.gguf', changed);
  return changed;
}

const heard = (remarks: string[], words: string): void =>
  assert.ok(
    remarks.some(remark => remark.includes(words)),
    remarks.join('; '),
  );

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
  await breakOff();
  const changed = anotherFile();
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, changed);
  heard(remarks, 'has changed');
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
  await breakOff();
  const changed = anotherFile();
  const { read, completed, remarks } = await load(await page());
  assert.deepEqual(read, changed);
  assert.equal(completed.resumed, 0);
  heard(remarks, 'nothing would show that it has changed');
});

const MODIFIED = 'Fri, 02 Jan 2026 03:04:05 GMT';

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
  const changed = anotherFile();
  server.behaviour.lastModified = 'Fri, 02 Jan 2026 03:04:06 GMT';
  const { read, remarks } = await load(await page());
  assert.deepEqual(read, changed);
  heard(remarks, 'has changed');
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
  heard(remarks, 'nothing would show that it has changed');
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
});
