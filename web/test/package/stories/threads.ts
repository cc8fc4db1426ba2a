// Threads of the engine that trap or are gone while its worker waits for them.
import { ENDS, LOSES_A_THREAD, TRAPS } from '../plants.js';
import { expect, expectEqual, expectError, Tab } from './tab.js';
import type { Place, Story } from './network.js';

const LONG = { max_tokens: 900, ignore_end: true };

/** A tab with the package under /web/planted/, and a model that is kept: what the lost worker held of it has to come free. */
async function open({ browser, server, bytes, answer }: Place, path: string): Promise<Tab> {
  server.files.set(path, bytes);
  const tab = await Tab.open(browser, server.url, '?package=/web/planted/index.js');
  const { info } = await tab.load({ source: server.url + path, device: 'cpu', threads: 3, context: 1024 });
  expectEqual(info.threads, 3, 'threads');
  expectEqual(await tab.chat(), answer, 'the answer');
  return tab;
}

/** The load of another model meets what is planted. */
async function useAndRestart(place: Place, path: string, plant: string, reason: string): Promise<void> {
  const tab = await open(place, path);
  place.plants.set('thread.js', plant);
  const message = expectError(await tab.outcome('use'), 'worker_died');
  expect(message.includes(reason) && message.includes('restart()'), message);
  expectError(await tab.outcome('counters'), 'worker_died');
  place.plants.clear();
  await tab.call('restart');
  expectEqual(await tab.chat(), place.answer, 'the answer after a restart');
  await tab.close();
}

export const threadStories: Record<string, Story> = {
  async 'a thread that traps ends the worker, with the reason, and it starts again'(place) {
    await useAndRestart(place, '/traps.gguf', TRAPS, 'one of its threads broke: ');
  },

  async 'a thread that is gone ends the worker, and it starts again'(place) {
    await useAndRestart(place, '/ends.gguf', ENDS, 'one of its threads is gone');
  },

  async 'a thread that is gone in the middle of an answer rejects all that waits'(place) {
    place.plants.set('index.js', LOSES_A_THREAD);
    const tab = await open(place, '/middle.gguf');
    await tab.call('stream', { ...LONG, pieces: 3 });
    const waits = tab.outcome('chat', LONG);
    await tab.call('signal');
    const { text, error } = await tab.call<{ text: string; error?: { code: string; message: string } }>('ended');
    expectEqual(error?.code, 'worker_died', 'how the stream ends');
    expect(text.length > 0, 'what had come is there');
    expectError(await waits, 'worker_died');
    expectError(await tab.outcome('chat'), 'worker_died');
    await tab.call('restart');
    expectEqual(await tab.chat(), place.answer, 'the answer after a restart');
    await tab.close();
  },

  // Firefox hung here after some dozens of threads, when the engine's worker started them (platform/threads.ts).
  async 'threads start on a page that is busy, however often'({ browser, server }) {
    const tab = await Tab.open(browser, server.url);
    await tab.call('busily', { command: 'cycles', count: 40, device: 'cpu', threads: 4 });
    await tab.close();
  },

  async 'threads that are asked to end are no accident'(place) {
    const tab = await open(place, '/asked.gguf');
    await tab.call('use');
    await new Promise(resolve => setTimeout(resolve, 1500)); // nothing comes after it
    expectEqual(await tab.chat(), place.answer, 'the answer');
    await tab.close();
  },
};
