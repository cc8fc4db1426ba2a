// Hashes: what has one is held to it, whether it comes, is kept, or passes by.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIB, PIECE, SIZE, bytes, failedLoad, failure, load, page, server, store, url } from './loading.js';
import { hashOf, modelBytes } from './server.js';

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
