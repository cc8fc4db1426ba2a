// Stores and downloads in a headless browser: node test/browser.mjs [--browser chromium|firefox] [--report FILE.xml]
// [--speed MIB]
import { readFile } from 'node:fs/promises';
import { hashOf, modelBytes, startServer, type Server } from '../models/server.js';

interface Result {
  readonly suite: string;
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly reason: string;
  readonly seconds: number;
}

interface Page {
  goto(url: string): Promise<unknown>;
  evaluate<Args extends unknown[], R>(use: (...args: Args) => R, ...args: Args): Promise<Awaited<R>>;
  close(): Promise<void>;
  on(event: 'console', use: (message: { text(): string }) => void): void;
}

interface Browser {
  close(): Promise<void>;
  newPage(): Promise<Page>;
}

const PAGE = `<!doctype html><meta charset="utf-8"><title>stores</title><link rel="icon" href="data:,"><script type="module">
  const worker = new Worker('worker.js', { type: 'module' });
  const waiting = new Map();
  let next = 0;
  worker.onmessage = ({ data: { id, result, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    error === undefined ? resolve(result) : reject(new Error(error));
  };
  window.call = (command, args) => new Promise((resolve, reject) => {
    waiting.set(++next, { resolve, reject });
    worker.postMessage({ id: next, command, args });
  });
  window.kill = () => worker.terminate();
</script>`;

/** A tab with its worker. */
class Tab {
  private constructor(private readonly page: Page) {}

  static async open(browser: Browser, url: string): Promise<Tab> {
    const page = await browser.newPage();
    page.on('console', message => console.log(message.text()));
    await page.goto(`${url}/page.html`);
    return new Tab(page);
  }

  // Playwright hands one argument on, puppeteer any number: one is what both have.
  async call<T>(command: string, ...args: unknown[]): Promise<T> {
    return (await this.page.evaluate(
      ([name, values]: [string, unknown[]]) =>
        (globalThis as unknown as { call(name: string, values: unknown[]): Promise<unknown> }).call(name, values),
      [command, args] as [string, unknown[]],
    )) as T;
  }

