// One WebAssembly module and its threads, the same under Node and in a browser. What differs between the two, loading a
// file and starting a worker, comes in as `host`:
//   host.name              -> what the host is called in messages
//   host.load(name)        -> Promise<WebAssembly.Module> of build/wasm/<name>.wasm
//   host.read(path)        -> Promise<Uint8Array>: a file of the repository
//   host.hasData           -> whether there is reference data (WISP_TEST_DATA)
//   host.readData(path)    -> Promise<Uint8Array>: a file of the reference data
//   host.startThread(data) -> {ready: Promise, stop()}: a worker that calls runThread(data, ready)
import { GpuHost } from '../gpu/host.mjs';

const MAX_PAGES = 65536; // 4 GiB, what the threaded modules were linked for (--max-memory)
const THREAD_STACK_BYTES = 1 << 20;

// i8x16.relaxed_swizzle of two splats: validates exactly where relaxed SIMD exists.
const RELAXED_PROBE = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, // type 0: () -> v128
  0x03, 0x02, 0x01, 0x00, // function 0 has type 0
  0x0a, 0x0f, 0x01, 0x0d, 0x00, 0x41, 0x01, 0xfd, 0x0f, 0x41, 0x02, 0xfd, 0x0f, 0xfd, 0x80, 0x02, 0x0b);

export const hasRelaxedSimd = () => WebAssembly.validate(RELAXED_PROBE);
export const hasSharedMemory = () => typeof SharedArrayBuffer !== 'undefined' && globalThis.crossOriginIsolated !== false;

// What the C library asks of its host. The engine opens no files; text that it writes (an assertion) goes to the console.
function wasiStubs(memory) {
  const ENOSYS = 52;
  const view = () => new DataView(memory.buffer);
  const known = {
    clock_time_get(_clock, _precision, time) {
      view().setBigUint64(time, BigInt(Math.round(performance.now() * 1e6)), true);
      return 0;
    },
    environ_sizes_get(count, bytes) {
      view().setUint32(count, 0, true);
      view().setUint32(bytes, 0, true);
      return 0;
    },
    environ_get: () => 0,
    fd_write(_fd, vectors, count, written) {
      let text = '';
      let total = 0;
      for (let i = 0; i < count; ++i) {
        const start = view().getUint32(vectors + 8 * i, true);
        const length = view().getUint32(vectors + 8 * i + 4, true);
        text += new TextDecoder().decode(new Uint8Array(memory.buffer, start, length).slice());
        total += length;
      }
      console.error(text.trimEnd());
      view().setUint32(written, total, true);
      return 0;
    },
    proc_exit(code) {
      throw new Error(`the module ended itself with ${code}`);
    },
  };
  return new Proxy(known, { get: (functions, name) => functions[name] ?? (() => ENOSYS) });
}

function importsFor(module, memory, gpu) {
  const stubs = wasiStubs(memory);
  const imports = { env: { memory }, wisp_gpu: gpu.imports };
  for (const { module: space, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== 'function' || space === 'wisp_gpu') continue;
    if (space !== 'wasi_snapshot_preview1') throw new Error(`the module imports ${space}.${name}, which nobody provides`);
    (imports[space] ??= {})[name] = stubs[name];
  }
  return imports;
}

// The first instance, which initialises the memory. `variant` is simd, relaxed or single.
export async function openModule(host, name, variant) {
  const shared = variant !== 'single';
  const module = await host.load(`${name}-${variant}`);
  const memory = new WebAssembly.Memory({ initial: 64, maximum: MAX_PAGES, shared });
  const gpu = new GpuHost();
  const instance = await WebAssembly.instantiate(module, importsFor(module, memory, gpu));
  instance.exports._initialize();
  const { exports } = instance;
  gpu.attach(exports, memory);

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

// The life of a thread, in its own worker: the same module on the same memory, with a stack and a thread-local block of
// its own. Constructors and data segments were run by the first instance, so _initialize is not called again.
export function runThread({ module, memory, stackTop, tls, entry, argument, worker }, ready) {
  const { exports } = new WebAssembly.Instance(module, importsFor(module, memory, new GpuHost()));
  exports.__stack_pointer.value = stackTop;
  exports.__wasm_init_tls(tls);
  ready();
  exports[entry](argument, worker);
}
