// Instances of the engine's WebAssembly modules: the first, which initialises the memory, and those of its threads. Shared
// by the package and by the harness that tests the modules.
import { GpuHost } from '../gpu/host.mjs';
import { wasiImports } from './wasi.mjs';

// 4 GiB, what the threaded modules were linked for (--max-memory). Shared memory reserves its maximum at once, which small
// devices refuse.
const MAX_PAGES = [65_536, 32_768, 16_384];
export const THREAD_STACK_BYTES = 1 << 20;

// i8x16.relaxed_swizzle of two splats: validates exactly where relaxed SIMD exists.
const RELAXED_PROBE = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, // type 0: () -> v128
  0x03, 0x02, 0x01, 0x00, // function 0 has type 0
  0x0a, 0x0f, 0x01, 0x0d, 0x00, 0x41, 0x01, 0xfd, 0x0f, 0x41, 0x02, 0xfd, 0x0f, 0xfd, 0x80, 0x02, 0x0b);

// i32.const 1, i8x16.splat.
const SIMD_PROBE = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b,
  0x03, 0x02, 0x01, 0x00,
  0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x01, 0xfd, 0x0f, 0x0b);

export const hasSimd = () => WebAssembly.validate(SIMD_PROBE);
export const hasRelaxedSimd = () => WebAssembly.validate(RELAXED_PROBE);
/** A page has it only when it is cross-origin isolated. */
export const hasSharedMemory = () => typeof SharedArrayBuffer !== 'undefined' && globalThis.crossOriginIsolated !== false;

/** @param {WebAssembly.Module} module @param {WebAssembly.Memory} memory @param {GpuHost} gpu */
function importsFor(module, memory, gpu) {
  const wasi = wasiImports(memory);
  /** @type {Record<string, Record<string, WebAssembly.ImportValue>>} */
  const imports = { env: { memory }, wisp_gpu: gpu.imports };
  for (const { module: space, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== 'function' || space === 'wisp_gpu') continue;
    if (space !== 'wasi_snapshot_preview1') throw new Error(`the module imports ${space}.${name}, which nobody provides`);
    (imports[space] ??= {})[name] = /** @type {WebAssembly.ImportValue} */ (wasi[name]);
  }
  return imports;
}

/** @param {boolean} shared */
function makeMemory(shared) {
  let refusal;
  for (const pages of MAX_PAGES) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 64, maximum: pages, shared }), pages };
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/**
 * @param {WebAssembly.Module} module
 * @param {boolean} shared its memory, with other threads
 */
export async function instantiate(module, shared) {
  const { memory, pages } = makeMemory(shared);
  const gpu = new GpuHost();
  const { exports } = await WebAssembly.instantiate(module, importsFor(module, memory, gpu));
  /** @type {() => void} */ (exports._initialize)();
  gpu.attach(exports, memory);
  return { exports, memory, gpu, mostBytes: pages * 65_536 };
}

/**
 * In a thread's own worker: the same module on the same memory, with a stack and a thread-local block of its own.
 * Constructors and data segments were run by the first instance, so _initialize is not called again.
 * @param {{module: WebAssembly.Module, memory: WebAssembly.Memory, stackTop: number, tls: number}} thread
 */
export function instantiateThread({ module, memory, stackTop, tls }) {
  const { exports } = new WebAssembly.Instance(module, importsFor(module, memory, new GpuHost()));
  /** @type {WebAssembly.Global} */ (exports.__stack_pointer).value = stackTop;
  /** @type {(at: number) => void} */ (exports.__wasm_init_tls)(tls);
  return exports;
}
