// What the module's C library asks of its host. The engine opens no files; text that it writes (an assertion) goes to the
// console.

const ENOSYS = 52; // WASI's errno

/** @param {WebAssembly.Memory} memory @returns {Record<string, (...args: never[]) => number | void>} */
export function wasiImports(memory) {
  const view = () => new DataView(memory.buffer);
  const known = {
    /** @param {number} _clock @param {bigint} _precision @param {number} time */
    clock_time_get(_clock, _precision, time) {
      view().setBigUint64(time, BigInt(Math.round(performance.now() * 1e6)), true);
      return 0;
    },
    /** @param {number} count @param {number} bytes */
    environ_sizes_get(count, bytes) {
      view().setUint32(count, 0, true);
      view().setUint32(bytes, 0, true);
      return 0;
    },
    environ_get: () => 0,
    /** @param {number} _fd @param {number} vectors @param {number} count @param {number} written */
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
    /** @param {number} code */
    proc_exit(code) {
      throw new Error(`the module ended itself with ${code}`);
    },
  };
  return new Proxy(known, {
    get: (functions, name) => functions[/** @type {keyof typeof functions} */ (name)] ?? (() => ENOSYS),
  });
}
