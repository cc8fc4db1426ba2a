// What WebAssembly of 32-bit addresses bounds.

/** Bytes of a module's memory for its stacks and small things. */
export const BESIDE_MODEL = 192 * 2 ** 20;
/** Bytes of model, keys, values and activations that a module can hold at most. */
export const MODULE_BYTES = 4 * 2 ** 30 - BESIDE_MODEL;
