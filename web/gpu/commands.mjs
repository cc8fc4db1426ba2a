// The command streams of engine/gpu/device/commands.h, read from the module's memory. That header says what each
// command means; the numbers here are its enumerators in their order.

/** @enum {number} */
export const Opcode = Object.freeze({
  createBuffer: 1,
  destroyBuffer: 2,
  writeBuffer: 3,
  createLayout: 4,
  createPipeline: 5,
  destroyPipeline: 6,
  createBindGroup: 7,
  destroyBindGroup: 8,
  createQuerySet: 9,
  destroyQuerySet: 10,
  beginPass: 11,
  setPipeline: 12,
  setBindGroup: 13,
  dispatch: 14,
  endPass: 15,
  copyBuffer: 16,
  clearBuffer: 17,
  resolveQueries: 18,
  readBuffer: 19,
  signal: 20,
  pushErrorScope: 21,
  popErrorScope: 22,
});

const decoder = new TextDecoder();

/** Walks a stream, one command at a time; `word`, `word64`, `text` and `list` take its operands in order. */
export class CommandReader {
  #memory;
  #words;
  #at = 0;
  #end = 0;

  /**
   * @param {WebAssembly.Memory} memory
   * @param {number} address of the first word
   * @param {number} words
   */
  constructor(memory, address, words) {
    this.#memory = memory;
    this.#words = new Uint32Array(memory.buffer, address >>> 0, words >>> 0);
  }

  /** @returns {number} the next command's opcode, 0 at the end */
  next() {
    this.#at = this.#end;
    if (this.#at >= this.#words.length) return 0;
    const head = this.#words[this.#at++];
    this.#end += head >>> 8;
    return head & 0xff;
  }

  word() {
    return this.#words[this.#at++];
  }

  /** A size, an offset or an address: all are below 2^53. */
  word64() {
    const low = this.word();
    return low + this.word() * 2 ** 32;
  }

  /** Decoded from a copy: decoders refuse memory that threads share. */
  text() {
    const address = this.word64();
    return decoder.decode(new Uint8Array(this.#memory.buffer, address, this.word()).slice());
  }

  /**
   * A count, then that many items.
   * @template T
   * @param {(index: number) => T} item
   */
  list(item) {
    return Array.from({ length: this.word() }, (_, index) => item(index));
  }
}
