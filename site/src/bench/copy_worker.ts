// One thread's share of measureBandwidth(): GB/s of copies between two pieces of memory.
self.onmessage = ({ data: { bytes, copies } }: MessageEvent<{ bytes: number; copies: number }>) => {
  const [from, to] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(2)];
  const begun = performance.now();
  for (let copy = 0; copy < copies; ++copy) to.set(from);
  self.postMessage((2 * bytes * copies) / (performance.now() - begun) / 1e6);
};
