// How fast this device moves memory: what the weights read for a token are measured against. Copies count twice, read and written.
import type { EngineInfo } from '../package.js';

const CPU_BYTES = 48 * 2 ** 20; // in each thread: far more than caches hold
const GPU_BYTES = 128 * 2 ** 20;
const COPIES = 8;
const REPEATS = 5;

async function ofGpu(): Promise<number> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  const device = await adapter?.requestDevice();
  if (!device) return 0;
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [from, to] = [device.createBuffer({ size: GPU_BYTES, usage }), device.createBuffer({ size: GPU_BYTES, usage })];
  let best = 0;
  for (let repeat = 0; repeat < REPEATS; ++repeat) {
    const commands = device.createCommandEncoder();
    for (let copy = 0; copy < COPIES; ++copy) commands.copyBufferToBuffer(from, 0, to, 0, GPU_BYTES);
    const begun = performance.now();
    device.queue.submit([commands.finish()]);
    await device.queue.onSubmittedWorkDone();
    best = Math.max(best, (2 * COPIES * GPU_BYTES) / (performance.now() - begun) / 1e6);
  }
  device.destroy();
  return best;
}

// All threads at once, as the engine reads.
async function ofCpu(threads: number): Promise<number> {
  const workers = Array.from({ length: threads }, () => new Worker(new URL('./copy_worker.ts', import.meta.url), { type: 'module' }));
  try {
    const rates = await Promise.all(workers.map(worker => new Promise<number>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
      worker.onerror = () => reject(new Error('the memory could not be measured'));
      worker.postMessage({ bytes: CPU_BYTES, copies: COPIES * REPEATS });
    })));
    return rates.reduce((sum, rate) => sum + rate, 0);
  } finally {
    workers.forEach(worker => worker.terminate());
  }
}

/** GB/s; 0 where it cannot be measured. */
export const measureBandwidth = ({ device, threads }: Pick<EngineInfo, 'device' | 'threads'>): Promise<number> =>
  (device === 'gpu' ? ofGpu() : ofCpu(threads)).catch(() => 0);
