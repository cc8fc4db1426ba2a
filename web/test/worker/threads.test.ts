// Threads between the caller's thread, which starts them, and the engine's worker, which orders them: both ends, and workers that are none.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ThreadStart } from '../../src/module/module.js';
import { ThreadOrders, Threads, type ThreadNews, type ThreadSeed, type ThreadWord } from '../../src/platform/threads.js';

const START = {} as ThreadStart;

/** What stands for the worker of a thread. */
interface Fake { hear(word: ThreadWord): void; stopped: number }

function line(refusal?: string): { threads: Threads; orders: ThreadOrders; workers: Fake[]; news: ThreadNews[]; broken: string[] } {
  const workers: Fake[] = [];
  const news: ThreadNews[] = [];
  const broken: string[] = [];
  const begin = ({ port }: ThreadSeed, hear: (word: ThreadWord) => void): (() => void) => {
    if (refusal !== undefined) throw new Error(refusal);
    port.close();
    const fake: Fake = { hear, stopped: 0 };
    workers.push(fake);
    return () => void (fake.stopped += 1);
  };
  const threads = new Threads(begin, told => {
    news.push(told);
    orders.take(told);
  }, reason => broken.push(reason));
  const orders: ThreadOrders = new ThreadOrders(order => threads.take(order));
  return { threads, orders, workers, news, broken };
}

test('a thread is ready when it runs, and is let go when it is done', async () => {
  const { orders, workers, broken } = line();
  const { ready } = orders.start(START);
  workers[0]!.hear({ type: 'runs' });
  await ready;
  assert.equal(workers[0]!.stopped, 0);
  workers[0]!.hear({ type: 'done' });
  workers[0]!.hear({ type: 'gone' }); // Node tells of it
  assert.deepEqual([workers[0]!.stopped, broken], [1, []]);
});

test('each thread has its own news', async () => {
  const { orders, workers } = line();
  const [first, second] = [orders.start(START), orders.start(START)];
  workers[1]!.hear({ type: 'runs' });
  await second.ready;
  workers[0]!.hear({ type: 'failed', reason: 'no memory' });
  await assert.rejects(first.ready, /no memory/);
});

test('what cannot begin is refused with its reason, and ends nothing else', async () => {
  const { orders, broken } = line('not here');
  await assert.rejects(orders.start(START).ready, /not here/);
  const other = line();
  const { ready } = other.orders.start(START);
  other.workers[0]!.hear({ type: 'gone' });
  await assert.rejects(ready, /ended before it ran/);
  assert.deepEqual([broken, other.broken], [[], []]);
});

for (const [word, reason] of [[{ type: 'failed', reason: 'unreachable' }, 'one of its threads broke: unreachable'], [{ type: 'gone' }, 'one of its threads is gone']] as const) {
  test(`a thread that ran and is ${word.type} is told once`, async () => {
    const { orders, workers: running, broken } = line();
    const { ready } = orders.start(START);
    running[0]!.hear({ type: 'runs' });
    await ready;
    running[0]!.hear(word);
    running[0]!.hear({ type: 'gone' });
    assert.deepEqual(broken, [reason]);
  });
}

test('a thread that was asked to end is no accident, and none begins after the end', () => {
  const { threads, orders, workers, broken, news } = line();
  const thread = orders.start(START);
  workers[0]!.hear({ type: 'runs' });
  thread.stop();
  workers[0]!.hear({ type: 'gone' });
  orders.start(START);
  threads.stop();
  orders.start(START); // an order that was under way
  assert.deepEqual([workers.map(({ stopped }) => stopped), broken], [[1, 1], []]);
  assert.deepEqual(news, [{ type: 'thread runs', thread: 1 }]);
});

test('other messages are left to others', () => {
  const { threads, orders } = line();
  for (const message of [{ type: 'call' }, { type: 'result' }, {}]) assert.deepEqual([threads.take(message), orders.take(message)], [false, false]);
});
