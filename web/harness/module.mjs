// One WebAssembly module and its threads, the same under Node and in a browser. What differs between the two, loading a
// file and starting a worker, comes in as `host`:
//   host.name              -> what the host is called in messages
//   host.load(name)        -> Promise<WebAssembly.Module> of build/wasm/<name>.wasm
//   host.read(path)        -> Promise<Uint8Array>: a file of the repository
//   host.hasData           -> whether there is reference data (WISP_TEST_DATA)
//   host.readData(path)    -> Promise<Uint8Array>: a file of the reference data
//   host.startThread(data) -> {ready: Promise, stop()}: a worker that calls runThread(data, ready)
import { instantiate, instantiateThread, THREAD_STACK_BYTES } from '../wasm/instance.mjs';

// The first instance, which initialises the memory. `variant` is simd, relaxed or single.
export async function openModule(host, name, variant) {
  const shared = variant !== 'single';
  const module = await host.load(`${name}-${variant}`);
  const { exports, memory, gpu } = await instantiate(module, shared);
  return {
    variant,
    exports,
    memory,
    gpu,
    // Copies bytes into the module's memory; the caller frees them with exports.wisp_free().
    put(bytes) {
      const at = exports.wisp_alloc(bytes.length);
      if (at === 0) throw new Error(`the module has no ${bytes.length} bytes left`);
      new Uint8Array(memory.buffer, at >>> 0, bytes.length).set(bytes);
      return at >>> 0;
    },
    // Starts workers 1..threads-1, each of which calls exports[entry](argument, worker). Returns a function that stops
    // them. Everything a worker needs is allocated here: the C library's malloc has no lock.
    async startThreads(threads, entry, argument) {
      const started = [];
      for (let worker = 1; worker < threads; ++worker) {
        const stack = exports.wisp_alloc(THREAD_STACK_BYTES) >>> 0;
        const tls = exports.wisp_alloc(exports.__tls_size.value + exports.__tls_align.value) >>> 0;
        if (stack === 0 || tls === 0) throw new Error('no memory for the stack of a thread');
        started.push(host.startThread({ module, memory, stackTop: stack + THREAD_STACK_BYTES, tls, entry, argument, worker }));
      }
      await Promise.all(started.map(thread => thread.ready));
      return () => started.forEach(thread => thread.stop());
    },
  };
}

// The life of a thread, in its own worker.
export function runThread({ entry, argument, worker, ...thread }, ready) {
  const exports = instantiateThread(thread);
  ready();
  exports[entry](argument, worker);
}
