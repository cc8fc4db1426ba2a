// The checks in a browser. This is a worker: a page's own thread may not wait on shared memory.
import { runChecks } from './checks.mjs';

const host = {
  async load(name) {
    const answer = await fetch(`/build/wasm/${name}.wasm`);
    if (!answer.ok) throw new Error(`${name}.wasm: HTTP ${answer.status}`);
    return WebAssembly.compileStreaming(answer);
  },
  startThread(data) {
    const worker = new Worker(new URL('thread.web.mjs', import.meta.url), { type: 'module' });
    const ready = new Promise((resolve, reject) => {
      worker.onmessage = resolve;
      worker.onerror = event => reject(new Error(event.message ?? 'a thread could not be started'));
    });
    worker.postMessage(data);
    return { ready, stop: () => worker.terminate() };
  },
};

self.onmessage = async () => self.postMessage(await runChecks(host));
