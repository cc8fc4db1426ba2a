// One signal that many wait for: a listener while somebody waits, and none afterwards.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { WorkerLine } from '../../src/client/line.js';
import { openModels } from '../../src/models/index.js';
import { onAbort } from '../../src/models/on_abort.js';
import { MemoryStore } from '../../src/models/store_memory.js';
import type { EngineWorker } from '../../src/platform/engine_worker.js';
import { modelBytes, startServer } from './server.js';

const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

test('whoever waits is told once, and who is forgotten is not', () => {
  const controller = new AbortController();
  const told: string[] = [];
  const tell = (): void => void told.push('twice');
  onAbort(controller.signal, tell);
  onAbort(controller.signal, tell);
  let forgetLast = (): void => {};
  onAbort(controller.signal, () => {
    told.push('first');
    forgetLast();
  });
  const forget = onAbort(controller.signal, () => told.push('forgotten'));
  forgetLast = onAbort(controller.signal, () => told.push('forgotten by another'));
  assert.equal(listenersOf(controller.signal), 1);
  forget();
  controller.abort();
  forget();
  controller.abort();
  assert.deepEqual(told, ['twice', 'twice', 'first']);
  assert.equal(listenersOf(controller.signal), 0);
  onAbort(controller.signal, () => told.push('late'));
  assert.deepEqual(told.slice(3), ['late']);
});

test('a signal is left alone when nobody waits any more, and can be waited for again', () => {
  const { signal } = new AbortController();
  const forgets = Array.from({ length: 20 }, () => onAbort(signal, () => {}));
  forgets.forEach(forget => forget());
  assert.equal(listenersOf(signal), 0);
  onAbort(signal, () => {});
  assert.equal(listenersOf(signal), 1);
});

test('reads of many pieces listen to their signal once, and leave it', async context => {
  const server = await startServer({ slow: 1 });
  context.after(() => server.close());
  const bytes = modelBytes(64 << 10);
  server.files.set('/m.gguf', bytes);
  const models = await openModels({ store: new MemoryStore(Infinity), pieceBytes: 1 << 10 });
  context.after(() => models.close());
  const { signal } = new AbortController();
  const model = await models.open(`${server.url}/m.gguf`, { signal });
  const reading = model.files[0]!.read(0, bytes.length, signal);
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, listenersOf(signal));
  }, 1);
  assert.deepEqual(await reading, bytes);
  clearInterval(watch);
  assert.equal(most, 1);
  await model.complete();
  await model.close();
  assert.equal(listenersOf(signal), 0);
});

test('calls that share a signal listen to it once, and leave it when they have their answers', async () => {
  const asked: number[] = [];
  const worker: EngineWorker = { post: message => void asked.push((message as { id: number }).id), onmessage: () => {}, ondeath: () => {}, stop: () => {} };
  const line = new WorkerLine(worker);
  const { signal } = new AbortController();
  const calls = Array.from({ length: 20 }, () => line.call('counters', [], { signal }));
  assert.equal(listenersOf(signal), 1);
  asked.forEach(id => worker.onmessage({ type: 'result', id, value: {} }));
  await Promise.all(calls);
  assert.equal(listenersOf(signal), 0);
});
