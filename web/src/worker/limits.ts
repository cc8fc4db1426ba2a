// What WebAssembly of 32-bit addresses bounds.

/** Bytes of model, keys, values and activations that a module can hold beside its stacks and small things. */
export const MODULE_BYTES = 4 * 2 ** 30 - 192 * 2 ** 20;