  async kill(): Promise<void> {
    await this.page.evaluate(() => (globalThis as unknown as { kill(): void }).kill());
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

interface Finished {
  readonly verified: boolean;
  readonly received: number;
  readonly resumed: number;
  readonly hash: string;
  readonly remarks: readonly string[];
}

const MIB = 1 << 20;
const OPTIONS = { pieceBytes: 64 << 10, requestBytes: MIB, patience: { pause: 20 } };

function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

type Check = (browser: Browser, server: Server) => Promise<void>;

const CORS = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'range' };

const stories: Record<string, Check> = {
  async 'a tab that is closed in the middle leaves what it had to the next'(browser, server) {
    const bytes = modelBytes(4 * MIB + 321, 11);
    server.files.set('/m1.gguf', bytes);
    let here = 0;
    for (const share of [0.2, 0.5, 0.8]) {
      const tab = await Tab.open(browser, server.url);
      await tab.call('open', OPTIONS);
      server.behaviour.slow = 10;
      await tab.call('begin', `${server.url}/m1.gguf`);
      const atStart = await tab.call<number>('here');
      expect(atStart >= here, `${atStart} bytes are left of ${here}`);
      do here = await tab.call<number>('here');
      while (here < share * bytes.length);
      await tab.close();
    }
    delete server.behaviour.slow;
    const tab = await Tab.open(browser, server.url);
    await tab.call('open', OPTIONS);
    await tab.call('begin', `${server.url}/m1.gguf`);
    const { hash, received, resumed } = await tab.call<Finished>('finish');
    expect(hash === hashOf(bytes), 'the bytes are right');
    expect(
      received + resumed === bytes.length && resumed >= here,
      `${resumed} and ${received} of ${bytes.length} bytes, after ${here}`,
    );
    await tab.call('close');
    await tab.close();
  },

  async 'a worker that is ended in the middle leaves no lock behind'(browser, server) {
    const bytes = modelBytes(2 * MIB, 12);
    server.files.set('/m2.gguf', bytes);
    server.behaviour.slow = 200;
    const first = await Tab.open(browser, server.url);
    await first.call('open', OPTIONS);
    await first.call('begin', `${server.url}/m2.gguf`);
    const second = await Tab.open(browser, server.url);
    await second.call('open', OPTIONS);
    const began = second.call('begin', `${server.url}/m2.gguf`);
    while ((await second.call<string[]>('remarks')).length === 0);
    await first.kill();
    delete server.behaviour.slow;
    await began;
    const { hash, remarks } = await second.call<Finished>('finish');
    expect(hash === hashOf(bytes), 'the bytes are right');
    expect(
      remarks.some(remark => remark.includes('another tab')),
      remarks.join('; '),
    );
    await second.close();
    await first.close();
  },

  async 'two tabs fetch a model once, and read it at the same time'(browser, server) {
    const bytes = modelBytes(2 * MIB + 1, 13);
    server.files.set('/m3.gguf', bytes);
    server.sent = 0;
    const tabs = [await Tab.open(browser, server.url), await Tab.open(browser, server.url)];
    const results = await Promise.all(
      tabs.map(async tab => {
        await tab.call('open', OPTIONS);
        await tab.call('begin', `${server.url}/m3.gguf`);
        return tab.call<Finished>('finish');
      }),
    );
    expect(
      results.every(({ hash }) => hash === hashOf(bytes)),
      'the bytes are right',
    );
    expect(server.sent === bytes.length, `${server.sent} bytes for ${bytes.length}`);
    const [model] = await tabs[0]!.call<{ id: string }[]>('list');
    expect((await tabs[1]!.call('remove', model!.id)) === 'limit', 'it is in use');
    for (const tab of tabs) await tab.call('close');
    expect((await tabs[1]!.call('remove', model!.id)) === 'removed', 'it is not');
    const { quota } = await tabs[0]!.call<{ quota: number | null }>('usage');
    expect(quota === null || quota > 1e8, 'the browser gives some room, or does not tell'); // Infinity is null in JSON
    for (const tab of tabs) await tab.close();
  },

  async 'without a network what is here is used'(browser, server) {
    const bytes = modelBytes(MIB, 14);
    server.files.set('/m4.gguf', bytes);
    const tab = await Tab.open(browser, server.url);
    await tab.call('open', OPTIONS);
    await tab.call('begin', `${server.url}/m4.gguf`);
    await tab.call('finish');
    await tab.call('close');
    await tab.close();
    server.behaviour.intercept = (request, response) => {
      if (!request.url!.startsWith('/m4.gguf')) return false;
      response.destroy();
      return true;
    };
    const again = await Tab.open(browser, server.url);
    await again.call('open', OPTIONS);
    await again.call('begin', `${server.url}/m4.gguf`);
    const { hash, received } = await again.call<Finished>('finish');
    delete server.behaviour.intercept;
    expect(hash === hashOf(bytes) && received === 0, 'it is here');
    await again.call('close');
    await again.close();
  },

  async 'another site that hides its headers'(browser, server) {
    const other = await startServer();
    const bytes = modelBytes(3 * MIB + 7, 15);
    other.files.set('/m5.gguf', bytes);
    other.behaviour.intercept = (request, response) => {
      if (request.method === 'OPTIONS') {
        response.writeHead(204, CORS).end();
        return true;
      }
      for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value);
      return false;
    };
    const tab = await Tab.open(browser, server.url);
    await tab.call('open', OPTIONS);
    await tab.call('begin', `${other.url}/m5.gguf`);
    const { hash } = await tab.call<Finished>('finish');
    expect(hash === hashOf(bytes), 'the bytes are right');
    expect(
      other.requests.filter(({ method, range }) => method === 'GET' && range !== undefined).length > 3,
      'by ranges',
    );
    // Nor does it answer HEAD, not even to say so.
    const more = modelBytes(MIB + 9, 16);
    other.files.set('/m6.gguf', more);
    const { intercept } = other.behaviour;
    other.behaviour.intercept = (request, response, turn) => {
      if (request.method === 'HEAD') response.writeHead(403).end();
      const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
      if (request.method === 'HEAD' || intercept?.(request, response, turn)) return true;
      if (asked !== null) response.writeHead(206, { 'Content-Length': more.length }).end(more);
      return asked !== null;
    };
    await tab.call('close');
    await tab.call('open', OPTIONS);
    await tab.call('begin', `${other.url}/m6.gguf`);
    expect((await tab.call<Finished>('finish')).hash === hashOf(more), 'the bytes are right, without HEAD');
    await tab.call('close');
    // A site that lets nobody read it.
    delete other.behaviour.intercept;
    const error = await tab.call('begin', `${other.url}/n.gguf`).then(() => '', String);
    expect(error.includes('CORS'), error);
    await tab.close();
    await other.close();
  },

  async 'texts by name'(browser, server) {
    const tab = await Tab.open(browser, server.url);
    expect(JSON.stringify(await tab.call('texts')) === '[["a","1"],["b","3"]]', 'the newer ones');
    await tab.close();
  },
};

export async function run(browser: Browser, worker: string, only: string, speed: number): Promise<Result[]> {
  const server = await startServer();
  const results: Result[] = [];
  const files = new Map([
    ['/page.html', ['text/html', PAGE]],
    ['/worker.js', ['text/javascript', await readFile(worker, 'utf8')]],
  ] as const);
  server.statics = path => files.get(path as '/page.html');
  try {
    const first = await Tab.open(browser, server.url);
    const kinds = await first.call<string[]>('kinds');
    console.log(`stores: ${kinds.join(', ')}; the best is ${await first.call<string>('best')}`);
    for (const kind of [...kinds, 'leases'])
      results.push(...(await first.call<Result[]>('conformance', kind)).filter(({ name }) => name.includes(only)));
    if (speed > 0)
      for (const kind of kinds) console.log(JSON.stringify(await first.call('speed', kind, speed).catch(String)));
    for (const [name, check] of Object.entries(stories)) {
      if (!name.includes(only)) continue;
      const began = performance.now();
      let failure: unknown;
      await check(browser, server).catch((error: unknown) => {
        failure = error;
      });
      results.push({
        suite: 'Tabs',
        name,
        status: failure === undefined ? 'passed' : 'failed',
        reason: failure === undefined ? '' : String((failure as Error).stack ?? failure),
        seconds: (performance.now() - began) / 1000,
      });
      server.behaviour = {};
    }
    await first.call('empty').catch(() => {});
    await first.close();
  } finally {
    await browser.close();
    await server.close();
  }
  return results;
}
