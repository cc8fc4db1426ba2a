// The checks in a browser. This is a worker: a page's own thread may not wait on shared memory.
import { runChecks } from './checks.mjs';
import { runGpuChecks } from './gpu_checks.mjs';

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
  return answer;
}

const host = {
  name: navigator.userAgent.match(/(Chrome|Firefox)\/\d+/)?.[0].replace('/', ' ') ?? 'browser',
  load: async name => WebAssembly.compileStreaming(await get(`/build/wasm/${name}.wasm`)),
  read: async path => new Uint8Array(await (await get(`/${path}`)).arrayBuffer()),
  readData: path => host.read(`data/${path}`),
  gpu: navigator.gpu,
  // In Chromium: in Firefox a worker that starts a worker may hang (src/platform/threads.ts), so what runs there takes one thread.
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

self.onmessage = async ({ data: { suite, hasData } }) =>
  self.postMessage(await (suite === 'gpu' ? runGpuChecks : runChecks)({ ...host, hasData }));
