// What a device tells the module, and how it gets there: JsAnswer of engine/gpu/js/js_device.h.

/** @enum {number} */
export const Answer = Object.freeze({ pipeline: 0, read: 1, done: 2, errorScope: 3, uncapturedError: 4, lost: 5 });

const OK = 1;
const OUT_OF_MEMORY = 2;
const encoder = new TextEncoder();

/**
 * @typedef {object} DeviceAnswer
 * @property {number} kind one of Answer
 * @property {number} [ticket]
 * @property {boolean} [ok]
 * @property {boolean} [outOfMemory]
 * @property {string} [message]
 */

/**
 * Hands an answer to the module's device at `pointer`.
 * @param {WebAssembly.Exports} exports
 * @param {WebAssembly.Memory} memory
 * @param {number} pointer
 * @param {DeviceAnswer} answer
 */
export function tellModule(exports, memory, pointer, { kind, ticket = 0, ok = true, outOfMemory = false, message = '' }) {
  const flags = (ok ? OK : 0) | (outOfMemory ? OUT_OF_MEMORY : 0);
  if (message === '') return exports.wisp_gpu_event(pointer, kind, ticket, flags, 0, 0);
  let text = encoder.encode(message);
  let address = exports.wisp_alloc(text.length) >>> 0;
  if (address === 0) text = text.subarray(0, 0); // the answer matters more than its text
  new Uint8Array(memory.buffer, address, text.length).set(text);
  exports.wisp_gpu_event(pointer, kind, ticket, flags, address, text.length);
  if (address !== 0) exports.wisp_free(address);
}
