// The ways in which a model could run here, best first: the GPU where it is a real one and computes right, then the CPU
// with whatever WebAssembly has. A device that the caller named is never replaced by another.
import { usableVariants } from '../module/variant.js';
import { ModelError } from '../models/index.js';
import type { Platform } from '../platform/platform.js';
import type { LoadSettings } from '../protocol.js';
import type { Way } from './loader.js';
import { isSoftware, probeGpu } from './probe.js';

const MAX_THREADS = 16; // more only wait for memory

export async function findWays(platform: Platform, settings: LoadSettings): Promise<{ ways: Way[]; remarks: string[] }> {
  const { variants, remarks } = usableVariants();
  const [best] = variants;
  if (!best) throw new ModelError('unsupported', `wisp needs WebAssembly with SIMD: ${remarks.join('; ')}`);
  const threads = Math.max(1, Math.min(settings.threads ?? platform.processors, MAX_THREADS));
  const ways: Way[] = [];
  if (settings.device !== 'cpu') {
    const reason = await reasonAgainstGpu(platform, settings.device === 'gpu');
    if (reason === undefined) {
      ways.push({ device: 'gpu', variant: best, threads: 1 });
      // Where the first one's memory is refused.
      if (best !== 'single') ways.push({ device: 'gpu', variant: 'single', threads: 1 });
    }
    else if (settings.device === 'gpu') throw new ModelError('device', `the GPU was asked for, and ${reason}`);
    else remarks.unshift(`not on the GPU: ${reason}`);
  }
  if (settings.device !== 'gpu') {
    for (const variant of variants) ways.push({ device: 'cpu', variant, threads: variant === 'single' ? 1 : threads });
  }
  return { ways, remarks };
}

async function reasonAgainstGpu({ gpu }: Platform, isNamed: boolean): Promise<string | undefined> {
  if (!gpu) return 'there is no WebGPU here';
  try {
    await probeGpu(gpu);
    if (!isNamed && await isSoftware(gpu)) return 'its driver is a program on the CPU, which is slower than the CPU itself';
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
