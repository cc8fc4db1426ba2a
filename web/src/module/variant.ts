// Which of the WebAssembly modules this place can run: `relaxed` and `simd` have threads, which take shared memory (a page
// has it only when it is cross-origin isolated); `single` has one thread and runs everywhere.

export type Variant = 'relaxed' | 'simd' | 'single';

// i8x16.relaxed_swizzle of two splats: validates exactly where relaxed SIMD exists.
const RELAXED_PROBE = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, // type 0: () -> v128
  0x03, 0x02, 0x01, 0x00, // function 0 has type 0
  0x0a, 0x0f, 0x01, 0x0d, 0x00, 0x41, 0x01, 0xfd, 0x0f, 0x41, 0x02, 0xfd, 0x0f, 0xfd, 0x80, 0x02, 0x0b);

// i32.const 1, i8x16.splat.
const SIMD_PROBE = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b,
  0x03, 0x02, 0x01, 0x00,
  0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x01, 0xfd, 0x0f, 0x0b);

export const hasSharedMemory = (): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;

/** The variants that can run here, best first, and why better ones cannot. */
export function usableVariants(): { variants: Variant[]; remarks: string[] } {
  if (!WebAssembly.validate(SIMD_PROBE)) return { variants: [], remarks: ['this browser has no WebAssembly SIMD'] };
  if (!hasSharedMemory()) {
    return { variants: ['single'], remarks: ['one thread: the page is not cross-origin isolated, so there is no shared memory'] };
  }
  if (!WebAssembly.validate(RELAXED_PROBE)) {
    return { variants: ['simd', 'single'], remarks: ['no relaxed SIMD here: slower integer products'] };
  }
  return { variants: ['relaxed', 'simd', 'single'], remarks: [] };
}
