// What module.mjs asks of its host, under Node.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

const root = new URL('../../', import.meta.url);

const data = process.env.WISP_TEST_DATA;

export const host = {
  name: `Node ${process.versions.node}`,
  hasData: Boolean(data),
  async load(name) {
    return WebAssembly.compile(await readFile(new URL(`build/wasm/${name}.wasm`, root)));
  },
  read: async path => new Uint8Array(await readFile(new URL(path, root))),
  readData: async path => new Uint8Array(await readFile(join(data, path))),
  startThread(data) {
    const worker = new Worker(new URL('thread.node.mjs', import.meta.url), { workerData: data });
    const ready = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    return { ready, stop: () => worker.terminate() };
  },
};
