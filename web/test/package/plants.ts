// Failures of an engine's threads, planted in front of their scripts as they are built.

/** A thread that cannot be started. */
export const REFUSED = `
  WebAssembly.Instance = function () { throw new Error('planted: no thread'); };
`;
/** A thread that does not work: when it should begin to, this happens. */
const inPlaceOfWork = (what: string): string => `
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (module, imports) {
    const { exports } = new Instance(module, imports);
    return { exports: { ...exports, wisp_pool_run_worker: () => { ${what} } } };
  };
`;
/** It traps while the engine waits for it: in a function whose only instruction is unreachable. */
export const TRAPS = inPlaceOfWork(`
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, 5, 1, 3, 0, 0, 11);
  new Instance(new WebAssembly.Module(bytes)).exports.f();
`);
/** In front of the page's script: a thread is gone at the page's signal, between two steps. */
export const LOSES_A_THREAD = `
  const started = [];
  const RealWorker = Worker;
  globalThis.Worker = class extends RealWorker {
    constructor(address, options) {
      super(address, options);
      if (options.name === 'wisp thread') started.push(this);
    }
  };
  new BroadcastChannel('story').onmessage = () => started[0].terminate();
`;
/** It is gone, without a word: of a browser, and of Node. */
export const ENDS = inPlaceOfWork('self.close(); self.postMessage = () => {};');
export const ENDS_IN_NODE = inPlaceOfWork('process.exit();');
