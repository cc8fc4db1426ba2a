// Models over a network that fails, and what is kept of them: through the whole package, in tabs of a browser.
import { hashOf, type Server } from '../../models/server.js';
import { expect, expectEqual, expectError, Tab, type Browser, type Loaded } from './tab.js';

/** What stands in front of a script of the package under /web/planted/, by the script's name. */
export type Plants = Map<string, string>;

export interface Place {
  browser: Browser;
  browserName: string;
  server: Server;
  plants: Plants;
  /** The shipped model's bytes; each story serves them under a path of its own. */
  bytes: Uint8Array;
  /** What the model says to the stories' question. */
  answer: string;
  /** How often a model is loaded and disposed. */
  cycles: number;
}
export type Story = (place: Place) => Promise<void>;

function serve({ server, bytes }: Place, path: string): string {
  server.files.set(path, bytes);
  return server.url + path;
}

/** Loads in a tab of its own, and hears the answer. */
async function loadAndAsk(place: Place, source: string, options: object = {}): Promise<Loaded> {
  const tab = await Tab.open(place.browser, place.server.url);
  try {
    const loaded = await tab.load({ source, device: 'cpu', ...options });
    expectEqual(await tab.chat(), place.answer, 'the answer');
    return loaded;
  } finally {
    await tab.close();
  }
}

const refuse: NonNullable<Server['behaviour']['intercept']> = (request, response) => {
  if (!request.url!.endsWith('.gguf')) return false;
  response.destroy();
  return true;
};

