// A broken promise ends its check.
export function expect(condition, message) {
  if (!condition) throw new Error(message);
}
