// Workers that die, models that take turns, and memory that comes back.
import { expect, expectEqual, expectError, Tab, type Outcome } from './tab.js';
import type { Story } from './network.js';
import { residentBytes } from './resident.js';

/** Seconds of an answer, and the context that it takes. */
const LONG = { max_tokens: 900, ignore_end: true };
const CONTEXT = 1024;

export const lifetimeStories: Record<string, Story> = {
  async 'a worker that dies rejects what waits, and starts again'({ browser, server, answer }) {
    const tab = await Tab.open(browser, server.url);
    await tab.load({ device: 'cpu', context: CONTEXT });
    await tab.call('stream', { ...LONG, pieces: 3 });
    const waits = tab.outcome('chat', LONG);
    await tab.killWorker();
    const { text, error } = await tab.call<{ text: string; error?: { code: string; message: string } }>('ended');
    expectEqual(error?.code, 'worker_died', 'how the stream ends');
    expect(error!.message.includes('restart()'), error!.message);
    expect(text.length > 0, 'what had come is there');
    expectError(await waits, 'worker_died');
    expectError(await tab.outcome('chat'), 'worker_died');
    await tab.call('restart');
    expectEqual(await tab.chat(), answer, 'the answer after a restart');
    await tab.close();
  },

  async 'a worker that dies while it loads rejects the load'({ browser, server, bytes }) {
    server.files.set('/dies.gguf', bytes);
    server.behaviour.slow = 5;
    const tab = await Tab.open(browser, server.url);
    const load = tab.outcome('load', { source: `${server.url}/dies.gguf`, device: 'cpu' });
    await tab.call('fetched', { share: 0.2 });
    await tab.killWorker();
    expectError(await load, 'worker_died');
    await tab.close();
  },

  async 'a model that is replaced ends its answers with an AbortError'({ browser, server, answer }) {
    const tab = await Tab.open(browser, server.url);
    await tab.load({ device: 'cpu', context: CONTEXT });
    await tab.call('stream', { ...LONG, pieces: 2 });
    await tab.call('use');
    const { error } = await tab.call<{ error?: { code: string } }>('ended');
    expectEqual(error?.code, 'AbortError', 'how the stream ends');
    expectEqual(await tab.chat(), answer, 'the answer of the next');
    // Two at once: the first is given up, the second runs.
    const [first, second] = await tab.call<Outcome<never>[]>('useTwice');
    expectError(first!, 'AbortError');
    expectEqual(second!.error, undefined, 'the second');
    expectEqual(await tab.chat(), answer, 'the answer of the last');
    await tab.close();
  },

  async 'a hidden tab goes on'({ browser, server, answer }) {
    const tab = await Tab.open(browser, server.url);
    await tab.load({ device: 'cpu' });
    const other = await browser.newPage(); // takes the front
    await other.goto(`${server.url}/story.html`);
    expectEqual(await tab.chat(), answer, 'the answer');
    await other.close();
    await tab.close();
  },

  async 'memory comes back however often a model is loaded'({ browser, server, cycles }) {
    const tab = await Tab.open(browser, server.url);
    // Workers that were ended are gone after some seconds.
    const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 4000));
    const early = await tab.call<number[]>('cycles', { count: Math.ceil(cycles / 4), device: 'cpu' });
    await settled();
    const before = await residentBytes();
    const late = await tab.call<number[]>('cycles', { count: cycles - early.length, device: 'cpu' });
    await settled();
    const after = await residentBytes();
    const module = early[0]!;
    expect([...early, ...late].every(size => size === module), `modules of ${early} and ${late} bytes`);
    if (before === undefined || after === undefined) return;
    const each = (after - before) / late.length;
    console.error(`  ${late.length} loads left ${Math.round(each / 1024)} KiB each of a module of ${Math.round(module / 1024)} KiB`);
    // A browser keeps a little of every worker, 0.7 MB in Chromium 156, and some of the last; of a module that stays half is resident.
    expect(each < 0.25 * module, `${late.length} more loads took ${after - before} bytes; a module has ${module}`);
    await tab.close();
  },
};