export const networkStories: Record<string, Story> = {
  async 'a second visit takes the model from the cache, also without a network'(place) {
    const source = serve(place, '/kept.gguf');
    const first = await loadAndAsk(place, source);
    expectEqual(first.received, place.bytes.length, 'bytes over the network');
    place.server.behaviour.intercept = refuse;
    const second = await loadAndAsk(place, source);
    expectEqual([second.received, second.phases.includes('fetching')], [0, false], 'bytes over the network');
  },

  async 'an address may be relative to the page'(place) {
    const source = serve(place, '/folder/relative.gguf');
    for (const relative of ['./folder/relative.gguf', '/folder/relative.gguf']) {
      expectEqual((await loadAndAsk(place, relative)).info.model.source, source, 'the source');
    }
  },

  async 'a download that was cut at several points goes on where it was'(place) {
    const source = serve(place, '/cut.gguf');
    let here = 0;
    // Four pieces of 1 MiB come side by side and are there together: past half of these seven and a bit the next are the last.
    for (const share of [0.1, 0.3, 0.45]) {
      const tab = await Tab.open(place.browser, place.server.url);
      place.server.behaviour.slow = 40; // a whole load takes some five seconds
      void tab.outcome('load', { source, device: 'cpu' }).catch(() => {});
      const progress = await tab.call<{ loaded: number; fromCache: number }>('fetched', { share });
      expect(progress.fromCache >= here, `${progress.fromCache} bytes of ${here} are left`);
      here = progress.fromCache;
      await tab.close();
    }
    delete place.server.behaviour.slow;
    // The server hangs up, too.
    let cuts = 0;
    place.server.behaviour.cutAfter = () => (++cuts <= 3 ? 100_000 : undefined);
    const { fromCache, received } = await loadAndAsk(place, source);
    expect(cuts >= 3, `${cuts} cuts`);
    expect(fromCache >= here && fromCache > 0.3 * place.bytes.length, `${fromCache} bytes from the cache`);
    expectEqual(fromCache + received, place.bytes.length, 'bytes');
  },

  async 'an abort of the load leaves what it had'(place) {
    const source = serve(place, '/abort.gguf');
    const tab = await Tab.open(place.browser, place.server.url);
    place.server.behaviour.slow = 3;
    const outcome = await tab.outcome('load', { source, device: 'cpu', abortAt: 0.5 });
    expectError(outcome, 'AbortError');
    await tab.close();
    delete place.server.behaviour.slow;
    const { fromCache } = await loadAndAsk(place, source);
    expect(fromCache > 0.2 * place.bytes.length, `${fromCache} bytes from the cache`);
  },

  async 'bytes that changed in the cache are fetched again'(place) {
    const source = serve(place, '/damaged.gguf');
    await loadAndAsk(place, source);
    const tab = await Tab.open(place.browser, place.server.url);
    const damaged = await tab.call<number>('damage');
    await tab.close();
    expect(damaged >= 1, 'nothing was damaged');
    place.server.sent = 0;
    await loadAndAsk(place, source);
    const { sent } = place.server;
    expect(sent > 0 && sent < place.bytes.length, `${sent} bytes were fetched again of ${place.bytes.length}`);
    place.server.behaviour.intercept = refuse;
    await loadAndAsk(place, source);
  },

  async 'without a network, damage is told and nothing is poisoned'(place) {
    const source = serve(place, '/alone.gguf');
    await loadAndAsk(place, source);
    const tab = await Tab.open(place.browser, place.server.url);
    await tab.call('damage');
    place.server.behaviour.intercept = refuse;
    expectError(await tab.outcome('load', { source, device: 'cpu' }), 'io', 'not_found');
    await tab.close();
    delete place.server.behaviour.intercept;
    await loadAndAsk(place, source);
  },

  async 'what servers do wrong is told, and the next try works'(place) {
    const source = serve(place, '/errors.gguf');
    const tab = await Tab.open(place.browser, place.server.url);
    const status = (code: number): void => {
      place.server.behaviour.intercept = (request, response) => {
        if (!request.url!.endsWith('.gguf')) return false;
        response.writeHead(code).end('no');
        return true;
      };
    };
    for (const [code, expected] of [[404, 'not_found'], [403, 'not_found'], [410, 'not_found']] as const) {
      status(code);
      const message = expectError(await tab.outcome('load', { source, device: 'cpu' }), expected);
      expect(message.includes(String(code)), message);
    }
    delete place.server.behaviour.intercept;
    // A page in place of a model, as captive portals give it.
    place.server.files.set('/portal.gguf', new TextEncoder().encode(`<!doctype html>${'please log in '.repeat(9000)}`));
    expectError(await tab.outcome('load', { source: `${place.server.url}/portal.gguf`, device: 'cpu' }), 'invalid_file');
    // The file ends in the middle of its weights.
    place.server.files.set('/short.gguf', place.bytes.subarray(0, 5_000_000));
    expectError(await tab.outcome('load', { source: `${place.server.url}/short.gguf`, device: 'cpu' }), 'invalid_file');
    await tab.close();
    await loadAndAsk(place, source);
  },

  async 'a server without ranges'(place) {
    place.server.behaviour.ranges = false;
    await loadAndAsk(place, serve(place, '/plain.gguf'));
  },

  async 'a repository: the type that fits is taken and said why, and another takes over in the middle of a conversation'(place) {
    const { server, bytes } = place;
    const names = ['m-F16.gguf', 'm-Q8_0.gguf', 'm-Q4_0.gguf'] as const;
    for (const name of names.slice(1)) server.files.set(`/owner/repo/resolve/main/${name}`, bytes);
    // The largest is larger than any module: it must not be asked for.
    const sizes = [20 * 2 ** 30, bytes.length, bytes.length];
    const hash = hashOf(bytes);
    const tree = names.map((path, index) => ({ type: 'file', path, size: 134, lfs: { oid: index === 0 ? '0'.repeat(64) : hash, size: sizes[index] } }));
    const list = new TextEncoder().encode(JSON.stringify(tree));
    server.files.set('/api/models/owner/repo/tree/main', list);
    const tab = await Tab.open(place.browser, server.url);
    server.sent = 0;
    const { info } = await tab.load({ source: 'owner/repo', endpoint: server.url, device: 'cpu' });
    expect(info.model.why.startsWith('Q') && info.model.why.includes('the largest of 3 that fits this device'), info.model.why);
    expect(info.model.why.includes('F16 would take'), info.model.why);
    expect(info.model.why.includes('keys and values of 256 tokens as f16 are counted'), info.model.why);
    expectEqual(server.sent, list.length + bytes.length, 'bytes that were sent: the header that was read for the choice comes once');
    const taken = info.model.type;
    expectEqual(await tab.chat(), place.answer, 'the answer');
    const other = taken === 'Q8_0' ? 'Q4_0' : 'Q8_0';
    const next = await tab.call<Loaded['info']>('use', { source: `owner/repo:${other}` });
    expectEqual(next.model.type, other, 'the type after the change');
    const messages = [{ role: 'user', content: 'Tell me a story about a dog.' }, { role: 'assistant', content: place.answer }, { role: 'user', content: 'And now about a cat.' }];
    expect((await tab.chat({ messages })).length > 10, 'the conversation goes on');
    expectEqual(server.requests.filter(({ path }) => path.includes('F16')), [], 'requests of what does not fit');
    await tab.close();
  },

  async 'two tabs fetch a model once, and both answer'(place) {
    const source = serve(place, '/tabs.gguf');
    place.server.sent = 0;
    const tabs = [await Tab.open(place.browser, place.server.url), await Tab.open(place.browser, place.server.url)];
    await Promise.all(tabs.map(tab => tab.load({ source, device: 'cpu' })));
    expectEqual(place.server.sent, place.bytes.length, 'bytes that were sent');
    expectEqual(await Promise.all(tabs.map(tab => tab.chat())), [place.answer, place.answer], 'answers');
    for (const tab of tabs) await tab.close();
  },
};
