// What the module's C library asks of its host. The engine opens no files; text that it writes (an assertion) goes to the
// console.

type Call = (...args: never[]) => number | void;
const ENOSYS = 52; // WASI's errno

export function wasiImports(memory: WebAssembly.Memory): Record<string, Call> {
  const view = (): DataView => new DataView(memory.buffer);
  const known: Record<string, Call> = {
    clock_time_get(_clock: number, _precision: bigint, time: number) {
      view().setBigUint64(time, BigInt(Math.round(performance.now() * 1e6)), true);
      return 0;
    },
    environ_sizes_get(count: number, bytes: number) {
      view().setUint32(count, 0, true);
      view().setUint32(bytes, 0, true);
      return 0;
    },
    environ_get: () => 0,
    fd_write(_fd: number, vectors: number, count: number, written: number) {
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
    proc_exit(code: number) {
      throw new Error(`the module ended itself with ${code}`);
    },
  };
  return new Proxy(known, { get: (functions, name: string) => functions[name] ?? (() => ENOSYS) });
}
