// Which of the WebAssembly modules this place can run: `relaxed` and `simd` have threads, which take shared memory (a page
// has it only when it is cross-origin isolated); `single` has one thread and runs everywhere.

import { hasRelaxedSimd, hasSharedMemory, hasSimd } from '../../wasm/instance.mjs';

export type Variant = 'relaxed' | 'simd' | 'single';

/** The variants that can run here, best first, and why better ones cannot. */
export function usableVariants(): { variants: Variant[]; remarks: string[] } {
  if (!hasSimd()) return { variants: [], remarks: ['this browser has no WebAssembly SIMD'] };
  if (!hasSharedMemory()) {
    return { variants: ['single'], remarks: ['one thread: the page is not cross-origin isolated, so there is no shared memory'] };
  }
  if (!hasRelaxedSimd()) {
    return { variants: ['simd', 'single'], remarks: ['no relaxed SIMD here: slower integer products'] };
  }
  return { variants: ['relaxed', 'simd', 'single'], remarks: [] };
}
