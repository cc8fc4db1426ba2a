// Runs the stories in a browser that keeps what its tabs keep.
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

import { startServer, type Server } from '../../models/server.js';
import { gpuStories, TAKES_OVER_FOR } from './gpu.js';
import { lifetimeStories } from './lifetime.js';
import { networkStories, type Plants, type Story } from './network.js';
import { Tab, type Browser } from './tab.js';
import { threadStories } from './threads.js';

export interface Outcome {
  name: string;
  error: string | undefined;
  milliseconds: number;
}

const LIMIT_SECONDS = 240; // that a story is given: a hang is a failure, too

const TYPES: Record<string, string> = { '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm', '.gguf': 'application/octet-stream' };
const PAGE = '<!doctype html><meta charset="utf-8"><title>story</title><link rel="icon" href="data:,">'
  + '<script type="module" src="/web/test/package/stories/page.mjs"></script>';

/** In front of the engine's worker: a GPU that passes for a real one, and opens only so many devices. */
const withDevices = (most: number): string => `
  if (navigator.gpu) {
    const adapters = navigator.gpu.requestAdapter.bind(navigator.gpu);
    let opened = 0;
    navigator.gpu.requestAdapter = async options => {
      const adapter = await adapters(options);
      const devices = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async wanted => {
        if (++opened > ${most}) throw new Error('planted: no more devices');
        return devices(wanted);
      };
      const { vendor, architecture, device } = { vendor: 'planted', architecture: '', device: '' };
      Object.defineProperty(adapter, 'info', { value: { vendor, architecture, device, description: '', subgroupMinSize: 4, subgroupMaxSize: 4, isFallbackAdapter: false } });
      return adapter;
    };
  }
`;

/**
 * The page, the package also with planted devices (/web/devices-N/, or /web/devices-N-slowly/) or with `plants` in front of its scripts (/web/planted/), and
 * the repository's files as they are; models of the stories are `files` of the server.
 */
async function serve(root: string, plants: Plants): Promise<Server> {
  const server = await startServer();
  const kept = new Map<string, readonly [string, string | Uint8Array]>([['/story.html', ['text/html', PAGE]]]);
  server.statics = async path => {
    const planted = /^\/web\/devices-(\d)(?:-slowly)?(\/.*)/.exec(path);
    if (planted) {
      const file = await readFile(`${root}/web/dist${planted[2]}`);
      const isWorker = planted[2] === '/worker.js';
      if (path.endsWith('-slowly/thread.js')) await new Promise(resolve => setTimeout(resolve, TAKES_OVER_FOR));
      return [TYPES[extname(path)] ?? 'text/plain', isWorker ? withDevices(Number(planted[1])) + file.toString() : file];
    }
    if (path.startsWith('/web/planted/')) {
      const name = path.slice('/web/planted/'.length);
      const file = await readFile(`${root}/web/dist/${name}`);
      return [TYPES[extname(path)] ?? 'text/plain', plants.has(name) ? plants.get(name)! + file.toString() : file];
    }
    if (!/^\/(web\/(dist|test)|models)\//.test(path)) return kept.get(path);
    if (!kept.has(path)) kept.set(path, [TYPES[extname(path)] ?? 'text/plain', await readFile(root + path)]);
    return kept.get(path);
  };
  return server;
}

interface Settings {
  browserName: string;
  gpu: boolean;
  only: string;
  cycles: number;
}

export async function run(browser: Browser, root: string, { browserName, gpu, only, cycles }: Settings): Promise<Outcome[]> {
  const plants: Plants = new Map();
  const server = await serve(root, plants);
  const bytes = new Uint8Array(await readFile(`${root}/models/wisp-stories.gguf`));
  const first = await Tab.open(browser, server.url);
  await first.load({ device: 'cpu' });
  const answer = await first.chat();
  await first.close();
  const stories: Record<string, Story> = gpu ? gpuStories : { ...networkStories, ...lifetimeStories, ...threadStories };
  const outcomes: Outcome[] = [];
  for (const [name, tell] of Object.entries(stories)) {
    if (!name.includes(only)) continue;
    const begun = performance.now();
    let error: string | undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`it takes longer than ${LIMIT_SECONDS} s`)), LIMIT_SECONDS * 1000);
    });
    await Promise.race([tell({ browser, browserName, server, plants, bytes, answer, cycles }), late]).catch((caught: unknown) => {
      error = String((caught as Error).stack ?? caught);
    });
    clearTimeout(timer);
    outcomes.push({ name, error, milliseconds: performance.now() - begun });
    server.behaviour = {};
    plants.clear();
  }
  await server.close();
  return outcomes;
}
