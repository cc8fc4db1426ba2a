// The checks under Node: node web/harness/node.mjs [--report FILE.xml]
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { runChecks } from './checks.mjs';
import { finish } from './report.mjs';

const root = new URL('../../', import.meta.url);

const host = {
  async load(name) {
    return WebAssembly.compile(await readFile(new URL(`build/wasm/${name}.wasm`, root)));
  },
  startThread(data) {
    const worker = new Worker(new URL('thread.node.mjs', import.meta.url), { workerData: data });
    const ready = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    return { ready, stop: () => worker.terminate() };
  },
};

finish(await runChecks(host));
